// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/seal.cpp - the log's first key, once at boot.
#include "hypervisor/core/audit/seal.hpp"

#include "hypervisor/core/crypto/curves.hpp"

#include <algorithm>

namespace audit {

Key first_key(const Key& shared, const Key& sealed, const Key& operator_key) {
    constexpr char seal_domain[] = "caisson audit seal"; // with its NUL
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
