// SPDX-License-Identifier: Apache-2.0
// image-tools/prove/prove_test.cpp - every promise broken once: the item that must notice does, by name.
#include "hypervisor/core/bundle/format.hpp"
#include "hypervisor/core/plan/header.hpp"
#include "image-tools/prove/live.hpp"
#include "image-tools/prove/policy.hpp"
#include "image-tools/prove/qmp.hpp"

#include <cstring>
#include <functional>
#include <gtest/gtest.h>
#include <map>

namespace {

using namespace prove;

constexpr std::uint64_t mebibyte = 1 << 20, page = 4096;
constexpr auto ram = plan::RegionKind::ram;
constexpr auto root_image = plan::RegionKind::root_image;

Intended good_plan() {
    Intended out;
    Guest web{"web", 1, 0, 4 * mebibyte, {{0, 4 * mebibyte, ram, 0}, {0xC0000000, 8192, root_image, 0}},
              {},    2};
    web.loads = {{mebibyte, 4000, 96, 1, 0}, {0, 100, 0, plan::no_section, 0}};
    Guest plc{"plc", 2, 0b110, 2 * mebibyte, {{0, 2 * mebibyte, ram, 0}}, {}, plan::no_section};
    plc.loads = {{mebibyte, 4096, 0, 1, 0}, {2 * mebibyte - page, 10, 0, 3, 0}};
    out.guests = {web, plc};
    out.bundle = {100 * mebibyte, 1 * mebibyte};
    out.sections = {{1, bundle::no_partition, 4096, 96},
                    {3, bundle::no_partition, 8192, 4096},
                    {4, 0, 16384, 8192},
                    {5, 1, 40960, 10},
                    {2, bundle::no_partition, 45056, 500}};
    out.backings = {{0, 0, 4 * mebibyte, 2 * mebibyte, false},
                    {0, 2 * mebibyte, 8 * mebibyte, 2 * mebibyte, false},
                    {0, 0xC0000000, 100 * mebibyte + 16384, 8192, true},
                    {1, 0, 10 * mebibyte, 2 * mebibyte, false}};
    out.processors = {{0, 0, 0, 0}, {1, 1, 0, 1}, {2, 1, 1, 2}, {3, nobody, 0, 3}};
    out.lanes = {{0, 1, 0xE0000000, 0xE0000000, 60 * mebibyte, 16 * page},
                 {1, 0, 0xE0010000, 0xE0010000, 60 * mebibyte + 16 * page, 16 * page}};
    out.hypervisor = {{2 * mebibyte, mebibyte}, {20 * mebibyte, mebibyte}};
    out.usable = {{0, 640 * 1024}, {mebibyte, 127 * mebibyte}};
    out.devices = {{0xFEC00000, page}, {0xFED00000, page}};
    return out;
}

// The items that do not hold, in order.
std::string failing(const std::function<void(Intended&)>& change) {
    Intended intended = good_plan();
    change(intended);
    std::string out;
    for (const Item& item : check_plan(intended))
        if (!item.passed)
            out += (out.empty() ? "" : " ") + item.name;
    return out;
}

TEST(Plan, GoodOneHolds) {
    EXPECT_EQ(failing([](Intended&) {}), "");
}

TEST(Plan, EveryBrokenPromiseIsNamed) {
    EXPECT_EQ(failing([](Intended& i) { i.guests[0].regions[1].gpa = 3 * mebibyte; }), "layouts complete");
    EXPECT_EQ(failing([](Intended& i) { i.guests[0].memory_bytes += page; }), "layouts");
    EXPECT_EQ(failing([](Intended& i) { i.guests[1].regions[0].kind = plan::RegionKind{7}; }), "layouts");
    EXPECT_EQ(failing([](Intended& i) { i.backings.pop_back(); }), "complete");
    EXPECT_EQ(failing([](Intended& i) { i.backings[1].bytes -= page; }), "complete");
    EXPECT_EQ(failing([](Intended& i) {
                  i.backings.push_back({1, 8 * mebibyte, 30 * mebibyte, page, false});
              }),
              "complete");
    EXPECT_EQ(failing([](Intended& i) { i.backings[2].root = false; }), "complete never-given");
    EXPECT_EQ(failing([](Intended& i) { i.backings[3].frame = 9 * mebibyte; }), "one-owner");
    EXPECT_EQ(failing([](Intended& i) { i.backings[3].frame = 20 * mebibyte - page; }), "one-owner");
    EXPECT_EQ(failing([](Intended& i) { i.backings[3].frame = 0; }), "never-given");
    EXPECT_EQ(failing([](Intended& i) { i.backings[3].frame = 127 * mebibyte; }), "never-given");
    EXPECT_EQ(failing([](Intended& i) { i.backings[3].frame = 99 * mebibyte; }), "one-owner never-given");
    EXPECT_EQ(failing([](Intended& i) { i.lanes[0].frame = 9 * mebibyte; }), "one-owner");
    EXPECT_EQ(failing([](Intended& i) { i.lanes[1].frame -= page; }), "one-owner");
    EXPECT_EQ(failing([](Intended& i) { i.lanes[0].frame = 100 * mebibyte; }), "one-owner never-given");
    EXPECT_EQ(failing([](Intended& i) { i.lanes[0].frame = 0; }), "lanes never-given");
    EXPECT_EQ(failing([](Intended& i) { i.lanes[0].reader = 0; }), "lanes");
    EXPECT_EQ(failing([](Intended& i) { i.lanes[1].writer = 0, i.lanes[1].reader = 1; }), "lanes");
    EXPECT_EQ(failing([](Intended& i) { i.lanes[0].writer_gpa = 0xE0010000 - page; }), "lanes");
    EXPECT_EQ(failing([](Intended& i) { i.lanes[0].reader_gpa = mebibyte; }), "lanes");
    EXPECT_EQ(failing([](Intended& i) { i.devices[0].base = 128 * mebibyte - page; }), "devices");
    EXPECT_EQ(failing([](Intended& i) { i.devices[1].base = i.devices[0].base; }), "devices");
    EXPECT_EQ(failing([](Intended& i) {
                  i.usable[1].bytes = 10 * mebibyte;
                  i.devices[0].base = 100 * mebibyte;
              }),
              "never-given devices");
    EXPECT_EQ(failing([](Intended& i) { i.backings[2].frame += page; }), "roots");
    EXPECT_EQ(failing([](Intended& i) { i.sections[2].partition = 1; }), "roots");
    EXPECT_EQ(failing([](Intended& i) { i.sections[3].partition = 0; }), "payloads");
    // One root image for both: one sees the bundle's, the other a copy of its own.
    const auto share = [](Intended& i) {
        i.sections[2].partition = bundle::no_partition;
        i.guests[1].regions.push_back({0xC0000000, 8192, root_image, 0});
        i.guests[1].root_section = 2;
        i.backings.push_back({1, 0xC0000000, 40 * mebibyte, 8192, true});
    };
    EXPECT_EQ(failing(share), "");
    EXPECT_EQ(failing([&](Intended& i) {
                  share(i);
                  i.backings.back().frame = i.backings[2].frame;
              }),
              "one-owner roots");
    EXPECT_EQ(failing([&](Intended& i) {
                  share(i);
                  i.sections[2].partition = 0;
              }),
              "roots");
    EXPECT_EQ(failing([](Intended& i) { i.guests[1].loads[0].section = 9; }), "payloads");
    EXPECT_EQ(failing([](Intended& i) { i.guests[1].loads[0].section = 2; }), "payloads");
    EXPECT_EQ(failing([](Intended& i) { i.guests[0].loads[0].bytes = 4001; }), "payloads");
    EXPECT_EQ(failing([](Intended& i) { i.guests[0].loads[0].gpa = 0xC0000000; }), "payloads");
    EXPECT_EQ(failing([](Intended& i) { i.guests[1].loads.clear(); }), "payloads");
    EXPECT_EQ(failing([](Intended& i) { i.processors[2].core = 0; }), "cpus");
    EXPECT_EQ(failing([](Intended& i) { i.processors[1].core = 0; }), "cpus");
    EXPECT_EQ(failing([](Intended& i) {
                  i.processors[1].core = 0;
                  i.guests[0].shares_cores = true;
              }),
              "cpus");
    EXPECT_EQ(failing([](Intended& i) {
                  i.processors[1].core = 0;
                  i.guests[0].shares_cores = i.guests[1].shares_cores = true;
              }),
              "");
    EXPECT_EQ(failing([](Intended& i) { i.processors[3].apic_id = 2; }), "cpus");
    EXPECT_EQ(failing([](Intended& i) { i.processors[2].owner = nobody; }), "cpus");
    EXPECT_EQ(failing([](Intended& i) { std::swap(i.processors[1], i.processors[3]); }), "cpus");
}

// Memory of a machine that does not exist.
class Fake final : public PhysicalMemory {
public:
    bool read(std::uint64_t address, std::span<std::byte> to) override {
        for (std::byte& byte : to) {
            const std::uint64_t frame = address / page * page;
            if (address >= 128 * mebibyte)
                return false;
            const auto found = pages_.find(frame);
            byte = found == pages_.end() ? std::byte{0} : found->second[address % page];
            ++address;
        }
        return true;
    }
    template <typename T> void put(std::uint64_t address, const T& value) {
        auto& bytes = pages_[address / page * page];
        bytes.resize(page);
        std::memcpy(bytes.data() + address % page, &value, sizeof value);
    }
    void entry(std::uint64_t table, std::uint64_t index, std::uint64_t value) {
        put(table + index * 8, value);
    }

private:
    std::map<std::uint64_t, std::vector<std::byte>> pages_;
};

constexpr std::uint64_t no_execute = std::uint64_t{1} << 63;

TEST(Walker, RightsAreThoseOfAllLevels) {
    Fake memory;
    memory.entry(0x1000, 0, 0x2000 | 7);
    memory.entry(0x2000, 0, 0x3000 | 7);
    memory.entry(0x3000, 0, 0x600000 | 0x87);           // 2 MiB
    memory.entry(0x3000, 1, 0x800000 | 0x87);           // joins it
    memory.entry(0x3000, 2, 0x4000 | 5);                // not writable above
    memory.entry(0x4000, 0, 0x5000 | 7);                // so not writable here
    memory.entry(0x4000, 1, 0x6000 | 7 | no_execute);   // other rights
    memory.entry(0x4000, 3, 0x7000 | 1 | 16);           // a hole, then supervisor, uncached
    memory.entry(0x2000, 3, 0x40000000 | 0x83 | 0x100); // 1 GiB, global, supervisor
    const Walk found = walk(memory, 0x1000);
    EXPECT_EQ(found.problem, "");
    EXPECT_EQ(found.tables.size(), 4u);
    ASSERT_EQ(found.mappings.size(), 5u);
    EXPECT_EQ(found.mappings[0].bytes, 4 * mebibyte);
    EXPECT_TRUE(found.mappings[0].write && found.mappings[0].execute && found.mappings[0].user);
    EXPECT_EQ(found.mappings[1].address, 4 * mebibyte);
    EXPECT_TRUE(!found.mappings[1].write && found.mappings[1].execute);
    EXPECT_FALSE(found.mappings[2].execute);
    EXPECT_EQ(found.mappings[3].address, 4 * mebibyte + 3 * page);
    EXPECT_TRUE(!found.mappings[3].user && !found.mappings[3].cached);
    EXPECT_EQ(found.mappings[4].bytes, 1024 * mebibyte);
    EXPECT_TRUE(found.mappings[4].global && !found.mappings[4].user);
    EXPECT_NE(walk(memory, 128 * mebibyte).problem, "");
}

Walk real_tables() {
    Walk out;
    out.mappings = {{0, 4 * mebibyte, 2 * mebibyte, true, true, true, true, false},
                    {2 * mebibyte, 8 * mebibyte, 2 * mebibyte, true, true, true, true, false},
                    {0xC0000000, 100 * mebibyte + 16384, 8192, false, true, true, true, false},
                    {0xE0000000, 60 * mebibyte, 16 * page, true, false, true, true, false},
                    {0xE0010000, 60 * mebibyte + 16 * page, 16 * page, false, false, true, true, false}};
    return out;
}

std::string second_stage(const std::function<void(Walk&)>& change) {
    Walk real = real_tables();
    change(real);
    const Item item = compare_second_stage(good_plan(), 0, {}, real);
    EXPECT_EQ(item.name, "second-stage:web");
    return item.passed ? "" : item.detail;
}

TEST(SecondStage, EqualOrThePageIsNamed) {
    EXPECT_EQ(second_stage([](Walk&) {}), "");
    EXPECT_EQ(second_stage([](Walk& w) {
                  w.mappings.push_back({0xD0000000, 10 * mebibyte, page, true, false, true, true, false});
              }),
              "guest-physical 0xd0000000: a page too many, frame 0xa00000 ('plc's memory), writable");
    EXPECT_EQ(second_stage([](Walk& w) { w.mappings[1].bytes -= page; }),
              "guest-physical 0x3ff000: a page missing");
    EXPECT_EQ(
        second_stage([](Walk& w) { w.mappings[1].frame = 2 * mebibyte; }),
        "guest-physical 0x200000: 512 pages lead to frame 0x200000 (the hypervisor's image), the plan says "
        "0x800000");
    EXPECT_EQ(second_stage([](Walk& w) { w.mappings[2].write = true; }),
              "guest-physical 0xc0000000: 2 pages with other rights: writable, executable");
    EXPECT_EQ(second_stage([](Walk& w) { w.mappings[0].write = false; }),
              "guest-physical 0x0: 512 pages with other rights: not writable, executable");
    EXPECT_EQ(second_stage([](Walk& w) { w.mappings[0].cached = false; }),
              "guest-physical 0x0: 512 pages with other rights: writable, executable, uncached");
    EXPECT_EQ(second_stage([](Walk& w) { w.mappings[3].execute = true; }),
              "guest-physical 0xe0000000: 16 pages with other rights: writable, executable");
    EXPECT_EQ(second_stage([](Walk& w) { w.mappings[4].write = true; }),
              "guest-physical 0xe0010000: 16 pages with other rights: writable, not executable");
    EXPECT_EQ(second_stage([](Walk& w) { w.mappings[4].frame = 60 * mebibyte; }),
              "guest-physical 0xe0010000: 16 pages lead to frame 0x3c00000 (a lane of 'web'), the plan says "
              "0x3c10000");
    EXPECT_EQ(second_stage([](Walk& w) { w.problem = "torn"; }), "torn");
}

std::array<std::uint8_t, msr_map_bytes> good_msr_map() {
    std::array<std::uint8_t, msr_map_bytes> map;
    map.fill(0xFF);
    constexpr unsigned read = 1, write = 2, both = 3;
    const auto open = [&map](std::size_t range, std::uint32_t first, std::uint32_t last, unsigned access) {
        for (std::uint32_t msr = first; msr <= last; ++msr) {
            const std::size_t bit = (range * 0x2000 + (msr & 0x1FFF)) * 2;
            map[bit / 8] = static_cast<std::uint8_t>(map[bit / 8] & ~(access << bit % 8));
        }
    };
    open(0, 0x174, 0x176, both);
    for (const std::uint32_t msr : {0x808u, 0x80Fu, 0x828u, 0x838u, 0x83Eu})
        open(0, msr, msr, both);
    for (const std::uint32_t msr : {0x80Bu, 0x83Fu})
        open(0, msr, msr, write);
    for (const std::uint32_t msr : {0x803u, 0x80Au, 0x82Fu, 0x839u})
        open(0, msr, msr, read);
    open(0, 0x810, 0x827, read);
    open(0, 0x832, 0x837, read);
    open(1, 0xC0000081, 0xC0000084, both);
    open(1, 0xC0000100, 0xC0000102, both);
    open(1, 0xC0000103, 0xC0000103, read);
    return map;
}

TEST(Policy, EveryMsrBitCounts) {
    bool x2apic = false;
    const auto good = good_msr_map();
    EXPECT_EQ(msr_map_problem(good, x2apic), std::nullopt);
    EXPECT_TRUE(x2apic);
    // All around what is open, samples elsewhere.
    const auto looked_at = [](std::size_t bit) {
        const std::size_t msr = bit / 2 % 0x2000;
        return bit % 97 == 0 || (msr >= 0x170 && msr < 0x180) || (msr >= 0x800 && msr < 0x840) ||
               (msr >= 0x80 && msr < 0x88) || (msr >= 0x100 && msr < 0x108);
    };
    for (std::size_t bit = 0; bit < 3 * 0x2000 * 2; ++bit) {
        if (!looked_at(bit) || bit / 2 == 0x80B || bit / 2 == 0x6E0)
            continue;
        auto map = good;
        map[bit / 8] = static_cast<std::uint8_t>(map[bit / 8] ^ 1u << bit % 8);
        ASSERT_TRUE(msr_map_problem(map, x2apic)) << bit;
    }
    auto map = good; // 80h + 2FFh / 4: MTRR_DEF_TYPE, writing
    map[0x2FF / 4] = static_cast<std::uint8_t>(map[0x2FF / 4] & 0x7F);
    EXPECT_EQ(msr_map_problem(map, x2apic), "MSR 0x2ff: writing does not exit, the policy says that it must");
    // A machine without x2APIC: all of them exit, or it is no such machine.
    map = good;
    std::memset(map.data() + 0x800 / 4, 0xFF, 0x100 / 4);
    EXPECT_EQ(msr_map_problem(map, x2apic), std::nullopt);
    EXPECT_FALSE(x2apic);
    map[0x830 / 4] = 0;
    EXPECT_TRUE(msr_map_problem(map, x2apic));
}

TEST(Policy, PortsAndIntercepts) {
    std::array<std::uint8_t, port_map_bytes> ports;
    ports.fill(0xFF);
    EXPECT_EQ(port_map_problem(ports), std::nullopt);
    ports[0xCF8 / 8] = 0xFE;
    EXPECT_EQ(port_map_problem(ports), "port 0xcf8 does not exit; every port must");
    ports.fill(0xFF);
    ports[8192] = 0xFB; // port FFFFh, four bytes
    EXPECT_TRUE(port_map_problem(ports));
    std::array<std::uint32_t, 6> all;
    all.fill(~0u);
    EXPECT_EQ(intercept_problem(all), std::nullopt);
    all[4] &= ~4u;
    EXPECT_EQ(intercept_problem(all), "VMLOAD does not exit");
}

TEST(Table, ShortAndForeignOnesAreRefused) {
    std::vector<Guest> guests;
    std::vector<Lane> lanes;
    std::vector<Wish> wishes;
    std::vector<std::byte> bytes(sizeof(plan::Header) + sizeof(plan::Partition));
    EXPECT_TRUE(read_table(bytes, guests, lanes, wishes));
    plan::Header header{};
    header.magic = plan::magic;
    header.format = plan::format_version;
    header.total_size = static_cast<std::uint32_t>(bytes.size());
    header.partition_count = 1;
    header.partition_entsize = sizeof(plan::Partition);
    std::memcpy(bytes.data(), &header, sizeof header);
    EXPECT_FALSE(read_table(bytes, guests, lanes, wishes));
    EXPECT_EQ(guests.size(), 1u);
    EXPECT_TRUE(read_table(std::span(bytes).first(bytes.size() - 1), guests, lanes, wishes));
    header.partition_count = 2;
    std::memcpy(bytes.data(), &header, sizeof header);
    EXPECT_TRUE(read_table(bytes, guests, lanes, wishes));
}

TEST(Registers, OfEveryCpu) {
    const auto cpus =
        parse_registers("CPU#0\r\nRAX=1\r\nRIP=0000000000201234 RFL=2\r\nGDT=     0000000000345000 "
                        "0000ffff\r\nCR0=80 CR2=0 CR3=0000000000346000 CR4=0\r\n\r\nCPU#1\r\nRIP=10 "
                        "RFL=2\r\nGDT=     20 0\r\nCR3=30\r\n");
    ASSERT_EQ(cpus.size(), 2u);
    EXPECT_EQ(cpus[0].rip, 0x201234u);
    EXPECT_EQ(cpus[0].gdt_base, 0x345000u);
    EXPECT_EQ(cpus[0].cr3, 0x346000u);
    EXPECT_EQ(cpus[1].gdt_base, 0x20u);
    EXPECT_EQ(cpus[1].cr3, 0x30u);
}

} // namespace
