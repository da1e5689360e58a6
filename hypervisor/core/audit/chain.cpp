// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/chain.cpp
#include "hypervisor/core/audit/chain.hpp"

#include "hypervisor/core/crypto/sodium.hpp"

#include <algorithm>

namespace audit {
namespace {

constexpr char record_domain[] = "caisson audit v1", next_domain[] = "caisson audit next",
               seal_domain[] = "caisson audit seal"; // each with its NUL

} // namespace

Hash chained(const Hash& previous, std::string_view text) {
    crypto::Sha256 hash; // the portable engine: a guest's vector registers are live
    hash.update(std::as_bytes(std::span{record_domain}));
    hash.update(std::as_bytes(std::span{previous}));
    hash.update(std::as_bytes(std::span{text}));
    return hash.finish();
}

Mac mac_of(const Key& key, const Hash& hash) {
    Mac mac{};
    crypto::blake2b(mac, std::as_bytes(std::span{hash}), std::as_bytes(std::span{key}));
    return mac;
}

void ratchet(Key& key) {
    crypto::blake2b(key, std::as_bytes(std::span{next_domain}), std::as_bytes(std::span{key}));
}

Key first_key(const Key& shared, const Key& sealed, const Key& operator_key) {
    std::array<std::byte, sizeof(seal_domain) + 2 * sizeof(Key)> input{};
    auto at = std::ranges::copy(std::as_bytes(std::span{seal_domain}), input.begin()).out;
    at = std::ranges::copy(std::as_bytes(std::span{sealed}), at).out;
    std::ranges::copy(std::as_bytes(std::span{operator_key}), at);
    Key key{};
    crypto::blake2b(key, input, std::as_bytes(std::span{shared}));
    return key;
}

std::optional<Seal> seal(const Key& secret, const Key& operator_key) {
    Seal out;
    Key shared{};
    if (!crypto::x25519(out.sealed, secret, crypto::x25519_base) ||
        !crypto::x25519(shared, secret, operator_key))
        return std::nullopt;
    out.first_key = first_key(shared, out.sealed, operator_key);
    crypto::wipe(shared);
    return out;
}

} // namespace audit
