// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/erofs/erofs_names.cpp - directories and extended attributes of an EROFS image.
//
// A directory is a sequence of blocks, each a sorted array of fixed-size entries with the names behind it;
// the first names of the blocks ascend too, so a look-up is two binary searches.
#include "partitions/formats/erofs.hpp"
#include "partitions/unikernel/fs/erofs/erofs.hpp"
#include "partitions/unikernel/fs/erofs/little_endian.hpp"

#include <algorithm>

namespace uk::fs {

using namespace ::erofs;

// One checked block of a directory.
struct Erofs::DirectoryBlock {
    std::span<const std::byte> bytes;
    unsigned count = 0;

    [[nodiscard]] unsigned name_offset(unsigned index) const {
        return little_endian<std::uint16_t>(bytes.subspan(index * name::bytes + name::offset, 2));
    }
    // A broken entry gives io.
    [[nodiscard]] Result<std::string_view> name_of(unsigned index) const {
        const std::size_t from = name_offset(index);
        const std::size_t to = index + 1 < count ? name_offset(index + 1) : bytes.size();
        if (from < count * name::bytes || to <= from || to > bytes.size())
            return base::Failure{Errno::io};
        const std::string_view all{reinterpret_cast<const char*>(bytes.data()) + from, to - from};
        const std::string_view text = all.substr(0, all.find('\0'));
        if (text.empty() || text.size() > name_max || text.find('/') != std::string_view::npos)
            return base::Failure{Errno::io};
        return text;
    }
    [[nodiscard]] std::uint64_t nid_of(unsigned index) const {
        return little_endian<std::uint64_t>(bytes.subspan(index * name::bytes + name::nid, 8));
    }
    [[nodiscard]] std::uint32_t type_of(unsigned index) const {
        constexpr std::uint32_t types[] = {0,           mode::regular, mode::directory, mode::character,
                                           mode::block, mode::fifo,    mode::socket,    mode::symlink};
        const auto code = std::to_integer<unsigned>(bytes[index * name::bytes + name::type]);
        return code < std::size(types) ? types[code] : 0;
    }
};

Result<Erofs::DirectoryBlock> Erofs::directory_block(const ErofsInode& directory, std::uint64_t block) const {
    const ErofsRun run_here = CAISSON_TRY(run(directory, block << block_log2_));
    const std::uint64_t bytes = std::min(run_here.bytes, block_bytes());
    const std::uint64_t expected = std::min(directory.size - (block << block_log2_), block_bytes());
    if (run_here.data == nullptr || bytes != expected || bytes < name::bytes)
        return base::Failure{Errno::io};
    DirectoryBlock out{{run_here.data, bytes}, 0};
    const unsigned first = out.name_offset(0);
    if (first < name::bytes || first % name::bytes != 0 || first > bytes)
        return base::Failure{Errno::io};
    out.count = static_cast<unsigned>(first / name::bytes);
    return out;
}

Result<ErofsName> Erofs::find(const ErofsInode& directory, std::string_view wanted) const {
    if (directory.size == 0)
        return base::Failure{Errno::noent};
    // The last block whose first name is not above the wanted one.
    std::uint64_t low = 0;
    std::uint64_t high = (directory.size - 1) >> block_log2_;
    while (low < high) {
        const std::uint64_t middle = low + (high - low + 1) / 2;
        const DirectoryBlock block = CAISSON_TRY(directory_block(directory, middle));
        const std::string_view first = CAISSON_TRY(block.name_of(0));
        if (first <= wanted)
            low = middle;
        else
            high = middle - 1;
    }
    const DirectoryBlock block = CAISSON_TRY(directory_block(directory, low));
    unsigned from = 0;
    unsigned to = block.count;
    while (from < to) {
        const unsigned middle = from + (to - from) / 2;
        const std::string_view here = CAISSON_TRY(block.name_of(middle));
        if (here == wanted)
            return ErofsName{here, block.nid_of(middle), block.type_of(middle), 0};
        if (here < wanted)
            from = middle + 1;
        else
            to = middle;
    }
    return base::Failure{Errno::noent};
}

Result<std::optional<ErofsName>> Erofs::name_at(const ErofsInode& directory, std::uint64_t cookie) const {
    // A cookie is block number and index within the block; a block holds fewer than 4096 entries.
    constexpr unsigned index_bits = 12;
    std::uint64_t block_number = cookie >> index_bits;
    auto index = static_cast<unsigned>(cookie & ((1u << index_bits) - 1));
    if (block_number > directory.size >> block_log2_ || block_number << block_log2_ >= directory.size)
        return std::optional<ErofsName>{};
    DirectoryBlock block = CAISSON_TRY(directory_block(directory, block_number));
    if (index >= block.count) {
        ++block_number;
        index = 0;
        if (block_number << block_log2_ >= directory.size)
            return std::optional<ErofsName>{};
        block = CAISSON_TRY(directory_block(directory, block_number));
    }
    const std::string_view text = CAISSON_TRY(block.name_of(index));
    return std::optional<ErofsName>{
        ErofsName{text, block.nid_of(index), block.type_of(index), (block_number << index_bits) + index + 1}};
}

namespace {

std::string_view attribute_prefix(unsigned index) {
    switch (index) {
    case 1:
        return "user.";
    case 2:
        return "system.posix_acl_access";
    case 3:
        return "system.posix_acl_default";
    case 4:
        return "trusted.";
    case 6:
        return "security.";
    default:
        return {};
    }
}

} // namespace

Result<Erofs::AttributeName> Erofs::attribute_entry(std::uint64_t offset, std::uint64_t limit,
                                                    std::uint64_t& next) const {
    const auto header = CAISSON_TRY(bytes_at(offset, attributes::entry_bytes));
    const auto name_bytes = std::to_integer<std::uint64_t>(header[attributes::name_bytes]);
    const auto index = std::to_integer<unsigned>(header[attributes::name_index]);
    const std::uint64_t value_bytes =
        little_endian<std::uint16_t>(header.subspan(attributes::value_bytes, 2));
    const std::uint64_t bytes = attributes::entry_bytes + name_bytes + value_bytes;
    next = offset + (bytes + 3) / 4 * 4;
    if (limit != 0 && (offset > limit || bytes > limit - offset))
        return base::Failure{Errno::io};
    const auto all = CAISSON_TRY(bytes_at(offset, bytes));
    AttributeName out;
    out.prefix = attribute_prefix(index);
    out.rest = {reinterpret_cast<const char*>(all.data()) + attributes::entry_bytes, name_bytes};
    out.value = all.subspan(attributes::entry_bytes + name_bytes, value_bytes);
    if (out.prefix.empty() || out.rest.find('\0') != std::string_view::npos)
        return base::Failure{Errno::io};
    return out;
}

Result<std::optional<Erofs::AttributeName>> Erofs::attribute_at(const ErofsInode& inode,
                                                                unsigned index) const {
    if (inode.attribute_bytes == 0)
        return std::optional<AttributeName>{};
    const auto header = CAISSON_TRY(bytes_at(inode.attributes, inode.attribute_bytes));
    const auto shared = std::to_integer<unsigned>(header[attributes::shared_count]);
    const std::uint64_t own = attributes::header_bytes + std::uint64_t{shared} * 4;
    if (own > inode.attribute_bytes)
        return base::Failure{Errno::io};
    std::uint64_t next = 0;
    if (index < shared) {
        const auto id = little_endian<std::uint32_t>(
            header.subspan(attributes::header_bytes + std::uint64_t{index} * 4, 4));
        return std::optional{CAISSON_TRY(attribute_entry(attributes_ + std::uint64_t{id} * 4, 0, next))};
    }
    const std::uint64_t limit = inode.attributes + inode.attribute_bytes;
    std::uint64_t offset = inode.attributes + own;
    for (unsigned i = shared; offset < limit; ++i) {
        const AttributeName entry = CAISSON_TRY(attribute_entry(offset, limit, next));
        if (i == index)
            return std::optional{entry};
        offset = next;
    }
    return std::optional<AttributeName>{};
}

Result<std::span<const std::byte>> Erofs::attribute(const ErofsInode& inode, std::string_view wanted) const {
    constexpr unsigned most = 256; // names in 64 KiB, as Linux lists them; more is a broken image
    for (unsigned i = 0; i < most; ++i) {
        const auto entry = CAISSON_TRY(attribute_at(inode, i));
        if (!entry)
            return base::Failure{Errno::nodata};
        if (wanted.size() == entry->prefix.size() + entry->rest.size() && wanted.starts_with(entry->prefix) &&
            wanted.ends_with(entry->rest))
            return entry->value;
    }
    return base::Failure{Errno::io};
}

} // namespace uk::fs
