// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/signing_key.cpp - Ed25519 by OpenSSL.
#include "image-tools/bundle/signing_key.hpp"

#include "image-tools/bundle/files.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

namespace appliance {
namespace {

constexpr std::size_t largest_key_file = 64 * 1024;

struct BioDeleter {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, BioDeleter>;
struct ContextDeleter {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
struct KeyDeleter {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct KeyContextDeleter {
    void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};

[[noreturn]] void fail(const char* code, tool::ExitCode exit, std::string message, std::string help = {}) {
    throw tool::Failure({code, exit, std::move(message), {}, {}, std::move(help)});
}

[[noreturn]] void openssl_failed(const char* what) {
    fail("E7001", tool::ExitCode::bug, std::string("OpenSSL could not ") + what);
}

// A PEM file must not ask for a pass phrase at the terminal.
int no_passphrase(char*, int, int, void*) {
    return -1;
}

PublicKey public_half(EVP_PKEY* key) {
    PublicKey out{};
    std::size_t length = out.size();
    if (EVP_PKEY_get_raw_public_key(key, out.data(), &length) != 1 || length != out.size())
        openssl_failed("read the public key");
    return out;
}

Bio memory(const std::string& text) {
    Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
    if (!bio)
        throw std::bad_alloc();
    return bio;
}

std::string drain(BIO* bio) {
    char* data = nullptr;
    const long length = BIO_get_mem_data(bio, &data);
    return std::string(data, static_cast<std::size_t>(length));
}

} // namespace

void SigningKey::Deleter::operator()(evp_pkey_st* key) const {
    EVP_PKEY_free(key);
}

SigningKey::SigningKey(Handle handle) : handle_(std::move(handle)), public_key_(public_half(handle_.get())) {}

KeyId key_id(const PublicKey& key) {
    KeyId id{};
    SHA256(key.data(), key.size(), id.data());
    return id;
}

std::string fingerprint(const PublicKey& key) {
    const KeyId id = key_id(key);
    return "ed25519:" + hex(std::span(id).first(8));
}

SigningKey SigningKey::generate() {
    const std::unique_ptr<EVP_PKEY_CTX, KeyContextDeleter> context(
        EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nullptr));
    EVP_PKEY* key = nullptr;
    if (!context || EVP_PKEY_keygen_init(context.get()) != 1 || EVP_PKEY_keygen(context.get(), &key) != 1)
        openssl_failed("make a key");
    return SigningKey(Handle(key));
}

SigningKey SigningKey::load(const std::filesystem::path& file) {
    const std::string text = read_file(file, largest_key_file);
    struct stat status {};
    if (::stat(file.c_str(), &status) == 0 && (status.st_mode & 077) != 0)
        fail("E0503", tool::ExitCode::trust, "the private key " + file.string() + " can be read by others",
             "chmod 600 " + file.string());
    const Bio bio = memory(text);
    Handle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519)
        fail("E0502", tool::ExitCode::trust, file.string() + " holds no Ed25519 private key in PEM form",
             "make one with: caisson keygen -o " + file.stem().string());
    return SigningKey(std::move(key));
}

std::filesystem::path development_key_path() {
    if (const char* config = std::getenv("XDG_CONFIG_HOME"); config != nullptr && config[0] == '/')
        return std::filesystem::path(config) / "caisson" / "development.key";
    const char* home = std::getenv("HOME");
    if (home == nullptr || home[0] != '/')
        fail("E0701", tool::ExitCode::environment,
             "neither XDG_CONFIG_HOME nor HOME says where a development key can be kept",
             "set HOME, or name a key with signing.key in the manifest");
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
        made = write_new_file(file, fresh.private_pem(), 0600);
    }
    SigningKey key = load(file);
    key.development_ = true;
    return key;
}

Signature SigningKey::sign(std::span<const std::uint8_t> message) const {
    const std::unique_ptr<EVP_MD_CTX, ContextDeleter> context(EVP_MD_CTX_new());
    Signature out{};
    std::size_t length = out.size();
    if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, handle_.get()) != 1 ||
        EVP_DigestSign(context.get(), out.data(), &length, message.data(), message.size()) != 1 ||
        length != out.size())
        openssl_failed("sign");
    return out;
}

std::string SigningKey::private_pem() const {
    const Bio bio(BIO_new(BIO_s_mem()));
    if (!bio ||
        PEM_write_bio_PKCS8PrivateKey(bio.get(), handle_.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1)
        openssl_failed("write a private key");
    return drain(bio.get());
}

std::string SigningKey::public_pem() const {
    const Bio bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_PUBKEY(bio.get(), handle_.get()) != 1)
        openssl_failed("write a public key");
    return drain(bio.get());
}

void SigningKey::save(const std::filesystem::path& file, const std::filesystem::path& public_file) const {
    const auto write = [](const std::filesystem::path& path, const std::string& text, unsigned mode) {
        if (!write_new_file(path, text, mode))
            fail("E0602", tool::ExitCode::io, path.string() + " exists already and is not overwritten",
                 "choose another name with -o, or move the old file away");
    };
    if (!public_file.empty() && std::filesystem::exists(public_file))
        write(public_file, {}, 0644);
    write(file, private_pem(), 0600);
    if (!public_file.empty())
        write(public_file, public_pem(), 0644);
}

PublicKey load_public_key(const std::filesystem::path& file) {
    const std::string text = read_file(file, largest_key_file);
    const Bio bio = memory(text);
    std::unique_ptr<EVP_PKEY, KeyDeleter> key(
        PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr));
    if (!key) {
        const Bio again = memory(text);
        key.reset(PEM_read_bio_PrivateKey(again.get(), nullptr, no_passphrase, nullptr));
    }
    if (!key || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519)
        fail("E0502", tool::ExitCode::trust, file.string() + " holds no Ed25519 key in PEM form",
             "a public key file begins with -----BEGIN PUBLIC KEY-----");
    return public_half(key.get());
}

} // namespace appliance
