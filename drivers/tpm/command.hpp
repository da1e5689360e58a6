// SPDX-License-Identifier: Apache-2.0
// drivers/tpm/command.hpp - the two commands that measuring needs, as bytes, and what comes back.
//
// PCR_Event hashes its bytes by every bank that is active, so no other hash than the TPM's own is needed.
// Pure.
// Trust:      a response is the device's: every length is checked.
// Spec:       TCG TPM 2.0 Library, rev. 1.59: part 1 section 18 (structure), part 2 section 6, part 3 sections 9.3 and 22.3.
#pragma once

#include "hypervisor/base/fixed_vector.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace drivers::tpm {

inline constexpr std::size_t most_event_bytes = 1024;                // TPM2B_EVENT
inline constexpr std::size_t header_bytes = 10;                      // tag, size, command or response code
inline constexpr std::uint32_t success = 0, already_started = 0x100; // TPM_RC_INITIALIZE

using Command = base::FixedVector<std::uint8_t, header_bytes + 64 + most_event_bytes>;
using Response = base::FixedVector<std::uint8_t, 1024>;

enum class Bank : std::uint16_t {
    sha1 = 0x0004,
    sha256 = 0x000B,
    sha384 = 0x000C,
    sha512 = 0x000D,
    sm3 = 0x0012
};
struct BankDigest {
    Bank bank{};
    std::array<std::uint8_t, 64> bytes{};
    std::size_t size = 0;
    [[nodiscard]] std::span<const std::uint8_t> view() const { return std::span(bytes).first(size); }
};
using Digests = base::FixedVector<BankDigest, 5>;

[[nodiscard]] constexpr std::size_t digest_bytes(Bank bank) {
    switch (bank) {
    case Bank::sha1:
        return 20;
    case Bank::sha256:
    case Bank::sm3:
        return 32;
    case Bank::sha384:
        return 48;
    case Bank::sha512:
        return 64;
    }
    return 0;
}

// Big-endian numbers, as everything that a TPM reads and writes.
template <typename T> void append(Command& to, T value) {
    for (std::size_t i = sizeof value; i-- > 0;)
        (void)to.push_back(static_cast<std::uint8_t>(value >> 8 * i));
}
template <typename T> [[nodiscard]] std::optional<T> take(std::span<const std::uint8_t>& from) {
    if (from.size() < sizeof(T))
        return std::nullopt;
    T value = 0;
    for (const std::uint8_t byte : from.first(sizeof(T)))
        value = static_cast<T>(value << 8 | byte);
    from = from.subspan(sizeof(T));
    return value;
}

inline constexpr std::uint16_t no_sessions = 0x8001, sessions = 0x8002;

inline Command begin(std::uint16_t tag, std::uint32_t code) {
    Command out;
    append(out, tag);
    append(out, std::uint32_t{0}); // finish() knows
    append(out, code);
    return out;
}
inline Command finish(Command command) {
    for (std::size_t i = 0; i < 4; ++i)
        command[2 + i] = static_cast<std::uint8_t>(command.size() >> 8 * (3 - i));
    return command;
}

// TPM2_Startup(CLEAR), for a machine whose firmware does not know the TPM.
inline Command startup() {
    constexpr std::uint32_t code = 0x144;
    Command out = begin(no_sessions, code);
    append(out, std::uint16_t{0});
    return finish(out);
}

// TPM2_PCR_Event; `event` has at most most_event_bytes. Authorized by the empty password, which PCRs have.
inline Command pcr_event(std::uint32_t pcr, std::span<const std::uint8_t> event) {
    constexpr std::uint32_t code = 0x13C, password_session = 0x40000009, authorization_bytes = 9;
    Command out = begin(sessions, code);
    append(out, pcr);
    append(out, authorization_bytes);
    append(out, password_session);
    append(out, std::uint16_t{0}); // nonce
    append(out, std::uint8_t{0});  // attributes
    append(out, std::uint16_t{0}); // password
    append(out, static_cast<std::uint16_t>(event.size()));
    for (const std::uint8_t byte : event)
        (void)out.push_back(byte);
    return finish(out);
}

// The response code, or nothing where the response is none.
[[nodiscard]] inline std::optional<std::uint32_t> code_of(std::span<const std::uint8_t> response) {
    const std::size_t bytes = response.size();
    const auto tag = take<std::uint16_t>(response);
    const auto size = take<std::uint32_t>(response);
    const auto code = take<std::uint32_t>(response);
    if (!tag || !size || !code || *size != bytes)
        return std::nullopt;
    return code;
}

// What each active bank was extended with: the answer to pcr_event(). Nothing where the response is none.
[[nodiscard]] inline std::optional<Digests> digests_of(std::span<const std::uint8_t> response) {
    if (code_of(response) != success)
        return std::nullopt;
    response = response.subspan(header_bytes);
    const auto parameters = take<std::uint32_t>(response);
    const auto count = take<std::uint32_t>(response);
    if (!parameters || !count || *count > Digests::capacity())
        return std::nullopt;
    Digests out;
    for (std::uint32_t i = 0; i < *count; ++i) {
        const auto algorithm = take<std::uint16_t>(response);
        BankDigest digest{static_cast<Bank>(algorithm.value_or(0)), {}, 0};
        digest.size = digest_bytes(digest.bank);
        if (digest.size == 0 || digest.size > response.size())
            return std::nullopt;
        std::copy_n(response.begin(), digest.size, digest.bytes.begin());
        response = response.subspan(digest.size);
        (void)out.push_back(digest);
    }
    return out;
}

} // namespace drivers::tpm
