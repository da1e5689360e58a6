// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/cache.hpp - images from registries, kept on this machine by the digests of their parts.
//
//   blobs/sha256/HEX   a document or layer, whole
//   partial/HEX        one that is being brought; whoever writes it holds its lock
//   names/HEX          what a reference named when it was last asked, and which blobs belong to that
//   lock               held shared while the cache is used, exclusively by collect()
//
// Invariants: a blob has its name only when every byte was there and its SHA-256 is that name, however a tool that wrote
//             it ended; a name is written when all its blobs are there. What is used is checked again by oci::Store.
// Parallel:   any number of tools; two that want one blob wait for each other.
#pragma once

#include "image-tools/files/digest.hpp"
#include "image-tools/files/range.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace registry {

// What a reference named, for one platform.
struct CachedImage {
    std::string reference; // whole: "host/repository:tag"
    std::string platform;
    files::Digest digest;   // what the reference names: an index or a manifest
    files::Digest manifest; // the platform's
    std::vector<std::pair<files::Digest, std::uint64_t>> blobs{}; // all that belongs to it, with sizes
    std::chrono::system_clock::time_point used{};

    [[nodiscard]] std::uint64_t bytes() const;
};

class Cache;

// A blob on its way into the cache. What an earlier attempt left is kept and counts.
class PartialBlob {
public:
    PartialBlob(PartialBlob&&) noexcept = default;
    PartialBlob& operator=(PartialBlob&&) noexcept = default;

    [[nodiscard]] std::uint64_t size() const { return size_; }
    void append(std::span<const std::uint8_t> bytes); // throws E0602
    void restart();                                   // from nothing
    void discard();                                   // it is not needed: its name goes
    // The blob gets its name. False: these are other bytes, and they are gone.
    bool finish();

private:
    friend class Cache;
    PartialBlob(files::Digest digest, std::filesystem::path from, std::filesystem::path to)
        : digest_(digest), from_(std::move(from)), to_(std::move(to)) {}
    void count_what_is_there();

    files::Digest digest_;
    std::filesystem::path from_, to_;
    std::shared_ptr<const files::FileHandle> file_;
    std::uint64_t size_ = 0;
    files::Sha256 hash_;
};

class Cache {
public:
    // $CAISSON_CACHE/images, or caisson/images in the user's cache folder. Throws E0701.
    static std::filesystem::path standard_place();
    // Made where it is not there, and in use as long as this lives. Throws E0602.
    explicit Cache(std::filesystem::path root);

    [[nodiscard]] std::optional<files::FileRange> find(const files::Digest& digest) const;
    // A whole document whose digest is known to be right. Throws E0602.
    void put(const files::Digest& digest, std::string_view text) const;
    // Nothing: another tool is bringing it. Throws E0602.
    [[nodiscard]] std::optional<PartialBlob> begin(const files::Digest& digest) const;
    // It is not what its name says.
    void drop(const files::Digest& digest) const;

    [[nodiscard]] std::optional<CachedImage> recall(const std::string& reference,
                                                    const std::string& platform) const;
    void remember(const CachedImage& image) const; // also: it was used now
    // The longest unused first.
    [[nodiscard]] std::vector<CachedImage> images() const;

    struct Collected {
        std::vector<CachedImage> images; // that were removed
        std::uint64_t blobs = 0, bytes = 0;
    };
    // Removes what no image needs, unfinished blobs older than a day, and the longest unused images until `limit` bytes are
    // left. Waits until no other tool uses the cache; `waiting` is told once when it must. Throws E0602.
    static Collected collect(const std::filesystem::path& root, std::uint64_t limit,
                             const std::function<void()>& waiting);

private:
    [[nodiscard]] std::filesystem::path blob_path(const files::Digest& digest) const;

    std::filesystem::path root_;
    std::shared_ptr<const files::FileHandle> lock_;
};

} // namespace registry
