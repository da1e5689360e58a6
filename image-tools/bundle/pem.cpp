// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/pem.cpp - OpenSSL's PEM reader and writer.
#include "image-tools/bundle/pem.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <algorithm>
#include <cstdlib>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

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

// A public key must not ask for a pass phrase at the terminal.
int no_passphrase(char*, int, int, void*) {
    return -1;
}

int passphrase(char* to, int size, int, void*) {
    const char* file = std::getenv("CAISSON_PASSPHRASE_FILE");
    std::string said =
        secret("Pass phrase of the key: ", file == nullptr ? std::nullopt : std::optional<std::string>(file));
    if (said.empty() || said.size() > static_cast<std::size_t>(size))
        return -1;
    std::copy(said.begin(), said.end(), to);
    OPENSSL_cleanse(said.data(), said.size());
    return static_cast<int>(said.size());
}

// Alone: what others may read is no secret.
void expect_private(const std::filesystem::path& file, const char* what) {
    struct stat status {};
    if (::stat(file.c_str(), &status) == 0 && (status.st_mode & 077) != 0)
        throw diagnostic::fail("E0503", std::string(what) + file.string() + " can be read by others")
            .help("chmod 600 " + file.string());
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
    const bool encrypted = text.find("BEGIN ENCRYPTED PRIVATE KEY") != std::string::npos;
    Handle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, passphrase, nullptr));
    if (!key && encrypted)
        throw diagnostic::fail(kind.code, file.string() + " is encrypted, and its pass phrase is not known")
            .help("name the file that holds it: CAISSON_PASSPHRASE_FILE=FILE; or answer at a terminal");
    if (!key || EVP_PKEY_get_id(key.get()) != kind.openssl_type)
        throw diagnostic::fail(kind.code,
                               file.string() + " holds no " + kind.name + " private key in PEM form")
            .help(std::string("make one with: ") + kind.keygen + " -o " + file.stem().string());
    expect_private(file, "the private key ");
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

std::string secret(const char* prompt, const std::optional<std::string>& file) {
    if (file) {
        expect_private(*file, "");
        std::string text = files::read_file(*file, largest_key_file);
        return text.substr(0, text.find_first_of("\r\n"));
    }
    std::array<char, 1024> answer{};
    if (::isatty(STDIN_FILENO) == 0 ||
        EVP_read_pw_string(answer.data(), static_cast<int>(answer.size()), prompt, 0) != 0)
        return {};
    std::string out(answer.data());
    OPENSSL_cleanse(answer.data(), answer.size());
    return out;
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
