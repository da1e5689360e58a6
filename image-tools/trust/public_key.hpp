// SPDX-License-Identifier: Apache-2.0
// image-tools/trust/public_key.hpp - public keys that images and statements are signed with, and what they say of a signature.
//
// ECDSA on P-256 and P-384, RSA of 2048 bits and more (PKCS#1 v1.5 or PSS), Ed25519; all cryptography is OpenSSL's.
// Spec: FIPS 186-5; RFC 8017; RFC 8032; what cosign signs with (SHA-256; P-384 also with SHA-384).
#pragma once

#include "image-tools/bundle/pem.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace trust {

class PublicKey {
public:
    // SubjectPublicKeyInfo in PEM; `name` is for messages. Throws E0514.
    static PublicKey parse(const std::string& pem, std::string name);
    static PublicKey ed25519(const std::array<std::uint8_t, 32>& raw, std::string name);

    // Whether `signature` (as the algorithm has it, not base64) is this key's over all of `message`.
    [[nodiscard]] bool signed_this(std::string_view message, std::string_view signature) const;
    // "ecdsa-p256:3f2a9c01...": 16 digits of the SHA-256 of its SubjectPublicKeyInfo.
    [[nodiscard]] std::string fingerprint() const;
    [[nodiscard]] const std::string& name() const { return name_; }

private:
    enum class Kind : unsigned char { p256, p384, rsa, ed25519 };
    PublicKey(bundle::pem::Handle handle, Kind kind, std::string name)
        : handle_(std::move(handle)), kind_(kind), name_(std::move(name)) {}
    [[nodiscard]] bool verifies(std::string_view message, std::string_view signature, const char* hash,
                                bool pss) const;

    bundle::pem::Handle handle_;
    Kind kind_;
    std::string name_;
};

// RFC 4648, with padding and nothing else; nothing where it is not that.
std::optional<std::string> from_base64(std::string_view text);
std::string to_base64(std::string_view bytes);

} // namespace trust
