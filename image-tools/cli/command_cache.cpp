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

int ls(const Common&, Report& report) {
    report.data({{"schema", "caisson.cache/1"}, {"items", list(cache_entries(), report)}});
    return 0;
}

struct PruneOptions {
    std::string max_size;
};

int prune(const PruneOptions& options, const Common&, Report& report) {
    const std::uint64_t limit = size_limit(options.max_size, default_cache_limit);
    const std::vector<CacheEntry> removed = prune_cache(limit);
    report.data({{"schema", "caisson.cache-prune/1"}, {"limit", limit}, {"items", list(removed, report)}});
    report.note(removed.empty() ? "nothing to remove" : fmt::format("{} removed", removed.size()));
    return 0;
}

} // namespace

std::uint64_t size_limit(const std::string& text, std::uint64_t usual) {
    if (text.empty())
        return usual;
    if (text == "0")
        return 0; // Elsewhere a size of nothing is a mistake.
    const auto size = manifest::parse_size(text);
    if (const auto* error = std::get_if<manifest::ValueError>(&size))
        throw diagnostic::fail("E0101", "--max-size: " + error->message).help(error->help);
    return std::get<std::uint64_t>(size);
}

void declare_cache_commands(Command& root) {
    Command cache = root.group("cache", "The bundles that run keeps");
    cache.add("ls", "What is kept, the longest unused first", "caisson cache ls", ls);
    cache.add<PruneOptions>(
        "prune", "Remove the longest unused", "caisson cache prune --max-size 1GiB",
        [](Command& command, PruneOptions& options) {
            command.option("--max-size", options.max_size, value::size,
                           "what may stay (default: 2GiB; 0: nothing)");
        },
        prune);
}

} // namespace cli
