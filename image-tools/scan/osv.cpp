// SPDX-License-Identifier: Apache-2.0
// image-tools/scan/osv.cpp - a folder of OSV records.
#include "image-tools/scan/osv.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/oci/limits.hpp"
#include "image-tools/oci/strict_json.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace scan {
namespace {

constexpr std::uint64_t largest_record = 16 << 20;

Severity severity_of(double score) {
    return score >= 9.0   ? Severity::critical
           : score >= 7.0 ? Severity::high
           : score >= 4.0 ? Severity::medium
           : score > 0.0  ? Severity::low
                          : Severity::unknown;
}

Severity severity_of(const std::string& said) {
    std::string lower = said;
    for (char& c : lower)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return lower == "critical"                        ? Severity::critical
           : lower == "high" || lower == "important"  ? Severity::high
           : lower == "medium" || lower == "moderate" ? Severity::medium
           : lower == "low" || lower == "negligible"  ? Severity::low
                                                      : Severity::unknown;
}

// What an object's severities amount to: vectors first, then what the database calls it.
Severity severity_in(const oci::JsonObject& object) {
    Severity out = Severity::unknown;
    // Ubuntu and others write words instead of vectors.
    if (object.has("severity"))
        for (const oci::JsonObject& item : object.objects("severity")) {
            const std::string score = item.text("score").value_or("");
            const auto number = cvss3_score(score);
            out = std::max(out, number ? severity_of(*number) : severity_of(score));
        }
    for (const char* where : {"database_specific", "ecosystem_specific"})
        if (out == Severity::unknown)
            if (const auto specific = object.object(where)) {
                try {
                    out = severity_of(specific->text("severity").value_or(""));
                } catch (const diagnostic::Failure&) { // a list or an object of its own making
                }
            }
    return out;
}

std::vector<Event> events_of(const oci::JsonObject& range) {
    std::vector<Event> out;
    for (const oci::JsonObject& item : range.objects("events"))
        for (const auto& [key, kind] :
             {std::pair{"introduced", Event::Kind::introduced}, std::pair{"fixed", Event::Kind::fixed},
              std::pair{"last_affected", Event::Kind::last_affected}, std::pair{"limit", Event::Kind::limit}})
            if (const auto version = item.text(key))
                out.push_back({kind, *version});
    return out;
}

} // namespace

std::string_view word(Severity severity) {
    static constexpr std::array<std::string_view, 5> words{"unknown", "low", "medium", "high", "critical"};
    return words[static_cast<std::size_t>(severity)];
}

std::optional<double> cvss3_score(std::string_view vector) {
    if (!vector.starts_with("CVSS:3."))
        return std::nullopt;
    const auto value = [&](std::string_view metric) {
        const std::size_t at = vector.find("/" + std::string(metric) + ":");
        return at == std::string_view::npos || at + metric.size() + 2 >= vector.size()
                   ? '?'
                   : vector[at + metric.size() + 2];
    };
    const auto weight = [&](std::string_view metric, std::initializer_list<std::pair<char, double>> weights) {
        for (const auto& [letter, number] : weights)
            if (letter == value(metric))
                return number;
        return -1.0;
    };
    const bool changed = value("S") == 'C';
    const double attack = weight("AV", {{'N', 0.85}, {'A', 0.62}, {'L', 0.55}, {'P', 0.2}});
    const double complexity = weight("AC", {{'L', 0.77}, {'H', 0.44}});
    const double privileges = changed ? weight("PR", {{'N', 0.85}, {'L', 0.68}, {'H', 0.5}})
                                      : weight("PR", {{'N', 0.85}, {'L', 0.62}, {'H', 0.27}});
    const double interaction = weight("UI", {{'N', 0.85}, {'R', 0.62}});
    const std::initializer_list<std::pair<char, double>> effects{{'H', 0.56}, {'L', 0.22}, {'N', 0.0}};
    const double confidentiality = weight("C", effects), integrity = weight("I", effects),
                 availability = weight("A", effects);
    if (std::min({attack, complexity, privileges, interaction, confidentiality, integrity, availability}) <
            0 ||
        (!changed && value("S") != 'U'))
        return std::nullopt;
    const double base = 1 - (1 - confidentiality) * (1 - integrity) * (1 - availability);
    const double impact = changed ? 7.52 * (base - 0.029) - 3.25 * std::pow(base - 0.02, 15) : 6.42 * base;
    if (impact <= 0)
        return 0.0;
    const double exploitability = 8.22 * attack * complexity * privileges * interaction;
    const double score = std::min((changed ? 1.08 : 1.0) * (impact + exploitability), 10.0);
    // Rounded up to one place, without what binary fractions add.
    const long whole = std::lround(score * 100000);
    return whole % 10000 == 0 ? static_cast<double>(whole) / 100000.0
                              : (std::floor(static_cast<double>(whole) / 10000.0) + 1) / 10.0;
}

