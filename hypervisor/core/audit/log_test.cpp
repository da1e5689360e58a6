// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/audit/seal.hpp"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <memory>
#include <string>
#include <vector>

namespace {

using Bytes = std::vector<std::uint8_t>;

std::string hex(std::span<const std::uint8_t> data) {
    std::string text;
    for (const auto byte : data) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

Bytes with_nul(std::string_view domain) {
    Bytes out(domain.begin(), domain.end());
    out.push_back(0);
    return out;
}
Bytes operator+(Bytes left, std::span<const std::uint8_t> right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

// A second opinion on every primitive: OpenSSL.
Bytes sha256(const Bytes& data) {
    Bytes digest(32);
    EXPECT_EQ(EVP_Digest(data.data(), data.size(), digest.data(), nullptr, EVP_sha256(), nullptr), 1);
    return digest;
}
Bytes keyed_blake2b(const Bytes& data, std::span<const std::uint8_t> key, std::size_t size) {
    std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> kind{EVP_MAC_fetch(nullptr, "BLAKE2BMAC", nullptr),
                                                           EVP_MAC_free};
    std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context{EVP_MAC_CTX_new(kind.get()),
                                                                      EVP_MAC_CTX_free};
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                     OSSL_PARAM_construct_end()};
    Bytes out(size);
    EXPECT_EQ(EVP_MAC_init(context.get(), key.data(), key.size(), parameters), 1);
    EXPECT_EQ(EVP_MAC_update(context.get(), data.data(), data.size()), 1);
    EXPECT_EQ(EVP_MAC_final(context.get(), out.data(), &size, out.size()), 1);
    return out;
}
struct Pair {
    audit::Key public_key{};
    std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{nullptr, EVP_PKEY_free};
    explicit Pair(const audit::Key& secret) {
        key.reset(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, secret.data(), secret.size()));
        std::size_t size = public_key.size();
        EXPECT_EQ(EVP_PKEY_get_raw_public_key(key.get(), public_key.data(), &size), 1);
    }
    Bytes derive(const audit::Key& other) const {
        std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> peer{
            EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, other.data(), other.size()), EVP_PKEY_free};
        std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context{
            EVP_PKEY_CTX_new(key.get(), nullptr), EVP_PKEY_CTX_free};
        Bytes out(32);
        std::size_t size = out.size();
        EXPECT_EQ(EVP_PKEY_derive_init(context.get()), 1);
        EXPECT_EQ(EVP_PKEY_derive_set_peer(context.get(), peer.get()), 1);
        EXPECT_EQ(EVP_PKEY_derive(context.get(), out.data(), &size), 1);
        return out;
    }
};

audit::Key key_of(std::uint8_t first) {
    audit::Key key{};
    for (std::size_t i = 0; i < key.size(); ++i)
        key[i] = static_cast<std::uint8_t>(first + 7 * i);
    return key;
}

// What the consumer sends.
std::string take(audit::Log& log) {
    const audit::Record* record = log.oldest();
    if (record == nullptr)
        return {};
    std::string text{record->view()};
    log.sent();
    return text;
}

bool append(audit::Log& log, std::string_view event, std::string_view value) {
    audit::Record* record = log.open(event, 1234);
    if (record == nullptr)
        return false;
    record->add("value", value);
    log.commit();
    return true;
}

std::unique_ptr<audit::Log> begun(const audit::Key* key = nullptr) {
    auto log = std::make_unique<audit::Log>();
    log->begin(key);
    return log;
}

TEST(Seal, TheOperatorFindsTheFirstKeyAndNobodyElse) {
    for (std::uint8_t n = 0; n < 20; ++n) {
        const audit::Key secret = key_of(n);
        const Pair machine{secret}, owner{key_of(static_cast<std::uint8_t>(100 + n))}, stranger{key_of(99)};
        const auto seal = audit::seal(secret, owner.public_key);
        ASSERT_TRUE(seal);
        EXPECT_EQ(hex(seal->sealed), hex(machine.public_key));
        const Bytes shared = owner.derive(seal->sealed);
        const Bytes expected = keyed_blake2b(with_nul("caisson audit seal") + seal->sealed + owner.public_key,
                                             shared, sizeof(audit::Key));
        EXPECT_EQ(hex(seal->first_key), hex(expected));
        audit::Key copy{};
        std::copy(shared.begin(), shared.end(), copy.begin());
        EXPECT_EQ(audit::first_key(copy, seal->sealed, owner.public_key), seal->first_key);
        EXPECT_NE(hex(stranger.derive(seal->sealed)), hex(shared));
    }
    EXPECT_FALSE(audit::seal(key_of(1), audit::Key{}));
    EXPECT_FALSE(audit::seal(key_of(1), audit::Key{1}));
}

