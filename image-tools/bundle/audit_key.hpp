// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/audit_key.hpp - the operator's X25519 key pair, to which the audit log's first key is sealed.
//
// Trust:      key files belong to the operator; a private one that others may read is refused.
// Spec:       RFC 7748 (X25519), RFC 8410 (its PKIX forms).
#pragma once

#include "image-tools/bundle/pem.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>

namespace bundle {

using AuditPublicKey = std::array<std::uint8_t, 32>;

// "x25519:3f2a9c01..." - 16 hexadecimal digits of its SHA-256.
std::string audit_fingerprint(const AuditPublicKey& key);

class AuditKey {
public:
    static AuditKey generate();
    // Throws: E0506 not an X25519 private key, E0503 readable by others, E0601 not readable.
    static AuditKey load(const std::filesystem::path& file);

    [[nodiscard]] const AuditPublicKey& public_key() const { return public_key_; }
    // What both ends of the exchange know. Throws E0506 when `other` is no public key.
    [[nodiscard]] std::array<std::uint8_t, 32> shared_with(const AuditPublicKey& other) const;
    // Writes `file` (0600) and its public half (0644). Refuses to overwrite (E0602).
    void save(const std::filesystem::path& file, const std::filesystem::path& public_file) const;

private:
    explicit AuditKey(pem::Handle handle);

    pem::Handle handle_;
    AuditPublicKey public_key_{};
};

// From a PEM file; of a private key's file, its public half. Throws E0506, E0601.
AuditPublicKey load_audit_public_key(const std::filesystem::path& file);

} // namespace bundle