bool Affected::holds(std::string_view version) const {
    if (std::find(versions.begin(), versions.end(), version) != versions.end())
        return true;
    if (scheme == Scheme::none || version.empty())
        return false;
    for (const std::vector<Event>& range : ranges) {
        // The event that is nearest below decides.
        std::vector<const Event*> sorted;
        for (const Event& event : range)
            sorted.push_back(&event);
        std::stable_sort(sorted.begin(), sorted.end(), [this](const Event* one, const Event* other) {
            const bool first = one->kind == Event::Kind::introduced && one->version == "0";
            const bool other_first = other->kind == Event::Kind::introduced && other->version == "0";
            return first != other_first ? first : !first && compare(scheme, one->version, other->version) < 0;
        });
        bool affected = false;
        for (const Event* event : sorted) {
            const bool from_begin = event->kind == Event::Kind::introduced && event->version == "0";
            const auto order =
                from_begin ? std::weak_ordering::greater : compare(scheme, version, event->version);
            if (event->kind == Event::Kind::introduced && order >= 0)
                affected = true;
            else if (event->kind == Event::Kind::last_affected
                         ? order > 0
                         : event->kind != Event::Kind::introduced && order >= 0)
                affected = false;
        }
        if (affected)
            return true;
    }
    return false;
}

std::string Affected::fixed_after(std::string_view version) const {
    std::string out;
    for (const std::vector<Event>& range : ranges)
        for (const Event& event : range)
            if (event.kind == Event::Kind::fixed && compare(scheme, event.version, version) > 0 &&
                (out.empty() || compare(scheme, event.version, out) < 0))
                out = event.version;
    return out;
}

void Advisories::add(std::string_view text, const std::string& name) {
    oci::Limits limits;
    limits.json_bytes = largest_record;
    const oci::JsonDocument document(text, name, limits);
    const oci::JsonObject top = document.top();
    Record record{top.required_text("id"), top.text("summary").value_or(""),
                  top.text("modified").value_or(""), top.texts("aliases"), severity_in(top)};
    for (std::string& other : top.texts("upstream")) // distributions name the CVE there
        record.aliases.push_back(std::move(other));
    newest_ = std::max(newest_, record.modified);
    if (top.has("withdrawn"))
        return;
    std::vector<std::pair<std::pair<std::string, std::string>, Affected>> found;
    for (const oci::JsonObject& item : top.objects("affected")) {
        const auto package = item.object("package");
        if (!package)
            continue; // of commits alone
        std::string ecosystem = package->required_text("ecosystem");
        Affected affected{records_.size(), {}, {}, {}, item.texts("versions"), severity_in(item)};
        if (const std::size_t colon = ecosystem.find(':'); colon != std::string::npos) {
            affected.release = ecosystem.substr(colon + 1);
            ecosystem.erase(colon);
        }
        affected.scheme = scheme_of(ecosystem);
        for (const oci::JsonObject& range : item.objects("ranges"))
            if (range.text("type").value_or("") != "GIT")
                affected.ranges.push_back(events_of(range));
        if (affected.scheme == Scheme::none)
            unordered_.insert(ecosystem);
        ecosystems_.insert(ecosystem);
        found.push_back({{ecosystem, package->required_text("name")}, std::move(affected)});
    }
    for (auto& [key, affected] : found)
        affected_[key].push_back(std::move(affected));
    records_.push_back(std::move(record));
}

Advisories Advisories::load(const std::filesystem::path& folder) {
    Advisories out;
    std::vector<std::filesystem::path> files;
    std::error_code error;
    for (std::filesystem::recursive_directory_iterator at(folder, error), end; !error && at != end;
         at.increment(error))
        if (at->is_regular_file(error) && at->path().extension() == ".json")
            files.push_back(at->path());
    if (error || files.empty())
        throw diagnostic::fail("E0601", folder.string() + " holds no OSV records" +
                                            (error ? ": " + error.message() : ""))
            .help("unpack an ecosystem's all.zip there: one .json a record");
    std::sort(files.begin(), files.end());
    for (const std::filesystem::path& file : files)
        try {
            out.add(files::read_file(file, largest_record), file.filename().string());
        } catch (const diagnostic::Failure& failure) {
            out.unreadable_.push_back(failure.diagnostic().message);
        }
    return out;
}

const std::vector<Affected>* Advisories::of(const std::string& ecosystem, const std::string& name) const {
    const auto found = affected_.find({ecosystem, name});
    return found == affected_.end() ? nullptr : &found->second;
}

} // namespace scan