TEST(Log, ChainAndMacsAgreeWithOpenssl) {
    Bytes key(32, 0x42);
    audit::Key first{};
    std::copy(key.begin(), key.end(), first.begin());
    const auto log = begun(&first);
    Bytes previous(32);
    for (unsigned n = 0; n < 100; ++n) {
        ASSERT_TRUE(append(*log, "start", std::string(n, 'x')));
        const std::string text =
            "event=start seq=" + std::to_string(n) + " time=1234 value=" + std::string(n, 'x');
        previous = sha256(with_nul("caisson audit v1") + previous + Bytes(text.begin(), text.end()));
        EXPECT_EQ(take(*log),
                  text + " hash=" + hex(previous) + " mac=" + hex(keyed_blake2b(previous, key, 16)));
        key = keyed_blake2b(with_nul("caisson audit next"), key, 32);
    }
    EXPECT_EQ(log->oldest(), nullptr);
}

TEST(Log, WithoutAKeyThereIsNoMac) {
    const auto log = begun();
    ASSERT_TRUE(append(*log, "boot", "1"));
    const std::string text = take(*log);
    EXPECT_EQ(text.find(" mac="), std::string::npos);
    EXPECT_NE(text.find(" hash="), std::string::npos);
}

TEST(Log, NothingBeforeItBegins) {
    audit::Log log;
    EXPECT_FALSE(append(log, "start", "1"));
    log.begin(nullptr);
    ASSERT_TRUE(append(log, "boot", "1"));
    EXPECT_TRUE(take(log).starts_with("event=boot seq=0 time=1234 value=1 hash="));
}

TEST(Log, OverflowKeepsTheOldestAndSaysHowManyWereLost) {
    const auto log = begun();
    for (std::size_t i = 0; i < audit::Log::slots; ++i)
        ASSERT_TRUE(append(*log, "note", "kept"));
    EXPECT_FALSE(append(*log, "note", "dropped"));
    EXPECT_FALSE(append(*log, "note", "dropped"));
    EXPECT_TRUE(take(*log).starts_with("event=note seq=0 time=1234 value=kept"));
    EXPECT_TRUE(append(*log, "note", "again"));
    EXPECT_FALSE(append(*log, "note", "dropped"));
    for (std::size_t i = 1; i < audit::Log::slots; ++i)
        EXPECT_TRUE(take(*log).starts_with("event=note seq=" + std::to_string(i) + " time=1234 value=kept"));
    EXPECT_TRUE(take(*log).starts_with("event=note seq=128 time=1234 overflow=2 value=again"));
    EXPECT_TRUE(append(*log, "note", "more"));
    EXPECT_TRUE(append(*log, "note", "more"));
    EXPECT_TRUE(take(*log).starts_with("event=note seq=129 time=1234 overflow=3 value=more"));
    EXPECT_TRUE(take(*log).starts_with("event=note seq=130 time=1234 value=more"));
}

TEST(Log, ARecordTooLongKeepsItsHash) {
    const audit::Key first = key_of(3);
    const auto log = begun(&first);
    ASSERT_TRUE(append(*log, "note", std::string(2000, '=')));
    const std::string text = take(*log);
    EXPECT_EQ(text.size(), CAISSON_FRAME_MAX);
    const std::size_t tail = text.find(" hash=");
    ASSERT_NE(tail, std::string::npos);
    EXPECT_EQ(text.size() - tail, 6 + 64 + 5 + 32u);
    const std::string body = text.substr(0, tail);
    EXPECT_EQ(text.substr(tail + 6, 64),
              hex(sha256(with_nul("caisson audit v1") + Bytes(32) + Bytes(body.begin(), body.end()))));
}

} // namespace
