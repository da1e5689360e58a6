// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/erofs/erofs_format.hpp - where the fields of EROFS structures lie (little-endian, byte
// offsets).
//
// Spec: Linux Documentation/filesystems/erofs.rst ("On-disk details") and the structures of
// fs/erofs/erofs_fs.h.
#pragma once

#include <cstdint>

namespace uk::fs::erofs_format {

inline constexpr std::uint64_t superblock_offset = 1024;
inline constexpr std::uint64_t superblock_bytes = 128;
inline constexpr std::uint32_t magic = 0xE0F5E1E2;

namespace superblock {
inline constexpr std::uint64_t magic = 0, checksum = 4, compatible = 8, block_log2 = 12, slots = 13,
                               root_nid = 14;
inline constexpr std::uint64_t inodes = 16, blocks = 36, meta_block = 40, attribute_block = 44,
                               incompatible = 80;
inline constexpr std::uint64_t extra_devices = 86, directory_block_log2 = 90;
} // namespace superblock

inline constexpr std::uint32_t compatible_checksum = 1;
inline constexpr std::uint32_t incompatible_zero_padding =
    1; // concerns compressed files only, which are refused
inline constexpr std::uint32_t incompatible_chunked = 4;
inline constexpr std::uint32_t incompatible_known = incompatible_zero_padding | incompatible_chunked;

// An inode: 32 bytes ("compact") or 64 ("extended"). The first fields are common.
namespace inode {
inline constexpr std::uint64_t slot_bytes = 32;
inline constexpr std::uint64_t compact_bytes = 32, extended_bytes = 64;
inline constexpr std::uint64_t format = 0, attribute_count = 2, mode = 4;
inline constexpr std::uint64_t compact_links = 6, compact_size = 8, data = 16, compact_user = 24,
                               compact_group = 26;
inline constexpr std::uint64_t extended_size = 8, extended_user = 24, extended_group = 28, extended_time = 32;
inline constexpr std::uint64_t extended_nanoseconds = 40, extended_links = 44;
inline constexpr unsigned format_extended = 1; // bit 0; bits 1 to 3: the layout; the rest must be 0
inline constexpr unsigned layout_plain = 0, layout_inline = 2, layout_chunked = 4;
} // namespace inode

inline constexpr std::uint32_t chunk_log2_mask = 0x1F; // beyond the block's
inline constexpr std::uint32_t chunk_indexes = 0x20;   // 8-byte index entries instead of 4-byte block numbers
inline constexpr std::uint32_t hole = 0xFFFFFFFF;

namespace attributes {
inline constexpr std::uint64_t header_bytes = 12, shared_count = 4;
inline constexpr std::uint64_t entry_bytes = 4, name_bytes = 0, name_index = 1, value_bytes = 2;
} // namespace attributes

namespace name {
inline constexpr std::uint64_t bytes = 12, nid = 0, offset = 8, type = 10;
}

} // namespace uk::fs::erofs_format
