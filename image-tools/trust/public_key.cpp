// SPDX-License-Identifier: Apache-2.0
// image-tools/trust/public_key.cpp - public keys, and what they say of a signature.
#include "image-tools/trust/public_key.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <array>
#include <memory>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

namespace trust {
namespace {

constexpr int least_rsa_bits = 2048;
constexpr std::size_t largest_signature = 4096;

struct BioDeleter {
    void operator()(BIO* bio) const { BIO_free(bio); }
};
struct ContextDeleter {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

int no_passphrase(char*, int, int, void*) {
    return -1;
}

const unsigned char* bytes(std::string_view text) {
    return files::bytes_of(text).data();
}

constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

} // namespace

PublicKey PublicKey::parse(const std::string& pem, std::string name) {
    const std::unique_ptr<BIO, BioDeleter> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    bundle::pem::Handle key(bio ? PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
    if (!key)
        throw diagnostic::fail("E0514", name + " holds no public key in PEM form")
            .help("openssl pkey -in PRIVATE -pubout writes one, cosign generate-key-pair too (cosign.pub)");
    const int type = EVP_PKEY_get_id(key.get());
    if (type == EVP_PKEY_ED25519)
        return {std::move(key), Kind::ed25519, std::move(name)};
    if (type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key.get()) >= least_rsa_bits)
        return {std::move(key), Kind::rsa, std::move(name)};
    if (type == EVP_PKEY_EC) {
        std::array<char, 64> curve{};
        std::size_t length = 0;
        EVP_PKEY_get_group_name(key.get(), curve.data(), curve.size(), &length);
        const std::string_view group(curve.data(), length);
        if (group == "prime256v1" || group == "P-256")
            return {std::move(key), Kind::p256, std::move(name)};
        if (group == "secp384r1" || group == "P-384")
            return {std::move(key), Kind::p384, std::move(name)};
    }
    throw diagnostic::fail("E0514", name + " is a key of a kind or length that is not used")
        .help("ECDSA on P-256 or P-384, RSA of 2048 bits or more, or Ed25519");
}

PublicKey PublicKey::ed25519(const std::array<std::uint8_t, 32>& raw, std::string name) {
    bundle::pem::Handle key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw.data(), raw.size()));
    if (!key)
        bundle::pem::openssl_failed("take an Ed25519 key");
    return {std::move(key), Kind::ed25519, std::move(name)};
}

bool PublicKey::verifies(std::string_view message, std::string_view signature, const char* hash,
                         bool pss) const {
    const std::unique_ptr<EVP_MD_CTX, ContextDeleter> context(EVP_MD_CTX_new());
    EVP_PKEY_CTX* key = nullptr;
    if (!context ||
        EVP_DigestVerifyInit_ex(context.get(), &key, hash, nullptr, nullptr, handle_.get(), nullptr) != 1)
        return false;
    if (pss && (EVP_PKEY_CTX_set_rsa_padding(key, RSA_PKCS1_PSS_PADDING) != 1 ||
                EVP_PKEY_CTX_set_rsa_pss_saltlen(key, RSA_PSS_SALTLEN_AUTO) != 1))
        return false;
    return EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(message),
                            message.size()) == 1;
}

bool PublicKey::signed_this(std::string_view message, std::string_view signature) const {
    if (signature.empty() || signature.size() > largest_signature)
        return false;
    switch (kind_) {
    case Kind::ed25519:
        return verifies(message, signature, nullptr, false);
    case Kind::p256:
        return verifies(message, signature, "SHA256", false);
    case Kind::p384:
        return verifies(message, signature, "SHA256", false) || verifies(message, signature, "SHA384", false);
    case Kind::rsa:
        return verifies(message, signature, "SHA256", false) || verifies(message, signature, "SHA256", true);
    }
    return false;
}

std::string PublicKey::fingerprint() const {
    unsigned char* der = nullptr;
    const int length = i2d_PUBKEY(handle_.get(), &der);
    if (length <= 0)
        bundle::pem::openssl_failed("encode a public key");
    const files::Digest digest =
        files::sha256(std::span<const std::uint8_t>(der, static_cast<std::size_t>(length)));
    OPENSSL_free(der);
    static constexpr std::array<const char*, 4> words{"ecdsa-p256:", "ecdsa-p384:", "rsa:", "ed25519:"};
    return words[static_cast<std::size_t>(kind_)] + digest.hex().substr(0, 16);
}

std::optional<std::string> from_base64(std::string_view text) {
    if (text.size() % 4 != 0)
        return std::nullopt;
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += 4) {
        const bool last = at + 4 == text.size();
        std::size_t padding = 0;
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            const char c = text[at + i];
            if (c == '=' && last && i >= 2) {
                ++padding;
                bits <<= 6;
                continue;
            }
            const std::size_t digit = digits.find(c);
            if (digit == std::string_view::npos || padding != 0)
                return std::nullopt;
            bits = bits << 6 | static_cast<std::uint32_t>(digit);
        }
        // Bits that no byte has are zero: one text for one sequence of bytes.
        if ((padding == 1 && (bits & 0xff) != 0) || (padding == 2 && (bits & 0xffff) != 0))
            return std::nullopt;
        for (std::size_t i = 0; i < 3 - padding; ++i)
            out += static_cast<char>(bits >> (16 - 8 * i) & 0xff);
    }
    return out;
}

std::string to_base64(std::string_view all) {
    std::string out;
    for (std::size_t at = 0; at < all.size(); at += 3) {
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 3; ++i)
            bits = bits << 8 | (at + i < all.size() ? static_cast<unsigned char>(all[at + i]) : 0U);
        for (std::size_t i = 0; i < 4; ++i)
            out += at + i > all.size() ? '=' : digits[bits >> (18 - 6 * i) & 63];
    }
    return out;
}

} // namespace trust
