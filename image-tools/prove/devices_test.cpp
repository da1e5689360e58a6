// SPDX-License-Identifier: Apache-2.0
// image-tools/prove/devices_test.cpp - a remapping unit's tables in a memory of the test's, each promise broken once.
#include "image-tools/prove/devices.hpp"

#include "image-tools/prove/qmp.hpp"

#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <map>

namespace {

using namespace prove;

constexpr std::uint64_t page = 4096, mebibyte = 1 << 20;
constexpr std::uint64_t root = 0x10000, contexts = 0x11000, entries = 0x12000, top = 0x13000,
                        middle = 0x14000, lowest = 0x15000;
constexpr std::uint16_t card = 0x18, disk = 0x20;

// Two partitions: 'web' owns a card and has 2 MiB of RAM, a root image and CPU 1; 'plc' owns a disk.
struct Machine final : PhysicalMemory {
    std::map<std::uint64_t, std::uint64_t> words;
    Intended intended;
    std::vector<PciFunction> functions;

    bool read(std::uint64_t address, std::span<std::byte> to) override {
        for (std::size_t at = 0; at < to.size(); at += 8) {
            const auto word = words.find(address + at);
            const std::uint64_t value = word == words.end() ? 0 : word->second;
            std::memcpy(to.data() + at, &value, std::min<std::size_t>(8, to.size() - at));
        }
        return address < 64 * mebibyte || address == vtd_registers.base;
    }

