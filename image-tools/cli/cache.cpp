// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/cache.cpp - the bundles that `run` keeps.
#include "image-tools/cli/cache.hpp"

#include "image-tools/files/atomic_file.hpp"
#include "image-tools/files/cache_place.hpp"
#include "image-tools/files/digest.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <numeric>
#include <sys/file.h>
#include <unistd.h>
#include <utility>

namespace cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* place_file = "manifest-path";
constexpr std::uint64_t longest_place = 8192;

fs::path cache_root() {
    if (const auto place = files::cache_place("run"))
        return *place;
    throw diagnostic::fail("E0701", "neither CAISSON_CACHE, XDG_CACHE_HOME nor HOME says where to build")
        .help("set HOME, or build with: caisson build -o FILE, and run that");
}

std::uint64_t bytes_in(const fs::path& folder) {
    std::uint64_t bytes = 0;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error))
        if (entry.is_regular_file(error))
            bytes += entry.file_size(error);
    return bytes;
}

// Exclusive: nobody else uses the folder. -1: somebody does, or it is gone.
int lock(const fs::path& folder, int how) {
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return -1;
    if (::flock(descriptor, how) == 0)
        return descriptor;
    ::close(descriptor);
    return -1;
}

} // namespace

CacheFolder::CacheFolder(const std::string& place)
    : path_(cache_root() / files::sha256(std::string_view(place)).hex().substr(0, 16)) {
    constexpr int most_tries = 100; // another tool may remove it between the two steps
    for (int i = 0; i < most_tries && lock_ < 0; ++i) {
        std::error_code error;
        fs::create_directories(path_, error);
        if (error)
            throw diagnostic::fail("E0602", "cannot make " + path_.string() + ": " + error.message());
        lock_ = lock(path_, LOCK_SH);
        if (lock_ >= 0 && !fs::exists(path_, error))
            ::close(std::exchange(lock_, -1));
    }
    if (lock_ < 0)
        throw diagnostic::fail_system("E0602", "cannot use " + path_.string(), errno);
    files::AtomicFile name(path_ / place_file);
    name.write(files::bytes_of(place));
    name.commit();
}

CacheFolder::CacheFolder(CacheFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

CacheFolder& CacheFolder::operator=(CacheFolder&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(lock_, other.lock_);
    return *this;
}

CacheFolder::~CacheFolder() {
    if (lock_ >= 0)
        ::close(lock_);
}

std::vector<CacheEntry> cache_entries() {
    std::vector<CacheEntry> out;
    std::error_code error;
    for (const fs::directory_entry& folder : fs::directory_iterator(cache_root(), error)) {
        if (!folder.is_directory(error))
            continue;
        CacheEntry entry{folder.path(), {}, bytes_in(folder.path()), {}};
        const fs::path place = folder.path() / place_file;
        if (fs::exists(place, error))
            entry.manifest = files::read_file(place, longest_place);
        entry.used = fs::last_write_time(fs::exists(place, error) ? place : folder.path(), error);
        out.push_back(std::move(entry));
    }
    std::sort(out.begin(), out.end(),
              [](const CacheEntry& one, const CacheEntry& other) { return one.used < other.used; });
    return out;
}

std::vector<CacheEntry> prune_cache(std::uint64_t limit) {
    const std::vector<CacheEntry> entries = cache_entries();
    std::uint64_t bytes =
        std::accumulate(entries.begin(), entries.end(), std::uint64_t{0},
                        [](std::uint64_t sum, const CacheEntry& entry) { return sum + entry.bytes; });
    std::vector<CacheEntry> removed;
    for (const CacheEntry& entry : entries) {
        if (bytes <= limit)
            break;
        const int held = lock(entry.folder, LOCK_EX | LOCK_NB);
        if (held < 0)
            continue;
        std::error_code error;
        fs::remove_all(entry.folder, error);
        ::close(held);
        if (error)
            throw diagnostic::fail("E0602",
                                   "cannot remove " + entry.folder.string() + ": " + error.message());
        bytes -= entry.bytes;
        removed.push_back(entry);
    }
    return removed;
}

} // namespace cli
