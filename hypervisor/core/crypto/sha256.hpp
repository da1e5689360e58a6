// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/sha256.hpp - SHA-256 with two engines behind one interface.
//
// Pure. The portable engine is libsodium's code; the other is our compression routine for the SHA
// extensions (sha256_ni.S), which uses XMM registers: in the hypervisor it runs only on a CPU on
// which no guest runs yet; what is no whole block goes through libsodium's all the same. The caller
// says which engine: whoever may execute CPUID decides.
// Spec:       FIPS 180-4 "SHA-256"; Intel SDM vol. 2 SHA256RNDS2, SHA256MSG1, SHA256MSG2.
#pragma once

#include "hypervisor/core/crypto/portable_sha256.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace crypto {

enum class Sha256Engine : std::uint8_t {
    portable,
    sha_extensions, // CPUID.7.0:EBX.SHA, SSSE3, SSE4.1, and CR4.OSFXSR set
};

class Sha256 {
public:
    explicit Sha256(Sha256Engine engine = Sha256Engine::portable);
    void update(std::span<const std::byte> data);
    // The digest of everything so far; the object is used up.
    [[nodiscard]] Digest256 finish();

private:
    crypto_hash_sha256_state state_;
    Sha256Engine engine_;
};

[[nodiscard]] Digest256 sha256(std::span<const std::byte> data, Sha256Engine engine = Sha256Engine::portable);

// Equal, in a time that does not depend on the contents.
[[nodiscard]] bool equal(std::span<const std::uint8_t, 32> left, std::span<const std::uint8_t, 32> right);

} // namespace crypto
