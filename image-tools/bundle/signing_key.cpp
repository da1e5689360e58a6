// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/signing_key.cpp - Ed25519 by OpenSSL.
#include "image-tools/bundle/signing_key.hpp"

#include "image-tools/bundle/pem.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <cstdlib>
#include <openssl/evp.h>
#include <openssl/sha.h>

namespace bundle {
namespace {

constexpr pem::Kind ed25519{EVP_PKEY_ED25519, "Ed25519", "E0502", "caisson keygen"};

struct ContextDeleter {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

} // namespace

SigningKey::SigningKey(pem::Handle handle)
    : handle_(std::move(handle)), public_key_(pem::public_half(handle_.get())) {}

SigningKey::SigningKey(TokenKey token) : token_(std::move(token)), public_key_(token_->public_key()) {}

KeyId key_id(const PublicKey& key) {
    KeyId id{};
    SHA256(key.data(), key.size(), id.data());
    return id;
}

std::string fingerprint(const PublicKey& key) {
    const KeyId id = key_id(key);
    return "ed25519:" + files::hex(std::span(id).first(8));
}

SigningKey SigningKey::generate() {
    return SigningKey(pem::generate(ed25519));
}

SigningKey SigningKey::load(const std::filesystem::path& file) {
    if (is_token_uri(file.native()))
        return SigningKey(TokenKey(file.native()));
    return SigningKey(pem::load_private(file, ed25519));
}

std::filesystem::path development_key_path() {
    if (const char* config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && config[0] == '/')
        return std::filesystem::path(config) / "caisson" / "development.key";
    const char* home = std::getenv("HOME");
    if (home == nullptr || home[0] != '/')
        throw diagnostic::fail("E0701",
                               "neither XDG_CONFIG_HOME nor HOME says where a development key can be kept")
            .help("set HOME, or name a key with signing.key in the manifest");
    return std::filesystem::path(home) / ".config" / "caisson" / "development.key";
}

SigningKey SigningKey::development(bool& made) {
    const std::filesystem::path file = development_key_path();
    made = false;
    if (!std::filesystem::exists(file)) {
        std::error_code error;
        std::filesystem::create_directories(file.parent_path(), error);
        SigningKey fresh = generate();
        // Two first builds at once: the other's key is as good.
        made = files::write_new_file(file, fresh.private_pem(), 0600);
    }
    SigningKey key = load(file);
    key.development_ = true;
    return key;
}

Signature SigningKey::sign(std::span<const std::uint8_t> message) const {
    if (token_)
        return token_->sign(message);
    const std::unique_ptr<EVP_MD_CTX, ContextDeleter> context(EVP_MD_CTX_new());
    Signature out{};
    std::size_t length = out.size();
    if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, handle_.get()) != 1 ||
        EVP_DigestSign(context.get(), out.data(), &length, message.data(), message.size()) != 1 ||
        length != out.size())
        pem::openssl_failed("sign");
    return out;
}

std::string SigningKey::private_pem() const {
    return pem::private_text(handle_.get());
}

std::string SigningKey::public_pem() const {
    return pem::public_text(handle_.get());
}

void SigningKey::save(const std::filesystem::path& file, const std::filesystem::path& public_file) const {
    pem::save(handle_.get(), file, public_file);
}

PublicKey load_public_key(const std::filesystem::path& file) {
    return pem::public_half(pem::load_public(file, ed25519).get());
}

} // namespace bundle