    Machine() {
        intended.guests.resize(2);
        intended.guests[0].name = "web";
        intended.guests[1].name = "plc";
        intended.backings = {{0, 0, 4 * mebibyte, 2 * mebibyte, false},
                             {0, 0xC0000000, 8 * mebibyte, page, true},
                             {1, 0, 6 * mebibyte, page, false}};
        intended.processors = {{0, nobody, 0, 0}, {1, 0, 0, 1}, {2, 1, 0, 2}};
        intended.wishes = {{0, 0, 0, 0, false, true}, {1, 0, 0, disk, true, false}};
        functions = {{disk, 0x1b36, 0x0010, {Range{0xfe000000, 16384}}},
                     {card, 0x8086, 0x10d3, {Range{0xfd000000, 131072}, Range{0xfd020800, 1024}}},
                     {0, 0x8086, 0x29c0, {}}};
        words[vtd_registers.base + 0x18] = std::uint64_t{1u << 31 | 1u << 25} << 32; // the status is at 1ch
        words[vtd_registers.base + 0x20] = root;
        words[vtd_registers.base + 0xb8] = entries | 1 << 11 | 7;
        words[root] = contexts | 1;
        words[contexts + card * 16] = top | 1;
        words[contexts + card * 16 + 8] = 1 << 8 | 1; // three levels
        words[contexts + disk * 16] = 0x20000 | 1;
        words[contexts + disk * 16 + 8] = 2 << 8 | 1;
        words[top] = middle | 3;
        words[middle] = 4 * mebibyte | 3 | 1 << 7; // 2 MiB at once
        words[0x20000] = 0x21000 | 3;
        words[0x21000] = 0x22000 | 3;
        words[0x22000] = 6 * mebibyte | 3;
        words[entries] = std::uint64_t{0} << 32 | 4u << 5 | 1; // an I/O APIC's NMI
        words[entries + 8] = 1u << 18 | 0xff;
        words[entries + 0x800] = std::uint64_t{1} << 32 | 0x40u << 16 | 1;
        words[entries + 0x808] = 1u << 18 | card;
    }
};

// The items that fail after a change, with what they say.
std::string failing(const std::function<void(Machine&)>& change) {
    Machine machine;
    change(machine);
    std::vector<OwnedFunction> owned;
    if (const auto problem = find_owned(machine.intended, machine.functions, owned))
        return *problem;
    std::vector<std::uint64_t> tables;
    std::string out;
    for (const Item& item : check_remapping(machine, machine.intended, owned, tables))
        if (!item.passed)
            out += (out.empty() ? "" : "; ") + item.name + ": " + item.detail;
    EXPECT_GE(tables.size(), 3u);
    return out;
}

TEST(Devices, AreWhichThePlanNamesAndTheirRegistersHaveAPlace) {
    const Machine machine;
    std::vector<OwnedFunction> owned;
    ASSERT_EQ(find_owned(machine.intended, machine.functions, owned), std::nullopt);
    ASSERT_EQ(owned.size(), 2u);
    EXPECT_EQ(owned[0].function.requester, card);
    EXPECT_EQ(owned[0].partition, 0u);
    ASSERT_EQ(owned[0].bars.size(), 2u);
    EXPECT_EQ(owned[0].bars[0].bytes, 131072u);
    EXPECT_EQ(owned[0].bars[1].gpa, owned[0].bars[0].gpa + 131072);
    EXPECT_EQ(owned[0].bars[1].frame, 0xfd020000u) << "a part of a page is the page";
    EXPECT_EQ(owned[1].bars[0].gpa, owned[0].bars[0].gpa) << "each partition has a place of its own";
    EXPECT_EQ(failing([](Machine& m) { m.functions.pop_back(), m.functions.pop_back(); }),
              "the machine has no device 0x0 (0) of 'web'");
}

TEST(Remapping, AGoodMachineHolds) {
    EXPECT_EQ(failing([](Machine&) {}), "");
}

TEST(Remapping, EveryBrokenPromiseIsNamed) {
    const auto unit = vtd_registers.base + 0x18;
    EXPECT_EQ(failing([&](Machine& m) { m.words[unit] = std::uint64_t{1u << 25} << 32; }),
              "remapping-unit: it does not translate (status 0x2000000)");
    EXPECT_EQ(failing([&](Machine& m) { m.words[unit] |= std::uint64_t{1u << 23} << 32; }),
              "remapping-unit: it lets interrupts pass that it does not remap (status 0x82800000)");
    EXPECT_EQ(failing([](Machine& m) { m.words[contexts + 0x28 * 16] = top | 1; }),
              "dma-devices: function 0x28 reaches memory and is nobody's");
    EXPECT_EQ(failing([](Machine& m) { m.words[contexts + card * 16] = 0; }),
              "dma-devices: function 0x18 of 'web' is not in the tables");
    EXPECT_EQ(failing([](Machine& m) { m.words[contexts + disk * 16] |= 2 << 2; }),
              "dma-devices: function 0x20 is not translated");
    EXPECT_EQ(
        failing([](Machine& m) { m.words[middle + 8] = 8 * mebibyte | 1 << 7 | 3; }),
        "dma-tables:web: guest-physical 0x200000: 512 pages too many, frame 0x800000 ('web's root image), "
        "writable");
    EXPECT_EQ(failing([](Machine& m) { m.words[middle] = lowest | 3; }),
              "dma-tables:web: guest-physical 0x0: 512 pages missing");
    EXPECT_EQ(failing([](Machine& m) { m.words[0x22000] = 6 * mebibyte | 1; }),
              "dma-tables:plc: guest-physical 0x0: a page with other rights: not writable, not executable");
    EXPECT_EQ(failing([](Machine& m) { m.words[entries + 0x808] = card; }),
              "interrupt-entries: an entry (0x100400001, 0x18) is not one function's alone");
    EXPECT_EQ(failing([](Machine& m) { m.words[entries + 0x800] |= 4u << 5; }),
              "interrupt-entries: the entry of function 0x18 delivers mode 4, vector 64");
    EXPECT_EQ(failing([](Machine& m) { m.words[entries + 0x800] += std::uint64_t{1} << 32; }),
              "interrupt-entries: the entry of function 0x18 goes to CPU 2, which is not one of 'web'");
    EXPECT_EQ(failing([](Machine& m) { m.words[entries + 0x808] = 1u << 18 | 0x30; }),
              "interrupt-entries: the entry of function 0x30, which is nobody's, is no I/O APIC's NMI");
}

TEST(Remapping, QemusListOfFunctions) {
    const auto functions = parse_functions(nlohmann::json::parse(R"([{"bus": 0, "devices": [
        {"bus": 0, "slot": 3, "function": 1, "id": {"device": 4307, "vendor": 32902}, "regions": [
            {"bar": 0, "type": "memory", "address": 4261412864, "size": 131072},
            {"bar": 2, "type": "io", "address": 49152, "size": 32}, {"bar": 6, "type": "memory", "address": 1, "size": 2}]},
        {"bus": 0, "slot": 4, "function": 0, "id": {"device": 12, "vendor": 6966}, "regions": [],
         "pci_bridge": {"bus": {}, "devices": [{"bus": 1, "slot": 0, "function": 0, "id": {"device": 5, "vendor": 6}}]}}]}])"));
    ASSERT_EQ(functions.size(), 3u);
    EXPECT_EQ(functions[0].requester, 0x19);
    EXPECT_EQ(functions[0].device, 0x10d3);
    EXPECT_EQ(functions[0].bars[0].base, 0xfe000000u);
    EXPECT_EQ(functions[0].bars[2].bytes, 0u);
    EXPECT_EQ(functions[2].requester, 0x100);
    EXPECT_TRUE(parse_functions({}).empty());
}

} // namespace
