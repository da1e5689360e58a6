// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/decoder.hpp"

#include "image-tools/oci/layer_writer.hpp"
#include "image-tools/oci/packed_fixture_test.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

namespace oci {
namespace {

files::FileRange blob_of(const std::string& bytes) {
    const int descriptor = ::memfd_create("blob", MFD_CLOEXEC);
    files::write_all(descriptor, {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "blob");
    return {std::make_shared<const files::FileHandle>(descriptor), "blob", 0, bytes.size()};
}

std::string gzip(const std::string& data) {
    return test::packed(data, 31);
}

std::string zstd(const std::string& data) {
    std::string out(ZSTD_compressBound(data.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), data.data(), data.size(), 3));
    return out;
}

// The unpacked text, or "error: ...".
std::string decoded(const std::string& bytes, Compression compression) {
    std::string text;
    try {
        Decoder decoder(blob_of(bytes), compression);
        for (auto run = decoder.next(); !run.empty(); run = decoder.next()) {
            text.append(reinterpret_cast<const char*>(run.data()), run.size());
        }
    } catch (const DecodeError& error) {
        return std::string("error: ") + error.what();
    }
    return text;
}

// Compresses little, so that member ends fall on every place of the input buffer.
std::string noise(std::size_t bytes) {
    std::string text(bytes, '\0');
    std::uint32_t state = 1;
    for (char& c : text) {
        state = state * 1664525 + 1013904223;
        c = static_cast<char>(state >> 24);
    }
    return text;
}

TEST(Decoder, GzipMembersAreOneStream) {
    const std::string text = noise(1'000'000);
    for (const std::size_t member : {999u, 4096u, 65521u, 131046u, 131064u, 500'000u}) {
        std::string packed;
        for (std::size_t at = 0; at < text.size(); at += member) {
            packed += gzip(text.substr(at, member));
        }
        EXPECT_TRUE(decoded(packed, Compression::gzip) == text) << member;
    }
    EXPECT_EQ(decoded(gzip("") + gzip("a") + gzip("") + gzip("b") + gzip(""), Compression::gzip), "ab");
}

TEST(Decoder, GzipMemberEndsAtEachPlaceAroundTheBuffersEnd) {
    const std::string second = gzip("second");
    for (std::size_t size = 131'072 - 60; size < 131'072 + 20; ++size) {
        const std::string first = noise(size);
        EXPECT_TRUE(decoded(gzip(first) + second, Compression::gzip) == first + "second") << size;
    }
}

TEST(Decoder, DamagedGzipIsRefused) {
    const std::string packed = gzip(noise(5000));
    for (const std::size_t cut : {packed.size() - 1, packed.size() - 8, packed.size() / 2, std::size_t{5}}) {
        EXPECT_EQ(decoded(packed.substr(0, cut), Compression::gzip), "error: the gzip stream ends early")
            << cut;
    }
    std::string flipped = packed;
    flipped[flipped.size() - 6] ^= 1;
    EXPECT_EQ(decoded(flipped, Compression::gzip), "error: the gzip checksum is wrong");
    EXPECT_NE(decoded(packed + "garbage after", Compression::gzip).find("no gzip header"), std::string::npos);
    EXPECT_EQ(decoded("", Compression::gzip), "error: the gzip stream is empty");
}

TEST(Decoder, ZstdFramesAndSkippableOnes) {
    const std::string skippable = std::string("\x50\x2a\x4d\x18\x04\0\0\0data", 12);
    const std::string text = noise(700'000);
    EXPECT_TRUE(decoded(zstd(text), Compression::zstd) == text);
    EXPECT_EQ(decoded(skippable + zstd("a") + skippable + zstd("b") + skippable, Compression::zstd), "ab");
    const std::string packed = zstd(text);
    EXPECT_EQ(decoded(packed.substr(0, packed.size() - 1), Compression::zstd),
              "error: the zstd stream ends early");
    EXPECT_NE(decoded(packed + "garbage", Compression::zstd).find("error: the zstd stream is damaged"),
              std::string::npos);
}

TEST(Decoder, DetectsByTheFirstBytes) {
    EXPECT_EQ(Decoder::detect(blob_of(gzip("x"))), Compression::gzip);
    EXPECT_EQ(Decoder::detect(blob_of(zstd("x"))), Compression::zstd);
    EXPECT_EQ(Decoder::detect(blob_of("plain tar")), Compression::none);
    EXPECT_EQ(decoded("plain tar", Compression::none), "plain tar");
}

} // namespace
} // namespace oci
