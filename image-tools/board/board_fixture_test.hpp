// SPDX-License-Identifier: Apache-2.0
// image-tools/board/board_fixture_test.hpp - a board made up by hand, and plans for it.
#pragma once

#include "hypervisor/core/plan/fixture_test.hpp"
#include "image-tools/board/bind.hpp"

#include <memory>

namespace board::test {

// A q35 with VT-d, four CPUs, 256 MiB and one e1000e.
inline std::unique_ptr<Facts> q35() {
    auto out = std::make_unique<Facts>();
    Facts& f = *out;
    f.name << "q35";
    f.origin << "scan";
    f.processor.checked = Known::yes;
    f.processor.huge_pages = true;
    for (const Leaf& leaf : {Leaf{0, 0, 0xd, 0x68747541, 0x444d4163, 0x69746e65},
                             Leaf{1, 0, 0x663, 0, 1u << 21 | 1u << 30, 0}, Leaf{0xb, 0, 0, 1, 0x100, 0},
                             Leaf{0xb, 1, 2, 4, 0x201, 0}, Leaf{0x80000000, 0, 0x8000000a, 0, 0, 0},
                             Leaf{0x80000001, 0, 0, 0, 4, 1u << 26}, Leaf{0x8000000a, 0, 1, 16, 0, 1}})
        (void)f.processor.leaves.push_back(leaf);
    for (const memory::Range& range : {memory::Range{0, 0x9fc00, memory::Kind::usable},
                                       memory::Range{0x9fc00, 0x400, memory::Kind::reserved},
                                       memory::Range{0x100000, 0xfee0000, memory::Kind::usable},
                                       memory::Range{0xb0000000, 0x10000000, memory::Kind::reserved}})
        (void)f.memory.push_back(range);
    for (std::uint32_t i = 0; i < 4; ++i)
        (void)f.tables.cpus.push_back({i, true});
    (void)f.tables.io_apics.push_back({0xfec00000, 0, 0});
    acpi::Remapping& r = f.tables.remapping;
    r.kind = acpi::RemappingKind::vtd;
    (void)r.units.push_back(0xfed90000);
    (void)r.io_apics.push_back({0, 0xff00});
    (void)f.units.push_back({0xd2008c22260206, 0xf00f5a});
    f.tables.hpet = 0xfed00000;
    f.tables.ecam = {0xb0000000, 255};
    f.tables.fadt = acpi::Fadt{0x604, {}, 0xcf9, 0x608, 0x600, 0xb2, false, 15, 2, 0};
    f.tables.soft_off = acpi::SleepType{0, 0};
    f.uart_known = Known::yes;
    f.uart = {0x3f8, false, false, 1};
    f.hpet_pin = f.pit = Known::yes;
    f.pci_known = true;
    Function nic;
    nic.function.requester = 0x10;
    nic.function.vendor = 0x8086;
    nic.function.device = 0x10d3;
    nic.function.class_code = 0x020000;
    nic.function.kind = pci::Kind::endpoint;
    nic.function.reset = pci::Reset::express;
    nic.function.express = 0xe0;
    nic.function.msix = 0xa0;
    nic.function.vectors = 5;
    nic.function.bars[0] = {0xfeb40000, 0x20000};
    (void)f.functions.push_back(nic);
    return out;
}

// `count` partitions of so many MiB, with their sections.
struct Wanted {
    plan::test::Wish wish;
    std::vector<std::byte> table;
    std::vector<plan::SectionExtent> sections;
    std::uint64_t bundle_bytes = 0;

    explicit Wanted(std::size_t count, std::uint64_t mebibytes = 16) : wish(count, mebibytes << 20) {}
    Outcome on(const Facts& facts) {
        plan::test::Board shape(wish);
        table = wish.table();
        const auto plan = plan::Plan::parse(table);
        EXPECT_TRUE(plan.ok());
        return bind_on(facts, *plan, shape.sections, shape.machine.bundle_bytes);
    }
};

} // namespace board::test
