// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/chain.hpp - what makes the audit log tamper-evident: hash chain, MACs, sealed first key.
//
// Pure; the one definition for the hypervisor, which writes, and the tool, which verifies.
//
//   hash of record n   SHA-256("caisson audit v1\0" || hash of record n-1, at first 32 zeros || its text up to " hash=")
//   mac of record n    BLAKE2b-128, keyed with key n, of the hash
//   key n+1            BLAKE2b-256, keyed with key n, of "caisson audit next\0"; key n is overwritten
//   key 0              BLAKE2b-256, keyed with X25519(secret, operator's key), of
//                      "caisson audit seal\0" || sealed || operator's key, where sealed = X25519(secret, base point)
//                      and the secret is fresh and forgotten: only the operator's private key finds key 0 from `sealed`
//
// Trust:      who takes over the hypervisor at record n has no key below n: earlier records stay as they were. Who has
//             only the operator's public key can still make up a whole log with another nonce: docs/threat-model.md.
// Spec:       FIPS 180-4; RFC 7693; RFC 7748.
#pragma once

#include "hypervisor/core/crypto/sha256.hpp"
#include "hypervisor/core/crypto/sodium.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace audit {

using Hash = crypto::Digest256;
using Key = crypto::Key256;
using Mac = std::array<std::uint8_t, 16>;

[[nodiscard]] Hash chained(const Hash& previous, std::string_view text);
[[nodiscard]] Mac mac_of(const Key& key, const Hash& hash);
void ratchet(Key& key);

struct Seal {
    Key sealed{};    // for the first record
    Key first_key{}; // for the log
};
// Nothing when the operator's key is none (a point of small order).
[[nodiscard]] std::optional<Seal> seal(const Key& secret, const Key& operator_key);
// Key 0 from what both sides know: the hypervisor has it from its secret, the operator from the private key.
[[nodiscard]] Key first_key(const Key& shared, const Key& sealed, const Key& operator_key);

} // namespace audit
