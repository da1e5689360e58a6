// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/log.hpp - the audit log: records chained as they are appended, kept until they are sent.
//
// Pure except for two atomic positions. Hash chain, MACs and the sealed first key make the log tamper-evident; their one
// definition, for the hypervisor, which writes, and the tool, which verifies:
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
// Invariants: I1  an appended record is never changed   I2  records are sent once and in order of their sequence
//             I3  after commit() no key that made an earlier MAC exists
// Spec:       FIPS 180-4; RFC 7693; RFC 7748.
#pragma once

#include "hypervisor/core/audit/record.hpp"
#include "hypervisor/core/crypto/portable_sha256.hpp"
#include "hypervisor/core/crypto/sodium.hpp"

#include <atomic>

namespace audit {

using Hash = crypto::Digest256;
using Key = crypto::Key256;
using Mac = std::array<std::uint8_t, 16>;

[[nodiscard]] Hash chained(const Hash& previous, std::string_view text);
[[nodiscard]] Mac mac_of(const Key& key, const Hash& hash);
void ratchet(Key& key);

// On whose account a record is: what a guest caused may not fill the log.
enum class Account : std::uint8_t { hypervisor, guest };

// Appending never waits: when every slot of an account holds an unsent record the new one is dropped and counted, and the
// next that fits says how many were lost so far, inside the chain.
class Log {
public:
    static constexpr std::size_t slots = 128, slots_for_guests = 104;

    // From here on there is a log; without a key it is chained but not MACed.
    void begin(const Key* first_key);

    // Producers, one at a time: the slot of the next record with event, seq and time in it, or null (dropped, or not
    // begun); then commit() what was opened.
    [[nodiscard]] Record* open(std::string_view event, std::uint64_t time,
                               Account account = Account::hypervisor);
    void commit();

    // Consumers, one at a time.
    [[nodiscard]] const Record* oldest() const;
    void sent() { tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

private:
    std::array<Record, slots> ring_{};
    std::atomic<std::uint64_t> head_ = 0, tail_ = 0; // head: also the next sequence number
    std::uint64_t lost_ = 0, lost_said_ = 0;
    Hash hash_{};
    Key key_{};
    bool begun_ = false, anchored_ = false;
};

} // namespace audit
