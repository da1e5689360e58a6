// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_cache.cpp - cache ls, cache prune: the bundles that `run` keeps.
#include "image-tools/cli/cache.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/manifest/values.hpp"

#include <fmt/format.h>

namespace cli {
namespace {

Json list(const std::vector<CacheEntry>& entries, const Report& report) {
    Json items = Json::array();
    for (const CacheEntry& entry : entries) {
        const std::string manifest = entry.manifest.empty() ? "(not known)" : entry.manifest;
        report.line(fmt::format("{:>10}  {}  {}", manifest::size_text(entry.bytes),
                                entry.folder.filename().string(), manifest));
        items.push_back(
            {{"folder", entry.folder.string()}, {"bytes", entry.bytes}, {"manifest", entry.manifest}});
    }
    return items;
}

} // namespace

int cache_ls(const Options&, Report& report) {
    report.data({{"schema", "caisson.cache/1"}, {"items", list(cache_entries(), report)}});
    return 0;
}

int cache_prune(const Options& options, Report& report) {
    std::uint64_t limit = default_cache_limit;
    if (options.max_size == "0") {
        limit = 0;
    } else if (!options.max_size.empty()) {
        const auto size = manifest::parse_size(options.max_size);
        if (const auto* error = std::get_if<manifest::ValueError>(&size))
            throw diagnostic::fail("E0101", "--max-size: " + error->message).help(error->help);
        limit = std::get<std::uint64_t>(size);
    }
    const std::vector<CacheEntry> removed = prune_cache(limit);
    report.data({{"schema", "caisson.cache-prune/1"}, {"limit", limit}, {"items", list(removed, report)}});
    report.note(removed.empty() ? "nothing to remove" : fmt::format("{} removed", removed.size()));
    return 0;
}

} // namespace cli
