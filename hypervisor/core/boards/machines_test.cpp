// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/boards/machines_test.cpp - every machine's ACPI tables are read; machines.tsv says what is found in them.
#include "hypervisor/core/acpi/image_test.hpp"
#include "hypervisor/core/acpi/layout.hpp"
#include "hypervisor/core/boards/boards_test.hpp"
#include "hypervisor/core/plan/bind.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace {

// A line of machines.tsv.
std::string facts(const boards::File& machine) {
    const acpi::testing::Image image{std::as_bytes(std::span{machine.bytes})};
    const auto tables = std::make_unique<acpi::Tables>();
    std::ostringstream line;
    line << machine.name << '\t';
    if (const auto parsed = acpi::parse(image.memory(), image.rsdp, *tables); !parsed.ok()) {
        line << "refused: " << acpi::describe(parsed.error());
        return line.str();
    }
    std::size_t madts = 0;
    for (const auto& [address, block] : image.blocks)
        madts += bytes::load<std::uint32_t>(block, 0) == acpi::signature("APIC") ? 1 : 0;
    const acpi::Remapping& r = tables->remapping;
    const auto* const kind = r.kind == acpi::RemappingKind::none  ? "-"
                             : r.kind == acpi::RemappingKind::vtd ? "vtd"
                                                                  : "amdvi";
    line << std::ranges::count(tables->cpus, true, &acpi::Cpu::enabled) << '\t' << tables->io_apics.size()
         << '\t' << kind << '\t' << r.units.size() << '\t' << r.io_apics.size() << '\t'
         << (tables->hpet != 0 ? "hpet" : "-") << '\t'
         << (!tables->fadt || !tables->fadt->timer ? "-"
             : tables->fadt->timer_has_32_bits     ? "32"
                                                   : "24")
         << '\t' << (tables->fadt && tables->fadt->reset ? "reset" : "-") << '\t';
    line << (madts > 1 ? "two MADTs; " : "") << (r.switched_off ? "VT-d off; " : "")
         << (r.x2apic_opt_out ? "no x2APIC; " : "")
         << (r.kind == acpi::RemappingKind::amdvi && r.io_apics.size() < tables->io_apics.size()
                 ? "an I/O APIC without a requester; "
                 : "");
    std::string text = line.str();
    text.erase(text.find_last_not_of(" \t") + 1);
    return text;
}

TEST(Machines, EveryTableIsReadAsTheListSays) {
    CAISSON_SKIP_WITHOUT_BOARDS("acpi.tar.xz");
    std::vector<std::string> found;
    for (const boards::File& machine : boards::read_archive(*boards::archive("acpi.tar.xz")))
        found.push_back(facts(machine));
    std::vector<std::string> listed;
    std::ifstream list{"machines.tsv"};
    for (std::string line; std::getline(list, line);)
        if (!line.starts_with('#'))
            listed.push_back(line);
    ASSERT_EQ(found.size(), 524u);
    ASSERT_EQ(found.size(), listed.size());
    for (std::size_t i = 0; i < found.size(); ++i)
        EXPECT_EQ(found[i], listed[i]);
}

TEST(Machines, NoDevicesLieOverEachOther) {
    CAISSON_SKIP_WITHOUT_BOARDS("acpi.tar.xz");
    const memory::Runs nothing;
    std::size_t ecam_refused = 0;
    for (const boards::File& machine : boards::read_archive(*boards::archive("acpi.tar.xz"))) {
        const acpi::testing::Image image{std::as_bytes(std::span{machine.bytes})};
        const auto tables = std::make_unique<acpi::Tables>();
        if (!acpi::parse(image.memory(), image.rsdp, *tables).ok())
            continue;
        std::vector<memory::Run> devices{{0xfee00000, 4096}};
        if (tables->hpet != 0)
            devices.push_back({tables->hpet, 4096});
        for (const acpi::IoApic& io_apic : tables->io_apics)
            devices.push_back({io_apic.address, io_apic.gsi_base == 0 ? 4096u : 64u});
        for (const std::uint64_t unit : tables->remapping.units)
            devices.push_back({unit, acpi::unit_bytes(tables->remapping.kind)});
        plan::Machine described;
        described.map = &nothing;
        described.devices = devices;
        const auto good = plan::check_devices(described);
        EXPECT_TRUE(good.ok()) << machine.name << std::hex << " at " << (good.ok() ? 0 : good.error().needed);
        if (tables->ecam.base == 0)
            continue;
        devices.push_back({tables->ecam.base, (tables->ecam.last_bus + 1u) * 0x100000u});
        described.devices = devices; // is used only where it lies over nothing else
        ecam_refused += plan::check_devices(described).ok() ? 0 : 1;
    }
    EXPECT_EQ(ecam_refused, 2u);
}

} // namespace
