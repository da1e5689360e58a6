// SPDX-License-Identifier: Apache-2.0
// image-tools/scan/match.cpp - the packages of a bundle against the records of a database.
#include "image-tools/scan/match.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/limits.hpp"
#include "image-tools/oci/strict_json.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <tuple>

namespace scan {
namespace {

// Where OSV looks for a package, and under which release.
struct Place {
    std::string ecosystem, release;
};

Place place_of(sbom::Kind kind, const sbom::Distribution& distribution) {
    switch (kind) {
    case sbom::Kind::golang:
        return {"Go", {}};
    case sbom::Kind::cargo:
        return {"crates.io", {}};
    case sbom::Kind::pypi:
        return {"PyPI", {}};
    case sbom::Kind::npm:
        return {"npm", {}};
    case sbom::Kind::maven:
        return {"Maven", {}};
    case sbom::Kind::deb:
    case sbom::Kind::apk:
    case sbom::Kind::rpm:
        break;
    }
    static constexpr auto names =
        std::to_array<std::pair<std::string_view, std::string_view>>({{"debian", "Debian"},
                                                                      {"ubuntu", "Ubuntu"},
                                                                      {"alpine", "Alpine"},
                                                                      {"wolfi", "Wolfi"},
                                                                      {"chainguard", "Chainguard"},
                                                                      {"rhel", "Red Hat"},
                                                                      {"rocky", "Rocky Linux"},
                                                                      {"almalinux", "AlmaLinux"},
                                                                      {"opensuse-leap", "openSUSE"},
                                                                      {"opensuse-tumbleweed", "openSUSE"},
                                                                      {"sles", "SUSE"},
                                                                      {"mageia", "Mageia"},
                                                                      {"openEuler", "openEuler"}});
    for (const auto& [id, name] : names)
        if (id == distribution.id)
            return {std::string(name), distribution.version};
    return {distribution.id.empty() ? "(no os-release)" : distribution.id, distribution.version};
}

// Whether advisories for `release` ("12", "v3.19", "22.04:LTS", "Leap 15.5") are for this version.
bool is_of_release(const std::string& release, const Place& place) {
    if (release.empty() || place.release.empty())
        return true;
    const auto words_hold = [&](std::string_view wanted) {
        for (std::string_view rest = release; !rest.empty();) {
            const std::size_t end = std::min(rest.find_first_of(": "), rest.size());
            std::string_view word = rest.substr(0, end);
            if (word.starts_with('v'))
                word.remove_prefix(1);
            if (word == wanted)
                return true;
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        return false;
    };
    if (words_hold(place.release))
        return true;
    // "3.19.1" is of v3.19, "9.3" of 9.
    for (std::size_t dot = place.release.rfind('.'); dot != std::string::npos && dot != 0;
         dot = place.release.rfind('.', dot - 1))
        if (place.ecosystem != "Ubuntu" && words_hold(std::string_view(place.release).substr(0, dot)))
            return true;
    return false;
}

// A version as the records write it: that of the source where packages are named by it.
void look_up(const sbom::Package& package, const sbom::PartitionBill& partition, const Place& place,
             const Advisories& advisories, std::vector<Finding>& out) {
    std::string name = package.name;
    std::string version = package.version;
    // Records of Debian, Ubuntu and Alpine are of sources.
    if ((package.kind == sbom::Kind::deb || package.kind == sbom::Kind::apk) && !package.source.empty()) {
        name = package.source;
        version = package.source_version.empty() ? package.version : package.source_version;
    }
    if (package.kind == sbom::Kind::pypi) // as PEP 503 writes them
        for (char& c : name)
            c = c == '_' || c == '.' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const std::vector<Affected>* all = advisories.of(place.ecosystem, name);
    if (all == nullptr)
        return;
    for (const Affected& affected : *all) {
        if (!is_of_release(affected.release, place) || !affected.holds(version))
            continue;
        const Record& record = advisories.record(affected.record);
        out.push_back({partition.name,
                       sbom::purl(package, partition.inventory.distribution),
                       package.name,
                       package.version,
                       package.place,
                       record.id,
                       record.summary,
                       record.aliases,
                       std::max(affected.severity, record.severity),
                       affected.fixed_after(version),
                       {}});
    }
}

// A product is a package where both are one, whatever qualifiers it leaves out.
bool is_product(const std::string& product, const std::string& purl) {
    if (product == purl)
        return true;
    const bool bare = product.find('?') == std::string::npos;
    const std::string without = purl.substr(0, purl.find('?'));
    return bare && (product == without || product == without.substr(0, without.rfind('@')));
}

} // namespace

void Vex::add(std::string_view text, const std::string& name) {
    try {
        const oci::JsonDocument document(text, name, oci::Limits());
        const oci::JsonObject top = document.top();
        if (!top.text("@context").value_or("").starts_with("https://openvex.dev/ns"))
            throw diagnostic::fail("E0434", name + " is no OpenVEX document: its @context is another");
        for (const oci::JsonObject& item : top.objects("statements")) {
            Statement out;
            out.status = item.required_text("status");
            out.justification =
                item.text("justification").value_or(item.text("impact_statement").value_or(""));
            const auto vulnerability = item.object("vulnerability");
            if (!vulnerability)
                throw diagnostic::fail("E0434", item.what() + " names no vulnerability");
            out.vulnerability = vulnerability->required_text("name");
            out.aliases = vulnerability->texts("aliases");
            for (const oci::JsonObject& product : item.objects("products")) {
                out.products.push_back(product.text("@id").value_or(""));
                if (const auto identifiers = product.object("identifiers"))
                    out.products.push_back(identifiers->text("purl").value_or(""));
                for (const oci::JsonObject& part : product.objects("subcomponents"))
                    out.products.push_back(part.text("@id").value_or(""));
            }
            statements_.push_back(std::move(out));
        }
    } catch (const diagnostic::Failure& failure) {
        throw diagnostic::fail("E0434", failure.diagnostic().message).help("see docs/supply-chain.md");
    }
}

std::string Vex::clears(const Finding& finding) const {
    std::string out;
    for (const Statement& statement : statements_) {
        const auto is_named = [&](const std::string& id) {
            return id == statement.vulnerability ||
                   std::find(statement.aliases.begin(), statement.aliases.end(), id) !=
                       statement.aliases.end();
        };
        if (!is_named(finding.id) && std::none_of(finding.aliases.begin(), finding.aliases.end(), is_named))
            continue;
        if (std::none_of(statement.products.begin(), statement.products.end(),
                         [&](const std::string& product) {
                             return !product.empty() && is_product(product, finding.purl);
                         }))
            continue;
        // The last statement of a document counts.
        if (statement.status == "not_affected" || statement.status == "fixed")
            out = statement.status + (statement.justification.empty() ? "" : ": " + statement.justification);
        else
            out.clear();
    }
    return out;
}

Result match(const sbom::Bill& bill, const Advisories& advisories, const Vex& vex) {
    Result out;
    std::set<std::string> blind;
    for (const sbom::PartitionBill& partition : bill.partitions)
        for (const sbom::Package& package : partition.inventory.packages) {
            const Place place = place_of(package.kind, partition.inventory.distribution);
            if (!advisories.knows(place.ecosystem))
                blind.insert(partition.name + ": " + std::string(sbom::word(package.kind)) +
                             " packages: the database has nothing of " + place.ecosystem);
            look_up(package, partition, place, advisories, out.findings);
        }
    out.blind.assign(blind.begin(), blind.end());
    std::sort(out.findings.begin(), out.findings.end(), [](const Finding& one, const Finding& other) {
        return std::tuple(one.partition, -static_cast<int>(one.severity), one.package, one.id, one.place) <
               std::tuple(other.partition, -static_cast<int>(other.severity), other.package, other.id,
                          other.place);
    });
    out.findings.erase(std::unique(out.findings.begin(), out.findings.end(),
                                   [](const Finding& one, const Finding& other) {
                                       return std::tie(one.partition, one.purl, one.id, one.place) ==
                                              std::tie(other.partition, other.purl, other.id, other.place);
                                   }),
                       out.findings.end());
    for (Finding& finding : out.findings)
        finding.cleared = vex.clears(finding);
    return out;
}

} // namespace scan
