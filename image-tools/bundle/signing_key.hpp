// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/signing_key.hpp - Ed25519 keys in PEM files (PKCS#8 private, SPKI public), as OpenSSL
// writes them.
//
// Trust:      key files belong to the user; a private one that others may read is refused.
// Spec:       RFC 8032 (Ed25519), RFC 8410 (its PKIX forms).
#pragma once

#include "image-tools/bundle/pem.hpp"
#include "image-tools/bundle/token.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

namespace bundle {

using PublicKey = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;
using KeyId = std::array<std::uint8_t, 32>;

// SHA-256 of the public key: what a bundle's header names.
KeyId key_id(const PublicKey& key);
// "ed25519:3f2a9c01..." - 16 hexadecimal digits of the key id.
std::string fingerprint(const PublicKey& key);

class SigningKey {
public:
    static SigningKey generate();
    // A file, or a pkcs11: URI (token.hpp). Throws: E0502 not an Ed25519 private key, E0503 readable by others, E0601 not readable.
    static SigningKey load(const std::filesystem::path& file_or_uri);
    // The user's development key, made when there is none ($XDG_CONFIG_HOME/caisson/development.key).
    static SigningKey development(bool& made);

    [[nodiscard]] const PublicKey& public_key() const { return public_key_; }
    [[nodiscard]] bool is_development() const { return development_; }
    [[nodiscard]] Signature sign(std::span<const std::uint8_t> message) const;

    // Writes `file` (0600) and, when `public_file` is not empty, the public half (0644). Refuses to overwrite
    // (E0602).
    void save(const std::filesystem::path& file, const std::filesystem::path& public_file) const;

    [[nodiscard]] std::string private_pem() const; // not of a token's
    [[nodiscard]] std::string public_pem() const;

private:
    explicit SigningKey(pem::Handle handle);
    explicit SigningKey(TokenKey token);

    pem::Handle handle_; // empty: it is in a token
    std::optional<TokenKey> token_;
    PublicKey public_key_{};
    bool development_ = false;
};

// A public key from a PEM file; of a private key's file, its public half. Throws E0502, E0601.
PublicKey load_public_key(const std::filesystem::path& file);

// Where the development key is kept.
std::filesystem::path development_key_path();

} // namespace bundle
