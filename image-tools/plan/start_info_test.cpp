// SPDX-License-Identifier: Apache-2.0
#include "image-tools/plan/start_info.hpp"

#include "hypervisor/core/bytes/reader.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

namespace {

using pvh::Error;
using pvh::GuestRange;
constexpr std::uint64_t mib = 1u << 20;
constexpr std::uint64_t gib = 1u << 30;

struct Built {
    std::array<std::byte, pvh::start_info_bytes> pages{};
    base::Status<Error> build(const pvh::StartInput& input) {
        pages.fill(std::byte{0xCC});
        return pvh::build_start_info(pages, input);
    }
    template <typename T> T at(std::uint64_t gpa) const {
        return bytes::load<T>(pages, gpa - CAISSON_GPA_START_INFO).value();
    }
    std::vector<pvh::MemoryEntry> map() const {
        const auto info = at<pvh::StartInfo>(CAISSON_GPA_START_INFO);
        std::vector<pvh::MemoryEntry> entries;
        for (std::uint32_t i = 0; i < info.memory_map_entries; ++i)
            entries.push_back(at<pvh::MemoryEntry>(info.memory_map + i * sizeof(pvh::MemoryEntry)));
        return entries;
    }
};

void expect_map(const std::vector<pvh::MemoryEntry>& map,
                const std::vector<std::array<std::uint64_t, 3>>& expected) {
    ASSERT_EQ(map.size(), expected.size());
    for (std::size_t i = 0; i < map.size(); ++i) {
        EXPECT_EQ(map[i].address, expected[i][0]) << i;
        EXPECT_EQ(map[i].bytes, expected[i][1]) << i;
        EXPECT_EQ(map[i].type, expected[i][2]) << i;
        EXPECT_EQ(map[i].reserved, 0u);
    }
}

TEST(StartInfo, EverythingSet) {
    const std::array<GuestRange, 2> ram{{{0, 3 * gib}, {4 * gib, gib}}};
    const std::array<GuestRange, 2> modules{{{CAISSON_GPA_BOOT_PAGE, 5000}, {16 * mib, 7}}};
    Built built;
    ASSERT_TRUE(built
                    .build({.ram = ram,
                            .root = {CAISSON_GPA_ROOT, 8 * mib},
                            .modules = modules,
                            .command_line = "quiet console=ttyS0"})
                    .ok());
    const auto info = built.at<pvh::StartInfo>(CAISSON_GPA_START_INFO);
    EXPECT_EQ(info.magic, 0x336EC578u);
    EXPECT_EQ(info.version, 1u);
    EXPECT_EQ(info.flags, 0u);
    EXPECT_EQ(info.rsdp, CAISSON_GPA_ACPI);
    ASSERT_EQ(info.module_count, 2u);
    EXPECT_EQ(built.at<pvh::ModuleEntry>(info.module_list).address, CAISSON_GPA_BOOT_PAGE);
    EXPECT_EQ(built.at<pvh::ModuleEntry>(info.module_list).bytes, 5000u);
    EXPECT_EQ(built.at<pvh::ModuleEntry>(info.module_list + 32).bytes, 7u);
    const std::size_t text = info.command_line - CAISSON_GPA_START_INFO;
    EXPECT_STREQ(reinterpret_cast<const char*>(built.pages.data() + text), "quiet console=ttyS0");
    expect_map(built.map(), {{0, 0xF0000, 1},
                             {0xF0000, 0x1000, 3},
                             {0xF1000, 0xF000, 2},
                             {mib, 3 * gib - mib, 1},
                             {3 * gib, 8 * mib, 2},
                             {4 * gib, gib, 1}});
}

TEST(StartInfo, SmallestAndRootAbove) {
    const std::array<GuestRange, 1> one{{{0, mib}}};
    Built built;
    ASSERT_TRUE(built.build({.ram = one, .root = {}, .modules = {}, .command_line = {}}).ok());
    const auto info = built.at<pvh::StartInfo>(CAISSON_GPA_START_INFO);
    EXPECT_EQ(info.module_count, 0u);
    EXPECT_EQ(info.module_list, 0u);
    EXPECT_EQ(built.at<std::uint8_t>(info.command_line), 0);
    expect_map(built.map(), {{0, 0xF0000, 1}, {0xF0000, 0x1000, 3}, {0xF1000, 0xF000, 2}});

    const std::array<GuestRange, 2> ram{{{0, 3 * gib}, {4 * gib, gib}}};
    ASSERT_TRUE(
        built.build({.ram = ram, .root = {CAISSON_GPA_ROOT_HIGH, gib}, .modules = {}, .command_line = {}})
            .ok());
    EXPECT_EQ(built.map().back().address, CAISSON_GPA_ROOT_HIGH);
    EXPECT_EQ(built.map().back().type, 2u);
}

TEST(StartInfo, FullCommandLine) {
    const std::array<GuestRange, 1> ram{{{0, 2 * mib}}};
    const std::string line(pvh::max_command_line, 'x');
    Built built;
    ASSERT_TRUE(built.build({.ram = ram, .root = {}, .modules = {}, .command_line = line}).ok());
    EXPECT_EQ(built.pages.back(), std::byte{0});
    EXPECT_EQ(built.pages[8190], std::byte{'x'});
}

TEST(StartInfo, RefusedAndUntouched) {
    const std::array<GuestRange, 1> good{{{0, 2 * mib}}};
    const auto refused = [](const pvh::StartInput& input) {
        Built built;
        const auto status = built.build(input);
        for (const std::byte byte : built.pages)
            EXPECT_EQ(byte, std::byte{0xCC});
        return status.ok() ? std::optional<Error>{} : status.error();
    };
    const auto ram = [&](std::vector<GuestRange> list, GuestRange root = {}) {
        return refused({.ram = list, .root = root, .modules = {}, .command_line = {}});
    };
    const std::string line(pvh::max_command_line + 1, 'x');
    EXPECT_EQ(refused({.ram = good, .root = {}, .modules = {}, .command_line = line}),
              Error::command_line_too_long);
    const std::vector<GuestRange> modules(pvh::max_modules + 1);
    EXPECT_EQ(refused({.ram = good, .root = {}, .modules = modules, .command_line = {}}),
              Error::too_many_regions);
    EXPECT_EQ(ram(std::vector<GuestRange>(pvh::max_ram + 1)), Error::too_many_regions);
    EXPECT_EQ(ram({}), Error::bad_region);
    EXPECT_EQ(ram({{4096, 2 * mib}}), Error::bad_region);
    EXPECT_EQ(ram({{0, mib - 4096}}), Error::bad_region);
    EXPECT_EQ(ram({{0, 2 * mib + 1}}), Error::bad_region);
    EXPECT_EQ(ram({{0, 2 * mib}, {mib, mib}}), Error::bad_region);
    EXPECT_EQ(ram({{0, 2 * mib}, {2 * mib, 0}}), Error::bad_region);
    EXPECT_EQ(ram({{0, 2 * mib}, {~std::uint64_t{4095}, 8192}}), Error::bad_region);
    EXPECT_EQ(ram({{0, 2 * mib}}, {mib, mib}), Error::bad_region);
    EXPECT_EQ(ram({{0, 2 * mib}}, {2 * mib + 1, mib}), Error::bad_region);
    EXPECT_EQ(ram({{0, 2 * mib}}, {~std::uint64_t{4095}, 8192}), Error::bad_region);
}

TEST(BootPage, Fields) {
    std::array<std::byte, 4096> bytes;
    bytes.fill(std::byte{0xCC});
    const pvh::BootPageInput input{.flags = CAISSON_BOOT_VMMCALL,
                                   .partition_id = 3,
                                   .vcpu_count = 2,
                                   .memory_bytes = 5,
                                   .root = {CAISSON_GPA_ROOT, 4096},
                                   .startup_bytes = 77,
                                   .name = "a-name-that-is-much-longer-than-31-bytes"};
    pvh::build_boot_page(bytes, input);
    caisson_boot_page page;
    std::memcpy(&page, bytes.data(), sizeof page);
    EXPECT_EQ(page.magic, CAISSON_BOOT_MAGIC);
    EXPECT_EQ(page.abi_version, CAISSON_ABI_VERSION);
    EXPECT_EQ(page.flags, CAISSON_BOOT_VMMCALL);
    EXPECT_EQ(page.partition_id, 3u);
    EXPECT_EQ(page.vcpu_count, 2u);
    EXPECT_EQ(page.generation, 0u); // the hypervisor's to fill in
    EXPECT_EQ(page.tsc_hz, 0u);
    EXPECT_EQ(page.memory_bytes, 5u);
    EXPECT_EQ(page.root_gpa, CAISSON_GPA_ROOT);
    EXPECT_EQ(page.root_bytes, 4096u);
    EXPECT_EQ(page.startup_offset, 4096u);
    EXPECT_EQ(page.startup_bytes, 77u);
    EXPECT_EQ(std::string{page.partition_name}, "a-name-that-is-much-longer-than");
    for (const unsigned char byte : page.reserved)
        EXPECT_EQ(byte, 0);

    pvh::build_boot_page(bytes, {.root = {CAISSON_GPA_ROOT, 0}, .name = "web"});
    std::memcpy(&page, bytes.data(), sizeof page);
    EXPECT_EQ(page.root_gpa, 0u);
    EXPECT_EQ(page.startup_offset, 0u);
    EXPECT_STREQ(page.partition_name, "web");
}

} // namespace
