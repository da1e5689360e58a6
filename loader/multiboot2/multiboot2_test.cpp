// SPDX-License-Identifier: Apache-2.0
#include "loader/handover/fake_memory_test.hpp"

#include <gtest/gtest.h>

#include <string>

namespace {

using loader::BootError;
using loader::BootRecord;
using loader::FakeMemory;

// Writes tags one behind the other.
class Information {
public:
    void tag(std::uint32_t type, const std::string& body) {
        put(type);
        put(static_cast<std::uint32_t>(8 + body.size()));
        for (const char c : body)
            bytes_.push_back(static_cast<std::uint8_t>(c));
        while (bytes_.size() % 8 != 0)
            bytes_.push_back(0);
    }
    [[nodiscard]] FakeMemory memory() const {
        auto all = bytes_;
        const auto total = static_cast<std::uint32_t>(all.size());
        std::memcpy(all.data(), &total, 4);
        all.resize(0x2000);
        return FakeMemory{all};
    }

private:
    void put(std::uint32_t word) {
        for (unsigned i = 0; i < 4; ++i)
            bytes_.push_back(static_cast<std::uint8_t>(word >> 8 * i));
    }
    std::vector<std::uint8_t> bytes_ = std::vector<std::uint8_t>(8);
};

template <typename... Words> std::string words(Words... values) {
    std::string out;
    const auto add = [&out](auto value) { out.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
    (add(values), ...);
    return out;
}

std::string module(std::uint32_t first, std::uint32_t last) {
    return words(first, last) + std::string("\0", 1);
}
std::string map() {
    return words(std::uint32_t{24}, std::uint32_t{0}, std::uint64_t{0x100000}, std::uint64_t{0x7f00000},
                 std::uint32_t{1}, std::uint32_t{0});
}

base::Status<BootError> read(const Information& information, BootRecord& record) {
    const FakeMemory memory = information.memory();
    return loader::read_multiboot2(memory.all(), FakeMemory::start, record);
}

TEST(Multiboot2, ReadsGrubsTags) {
    Information information;
    information.tag(1, std::string("console=x", 10));
    information.tag(3, module(0x2000, 0x2400));
    information.tag(6, map());
    information.tag(14, "RSD PTR 123456789012");
    information.tag(99, "unknown");
    information.tag(0, "");
    BootRecord record;
    ASSERT_TRUE(read(information, record).ok());
    EXPECT_EQ(record.module.base, 0x2000u);
    EXPECT_EQ(record.module.bytes, 0x400u);
    ASSERT_EQ(record.memory.size(), 1u);
    EXPECT_TRUE(record.rsdp_copied);
}

TEST(Multiboot2, EfiRuntimeMemoryIsReservedEvenWhereTheMapSaysUsable) {
    Information information;
    information.tag(3, module(0x2000, 0x2400));
    information.tag(6, map());
    information.tag(17, words(std::uint32_t{40}, std::uint32_t{1}, std::uint32_t{5}, std::uint32_t{0},
                              std::uint64_t{0x200000}, std::uint64_t{0}, std::uint64_t{2}, std::uint64_t{0}));
    information.tag(0, "");
    BootRecord record;
    ASSERT_TRUE(read(information, record).ok());
    ASSERT_EQ(record.memory.size(), 2u);
    EXPECT_EQ(record.memory[1].kind, memory::Kind::reserved);
    EXPECT_EQ(record.memory[1].bytes, 0x2000u);
}

std::string screen(std::uint64_t base, std::uint32_t line, std::uint32_t width, std::uint32_t height,
                   std::string_view rest) {
    return words(base, line, width, height) + std::string(rest);
}

TEST(Multiboot2, TakesAFrameBufferThatCanBe) {
    const auto given = [](const std::string& body) {
        Information information;
        information.tag(3, module(0x2000, 0x2400));
        information.tag(6, map());
        information.tag(8, body);
        information.tag(0, "");
        BootRecord record;
        EXPECT_TRUE(read(information, record).ok());
        return record.screen;
    };
    using std::string_view_literals::operator""sv;
    constexpr auto blue_first = "\x20\x01\0\0\x10\x08\x08\x08\0\x08"sv,
                   red_first = "\x20\x01\0\0\0\x08\x08\x08\x10\x08"sv;
    const auto good = given(screen(0xfd000000, 4096, 1000, 768, blue_first));
    EXPECT_EQ(good.base, 0xfd000000u);
    EXPECT_EQ(good.bytes, 4096u * 768);
    EXPECT_EQ(good.pixels_a_line, 1024u);
    EXPECT_EQ(good.format, 1u);
    EXPECT_EQ(given(screen(0xfd000000, 4096, 1024, 768, red_first)).format, 0u);
    for (const auto& bad :
         {screen(0, 4096, 1024, 768, red_first), screen(0xfd000000, 4095, 1024, 768, red_first),
          screen(0xfd000000, 4096, 1025, 768, red_first), screen(0xfd000000, 4096, 1024, 0, red_first),
          screen(0xfd000000, 0xfffffffc, 1024, 0xffffffff, red_first),
          screen(~0ull - 100, 4096, 1024, 768, red_first),
          screen(0xfd000000, 4096, 1024, 768, "\x18\x01\0\0\x10\x08\x08\x08\0\x08"sv),
          screen(0xb8000, 160, 80, 25, "\x10\x02\0\0"sv),
          screen(0xfd000000, 4096, 1024, 768, "\x20\x01\0\0\x10\x08\x08\x08\x08\x08"sv),
          screen(0xfd000000, 4096, 1024, 768, "\x20\x01\0\0\x18\x08\x08\x08\xf8\x08"sv), std::string("x")})
        EXPECT_EQ(given(bad).base, 0u);
}

TEST(Multiboot2, RefusesWhatIsDamaged) {
    BootRecord a, b, c, d;
    Information none;
    none.tag(6, map());
    none.tag(0, "");
    EXPECT_EQ(read(none, a).error(), BootError::no_module);
    Information two;
    two.tag(3, module(0x2000, 0x2400));
    two.tag(3, module(0x2000, 0x2400));
    EXPECT_EQ(read(two, b).error(), BootError::too_many_modules);
    Information open;
    open.tag(6, map());
    EXPECT_EQ(read(open, c).error(), BootError::bad_structure);
    Information zero;
    zero.tag(6, words(std::uint32_t{0}, std::uint32_t{0}) + std::string(24, 'x'));
    EXPECT_EQ(read(zero, d).error(), BootError::bad_structure);
}

} // namespace
