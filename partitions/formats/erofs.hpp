// SPDX-License-Identifier: Apache-2.0
// partitions/formats/erofs.hpp - the EROFS on-disk structures, for the tool's writer and the unikernel's reader.
//
// Spec: Linux Documentation/filesystems/erofs.rst ("On-disk details") and the on-disk format description of
// erofs.docs.kernel.org; little-endian.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace erofs {

inline constexpr std::uint32_t magic = 0xE0F5E1E2;
inline constexpr std::uint64_t superblock_offset = 1024;
inline constexpr std::uint64_t superblock_bytes = 128;
inline constexpr std::uint64_t slot_bytes = 32; // an inode's number is its offset in slots
inline constexpr std::uint8_t block_bits = 12;

inline constexpr std::uint32_t compat_checksum = 1;
inline constexpr std::uint32_t compat_mtime = 2;
inline constexpr std::uint32_t incompat_chunked = 4;

enum class Layout : std::uint16_t { flat_plain = 0, flat_inline = 2, chunk_based = 4 };
inline constexpr std::uint16_t extended_inode = 1; // bit 0 of format; the layout is in bits 1-3

struct Superblock {
    std::uint32_t magic;
    std::uint32_t checksum; // CRC-32C of the block from here on, this field 0
    std::uint32_t feature_compat;
    std::uint8_t block_bits;
    std::uint8_t extra_slots;
    std::uint16_t root_nid;
    std::uint64_t inodes;
    std::uint64_t build_time;
    std::uint32_t build_time_nanoseconds;
    std::uint32_t blocks;
    std::uint32_t meta_block;
    std::uint32_t xattr_block;
    std::array<std::uint8_t, 16> uuid;
    std::array<char, 16> volume_name;
    std::uint32_t feature_incompat;
    std::array<std::uint8_t, 44> other; // compression, devices, long prefixes, packed inode: all 0
};
static_assert(sizeof(Superblock) == 128 && offsetof(Superblock, feature_incompat) == 80);

struct CompactInode {
    std::uint16_t format;
    std::uint16_t xattr_count;
    std::uint16_t mode;
    std::uint16_t links;
    std::uint32_t size;
    std::uint32_t reserved;
    std::uint32_t place; // first block, device number, or chunk format
    std::uint32_t number;
    std::uint16_t uid;
    std::uint16_t gid;
    std::uint32_t reserved2;
};
static_assert(sizeof(CompactInode) == 32);

struct ExtendedInode {
    std::uint16_t format;
    std::uint16_t xattr_count;
    std::uint16_t mode;
    std::uint16_t reserved;
    std::uint64_t size;
    std::uint32_t place;
    std::uint32_t number;
    std::uint32_t uid;
    std::uint32_t gid;
    std::uint64_t mtime;
    std::uint32_t mtime_nanoseconds;
    std::uint32_t links;
    std::array<std::uint8_t, 16> reserved2;
};
static_assert(sizeof(ExtendedInode) == 64);

struct XattrHeader {
    std::uint32_t name_filter;
    std::uint8_t shared_count;
    std::array<std::uint8_t, 7> reserved;
};
static_assert(sizeof(XattrHeader) == 12);

struct XattrEntry {
    std::uint8_t name_bytes; // without the prefix that index stands for
    std::uint8_t index;
    std::uint16_t value_bytes;
};
static_assert(sizeof(XattrEntry) == 4);

inline constexpr std::size_t dirent_bytes = 12; // u64 nid, u16 name offset, u8 type, u8 reserved
inline constexpr std::uint32_t hole = UINT32_MAX;

// Where the fields lie, for a reader that takes one at a time from bytes it does not trust.
namespace superblock {
inline constexpr std::uint64_t magic = offsetof(Superblock, magic), checksum = offsetof(Superblock, checksum),
                               compatible = offsetof(Superblock, feature_compat),
                               block_log2 = offsetof(Superblock, block_bits),
                               slots = offsetof(Superblock, extra_slots),
                               root_nid = offsetof(Superblock, root_nid),
                               inodes = offsetof(Superblock, inodes),
                               build_time = offsetof(Superblock, build_time),
                               build_nanoseconds = offsetof(Superblock, build_time_nanoseconds),
                               blocks = offsetof(Superblock, blocks),
                               meta_block = offsetof(Superblock, meta_block),
                               attribute_block = offsetof(Superblock, xattr_block),
                               incompatible = offsetof(Superblock, feature_incompat);
inline constexpr std::uint64_t extra_devices = 86, directory_block_log2 = 90; // in `other`
} // namespace superblock

inline constexpr std::uint32_t incompatible_zero_padding =
    1; // concerns compressed files only, which are refused
inline constexpr std::uint32_t incompatible_known = incompatible_zero_padding | incompat_chunked;

// An inode: 32 bytes ("compact") or 64 ("extended"). The first fields are common.
namespace inode {
inline constexpr std::uint64_t compact_bytes = sizeof(CompactInode), extended_bytes = sizeof(ExtendedInode);
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

namespace attributes {
inline constexpr std::uint64_t header_bytes = sizeof(XattrHeader),
                               shared_count = offsetof(XattrHeader, shared_count);
inline constexpr std::uint64_t entry_bytes = 4, name_bytes = 0, name_index = 1, value_bytes = 2;
} // namespace attributes

namespace name {
inline constexpr std::uint64_t bytes = 12, nid = 0, offset = 8, type = 10;
}

} // namespace erofs
