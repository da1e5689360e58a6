// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/erofs_format.hpp - the EROFS on-disk structures that the writer and its test reader use.
//
// Spec: Linux Documentation/filesystems/erofs.rst and the on-disk format description of
// erofs.docs.kernel.org; little endian.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace rootfs::erofs {

inline constexpr std::uint32_t magic = 0xE0F5E1E2;
inline constexpr std::uint64_t superblock_offset = 1024;
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

// Castagnoli's CRC, as EROFS takes it: starts at `crc`, no final inversion.
std::uint32_t crc32c(std::uint32_t crc, const std::uint8_t* data, std::size_t bytes);

} // namespace rootfs::erofs
