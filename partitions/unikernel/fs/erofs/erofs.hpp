// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/erofs/erofs.hpp - reader of an uncompressed EROFS image in memory.
//
// Pure.
// Trust:      the image was hashed before the partition ran, but its maker is not trusted: every
//             offset is checked against the image, every loop is bounded, a broken image gives
//             Errno::io and nothing worse.
// Spec:       Linux Documentation/filesystems/erofs.rst ("On-disk details"); the format structures
//             of fs/erofs/erofs_fs.h.
#pragma once

#include "partitions/unikernel/fs/types.hpp"

#include <optional>
#include <span>
#include <string_view>

namespace uk::fs {

enum class ErofsLayout : std::uint8_t { flat_plain, flat_inline, chunk_based };

struct ErofsInode {
    std::uint64_t nid = 0;
    std::uint64_t size = 0;
    std::uint32_t mode = 0;
    std::uint32_t user = 0, group = 0;
    std::uint32_t links = 0;
    std::uint64_t special_device = 0;
    Timestamp modified = 0;
    ErofsLayout layout = ErofsLayout::flat_plain;
    std::uint64_t data = 0;       // flat: byte offset of the blocks in the image
    std::uint64_t tail = 0;       // inline: byte offset of the tail; chunk based: of the chunk map
    std::uint64_t attributes = 0; // byte offset of the extended attributes
    std::uint32_t attribute_bytes = 0;
    std::uint8_t chunk_log2 = 0; // chunk based
    std::uint8_t map_entry_bytes = 0;
};

// A run of a file's bytes that lies in one piece: in the image, or a hole.
struct ErofsRun {
    const std::byte* data = nullptr; // nullptr: zeros
    std::uint64_t bytes = 0;         // never 0
};

struct ErofsName {
    std::string_view name; // in the image
    std::uint64_t nid = 0;
    std::uint32_t type = 0;   // mode::...
    std::uint64_t cookie = 0; // continue here for the next name
};

class Erofs {
public:
    Erofs() = default;
    // The image stays where it is for the life of the reader.
    [[nodiscard]] static Result<Erofs> open(std::span<const std::byte> image);

    [[nodiscard]] bool is_open() const { return !image_.empty(); }
    [[nodiscard]] std::uint64_t root() const { return root_; }
    [[nodiscard]] std::uint64_t inode_count() const { return inode_count_; }
    [[nodiscard]] std::uint64_t bytes() const { return image_.size(); }

    // Do the `size` bytes from `start`, a place in the image, lie in it?
    [[nodiscard]] bool holds(const std::byte* start, std::uint64_t size) const {
        return size <= static_cast<std::uint64_t>(image_.data() + image_.size() - start);
    }

    [[nodiscard]] Result<ErofsInode> inode(std::uint64_t nid) const;
    // The run that holds byte `offset` < size.
    [[nodiscard]] Result<ErofsRun> run(const ErofsInode& inode, std::uint64_t offset) const;
    // noent: no such name.
    [[nodiscard]] Result<ErofsName> find(const ErofsInode& directory, std::string_view name) const;
    // The name at `cookie` (0: the first), or nothing at the end; "." and ".." included.
    [[nodiscard]] Result<std::optional<ErofsName>> name_at(const ErofsInode& directory,
                                                           std::uint64_t cookie) const;
    // nodata: not there.
    [[nodiscard]] Result<std::span<const std::byte>> attribute(const ErofsInode& inode,
                                                               std::string_view name) const;
    // The attribute with number `index` as prefix and rest of its name, or nothing at the end.
    struct AttributeName {
        std::string_view prefix, rest;
        std::span<const std::byte> value;
    };
    [[nodiscard]] Result<std::optional<AttributeName>> attribute_at(const ErofsInode& inode,
                                                                    unsigned index) const;

private:
    struct DirectoryBlock;
    [[nodiscard]] std::uint64_t block_bytes() const { return std::uint64_t{1} << block_log2_; }
    [[nodiscard]] Result<std::span<const std::byte>> bytes_at(std::uint64_t offset, std::uint64_t size) const;
    [[nodiscard]] Status place_data(ErofsInode& inode, unsigned layout, std::uint32_t data) const;
    [[nodiscard]] Result<ErofsRun> chunk_run(const ErofsInode& inode, std::uint64_t offset) const;
    [[nodiscard]] Result<DirectoryBlock> directory_block(const ErofsInode& directory,
                                                         std::uint64_t block) const;
    [[nodiscard]] Result<AttributeName> attribute_entry(std::uint64_t offset, std::uint64_t limit,
                                                        std::uint64_t& next) const;

    std::span<const std::byte> image_;
    std::uint64_t meta_ = 0;       // byte offset of inode 0
    std::uint64_t attributes_ = 0; // byte offset of the shared attributes
    std::uint64_t root_ = 0;
    std::uint64_t inode_count_ = 0;
    Timestamp build_time_ = 0; // of compact inodes, which have no time of their own
    std::uint8_t block_log2_ = 0;
};

} // namespace uk::fs
