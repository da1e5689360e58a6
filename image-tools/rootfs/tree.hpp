// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/tree.hpp - a Linux file tree in memory: what an image's layers amount to.
//
// Only metadata lives here; file contents lie in a Spool at the places the inodes name. Nothing is
// ever created on the host's file system, so no path of an image can leave it.
// Invariants: every directory but the root has exactly one entry naming it; links counts the
//             entries of any other inode; an inode without entries is gone and its data is free.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rootfs {

using InodeId = std::uint32_t;
inline constexpr InodeId root_inode = 0;
inline constexpr InodeId no_inode = UINT32_MAX;
inline constexpr std::uint64_t block_size = 4096;

enum class FileType : std::uint8_t { regular, directory, symlink, character_device, block_device, fifo };

struct Entry {
    InodeId inode = no_inode;
    std::uint32_t layer = 0; // the layer that put it there last
};

using Directory = std::map<std::string, Entry, std::less<>>;
using Attributes = std::vector<std::pair<std::string, std::string>>; // full name ("user.x") and value, sorted

// Where a regular file's bytes are, in blocks of the spool. Plain: `size` bytes from first_block on, the last
// block zero padded. Inlined: beside the inode. Chunked: chunk i of 4096 << chunk_bits bytes lies at chunks[i], or is a hole.
struct ChunkMap {
    static constexpr std::uint32_t hole = UINT32_MAX;
    std::uint8_t chunk_bits = 0;
    std::vector<std::uint32_t> chunks;
};

struct Inode {
    FileType type = FileType::regular;
    std::uint16_t mode = 0; // 07777
    std::uint32_t links = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint32_t mtime_nanoseconds = 0;
    std::int64_t mtime = 0;
    std::uint64_t size = 0; // regular: bytes, holes included; symlink: length of the target
    std::uint32_t first_block = 0;
    bool inlined = false;
    std::uint64_t inlined_at = 0; // in the spool's small files; once the image is written, in the image
    std::uint32_t device_major = 0;
    std::uint32_t device_minor = 0;
    InodeId parent = no_inode;          // of a directory; the root's is itself
    std::uint32_t depth = 0;            // of a directory
    std::string target;                 // of a symlink
    std::unique_ptr<Directory> entries; // of a directory
    std::unique_ptr<ChunkMap> chunks;   // of a sparse regular file
    std::unique_ptr<Attributes> attributes;

    [[nodiscard]] bool is_directory() const { return type == FileType::directory; }
    [[nodiscard]] bool is_regular() const { return type == FileType::regular; }
    // st_mode as Linux has it.
    [[nodiscard]] std::uint16_t linux_mode() const;
};

class Tree {
public:
    explicit Tree(std::int64_t epoch); // a root directory, 0755, 0:0

    [[nodiscard]] const Inode& inode(InodeId id) const { return *inodes_[id]; }
    [[nodiscard]] Inode& inode(InodeId id) { return *inodes_[id]; }
    [[nodiscard]] bool exists(InodeId id) const { return id < inodes_.size() && inodes_[id] != nullptr; }
    [[nodiscard]] std::size_t inode_count() const { return live_; }
    [[nodiscard]] std::size_t inode_limit() const { return inodes_.size(); } // ids are below it

    // Resolves `path` as Linux would with the root at "/": symlinks followed inside the tree, ".." of the
    // root is the root; 40 links at most. The last component's link is followed unless told otherwise.
    [[nodiscard]] std::optional<InodeId> lookup(std::string_view path, bool follow_last = true) const;
    [[nodiscard]] std::optional<InodeId> lookup_from(InodeId directory, std::string_view path,
                                                     bool follow_last = true) const;

    // Every entry below the root, depth first, names in byte order. `path` has no leading slash.
    void visit(const std::function<void(const std::string& path, InodeId id)>& see) const;

    InodeId add(Inode inode); // no entry names it yet
    void link(InodeId directory, std::string name, InodeId id, std::uint32_t layer);
    // Removes the entry, and with a directory everything below it. Freed inodes are handed to `freed`.
    void unlink(InodeId directory, std::string_view name);
    void on_free(std::function<void(const Inode&)> freed) { freed_ = std::move(freed); }

private:
    void release(InodeId id);

    std::vector<std::unique_ptr<Inode>> inodes_;
    std::size_t live_ = 0;
    std::function<void(const Inode&)> freed_;
};

} // namespace rootfs
