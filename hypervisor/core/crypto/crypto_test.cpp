// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/crypto/curves.hpp"
#include "hypervisor/core/crypto/sha256.hpp"

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cpuid.h>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using crypto::Sha256Engine;

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span{text});
}

std::string hex(std::span<const std::uint8_t> data) {
    std::string text;
    for (const auto byte : data) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

template <std::size_t Size> std::array<std::uint8_t, Size> unhex(std::string_view text) {
    std::array<std::uint8_t, Size> data{};
    for (std::size_t i = 0; i < Size; ++i)
        data[i] = static_cast<std::uint8_t>(std::stoul(std::string{text.substr(2 * i, 2)}, nullptr, 16));
    return data;
}

std::vector<std::uint8_t> openssl_hash(const EVP_MD* kind, std::span<const std::byte> data) {
    std::vector<std::uint8_t> digest(static_cast<std::size_t>(EVP_MD_get_size(kind)));
    EXPECT_EQ(EVP_Digest(data.data(), data.size(), digest.data(), nullptr, kind, nullptr), 1);
    return digest;
}

std::vector<std::byte> sample(std::size_t size) {
    std::vector<std::byte> data(size);
    std::uint32_t state = 12345;
    for (auto& byte : data) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<std::byte>(state >> 24);
    }
    return data;
}

class Sha256Engines : public testing::TestWithParam<Sha256Engine> {
protected:
    void SetUp() override {
        unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
        __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
        if (GetParam() == Sha256Engine::sha_extensions && (ebx & bit_SHA) == 0)
            GTEST_SKIP() << "this CPU has no SHA extensions";
    }
};

