// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/verify.cpp - leaf lists, leaves and gaps.
#include "hypervisor/core/bundle/verify.hpp"

#include "hypervisor/core/bytes/reader.hpp"

namespace bundle {

namespace {

// The part of the (verified) leaves section that belongs to one section.
std::span<const std::byte> leaf_list(const Contents& contents, std::span<const std::byte> leaves,
                                     std::uint32_t index) {
    return leaves.subspan(static_cast<std::size_t>(contents.leaf_list_offset(index)),
                          static_cast<std::size_t>(contents.leaf_count(index) * hash_size));
}

Hash hash_at(std::span<const std::byte> list, std::uint64_t leaf) {
    Hash hash;
    std::memcpy(hash.data(), list.data() + leaf * hash_size, hash.size());
    return hash;
}

} // namespace

Result<bytes::Source> section_bytes(const Contents& contents, std::uint32_t index,
                                    const bytes::Source& file) {
    const Section& entry = contents.section(index);
    const auto part = file.slice(entry.offset, entry.size);
    if (!part)
        return failure(Error::section_outside_file, index);
    return *part;
}

Status verify_leaf_lists(const Contents& contents, std::span<const std::byte> leaves,
                         crypto::Sha256Engine engine) {
    const std::uint32_t own = contents.leaves_section();
    const Section& list = contents.section(own);
    if (leaves.size() != list.size)
        return failure(Error::bad_leaf_count, own);
    // Its own leaves are stored nowhere; by max_leaf_list_bytes there is one at most.
    static_assert(max_leaf_list_bytes <= leaf_size);
    const Hash leaf = leaf_hash(list.type, list.partition, 0, leaves, engine);
    if (!crypto::equal(
            root_hash(list.type, list.partition, list.size, std::as_bytes(std::span{leaf}), engine),
            list.root_hash))
        return failure(Error::root_mismatch, own);
    for (std::uint32_t index = own + 1; index < contents.section_count(); ++index) {
        const Section& entry = contents.section(index);
        const Hash root =
            root_hash(entry.type, entry.partition, entry.size, leaf_list(contents, leaves, index), engine);
        if (!crypto::equal(root, entry.root_hash))
            return failure(Error::root_mismatch, index);
    }
    return base::success;
}

Status verify_leaf(const Contents& contents, std::span<const std::byte> leaves, std::uint32_t index,
                   std::uint64_t leaf, const bytes::Source& section, crypto::Sha256Engine engine) {
    const Section& entry = contents.section(index);
    base::expects(index != contents.leaves_section(), "bundle: leaves of the list");
    base::expects(leaf < contents.leaf_count(index), "bundle: leaf index");
    if (section.size() != entry.size)
        return failure(Error::bad_section_size, index);
    const std::uint64_t length = leaf_length(entry.size, leaf);
    crypto::Sha256 hash = begin_leaf(entry.type, entry.partition, leaf, length, engine);
    const bool seen = section.each(leaf * leaf_size, length, [&hash](std::span<const std::byte> piece) {
        hash.update(piece);
        return true;
    });
    if (!seen)
        return failure(Error::unreadable, index, leaf);
    if (!crypto::equal(hash.finish(), hash_at(leaf_list(contents, leaves, index), leaf)))
        return failure(Error::leaf_mismatch, index, leaf);
    return base::success;
}

Status verify_section(const Contents& contents, std::span<const std::byte> leaves, std::uint32_t index,
                      const bytes::Source& section, crypto::Sha256Engine engine) {
    const std::uint64_t count = contents.leaf_count(index);
    for (std::uint64_t leaf = 0; leaf < count; ++leaf)
        CAISSON_TRY(verify_leaf(contents, leaves, index, leaf, section, engine));
    return base::success;
}

Status verify_gap(const Contents& contents, std::uint32_t gap, const bytes::Source& file) {
    const auto [offset, length, after] = contents.gap(gap);
    std::uint64_t at = offset;
    bool zero = true;
    const bool seen = file.each(offset, length, [&](std::span<const std::byte> piece) {
        zero = bytes::is_zero(piece);
        at += zero ? piece.size() : 0;
        return zero;
    });
    if (!zero)
        return failure(Error::gap_not_zero, after, at);
    return seen ? Status{base::success} : failure(Error::unreadable, after, at);
}

} // namespace bundle
