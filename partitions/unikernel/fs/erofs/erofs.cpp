// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/erofs/erofs.cpp - superblock, inodes and file data of an EROFS image.
#include "partitions/unikernel/fs/erofs/erofs.hpp"

#include "hypervisor/base/address.hpp"
#include "partitions/formats/erofs.hpp"
#include "partitions/unikernel/fs/erofs/little_endian.hpp"

#include <algorithm>
#include <array>

namespace uk::fs {

using namespace ::erofs;

namespace {

constexpr std::uint64_t largest_size = std::uint64_t{1} << 62;

// CRC-32C (Castagnoli), bit-reflected, by bytes: the state after each value of the low one. Made when an image is opened, which costs less
// than carrying it along.
class Crc32c {
public:
    Crc32c() {
        for (std::uint32_t i = 0; i < table_.size(); ++i) {
            table_[i] = i;
            for (int bit = 0; bit < 8; ++bit)
                table_[i] = (table_[i] & 1) != 0 ? table_[i] >> 1 ^ 0x82F63B78 : table_[i] >> 1;
        }
    }
    void add(std::span<const std::byte> bytes) {
        for (const std::byte byte : bytes)
            value_ = table_[(value_ ^ std::to_integer<std::uint32_t>(byte)) & 0xFF] ^ value_ >> 8;
    }
    // Without the final inversion, as the superblock wants it.
    [[nodiscard]] std::uint32_t value() const { return value_; }

private:
    std::array<std::uint32_t, 256> table_;
    std::uint32_t value_ = 0xFFFFFFFF;
};

bool checksum_matches(std::span<const std::byte> image, std::uint64_t block_bytes) {
    const std::uint64_t end = block_bytes > superblock_offset ? block_bytes : superblock_offset + block_bytes;
    if (end > image.size() || end - superblock_offset < superblock_bytes)
        return false;
    constexpr std::byte zeros[4]{};
    const std::uint64_t field = superblock_offset + superblock::checksum;
    Crc32c crc;
    crc.add(image.subspan(superblock_offset, superblock::checksum));
    crc.add(zeros);
    crc.add(image.subspan(field + 4, end - field - 4));
    return crc.value() == little_endian<std::uint32_t>(image.subspan(field, 4));
}

// Seconds and nanoseconds as one number, held within what a Timestamp tells apart.
Timestamp timestamp(std::uint64_t seconds, std::uint32_t nanoseconds) {
    constexpr std::int64_t limit = 9'000'000'000;
    const auto bounded = std::clamp(static_cast<std::int64_t>(seconds), -limit, limit);
    return bounded * 1'000'000'000 + std::min(nanoseconds, 999'999'999u);
}

bool known_type(std::uint32_t file_mode) {
    switch (file_mode & mode::type_mask) {
    case mode::regular:
    case mode::directory:
    case mode::symlink:
    case mode::character:
    case mode::block:
    case mode::fifo:
    case mode::socket:
        return true;
    default:
        return false;
    }
}

std::uint64_t decode_device(std::uint32_t word) {
    return make_device((word >> 8) & 0xFFF, (word & 0xFF) | ((word >> 12) & 0xFFF00));
}

} // namespace

Result<std::span<const std::byte>> Erofs::bytes_at(std::uint64_t offset, std::uint64_t size) const {
    if (offset > image_.size() || size > image_.size() - offset)
        return base::Failure{Errno::io};
    return image_.subspan(offset, size);
}

Result<Erofs> Erofs::open(std::span<const std::byte> image) {
    if (image.size() < superblock_offset + superblock_bytes)
        return base::Failure{Errno::io};
    const auto header = image.subspan(superblock_offset, superblock_bytes);
    const auto word = [&](std::uint64_t at) { return little_endian<std::uint32_t>(header.subspan(at, 4)); };
    const auto byte = [&](std::uint64_t at) { return std::to_integer<std::uint8_t>(header[at]); };
    Erofs reader;
    reader.block_log2_ = byte(superblock::block_log2);
    const bool sound = word(superblock::magic) == magic &&
                       (word(superblock::incompatible) & ~incompatible_known) == 0 &&
                       reader.block_log2_ >= 9 && reader.block_log2_ <= 12 && byte(superblock::slots) == 0 &&
                       byte(superblock::directory_block_log2) == 0 &&
                       little_endian<std::uint16_t>(header.subspan(superblock::extra_devices, 2)) == 0;
    if (!sound)
        return base::Failure{Errno::io};
    const std::uint64_t used = std::uint64_t{word(superblock::blocks)} << reader.block_log2_;
    if (used > image.size() || used < superblock_offset + superblock_bytes)
        return base::Failure{Errno::io};
    if ((word(superblock::compatible) & compat_checksum) != 0 &&
        !checksum_matches(image.first(used), reader.block_bytes()))
        return base::Failure{Errno::io};
    reader.image_ = image.first(used);
    reader.meta_ = std::uint64_t{word(superblock::meta_block)} << reader.block_log2_;
    reader.attributes_ = std::uint64_t{word(superblock::attribute_block)} << reader.block_log2_;
    reader.root_ = little_endian<std::uint16_t>(header.subspan(superblock::root_nid, 2));
    reader.inode_count_ = little_endian<std::uint64_t>(header.subspan(superblock::inodes, 8));
    reader.build_time_ = timestamp(little_endian<std::uint64_t>(header.subspan(superblock::build_time, 8)),
                                   word(superblock::build_nanoseconds));
    const ErofsInode root = CAISSON_TRY(reader.inode(reader.root_));
    if ((root.mode & mode::type_mask) != mode::directory)
        return base::Failure{Errno::io};
    return reader;
}

Result<ErofsInode> Erofs::inode(std::uint64_t nid) const {
    if (nid > image_.size() / slot_bytes)
        return base::Failure{Errno::io};
    const std::uint64_t at = meta_ + nid * slot_bytes;
    auto core = CAISSON_TRY(bytes_at(at, inode::compact_bytes));
    const unsigned format = little_endian<std::uint16_t>(core.subspan(inode::format, 2));
    const bool extended = (format & inode::format_extended) != 0;
    const std::uint64_t core_bytes = extended ? inode::extended_bytes : inode::compact_bytes;
    core = CAISSON_TRY(bytes_at(at, core_bytes));
    const auto half = [&](std::uint64_t field) {
        return little_endian<std::uint16_t>(core.subspan(field, 2));
    };
    const auto word = [&](std::uint64_t field) {
        return little_endian<std::uint32_t>(core.subspan(field, 4));
    };
    ErofsInode out;
    out.nid = nid;
    out.mode = half(inode::mode);
    if (extended) {
        out.size = little_endian<std::uint64_t>(core.subspan(inode::extended_size, 8));
        out.user = word(inode::extended_user);
        out.group = word(inode::extended_group);
        out.links = word(inode::extended_links);
        out.modified = timestamp(little_endian<std::uint64_t>(core.subspan(inode::extended_time, 8)),
                                 word(inode::extended_nanoseconds));
    } else {
        out.size = word(inode::compact_size);
        out.user = half(inode::compact_user);
        out.group = half(inode::compact_group);
        out.modified = build_time_;
        out.links = half(inode::compact_links);
    }
    if (!known_type(out.mode) || out.size > largest_size)
        return base::Failure{Errno::io};
    const unsigned attribute_count = half(inode::attribute_count);
    out.attributes = at + core_bytes;
    if (attribute_count > 0)
        out.attribute_bytes =
            static_cast<std::uint32_t>(attributes::header_bytes + 4 * (attribute_count - 1));
    (void)CAISSON_TRY(bytes_at(out.attributes, out.attribute_bytes));
    const std::uint32_t data = word(inode::data);
    CAISSON_TRY(place_data(out, format >> 1, data));
    return out;
}

// Fills in where the contents lie, and checks that they lie in the image.
Status Erofs::place_data(ErofsInode& inode, unsigned layout, std::uint32_t data) const {
    const std::uint32_t type = inode.mode & mode::type_mask;
    if (type != mode::regular && type != mode::directory && type != mode::symlink) {
        inode.special_device = decode_device(data);
        inode.size = 0;
        return base::success;
    }
    const std::uint64_t behind = inode.attributes + inode.attribute_bytes;
    inode.data = std::uint64_t{data} << block_log2_;
    switch (layout) {
    case inode::layout_plain:
        inode.layout = ErofsLayout::flat_plain;
        if (inode.size > 0)
            (void)CAISSON_TRY(bytes_at(inode.data, inode.size));
        return base::success;
    case inode::layout_inline: {
        inode.layout = ErofsLayout::flat_inline;
        inode.tail = behind;
        const std::uint64_t rest = inode.size % block_bytes();
        const bool crosses = rest > 0 && (behind >> block_log2_) != ((behind + rest - 1) >> block_log2_);
        if (crosses)
            return base::Failure{Errno::io};
        (void)CAISSON_TRY(bytes_at(behind, rest));
        if (inode.size > rest)
            (void)CAISSON_TRY(bytes_at(inode.data, inode.size - rest));
        return base::success;
    }
    case inode::layout_chunked: {
        const bool indexes = (data & chunk_indexes) != 0;
        if ((data & ~(chunk_log2_mask | chunk_indexes)) != 0 || type != mode::regular)
            return base::Failure{Errno::io};
        inode.layout = ErofsLayout::chunk_based;
        inode.chunk_log2 = static_cast<std::uint8_t>(block_log2_ + (data & chunk_log2_mask));
        inode.map_entry_bytes = indexes ? 8 : 4;
        inode.tail = (behind + inode.map_entry_bytes - 1) / inode.map_entry_bytes * inode.map_entry_bytes;
        const std::uint64_t chunks =
            (inode.size >> inode.chunk_log2) +
            ((inode.size & ((std::uint64_t{1} << inode.chunk_log2) - 1)) != 0 ? 1 : 0);
        if (chunks > image_.size())
            return base::Failure{Errno::io};
        (void)CAISSON_TRY(bytes_at(inode.tail, chunks * inode.map_entry_bytes));
        return base::success;
    }
    default:
        return base::Failure{Errno::io}; // compressed, or not known
    }
}

Result<ErofsRun> Erofs::run(const ErofsInode& inode, std::uint64_t offset) const {
    if (offset >= inode.size)
        return base::Failure{Errno::io};
    switch (inode.layout) {
    case ErofsLayout::flat_plain: {
        const auto data = CAISSON_TRY(bytes_at(inode.data, inode.size));
        return ErofsRun{data.data() + offset, inode.size - offset};
    }
    case ErofsLayout::flat_inline: {
        const std::uint64_t blocks = base::round_down(inode.size, block_bytes());
        if (offset >= blocks) {
            const auto tail = CAISSON_TRY(bytes_at(inode.tail, inode.size - blocks));
            return ErofsRun{tail.data() + (offset - blocks), inode.size - offset};
        }
        const auto data = CAISSON_TRY(bytes_at(inode.data, blocks));
        return ErofsRun{data.data() + offset, blocks - offset};
    }
    case ErofsLayout::chunk_based:
        return chunk_run(inode, offset);
    }
    return base::Failure{Errno::io};
}

Result<ErofsRun> Erofs::chunk_run(const ErofsInode& inode, std::uint64_t offset) const {
    const std::uint64_t chunk_bytes = std::uint64_t{1} << inode.chunk_log2;
    const std::uint64_t chunk = offset >> inode.chunk_log2;
    const std::uint64_t within = offset & (chunk_bytes - 1);
    const std::uint64_t start = chunk << inode.chunk_log2;
    const std::uint64_t bytes = std::min(chunk_bytes, inode.size - start);
    const auto entry =
        CAISSON_TRY(bytes_at(inode.tail + chunk * inode.map_entry_bytes, inode.map_entry_bytes));
    if (inode.map_entry_bytes == 8 && little_endian<std::uint16_t>(entry.subspan(2, 2)) != 0)
        return base::Failure{Errno::io}; // on another device
    const auto block = little_endian<std::uint32_t>(entry.last(4));
    if (block == hole)
        return ErofsRun{nullptr, bytes - within};
    const auto data = CAISSON_TRY(bytes_at(std::uint64_t{block} << block_log2_, bytes));
    return ErofsRun{data.data() + within, bytes - within};
}

} // namespace uk::fs
