// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/hash.cpp
#include "hypervisor/core/bundle/hash.hpp"

#include "hypervisor/base/fail.hpp"
#include "hypervisor/core/bytes/reader.hpp"

namespace bundle {

namespace {

// A hash that begins with a domain (and its NUL) and numbers.
template <std::size_t Size, typename... Numbers>
crypto::Sha256 begun(crypto::Sha256Engine engine, const char (&domain)[Size], const Numbers&... numbers) {
    crypto::Sha256 hash{engine};
    hash.update(std::as_bytes(std::span{domain}));
    (hash.update(bytes::of(numbers)), ...);
    return hash;
}

} // namespace

LeafPrefix leaf_prefix(std::uint32_t type, std::uint32_t partition, std::uint64_t leaf,
                       std::uint64_t length) {
    LeafPrefix out{};
    auto to = out.begin();
    const auto put = [&](std::span<const std::byte> part) { to = std::ranges::copy(part, to).out; };
    put(std::as_bytes(std::span{leaf_domain}));
    put(bytes::of(type));
    put(bytes::of(partition));
    put(bytes::of(leaf));
    put(bytes::of(length));
    return out;
}

crypto::Sha256 begin_leaf(std::uint32_t type, std::uint32_t partition, std::uint64_t leaf,
                          std::uint64_t length, crypto::Sha256Engine engine) {
    crypto::Sha256 hash{engine};
    hash.update(leaf_prefix(type, partition, leaf, length));
    return hash;
}

Hash leaf_hash(std::uint32_t type, std::uint32_t partition, std::uint64_t leaf,
               std::span<const std::byte> data, crypto::Sha256Engine engine) {
    crypto::Sha256 hash = begin_leaf(type, partition, leaf, data.size(), engine);
    hash.update(data);
    return hash.finish();
}

Hash root_hash(std::uint32_t type, std::uint32_t partition, std::uint64_t section_size,
               std::span<const std::byte> leaves, crypto::Sha256Engine engine) {
    crypto::Sha256 hash = begun(engine, root_domain, type, partition, section_size);
    hash.update(leaves);
    return hash.finish();
}

Hash bundle_id(std::span<const std::byte> header, crypto::Sha256Engine engine) {
    base::expects(header.size() >= sections_offset + sizeof(Signatures), "bundle_id: header");
    const std::array<std::byte, 2 * hash_size> zeros{}; // in place of both IDs
    constexpr std::size_t ids = offsetof(Header, bundle_id), end = ids + zeros.size();
    static_assert(end == offsetof(Header, key_id) + sizeof(Header::key_id));
    crypto::Sha256 hash{engine};
    hash.update(header.first(ids));
    hash.update(zeros);
    hash.update(header.first(header.size() - sizeof(Signatures)).subspan(end));
    return hash.finish();
}

} // namespace bundle