TEST_P(Sha256Engines, StandardVectors) {
    const auto digest = [](std::string_view text) { return hex(crypto::sha256(bytes_of(text), GetParam())); };
    EXPECT_EQ(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(digest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(digest("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(
        digest(
            "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrs"
            "mnopqrstnopqrstu"),
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    EXPECT_EQ(digest(std::string(1'000'000, 'a')),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_P(Sha256Engines, EveryLengthAndSplitAgreesWithOpenssl) {
    const auto data = sample(5000);
    for (std::size_t length = 0; length < 300; ++length) {
        const auto part = std::span{data}.first(length);
        const auto expected = hex(openssl_hash(EVP_sha256(), part));
        EXPECT_EQ(hex(crypto::sha256(part, GetParam())), expected) << length;
        const std::size_t split = length * 7 % (length + 1);
        crypto::Sha256 hash{GetParam()};
        hash.update(part.first(split));
        hash.update({});
        hash.update(part.subspan(split));
        EXPECT_EQ(hex(hash.finish()), expected) << length << " split at " << split;
    }
    crypto::Sha256 hash{GetParam()};
    std::size_t at = 0;
    for (std::size_t step = 1; at < data.size(); step = step * 3 % 197) {
        const std::size_t size = std::min(step, data.size() - at);
        hash.update(std::span{data}.subspan(at, size));
        at += size;
    }
    EXPECT_EQ(hex(hash.finish()), hex(openssl_hash(EVP_sha256(), data)));
}

INSTANTIATE_TEST_SUITE_P(All, Sha256Engines,
                         testing::Values(Sha256Engine::portable, Sha256Engine::sha_extensions),
                         [](const auto& engine) {
                             return engine.param == Sha256Engine::portable ? "portable" : "sha_extensions";
                         });

TEST(Equal, SeesEveryBit) {
    const crypto::Digest256 left = crypto::sha256({});
    for (std::size_t bit = 0; bit < 256; ++bit) {
        auto right = left;
        EXPECT_TRUE(crypto::equal(left, right));
        right[bit / 8] = static_cast<std::uint8_t>(right[bit / 8] ^ (1u << (bit % 8)));
        EXPECT_FALSE(crypto::equal(left, right));
    }
}

TEST(OtherHashes, AgreeWithOpenssl) {
    const auto data = sample(700);
    for (std::size_t length = 0; length < data.size(); length += 13) {
        const auto part = std::span{data}.first(length);
        std::array<std::uint8_t, 64> digest{};
        crypto::blake2b(digest, part);
        EXPECT_EQ(hex(digest), hex(openssl_hash(EVP_blake2b512(), part)));
    }
    std::array<std::uint8_t, 32> keyed{};
    std::array<std::uint8_t, 32> other{};
    crypto::blake2b(keyed, data, bytes_of("key"));
    crypto::blake2b(other, data, bytes_of("kez"));
    EXPECT_NE(keyed, other);
    std::array<std::uint8_t, 65> large{};
    EXPECT_DEATH(crypto::blake2b(large, data), "blake2b: sizes");
    EXPECT_DEATH(crypto::blake2b(std::span{large}.first(0), data), "blake2b: sizes");
    EXPECT_DEATH(crypto::blake2b(keyed, data, std::span{data}.first(65)), "blake2b: sizes");
}

struct KeyPair {
    std::array<std::uint8_t, 32> seed{};
    std::array<std::uint8_t, 32> public_key{};
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{nullptr, EVP_PKEY_free};

    explicit KeyPair(std::uint8_t first) {
        seed[0] = first;
        key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
        std::size_t size = public_key.size();
        EXPECT_EQ(EVP_PKEY_get_raw_public_key(key.get(), public_key.data(), &size), 1);
    }
    std::array<std::uint8_t, 64> sign(std::span<const std::byte> message) const {
        std::array<std::uint8_t, 64> signature{};
        std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
        EXPECT_EQ(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()), 1);
        std::size_t size = signature.size();
        const auto* data = reinterpret_cast<const unsigned char*>(message.data());
        EXPECT_EQ(EVP_DigestSign(context.get(), signature.data(), &size, data, message.size()), 1);
        return signature;
    }
};

TEST(X25519, StandardVector) {
    const auto scalar = unhex<32>("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4");
    const auto point = unhex<32>("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c");
    crypto::Key256 out{};
    ASSERT_TRUE(crypto::x25519(out, scalar, point));
    EXPECT_EQ(hex(out), "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
}

TEST(X25519, AgreesWithOpenssl) {
    for (std::uint8_t n = 0; n < 50; ++n) {
        crypto::Key256 secret{}, ours{}, theirs{};
        for (std::size_t i = 0; i < secret.size(); ++i)
            secret[i] = static_cast<std::uint8_t>(n * 31 + i * i);
        ASSERT_TRUE(crypto::x25519(ours, secret, crypto::x25519_base));
        const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{
            EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, secret.data(), secret.size()),
            EVP_PKEY_free};
        std::size_t size = theirs.size();
        ASSERT_EQ(EVP_PKEY_get_raw_public_key(key.get(), theirs.data(), &size), 1);
        EXPECT_EQ(hex(ours), hex(theirs));
    }
    crypto::Key256 out{};
    EXPECT_FALSE(crypto::x25519(out, crypto::Key256{5}, crypto::Key256{}));
    EXPECT_FALSE(crypto::x25519(out, crypto::Key256{5}, crypto::Key256{1}));
}

TEST(Wipe, LeavesNothing) {
    std::array<std::uint8_t, 40> secret;
    secret.fill(0xAA);
    crypto::wipe(std::span{secret}.first(39));
    EXPECT_TRUE(std::all_of(secret.begin(), secret.end() - 1, [](std::uint8_t byte) { return byte == 0; }));
    EXPECT_EQ(secret.back(), 0xAA);
}

bool is_signed(const std::array<std::uint8_t, 64>& signature, std::span<const std::byte> message,
               const std::array<std::uint8_t, 32>& key) {
    return crypto::ed25519_verify(std::as_bytes(std::span{signature}), message, key);
}

TEST(Ed25519, StandardVector) {
    const auto key = unhex<32>("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    const auto signature =
        unhex<64>("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39"
                  "701cf9b46bd25bf5f0595bbe24655141438e7a100b");
    EXPECT_TRUE(is_signed(signature, {}, key));
    EXPECT_FALSE(is_signed(signature, bytes_of("x"), key));
}

TEST(Ed25519, AcceptsOpensslAndRefusesEveryFlip) {
    const auto message = sample(333);
    const KeyPair pair{7};
    const auto signature = pair.sign(message);
    ASSERT_TRUE(is_signed(signature, message, pair.public_key));
    for (std::size_t bit = 0; bit < 512; ++bit) {
        auto bad = signature;
        bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1u << (bit % 8)));
        EXPECT_FALSE(is_signed(bad, message, pair.public_key)) << bit;
    }
    for (std::size_t bit = 0; bit < 256; ++bit) {
        auto bad = pair.public_key;
        bad[bit / 8] = static_cast<std::uint8_t>(bad[bit / 8] ^ (1u << (bit % 8)));
        EXPECT_FALSE(is_signed(signature, message, bad)) << bit;
    }
    for (std::size_t i = 0; i < message.size(); ++i) {
        auto bad = message;
        bad[i] ^= std::byte{1};
        EXPECT_FALSE(is_signed(signature, bad, pair.public_key)) << i;
    }
    EXPECT_FALSE(is_signed(signature, message, KeyPair{8}.public_key));
}

// The group order, 2^252 + 27742317777372353535851937790883648493, little-endian.
const auto order = unhex<32>("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");

TEST(Ed25519, RefusesSignatureScalarPlusOrder) {
    const auto message = sample(40);
    const KeyPair pair{9};
    auto signature = pair.sign(message);
    unsigned carry = 0;
    for (std::size_t i = 0; i < 32; ++i) {
        carry += static_cast<unsigned>(signature[32 + i]) + order[i];
        signature[32 + i] = static_cast<std::uint8_t>(carry);
        carry >>= 8;
    }
    ASSERT_EQ(carry, 0u);
    EXPECT_FALSE(is_signed(signature, message, pair.public_key));
}

TEST(Ed25519, RefusesSmallOrderKey) {
    // A is the neutral element, so h A vanishes: R = B, S = 1 satisfies the equation for every message.
    std::array<std::uint8_t, 32> neutral{};
    neutral[0] = 1;
    std::array<std::uint8_t, 64> signature{};
    std::fill(signature.begin(), signature.begin() + 32, std::uint8_t{0x66});
    signature[0] = 0x58;
    signature[32] = 1;
    EXPECT_FALSE(is_signed(signature, bytes_of("any"), neutral));
    // The same point, written non-canonically as y = p + 1.
    auto non_canonical = unhex<32>("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
    EXPECT_FALSE(is_signed(signature, bytes_of("any"), non_canonical));
}

TEST(Ed25519, RefusesSmallOrderR) {
    // Made by the key's owner: R neutral and S = h a, which satisfies S B = R + h A.
    const KeyPair pair{11};
    const auto message = sample(20);
    std::array<std::uint8_t, 64> signature{};
    signature[0] = 1;
    std::vector<std::byte> hashed(64 + message.size());
    std::memcpy(hashed.data(), signature.data(), 32);
    std::memcpy(hashed.data() + 32, pair.public_key.data(), 32);
    std::memcpy(hashed.data() + 64, message.data(), message.size());
    const auto h = openssl_hash(EVP_sha512(), hashed);
    auto a = openssl_hash(EVP_sha512(), std::as_bytes(std::span{pair.seed}));
    a[0] &= 0xF8;
    a[31] = static_cast<std::uint8_t>((a[31] & 0x7F) | 0x40);

    const auto number = [](const std::uint8_t* data, int size) { return BN_lebin2bn(data, size, nullptr); };
    BN_CTX* context = BN_CTX_new();
    BIGNUM* l = number(order.data(), 32);
    BIGNUM* left = number(h.data(), 64);
    BIGNUM* right = number(a.data(), 32);
    ASSERT_EQ(BN_mod_mul(left, left, right, l, context), 1);
    ASSERT_EQ(BN_bn2lebinpad(left, signature.data() + 32, 32), 32);
    BN_free(l);
    BN_free(left);
    BN_free(right);
    BN_CTX_free(context);
    EXPECT_FALSE(is_signed(signature, message, pair.public_key));
    // The construction is right: a verifier that allows it (OpenSSL) accepts.
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> verify{EVP_MD_CTX_new(), EVP_MD_CTX_free};
    ASSERT_EQ(EVP_DigestVerifyInit(verify.get(), nullptr, nullptr, nullptr, pair.key.get()), 1);
    const auto* data = reinterpret_cast<const unsigned char*>(message.data());
    EXPECT_EQ(EVP_DigestVerify(verify.get(), signature.data(), signature.size(), data, message.size()), 1);
}

} // namespace
