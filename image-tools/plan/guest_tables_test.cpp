// SPDX-License-Identifier: Apache-2.0
#include "image-tools/plan/guest_tables.hpp"

#include "hypervisor/core/acpi/layout.hpp"
#include "hypervisor/core/acpi/tables.hpp"
#include "hypervisor/core/bytes/reader.hpp"
#include "partitions/abi/boot_page.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>

namespace {

struct Page {
    alignas(8) std::array<std::byte, 4096> bytes{};
    std::span<const std::byte> operator()(std::uint64_t address, std::size_t length) const {
        if (address < CAISSON_GPA_ACPI || address - CAISSON_GPA_ACPI > 4096 ||
            length > 4096 - (address - CAISSON_GPA_ACPI))
            return {};
        return std::span<const std::byte>{bytes}.subspan(address - CAISSON_GPA_ACPI, length);
    }
};

class GuestTables : public ::testing::TestWithParam<std::uint32_t> {};

// The strict parser is the judge: what it accepts of a machine it must accept of a partition.
TEST_P(GuestTables, ParsesAsAMachine) {
    Page page;
    page.bytes.fill(std::byte{0xCC});
    const auto rsdp = acpi::build_guest_tables(page.bytes, base::GuestPhysAddr{CAISSON_GPA_ACPI}, GetParam());
    ASSERT_TRUE(rsdp.ok());
    EXPECT_EQ(rsdp->value(), CAISSON_GPA_ACPI);
    auto tables = std::make_unique<acpi::Tables>();
    ASSERT_TRUE(acpi::parse(bytes::Source{page, UINT64_MAX}, rsdp->value(), *tables).ok());
    ASSERT_EQ(tables->cpus.size(), GetParam());
    for (std::uint32_t i = 0; i < GetParam(); ++i) {
        EXPECT_EQ(tables->cpus[i].apic_id, i);
        EXPECT_TRUE(tables->cpus[i].enabled);
    }
    EXPECT_TRUE(tables->io_apics.empty());
    ASSERT_TRUE(tables->fadt);
    std::size_t fadt = 0;
    while (bytes::load<std::uint32_t>(page.bytes, fadt) != acpi::signature("FACP"))
        ASSERT_LT(fadt += 4, page.bytes.size());
    EXPECT_NE(bytes::load<std::uint32_t>(page.bytes, fadt + acpi::fadt::flags).value_or(0) &
                  acpi::fadt::flag_hardware_reduced,
              0u);
    EXPECT_NE(tables->fadt->dsdt, 0u);
    EXPECT_FALSE(tables->fadt->reset);
    EXPECT_FALSE(tables->soft_off);
}
INSTANTIATE_TEST_SUITE_P(Counts, GuestTables, ::testing::Values(1, 2, 17, 64));

TEST(GuestTablesErrors, LeavePageAlone) {
    Page page;
    page.bytes.fill(std::byte{0xCC});
    const auto before = page.bytes;
    EXPECT_EQ(acpi::build_guest_tables(page.bytes, base::GuestPhysAddr{CAISSON_GPA_ACPI}, 0).error(),
              acpi::BuildError::no_cpu);
    EXPECT_EQ(acpi::build_guest_tables(page.bytes, base::GuestPhysAddr{CAISSON_GPA_ACPI}, 65).error(),
              acpi::BuildError::too_many_cpus);
    EXPECT_EQ(page.bytes, before);
}

} // namespace
