// SPDX-License-Identifier: Apache-2.0
#include "image-tools/files/digest.hpp"

#include <new>
#include <openssl/evp.h>

namespace files {

namespace {

constexpr std::string_view prefix = "sha256:";
constexpr std::string_view digits = "0123456789abcdef";

} // namespace

std::string Digest::hex() const {
    std::string text;
    text.reserve(2 * bytes.size());
    for (const std::uint8_t byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

std::string Digest::text() const {
    return std::string(prefix) + hex();
}

std::string Digest::brief() const {
    return text().substr(0, prefix.size() + 12);
}

std::optional<Digest> Digest::parse(std::string_view text) {
    Digest digest;
    if (!text.starts_with(prefix) || text.size() != prefix.size() + 2 * digest.bytes.size()) {
        return std::nullopt;
    }
    text.remove_prefix(prefix.size());
    for (std::size_t i = 0; i < digest.bytes.size(); ++i) {
        const auto high = digits.find(text[2 * i]);
        const auto low = digits.find(text[2 * i + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos) {
            return std::nullopt;
        }
        digest.bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return digest;
}

struct Sha256::Context {
    EVP_MD_CTX* state = EVP_MD_CTX_new();

    Context() {
        if (state == nullptr || EVP_DigestInit_ex(state, EVP_sha256(), nullptr) != 1) {
            EVP_MD_CTX_free(state);
            throw std::bad_alloc();
        }
    }
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;
    ~Context() { EVP_MD_CTX_free(state); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::uint8_t> data) {
    if (EVP_DigestUpdate(context_->state, data.data(), data.size()) != 1) {
        throw std::bad_alloc();
    }
}

Digest Sha256::finish() {
    Digest digest;
    if (EVP_DigestFinal_ex(context_->state, digest.bytes.data(), nullptr) != 1) {
        throw std::bad_alloc();
    }
    return digest;
}

Digest sha256(std::span<const std::uint8_t> data) {
    Sha256 hash;
    hash.update(data);
    return hash.finish();
}

Digest sha256(std::string_view data) {
    return sha256(bytes_of(data));
}

} // namespace files
