// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/token.hpp - an Ed25519 key that stays in its token, named by a pkcs11: URI.
//
// Modules are those that p11-kit is set up with, or the one that $CAISSON_PKCS11_MODULE names: a URI comes from a manifest, and
// what it names is never loaded as code. Its PIN comes from the file that pin-source names, or from the terminal.
// Spec: RFC 7512 (URIs); PKCS #11 3.0, 2.3.14 (CKM_EDDSA).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace bundle {

constexpr bool is_token_uri(std::string_view word) {
    return word.starts_with("pkcs11:");
}

class TokenKey {
public:
    // Throws E0517: not such a URI, no such key, not an Ed25519 one, no PIN; E0503, E0601 of the PIN's file.
    explicit TokenKey(const std::string& uri);
    TokenKey(TokenKey&&) noexcept;
    TokenKey& operator=(TokenKey&&) noexcept;
    ~TokenKey();

    [[nodiscard]] const std::array<std::uint8_t, 32>& public_key() const;
    [[nodiscard]] std::array<std::uint8_t, 64> sign(std::span<const std::uint8_t> message) const;

private:
    struct Session;
    std::unique_ptr<Session> session_;
};

} // namespace bundle
