// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/bytes/cursor_test.hpp"
#include "hypervisor/core/bytes/reader.hpp"
#include "hypervisor/core/bytes/source.hpp"

#include <gtest/gtest.h>

#include <array>
#include <limits>
#include <vector>

namespace {

constexpr std::uint64_t top = std::numeric_limits<std::uint64_t>::max();

TEST(Checked, NeverWraps) {
    EXPECT_EQ(bytes::checked_add(1, 2), 3u);
    EXPECT_FALSE(bytes::checked_add(top, 1));
    EXPECT_TRUE(bytes::lies_within(0, 0, 0));
    EXPECT_TRUE(bytes::lies_within(4, 4, 8));
    EXPECT_FALSE(bytes::lies_within(5, 4, 8));
    EXPECT_FALSE(bytes::lies_within(9, 0, 8));
    EXPECT_FALSE(bytes::lies_within(4, top, 8));
    EXPECT_FALSE(bytes::lies_within(top, 2, 8));
    EXPECT_EQ(bytes::units(0, 4096), 0u);
    EXPECT_EQ(bytes::units(1, 4096), 1u);
    EXPECT_EQ(bytes::units(4096, 4096), 1u);
    EXPECT_EQ(bytes::units(4097, 4096), 2u);
    EXPECT_EQ(bytes::units(top, 4096), (top >> 12) + 1);
}

TEST(Checked, IsZeroSeesEveryByte) {
    for (std::size_t size : {0, 1, 7, 63, 64, 65, 130}) {
        std::vector<std::byte> data(size);
        EXPECT_TRUE(bytes::is_zero(data));
        for (std::size_t i = 0; i < size; ++i) {
            data[i] = std::byte{0x80};
            EXPECT_FALSE(bytes::is_zero(data)) << size << " " << i;
            data[i] = std::byte{0};
        }
    }
}

TEST(Reader, StaysInside) {
    const std::array<std::uint8_t, 7> raw{1, 2, 3, 4, 5, 6, 7};
    bytes::Reader reader{std::as_bytes(std::span{raw})};
    EXPECT_EQ(reader.read<std::uint16_t>(), 0x0201);
    EXPECT_FALSE(reader.read<std::uint64_t>());
    EXPECT_EQ(reader.position(), 2u);
    EXPECT_EQ(reader.read<std::uint32_t>(), 0x06050403u);
    EXPECT_FALSE(reader.take(2));
    EXPECT_FALSE(reader.take(top));
    EXPECT_TRUE(reader.skip(1));
    EXPECT_TRUE(reader.at_end());
    EXPECT_FALSE(reader.skip(1));
}

TEST(Reader, AlignsAndNarrows) {
    const std::array<std::byte, 12> raw{};
    bytes::Reader reader{raw};
    ASSERT_TRUE(reader.skip(1));
    ASSERT_TRUE(reader.align(4));
    EXPECT_EQ(reader.position(), 4u);
    ASSERT_TRUE(reader.align(4));
    EXPECT_EQ(reader.position(), 4u);
    auto inner = reader.sub_reader(3);
    ASSERT_TRUE(inner);
    EXPECT_FALSE(inner->read<std::uint32_t>());
    EXPECT_EQ(reader.position(), 7u);
    ASSERT_TRUE(reader.skip(3));
    EXPECT_FALSE(reader.align(16));
    EXPECT_FALSE(reader.sub_reader(6));
}

TEST(Reader, LoadsAndStores) {
    std::array<std::byte, 6> raw{};
    EXPECT_TRUE(bytes::store(std::span<std::byte>{raw}, 2, std::uint32_t{0xAABBCCDD}));
    EXPECT_FALSE(bytes::store(std::span<std::byte>{raw}, 3, std::uint32_t{1}));
    EXPECT_EQ(bytes::load<std::uint32_t>(raw, 2), 0xAABBCCDDu);
    EXPECT_FALSE(bytes::load<std::uint32_t>(raw, top));
    EXPECT_EQ(bytes::of(std::uint32_t{0x01020304})[0], std::byte{4});
}

TEST(Source, GivesPiecesInOrder) {
    std::vector<std::byte> data(1000);
    for (std::size_t i = 0; i < data.size(); ++i)
        data[i] = static_cast<std::byte>(i % 251);
    // A window that ends at every multiple of 64, like a mapping that is moved along.
    const auto window = [&](std::uint64_t offset, std::size_t length) {
        const std::size_t room = 64 - offset % 64;
        return std::span<const std::byte>{data}.subspan(offset, std::min(length, room));
    };
    const bytes::Source source{window, data.size()};
    std::vector<std::byte> copy(900);
    ASSERT_TRUE(source.copy(50, copy));
    EXPECT_TRUE(std::equal(copy.begin(), copy.end(), data.begin() + 50));
    const auto part = source.slice(100, 200);
    ASSERT_TRUE(part);
    EXPECT_EQ(part->size(), 200u);
    EXPECT_EQ(part->load<std::uint8_t>(199), 299 % 251);
    EXPECT_FALSE(part->load<std::uint16_t>(199));
    EXPECT_TRUE(part->view(200, 1).empty());
    const bytes::Source whole{std::span{data}};
    EXPECT_EQ(whole.load<std::uint8_t>(260), 260 % 251);
    EXPECT_EQ(whole.slice(250, 4)->load<std::uint16_t>(1), 0x0100);
    EXPECT_TRUE(whole.view(5, 0).empty());
    EXPECT_FALSE(source.slice(1000, 1));
    EXPECT_FALSE(source.slice(1, top));
}

TEST(Source, SaysWhenItCannotSee) {
    const auto blind = [](std::uint64_t, std::size_t) { return std::span<const std::byte>{}; };
    const bytes::Source source{blind, 16};
    EXPECT_FALSE(source.load<std::uint32_t>(0));
    const auto too_much = [](std::uint64_t, std::size_t) {
        static const std::array<std::byte, 64> more{};
        return std::span<const std::byte>{more};
    };
    EXPECT_EQ((bytes::Source{too_much, 16}).view(0, 8).size(), 8u);
    EXPECT_TRUE(bytes::Source{}.view(0, 1).empty());
    EXPECT_TRUE(bytes::Source{}.copy(0, {}));
}

} // namespace
