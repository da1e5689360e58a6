// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/cache.hpp - the bundles that `run` builds and keeps, one folder a manifest.
//
// Invariants: what a running tool uses is not removed; the cache's size has a limit.
#pragma once

#include "image-tools/cli/report.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace cli {

inline constexpr std::uint64_t default_cache_limit = std::uint64_t{2} << 30;

// The folder for what is built of that manifest, made when it is not there and held while the object lives.
class CacheFolder {
public:
    // `place`: what tells this manifest from others, its absolute path. Throws E0602, E0701.
    explicit CacheFolder(const std::string& place);
    CacheFolder(CacheFolder&& other) noexcept;
    CacheFolder& operator=(CacheFolder&& other) noexcept;
    CacheFolder(const CacheFolder&) = delete;
    CacheFolder& operator=(const CacheFolder&) = delete;
    ~CacheFolder();
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
    int lock_ = -1;
};

struct CacheEntry {
    std::filesystem::path folder;
    std::string manifest; // as it was named when it was built
    std::uint64_t bytes = 0;
    std::filesystem::file_time_type used;
};

// The longest unused first.
std::vector<CacheEntry> cache_entries();

// Removes the longest unused until at most `limit` bytes are left; what was removed. A folder in use stays.
std::vector<CacheEntry> prune_cache(std::uint64_t limit);

} // namespace cli
