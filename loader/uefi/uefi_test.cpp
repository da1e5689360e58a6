// SPDX-License-Identifier: Apache-2.0
// The loader against firmware that behaves well, badly and absurdly; then what the hypervisor makes of its handover.
#include "loader/handover/fake_memory_test.hpp"
#include "loader/uefi/fake_firmware_test.hpp"
#include "loader/uefi/pe_image.hpp"

#include <gtest/gtest.h>

namespace {

using namespace loader;
using namespace loader::uefi;

constexpr std::uint64_t write_back = 8, runtime = std::uint64_t{1} << 63;

Buffer bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}
Buffer path(std::u16string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}
Buffer single_file() {
    return pe_image(
        {{".text", bytes_of("x")}, {".caisson", small_elf()}, {".bundle", bytes_of("the bundle")}});
}

struct Result {
    Start start;
    Handover handover;
};
Result run(FakeFirmware& firmware) {
    Result out{firmware.load(), {}};
    if (out.start.problem == Problem::none)
        std::memcpy(&out.handover, reinterpret_cast<const void*>(out.start.handover), sizeof out.handover);
    return out;
}
Problem problem_of(FakeFirmware& firmware) {
    const Problem problem = firmware.load().problem;
    EXPECT_FALSE(firmware.gone);
    EXPECT_NE(firmware.said.find(u"does not start: "), std::u16string::npos);
    return problem;
}

TEST(Loader, StartsFromASingleFile) {
    FakeFirmware firmware;
    firmware.image = single_file();
    firmware.tables = {
        {acpi_2, firmware.image.data()}, {acpi_1, nullptr}, {smbios_2, firmware.image.data() + 1}};
    const Result result = run(firmware);
    ASSERT_EQ(result.start.problem, Problem::none);
    EXPECT_TRUE(firmware.gone);
    // The image, at a multiple of 2 MiB, cleared behind what the file has.
    const auto* const placed = reinterpret_cast<const std::byte*>(result.start.entry - 0x40);
    EXPECT_EQ((result.start.entry - 0x40) % 0x200000, 0u);
    EXPECT_EQ(placed[0], std::byte{0xaa});
    EXPECT_EQ(placed[0x2fff], std::byte{0});
    EXPECT_EQ(result.handover.magic, handover_magic);
    EXPECT_EQ(result.handover.bundle_bytes, 10u);
    EXPECT_EQ(std::memcmp(reinterpret_cast<const void*>(result.handover.bundle), "the bundle", 10), 0);
    EXPECT_EQ(result.handover.rsdp, reinterpret_cast<std::uint64_t>(firmware.image.data())); // the newer one
    EXPECT_EQ(result.handover.smbios, reinterpret_cast<std::uint64_t>(firmware.image.data()) + 1);
    EXPECT_EQ(result.handover.descriptor_bytes, 48u);
    EXPECT_EQ(result.handover.map_bytes, 48u);
    EXPECT_EQ(result.handover.screen.width, 800u);
    EXPECT_TRUE(firmware.cleared);
    EXPECT_EQ(result.handover.screen_is_black, 1u);
    EXPECT_EQ(result.handover.started, 7u);
}

TEST(Loader, TakesAScreenAsItIsDescribedOrNone) {
    const auto loaded = [](auto change) {
        FakeFirmware firmware;
        firmware.image = pe_image({{".caisson", small_elf()}, {".bundle", Buffer(10)}});
        change(firmware);
        const Result result = run(firmware);
        EXPECT_EQ(result.start.problem, Problem::none);
        return result.handover;
    };
    EXPECT_EQ(loaded([](auto& f) { f.has_mode = false; }).screen.base, 0u);
    EXPECT_EQ(loaded([](auto& f) { f.mode.information = nullptr; }).screen.base, 0u);
    EXPECT_EQ(loaded([](auto& f) { f.cannot_clear = true; }).screen_is_black, 0u);
    EXPECT_EQ(loaded([](auto& f) { f.has_blt = false; }).screen_is_black, 0u);
    EXPECT_EQ(loaded([](auto& f) { f.shown.format = 0xffffffff; }).screen.format, 0xffffffffu)
        << "read_uefi() judges it";
}

