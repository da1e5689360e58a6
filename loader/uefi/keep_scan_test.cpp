// SPDX-License-Identifier: Apache-2.0
// A scan's description on its way from memory into a file, over a reset that keeps memory or does not.
#include "loader/uefi/besides.hpp"
#include "loader/uefi/fake_firmware_test.hpp"
#include "loader/uefi/keep_scan.hpp"

#include <gtest/gtest.h>

namespace {

using namespace loader::uefi;

constexpr char16_t name[] = u"\\EFI\\caisson\\board.json";

Buffer bytes_of(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}
std::string text_of(const Buffer& bytes) {
    std::string out(bytes.size(), '\0');
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
}
Buffer file_with(std::uint64_t address) {
    std::string out(board::kept_bytes, ' ');
    board::note_address(std::span(out).first(board::unscanned_bytes), address);
    return bytes_of(out);
}
Buffer application() {
    const auto path = std::as_bytes(std::span(name));
    return pe_image({{".caisson", small_elf()}, {".path", {path.begin(), path.end()}}});
}

struct Machine {
    FakeFirmware firmware;
    Machine() {
        firmware.image = application();
        firmware.files[name] = file_with(0);
        offer();
    }
    // Memory in three runs, the largest of which is the second.
    static constexpr std::uint64_t large = 0x1000'0000, large_pages = 0x800;
    void offer() {
        firmware.map = {{7, 0, 0x0800'0000, 0, large_pages - 1, 8},
                        {7, 0, large, 0, large_pages, 8},
                        {4, 0, 0x2000'0000, 0, 4 * large_pages, 8}};
    }
    Kept look() { return keep_scan(firmware.system(), &firmware); }
    [[nodiscard]] std::string file() { return text_of(firmware.files[name]); }
    // What a scan does with the memory that it was given.
    void scan(std::uint64_t address, std::string_view text) {
        const board::KeptScan head{board::KeptScan::right_magic, static_cast<std::uint32_t>(text.size()),
                                   board::sum_of(text)};
        std::memcpy(at(address), &head, sizeof head);
        std::memcpy(at(address) + sizeof head, text.data(), text.size());
    }
    static char* at(std::uint64_t address) { return reinterpret_cast<char*>(address); }
    // As firmware's map says after a reset: memory in two pieces, out of order.
    void show(std::uint64_t address) {
        constexpr std::uint64_t pages = board::kept_bytes / 4096;
        firmware.map = {{7, 0, address + 4096, 0, pages, 8}, {4, 0, address, 0, 1, 8}};
    }
};

TEST(KeepScan, ADescriptionComesIntoTheFileOverAReset) {
    Machine machine;
    const Kept asked = machine.look();
    ASSERT_EQ(asked.what, Keeping::asked);
    EXPECT_EQ(board::noted_address(machine.file()), asked.address);
    EXPECT_EQ(machine.file().size(), board::kept_bytes);
    EXPECT_EQ(asked.address, Machine::large + (Machine::large_pages / 2 << 12) - board::kept_bytes / 2);
    machine.scan(asked.address, "{\"schema\":\"caisson.board/1\"}\n");
    machine.show(asked.address);
    EXPECT_EQ(machine.look().what, Keeping::delivered);
    const std::string file = machine.file();
    EXPECT_EQ(file.size(), board::kept_bytes);
    EXPECT_EQ(file.find_last_not_of(" \n"), file.find('}')) << "text, then spaces";
    EXPECT_TRUE(file.starts_with("{\"schema\":\"caisson.board/1\"}\n"));
    EXPECT_EQ(file.back(), '\n');
    // The next boot scans anew, and nothing of the old description stays.
    machine.offer();
    EXPECT_EQ(machine.look().what, Keeping::asked);
    EXPECT_EQ(machine.file().substr(board::unscanned_bytes),
              std::string(board::kept_bytes - board::unscanned_bytes - 1, ' ') + '\n');
}

TEST(KeepScan, MemoryThatFirmwareUsesNowIsOnlyRead) {
    Machine machine;
    const Kept asked = machine.look();
    ASSERT_EQ(asked.what, Keeping::asked);
    const std::string text = "{\"schema\":\"caisson.board/1\"}\n";
    machine.scan(asked.address, text);
    machine.show(asked.address);
    // The next boot's firmware has something of its own behind the text.
    std::memset(Machine::at(asked.address) + sizeof(board::KeptScan) + text.size(), 0x5a, 4096);
    const std::string before(Machine::at(asked.address), board::kept_bytes);
    ASSERT_EQ(machine.look().what, Keeping::delivered);
    EXPECT_TRUE(machine.file().starts_with(text));
    EXPECT_TRUE(before == std::string(Machine::at(asked.address), board::kept_bytes));
}

TEST(KeepScan, WhatMemoryDidNotKeepIsLostAndSaid) {
    const std::string text = "{\"schema\":\"caisson.board/1\"}\n";
    const auto after = [&text](auto change) {
        Machine machine;
        const Kept asked = machine.look();
        EXPECT_EQ(asked.what, Keeping::asked);
        machine.scan(asked.address, text);
        machine.show(asked.address);
        change(machine, asked.address);
        const Keeping what = machine.look().what;
        EXPECT_EQ(board::noted_address(machine.file()), 0u) << "the next boot begins afresh";
        machine.offer();
        EXPECT_EQ(machine.look().what, Keeping::asked);
        return what;
    };
    const auto flip = [&](std::size_t byte) {
        return after([byte](Machine&, std::uint64_t address) { Machine::at(address)[byte] ^= 1; });
    };
    EXPECT_EQ(flip(0), Keeping::lost) << "magic";
    EXPECT_EQ(flip(8), Keeping::lost) << "length";
    EXPECT_EQ(flip(11), Keeping::lost) << "a length beyond it";
    EXPECT_EQ(flip(12), Keeping::lost) << "sum";
    EXPECT_EQ(flip(16), Keeping::lost) << "text";
    const auto with_map = [&](auto change) {
        return after([&](Machine& machine, std::uint64_t) { change(machine.firmware.map); });
    };
    using Map = std::vector<MemoryDescriptor>;
    EXPECT_EQ(with_map([](Map& map) { map.clear(); }), Keeping::lost);
    EXPECT_EQ(with_map([](Map& map) { map[1].type = 0; }), Keeping::lost) << "reserved now";
    EXPECT_EQ(with_map([](Map& map) { map[0].pages -= 2; }), Keeping::lost) << "too short";
    EXPECT_EQ(with_map([](Map& map) { map[0].start += 4096; }), Keeping::lost) << "a gap";
    EXPECT_EQ(with_map([](Map& map) { map[0].pages = ~std::uint64_t{0}; }), Keeping::delivered)
        << "absurd, but there";
    EXPECT_EQ(with_map([](Map& map) {
                  map.resize(4000, {9, 0, 0, 0, 1, 0});
              }),
              Keeping::lost)
        << "too long a map";
}

TEST(KeepScan, AnAddressIsOnlyTakenWhereMemoryCanBe) {
    for (const std::uint64_t address :
         {std::uint64_t{1}, std::uint64_t{0x1008}, ~std::uint64_t{0xfff}, (std::uint64_t{4} << 30) - 4096}) {
        Machine machine;
        machine.firmware.files[name] = file_with(address);
        machine.firmware.map = {{7, 0, 0, 0, ~std::uint64_t{0} >> 12, 8}};
        EXPECT_EQ(machine.look().what, Keeping::lost) << address;
    }
}

TEST(KeepScan, WithoutAFileToWriteToNothingIsAsked) {
    const auto with = [](auto change) {
        Machine machine;
        change(machine.firmware);
        return machine.look().what;
    };
    EXPECT_EQ(with([](FakeFirmware& f) { f.read_only = true; }), Keeping::none);
    EXPECT_EQ(with([](FakeFirmware& f) { f.write_fails = true; }), Keeping::none);
    EXPECT_EQ(with([](FakeFirmware& f) { f.has_file_system = false; }), Keeping::none);
    EXPECT_EQ(with([](FakeFirmware& f) { f.files.clear(); }), Keeping::none);
    EXPECT_EQ(with([](FakeFirmware& f) { f.files[name].pop_back(); }), Keeping::none);
    EXPECT_EQ(with([](FakeFirmware& f) { f.largest_allocation = 0; }), Keeping::none);
    EXPECT_EQ(with([](FakeFirmware& f) { f.map.clear(); }), Keeping::none);
    EXPECT_EQ(with([](FakeFirmware& f) { f.descriptor_bytes = 0; }), Keeping::none) << "no step to the next";
    EXPECT_EQ(with([](FakeFirmware& f) { f.descriptor_bytes = 39; }), Keeping::none);
    EXPECT_EQ(with([](FakeFirmware& f) { f.map = {{7, 0, 0x1000, 0, 255, 8}}; }), Keeping::none);
    EXPECT_EQ(with([](FakeFirmware& f) {
                  f.map = {{7, 0, std::uint64_t{4} << 30, 0, 0x1000, 8}};
              }),
              Keeping::none);
    EXPECT_EQ(with([](FakeFirmware& f) { f.short_read = 5; }), Keeping::none);
    EXPECT_EQ(with([](FakeFirmware& f) { f.image = pe_image({{".bundle", Buffer(10)}}); }), Keeping::none);
    Machine full;
    const Kept asked = full.look();
    full.scan(asked.address, "{}\n");
    full.show(asked.address);
    full.firmware.write_fails = true;
    EXPECT_EQ(full.look().what, Keeping::failed);
}

TEST(KeepScan, TheScanLearnsWhere) {
    Machine machine;
    ASSERT_TRUE(before_start(machine.firmware.system(), &machine.firmware));
    const Start start = machine.firmware.load();
    ASSERT_EQ(start.problem, Problem::none);
    before_entry(start.handover);
    Handover handover;
    std::memcpy(&handover, Machine::at(start.handover), sizeof handover);
    board::KeepRequest request{0};
    std::memcpy(&request, Machine::at(handover.bundle), sizeof request);
    EXPECT_EQ(request.magic, board::KeepRequest::right_magic);
    EXPECT_EQ(request.address, board::noted_address(machine.file()));
    EXPECT_FALSE(machine.firmware.shut);
    machine.scan(request.address, "{}\n");
    machine.show(request.address);
    EXPECT_FALSE(before_start(machine.firmware.system(), &machine.firmware));
    EXPECT_TRUE(machine.firmware.shut);
    EXPECT_NE(machine.firmware.said.find(u"is on this medium now"), std::u16string::npos);
}

} // namespace
