// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/pem.cpp - OpenSSL's PEM reader and writer.
#include "image-tools/bundle/pem.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

namespace bundle::pem {
namespace {

constexpr std::size_t largest_key_file = 64 * 1024;

struct BioDeleter {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, BioDeleter>;
struct ContextDeleter {
    void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
};

// A PEM file must not ask for a pass phrase at the terminal.
int no_passphrase(char*, int, int, void*) {
    return -1;
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

void Deleter::operator()(evp_pkey_st* key) const {
    EVP_PKEY_free(key);
}

void openssl_failed(const char* what) {
    throw diagnostic::fail("E7001", std::string("OpenSSL could not ") + what);
}

Handle generate(const Kind& kind) {
    const std::unique_ptr<EVP_PKEY_CTX, ContextDeleter> context(
        EVP_PKEY_CTX_new_id(kind.openssl_type, nullptr));
    EVP_PKEY* key = nullptr;
    if (!context || EVP_PKEY_keygen_init(context.get()) != 1 || EVP_PKEY_keygen(context.get(), &key) != 1)
        openssl_failed("make a key");
    return Handle(key);
}

Handle load_private(const std::filesystem::path& file, const Kind& kind) {
    const std::string text = files::read_file(file, largest_key_file);
    const Bio bio = memory(text);
    Handle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    if (!key || EVP_PKEY_get_id(key.get()) != kind.openssl_type)
        throw diagnostic::fail(kind.code,
                               file.string() + " holds no " + kind.name + " private key in PEM form")
            .help(std::string("make one with: ") + kind.keygen + " -o " + file.stem().string());
    struct stat status {};
    if (::stat(file.c_str(), &status) == 0 && (status.st_mode & 077) != 0)
        throw diagnostic::fail("E0503", "the private key " + file.string() + " can be read by others")
            .help("chmod 600 " + file.string());
    return key;
}

Handle load_public(const std::filesystem::path& file, const Kind& kind) {
    const std::string text = files::read_file(file, largest_key_file);
    const Bio bio = memory(text);
    Handle key(PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr));
    if (!key) {
        const Bio again = memory(text);
        key.reset(PEM_read_bio_PrivateKey(again.get(), nullptr, no_passphrase, nullptr));
    }
    if (!key || EVP_PKEY_get_id(key.get()) != kind.openssl_type)
        throw diagnostic::fail(kind.code, file.string() + " holds no " + kind.name + " key in PEM form")
            .help("a public key file begins with -----BEGIN PUBLIC KEY-----");
    return key;
}

std::array<std::uint8_t, 32> public_half(evp_pkey_st* key) {
    std::array<std::uint8_t, 32> out{};
    std::size_t length = out.size();
    if (EVP_PKEY_get_raw_public_key(key, out.data(), &length) != 1 || length != out.size())
        openssl_failed("read the public key");
    return out;
}

std::string private_text(evp_pkey_st* key) {
    const Bio bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1)
        openssl_failed("write a private key");
    return drain(bio.get());
}

std::string public_text(evp_pkey_st* key) {
    const Bio bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_PUBKEY(bio.get(), key) != 1)
        openssl_failed("write a public key");
    return drain(bio.get());
}

void save(evp_pkey_st* key, const std::filesystem::path& file, const std::filesystem::path& public_file) {
    const auto write = [](const std::filesystem::path& path, const std::string& text, unsigned mode) {
        if (!files::write_new_file(path, text, mode))
            throw diagnostic::fail("E0602", path.string() + " exists already and is not overwritten")
                .help("choose another name with -o, or move the old file away");
    };
    if (!public_file.empty() && std::filesystem::exists(public_file))
        write(public_file, {}, 0644);
    write(file, private_text(key), 0600);
    if (!public_file.empty())
        write(public_file, public_text(key), 0644);
}

} // namespace bundle::pem