TEST(Loader, ReadsTheBundleThatTheFileNames) {
    FakeFirmware firmware;
    firmware.image = pe_image({{".caisson", small_elf()}, {".path", path(u"\\EFI\\caisson\\one.bundle")}});
    firmware.files[u"\\EFI\\caisson\\one.bundle"] = Buffer(5000, std::byte{0x5a});
    firmware.short_read = 700;
    const Result result = run(firmware);
    ASSERT_EQ(result.start.problem, Problem::none);
    ASSERT_EQ(result.handover.bundle_bytes, 5000u);
    EXPECT_EQ(result.handover.bundle % 4096, 0u);
    for (std::size_t i = 0; i < 5000; ++i)
        ASSERT_EQ(reinterpret_cast<const std::byte*>(result.handover.bundle)[i], std::byte{0x5a});
    EXPECT_NE(firmware.said.find(u" 10% 20%"), std::u16string::npos);
    EXPECT_NE(firmware.said.find(u" 100%\r\n"), std::u16string::npos);
}

TEST(Loader, SaysWhatIsMissing) {
    const auto with = [](auto change) {
        FakeFirmware firmware;
        firmware.image = pe_image({{".caisson", small_elf()}, {".path", path(u"a")}});
        firmware.files[u"a"] = Buffer(100);
        change(firmware);
        return problem_of(firmware);
    };
    EXPECT_EQ(with([](auto& f) { f.image = pe_image({{".caisson", small_elf()}}); }), Problem::no_bundle);
    EXPECT_EQ(with([](auto& f) { f.image = pe_image({{".path", path(u"a")}}); }), Problem::damaged_file);
    EXPECT_EQ(with([](auto& f) { f.image = Buffer(100); }), Problem::damaged_file);
    EXPECT_EQ(with([](auto& f) {
                  f.image = pe_image({{".caisson", small_elf()}, {".path", Buffer(256)}});
              }),
              Problem::no_bundle); // no room for its end
    EXPECT_EQ(with([](auto& f) { f.has_file_system = false; }), Problem::no_file_system);
    EXPECT_EQ(with([](auto& f) { f.files.clear(); }), Problem::file_missing);
    EXPECT_EQ(with([](auto& f) { f.files[u"a"].clear(); }), Problem::file_unreadable);
    EXPECT_EQ(with([](auto& f) { f.read_stalls = true; }), Problem::file_unreadable);
    EXPECT_EQ(with([](auto& f) {
                  f.files[u"a"].resize(4 << 20);
                  f.largest_allocation = 3 << 20;
              }),
              Problem::no_room_for_bundle);
    EXPECT_EQ(with([](auto& f) { f.largest_allocation = 4096; }), Problem::no_room);
    EXPECT_EQ(with([](auto& f) { f.processor.five_levels = true; }), Problem::five_levels);
    for (const std::uint64_t bytes : {0u, 39u, 4097u})
        EXPECT_EQ(with([bytes](auto& f) { f.descriptor_bytes = bytes; }), Problem::no_memory_map) << bytes;
    EXPECT_EQ(with([](auto& f) { f.map.resize(100'000, f.map[0]); }), Problem::no_memory_map);
}

TEST(Loader, AsksAgainWhereBootServicesStay) {
    FakeFirmware firmware;
    firmware.image = single_file();
    firmware.exits_refused = 3;
    firmware.grows = 5;
    const Result result = run(firmware);
    ASSERT_EQ(result.start.problem, Problem::none);
    EXPECT_EQ(result.handover.map_bytes, 48u * 16); // the last map, not the first
    EXPECT_EQ(firmware.calls_after_refusal, 0u);
}

TEST(Loader, GivesUpInTheEnd) {
    FakeFirmware firmware;
    firmware.image = single_file();
    firmware.exits_refused = 1000;
    EXPECT_EQ(firmware.load().problem, Problem::boot_services_stay);
    EXPECT_EQ(firmware.calls_after_refusal, 0u); // not even to say so
    FakeFirmware growing;
    growing.image = single_file();
    growing.exits_refused = 1000;
    growing.grows = 60; // more than was left room for
    EXPECT_EQ(growing.load().problem, Problem::boot_services_stay);
    EXPECT_EQ(growing.calls_after_refusal, 0u);
}

TEST(Loader, StaysWithinBootsReach) {
    FakeFirmware large;
    large.image = single_file();
    ASSERT_EQ(large.load().problem, Problem::none);
    EXPECT_EQ(large.lowest_limit, (std::uint64_t{512} << 30) - 1);
    FakeFirmware small;
    small.image = single_file();
    small.processor.huge_pages = false;
    small.has_text = false;
    ASSERT_EQ(small.load().problem, Problem::none);
    EXPECT_EQ(small.lowest_limit, (std::uint64_t{4} << 30) - 1);
}

TEST(Loader, RefusesADamagedHypervisor) {
    ASSERT_TRUE(shape_of(small_elf()));
    EXPECT_EQ(shape_of(small_elf())->bytes, 0x3000u);
    EXPECT_EQ(shape_of(small_elf())->entry, 0x40u);
    const auto changed = [](std::size_t at, std::uint64_t value) {
        Buffer elf = small_elf();
        put(elf, at, value);
        return shape_of(elf).has_value();
    };
    EXPECT_FALSE(changed(0, 0));                                   // magic
    EXPECT_FALSE(changed(32, ~std::uint64_t{0}));                  // where segments are
    EXPECT_FALSE(changed(64 + 8, 0x201));                          // its bytes end behind the file
    EXPECT_FALSE(changed(64 + 32, 0x3001));                        // more in the file than in memory
    EXPECT_FALSE(changed(64 + 40, 0x200001));                      // larger than an image
    EXPECT_FALSE(changed(0x180 + 40, 0x3000));                     // an entry outside
    EXPECT_FALSE(changed(0x180 + 20, 9 | std::uint64_t{8} << 32)); // another note
    for (std::size_t cut = 0; cut < small_elf().size(); cut += 8) {
        Buffer elf = small_elf();
        elf.resize(cut);
        EXPECT_FALSE(shape_of(elf)) << cut;
    }
}

// Handover at 0x1000, its map at 0x1100.
struct Handed {
    FakeMemory memory{0x4000};
    Handover given;
    std::size_t count = 0;
    std::uint64_t entry_bytes = 48;

    void entry(std::uint32_t type, std::uint64_t start, std::uint64_t pages,
               std::uint64_t attributes = write_back) {
        memory.put(0x1100 + count++ * entry_bytes, MemoryDescriptor{type, 0, start, 0, pages, attributes});
    }
    BootError read(BootRecord& record) {
        given.map = 0x1100;
        given.map_bytes = count * entry_bytes;
        given.descriptor_bytes = entry_bytes;
        if (given.bundle == 0) {
            given.bundle = 0x3000;
            given.bundle_bytes = 0x100;
        }
        memory.put(0x1000, given);
        const auto status = read_uefi(memory.all(), 0x1000, record);
        return status.ok() ? BootError::unknown_protocol : status.error();
    }
};
constexpr BootError good = BootError::unknown_protocol;

TEST(ReadUefi, TakesWhatFirmwareLeaves) {
    Handed handed;
    handed.entry(7, 0x100000, 0x100);                      // conventional
    handed.entry(4, 0x200000, 0x100);                      // boot services' data, right behind: free now
    handed.entry(6, 0x300000, 0x10, write_back | runtime); // runtime services' data
    handed.entry(9, 0x310000, 0x10);                       // ACPI tables
    handed.entry(7, 0x400000, 0x10, 0);                    // cannot be cached
    handed.given.rsdp = 0xe0000;
    handed.given.smbios = 0xf0000;
    handed.given.screen = {0x80000000, 832 * 600 * 4, 800, 600, 832, 1};
    BootRecord record;
    ASSERT_EQ(handed.read(record), good);
    ASSERT_EQ(record.memory.size(), 3u); // neighbours of one kind are one
    EXPECT_EQ(record.memory[0].base, 0x100000u);
    EXPECT_EQ(record.memory[0].bytes, 0x200000u);
    EXPECT_EQ(record.memory[0].kind, memory::Kind::usable);
    EXPECT_EQ(record.memory[1].bytes, 0x20000u);
    EXPECT_EQ(record.memory[1].kind, memory::Kind::reserved);
    EXPECT_EQ(record.memory[2].kind, memory::Kind::reserved);
    EXPECT_EQ(record.module.base, 0x3000u);
    EXPECT_EQ(record.module.bytes, 0x100u);
    EXPECT_EQ(record.rsdp, 0xe0000u);
    EXPECT_EQ(record.smbios, 0xf0000u);
    EXPECT_EQ(record.screen.height, 600u);
}

TEST(ReadUefi, CutsWhatWraps) {
    Handed handed;
    handed.entry(7, 0x100000, ~std::uint64_t{0}); // free memory without an end: not believed
    handed.entry(7, 0x100000, 0);
    handed.entry(0, 0x4000'0000, ~std::uint64_t{0} / 2); // reserved to the end
    handed.entry(7, 0x200000, 1);
    BootRecord record;
    ASSERT_EQ(handed.read(record), good);
    ASSERT_EQ(record.memory.size(), 2u);
    EXPECT_EQ(record.memory[0].kind, memory::Kind::reserved);
    EXPECT_GT(record.memory[0].base + record.memory[0].bytes, record.memory[0].base);
}

TEST(ReadUefi, RefusesWhatIsDamaged) {
    const auto with = [](auto change) {
        Handed handed;
        handed.entry(7, 0x100000, 1);
        change(handed);
        BootRecord record;
        return handed.read(record);
    };
    EXPECT_EQ(with([](auto&) {}), good);
    EXPECT_EQ(with([](auto& h) { h.given.magic ^= 1; }), BootError::bad_structure);
    EXPECT_EQ(with([](auto& h) { h.entry_bytes = 39; }), BootError::bad_structure);
    EXPECT_EQ(with([](auto& h) { h.entry_bytes = 4097; }), BootError::bad_structure);
    EXPECT_EQ(with([](auto& h) { h.count = 0; }), BootError::no_memory_map);
    EXPECT_EQ(with([](auto& h) { h.count = 1000; }), BootError::bad_structure); // ends outside memory
    EXPECT_EQ(with([](auto& h) { h.given.bundle = 1, h.given.bundle_bytes = 0; }), BootError::no_module);
    EXPECT_EQ(with([](auto& h) { h.given.bundle = 1, h.given.bundle_bytes = 8; }), BootError::bad_module);
    EXPECT_EQ(with([](auto& h) { h.given.bundle = 0x3000, h.given.bundle_bytes = ~std::uint64_t{0}; }),
              BootError::bad_module);
    Handed many;
    many.memory = FakeMemory{0x8000};
    many.given.bundle = 0x7000;
    many.given.bundle_bytes = 1;
    for (std::size_t i = 0; i <= memory::max_firmware_entries; ++i)
        many.entry(7, i * 0x10000, 1);
    BootRecord record;
    EXPECT_EQ(many.read(record), BootError::too_many_entries);
}

TEST(ReadUefi, DropsAScreenThatCannotBe) {
    const auto kept = [](Screen screen) {
        Handed handed;
        handed.entry(7, 0x100000, 1);
        handed.given.screen = screen;
        BootRecord record;
        EXPECT_EQ(handed.read(record), good);
        return record.screen.base != 0;
    };
    const Screen screen{0x80000000, 1024 * 768 * 4, 1024, 768, 1024, 0};
    EXPECT_TRUE(kept(screen));
    const auto changed = [&](auto change) {
        Screen copy = screen;
        change(copy);
        return kept(copy);
    };
    EXPECT_FALSE(changed([](Screen& s) { s.base = 0; }));
    EXPECT_FALSE(changed([](Screen& s) { s.base = ~std::uint64_t{0} - 4096; }));
    EXPECT_FALSE(changed([](Screen& s) { s.bytes -= 1; }));
    EXPECT_FALSE(changed([](Screen& s) { s.width = 1025; }));
    EXPECT_FALSE(changed([](Screen& s) { s.width = 0; }));
    EXPECT_FALSE(changed([](Screen& s) { s.height = 0xffffffff; }));
    EXPECT_FALSE(changed([](Screen& s) { s.pixels_a_line = 0x40000000; }));
    EXPECT_FALSE(changed([](Screen& s) { s.format = 2; }));
}

} // namespace
