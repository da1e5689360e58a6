// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/audit_key.cpp - X25519 by OpenSSL.
#include "image-tools/bundle/audit_key.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>

namespace bundle {
namespace {

constexpr pem::Kind x25519{EVP_PKEY_X25519, "X25519", "E0506", "caisson keygen --purpose audit"};

struct ContextDeleter {
    void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};

} // namespace

AuditKey::AuditKey(pem::Handle handle)
    : handle_(std::move(handle)), public_key_(pem::public_half(handle_.get())) {}

std::string audit_fingerprint(const AuditPublicKey& key) {
    std::array<std::uint8_t, 32> id{};
    SHA256(key.data(), key.size(), id.data());
    return "x25519:" + files::hex(std::span(id).first(8));
}

AuditKey AuditKey::generate() {
    return AuditKey(pem::generate(x25519));
}

AuditKey AuditKey::load(const std::filesystem::path& file) {
    return AuditKey(pem::load_private(file, x25519));
}

std::array<std::uint8_t, 32> AuditKey::shared_with(const AuditPublicKey& other) const {
    const pem::Handle peer(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, other.data(), other.size()));
    const std::unique_ptr<EVP_PKEY_CTX, ContextDeleter> context(EVP_PKEY_CTX_new(handle_.get(), nullptr));
    std::array<std::uint8_t, 32> out{};
    std::size_t length = out.size();
    if (!peer || !context || EVP_PKEY_derive_init(context.get()) != 1 ||
        EVP_PKEY_derive_set_peer(context.get(), peer.get()) != 1 ||
        EVP_PKEY_derive(context.get(), out.data(), &length) != 1 || length != out.size())
        throw diagnostic::fail("E0506",
                               "nothing can be sealed with this X25519 public key: it is not one of a pair")
            .help("make a pair with: caisson keygen --purpose audit");
    return out;
}

void AuditKey::save(const std::filesystem::path& file, const std::filesystem::path& public_file) const {
    pem::save(handle_.get(), file, public_file);
}

AuditPublicKey load_audit_public_key(const std::filesystem::path& file) {
    const AuditPublicKey key = pem::public_half(pem::load_public(file, x25519).get());
    // A key that gives every exchange the same answer seals nothing.
    static_cast<void>(AuditKey::generate().shared_with(key));
    return key;
}

} // namespace bundle
