// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/inventory.cpp - all that the databases of a root image say, in one order.
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/sbom/database.hpp"
#include "image-tools/sbom/licence.hpp"
#include "image-tools/sbom/text.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace sbom {
namespace {

constexpr std::size_t most_packages = 500'000;

} // namespace

std::span<const Database* const> databases() {
    static constexpr std::array all{&dpkg, &apk, &rpm, &programs, &python, &npm, &java};
    return all;
}

std::string whole_or_damaged(const Files& files, const File& file, std::uint64_t limit) {
    auto all = files.whole(file, limit);
    if (!all)
        throw Damaged("it is larger than " + std::to_string(limit >> 20) + " MiB");
    return std::move(*all);
}

Distribution parse_os_release(std::string_view text) {
    Distribution out;
    for (const std::string_view line : text::split(text, '\n')) {
        const std::size_t equals = line.find('=');
        if (equals == std::string_view::npos)
            continue;
        std::string_view value = text::trimmed(line.substr(equals + 1));
        if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
            value.back() == value.front())
            value = value.substr(1, value.size() - 2);
        const std::string_view name = line.substr(0, equals);
        if (name == "ID")
            out.id = value;
        else if (name == "VERSION_ID")
            out.version = value;
        else if (name == "PRETTY_NAME")
            out.name = value;
    }
    return out;
}

Inventory take_inventory(const Files& files) {
    Inventory out;
    for (const char* path : {"etc/os-release", "usr/lib/os-release"})
        if (const auto text = files.text(path, 64 << 10)) {
            out.distribution = parse_os_release(*text);
            break;
        }
    for (const Database* database : databases()) {
        std::set<std::uint64_t> seen; // a file has one content, whatever its names
        for (const File& file : files.all()) {
            if (!database->is_one(file) || !seen.insert(file.number).second)
                continue;
            try {
                database->read(files, file, out.packages);
            } catch (const Damaged& damaged) {
                out.notes.push_back(file.path + ": " + damaged.what());
            } catch (const diagnostic::Failure& failure) { // JSON
                out.notes.push_back(failure.diagnostic().message);
            }
            if (out.packages.size() > most_packages)
                throw Damaged("more than " + std::to_string(most_packages) + " packages");
        }
    }
    std::sort(out.packages.begin(), out.packages.end());
    out.packages.erase(std::unique(out.packages.begin(), out.packages.end()), out.packages.end());
    return out;
}

Summary summary_of(const Inventory& inventory) {
    Summary out;
    const Distribution& distribution = inventory.distribution;
    out.distribution = distribution.id + (distribution.version.empty() ? "" : ":" + distribution.version);
    out.packages = inventory.packages.size();
    out.not_read = inventory.notes;
    std::set<std::string> licences;
    for (const Package& package : inventory.packages) { // sorted by kind
        const std::string kind(word(package.kind));
        if (out.kinds.empty() || out.kinds.back().first != kind)
            out.kinds.emplace_back(kind, 0);
        ++out.kinds.back().second;
        for (const Licence& licence : licences_of(package.licence))
            licences.insert(licence.text);
    }
    out.licences.assign(licences.begin(), licences.end());
    return out;
}

} // namespace sbom
