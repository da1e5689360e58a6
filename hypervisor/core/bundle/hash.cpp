// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/hash.cpp
#include "hypervisor/core/bundle/hash.hpp"

#include "hypervisor/base/fail.hpp"
#include "hypervisor/core/bytes/reader.hpp"

namespace bundle {

namespace {

template <std::size_t Size> void add_domain(crypto::Sha256& hash, const char (&domain)[Size]) {
    hash.update(std::as_bytes(std::span{domain})); // with its NUL
}

} // namespace

LeafHash::LeafHash(std::uint32_t type, std::uint32_t partition, std::uint64_t leaf, std::uint64_t length,
                   crypto::Sha256Engine engine)
    : hash_(engine) {
    add_domain(hash_, leaf_domain);
    hash_.update(bytes::of(type));
    hash_.update(bytes::of(partition));
    hash_.update(bytes::of(leaf));
    hash_.update(bytes::of(length));
}

Hash leaf_hash(std::uint32_t type, std::uint32_t partition, std::uint64_t leaf,
               std::span<const std::byte> data, crypto::Sha256Engine engine) {
    LeafHash hash{type, partition, leaf, data.size(), engine};
    hash.update(data);
    return hash.finish();
}

Hash root_hash(std::uint32_t type, std::uint32_t partition, std::uint64_t section_size,
               std::span<const std::byte> leaves, crypto::Sha256Engine engine) {
    crypto::Sha256 hash{engine};
    add_domain(hash, root_domain);
    hash.update(bytes::of(type));
    hash.update(bytes::of(partition));
    hash.update(bytes::of(section_size));
    hash.update(leaves);
    return hash.finish();
}

Hash bundle_id(std::span<const std::byte> header, crypto::Sha256Engine engine) {
    base::expects(header.size() >= sections_offset + signature_size, "bundle_id: header");
    const std::array<std::byte, sizeof(Header::bundle_id) + sizeof(Header::key_id)> zeros{};
    const std::array<std::byte, signature_size> no_signature{};
    constexpr std::size_t ids = offsetof(Header, bundle_id);
    static_assert(offsetof(Header, key_id) == ids + sizeof(Header::bundle_id));
    crypto::Sha256 hash{engine};
    hash.update(header.first(ids));
    hash.update(zeros);
    hash.update(header.subspan(ids + zeros.size(), header.size() - signature_size - ids - zeros.size()));
    hash.update(no_signature);
    return hash.finish();
}

Hash key_id(std::span<const std::uint8_t, 32> public_key, crypto::Sha256Engine engine) {
    return crypto::sha256(std::as_bytes(public_key), engine);
}

} // namespace bundle
