// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/erofs_writer.hpp - a tree and its spool become an EROFS image: uncompressed, made to be
// mapped.
//
// Layout of the file: block 0 has the superblock and, after it, the first inodes (a small image needs no
// other metadata block); then the contents of regular files, each on its own blocks, the last zero padded,
// so that every page of a file can be mapped where it lies; then full directory blocks; then the other
// inodes with their extended attributes, chunk maps, link targets, directory ends and small files' contents.
// Invariants: the bytes depend on the tree, the contents' order and the options alone; an inode lies within a
//             block; the root's number fits 16 bits.
// Spec:       Linux Documentation/filesystems/erofs.rst.
#pragma once

#include "image-tools/rootfs/spool.hpp"
#include "image-tools/rootfs/tree.hpp"

#include <cstdint>
#include <string>

namespace rootfs {

struct ErofsOptions {
    std::int64_t epoch = 0; // build time: what inodes with this mtime need not store
    std::string identity;   // hashed into the UUID
};

// What the extended attributes take after the inode.
std::uint64_t xattr_bytes(const Inode& inode);

// Finishes the spool's file and returns its size in bytes, whole blocks. The tree's data places are final
// after it.
std::uint64_t write_erofs(Tree& tree, Spool& spool, const ErofsOptions& options);

// Castagnoli's CRC, as EROFS takes it: starts at `crc`, no final inversion.
std::uint32_t crc32c(std::uint32_t crc, const std::uint8_t* data, std::size_t bytes);

} // namespace rootfs
