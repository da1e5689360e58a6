// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/acpi/tables.hpp"

#include "hypervisor/core/acpi/image_test.hpp"
#include "hypervisor/core/acpi/layout.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>

namespace {

using acpi::Error;
using acpi::Tables;
using acpi::testing::Image;

Image load(const std::string& machine) {
    std::ifstream file("corpus/acpi_tables_fuzz/" + machine + ".acpi", std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    EXPECT_FALSE(text.empty()) << machine;
    return Image{std::as_bytes(std::span{text})};
}

struct Parsed {
    base::Status<Error> status;
    std::unique_ptr<Tables> tables;
};
Parsed parse(Image& image) {
    auto tables = std::make_unique<Tables>();
    const auto status = acpi::parse(image.memory(), image.rsdp, *tables);
    return {status, std::move(tables)};
}
Error error_of(Image image) {
    const Parsed parsed = parse(image);
    EXPECT_FALSE(parsed.status.ok());
    return parsed.status.ok() ? Error{255} : parsed.status.error();
}

constexpr std::size_t madt_first_apic_id = acpi::madt::entries + 3;

std::vector<std::byte>& table(Image& image, const char (&name)[5]) {
    for (auto& [address, block] : image.blocks)
        if (bytes::load<std::uint32_t>(block, 0) == acpi::signature(name))
            return block;
    throw std::runtime_error("no such table");
}
std::uint64_t address_of(Image& image, const char (&name)[5]) {
    for (auto& [address, block] : image.blocks)
        if (bytes::load<std::uint32_t>(block, 0) == acpi::signature(name))
            return address;
    throw std::runtime_error("no such table");
}
template <typename T> void poke(std::vector<std::byte>& block, std::size_t offset, T value) {
    std::memcpy(block.data() + offset, &value, sizeof value);
}
// Appends a MADT entry and fixes the length.
void append(Image& image, std::initializer_list<int> entry) {
    auto& madt = table(image, "APIC");
    for (int byte : entry)
        madt.push_back(static_cast<std::byte>(byte));
    poke(madt, 4, static_cast<std::uint32_t>(madt.size()));
    image.repair();
}

// Puts an SPCR in the HPET's place.
Image with_spcr(std::uint8_t space, std::uint64_t address, std::uint8_t rate, std::size_t bytes = 80) {
    Image image = load("q35");
    auto& spcr = table(image, "HPET");
    spcr.assign(bytes, std::byte{0});
    std::memcpy(spcr.data(), "SPCR", 4);
    poke(spcr, 4, static_cast<std::uint32_t>(bytes));
    poke(spcr, 40, space);
    poke(spcr, 44, address);
    if (bytes > 58)
        poke(spcr, 58, rate);
    image.repair();
    return image;
}

TEST(AcpiTables, SpcrNamesTheSerialLine) {
    const auto find = [](const Image& image) { return acpi::find_serial_port(image.memory(), image.rsdp); };
    EXPECT_FALSE(find(load("q35")));
    for (const auto& [code, divisor] : std::map<int, int>{{0, 0}, {3, 12}, {4, 6}, {6, 2}, {7, 1}, {9, 0}}) {
        const auto port = find(with_spcr(1, 0x2F8, static_cast<std::uint8_t>(code)));
        ASSERT_TRUE(port) << code;
        EXPECT_EQ(port->address, 0x2F8u);
        EXPECT_FALSE(port->in_memory);
        EXPECT_EQ(port->divisor, divisor) << code;
    }
    EXPECT_FALSE(find(with_spcr(1, 0, 7))) << "none: the console is off";
    EXPECT_FALSE(find(with_spcr(1, 0x102F8, 7))) << "no such port";
    EXPECT_FALSE(find(with_spcr(1, 0xFFF9, 7))) << "its registers would wrap";
    EXPECT_FALSE(find(with_spcr(1, 0x2F8, 7, 52))) << "revision 1 has no room for it";
    Image bad = with_spcr(1, 0x2F8, 7);
    table(bad, "SPCR")[50] ^= std::byte{1};
    EXPECT_FALSE(find(bad)) << "checksum";
    EXPECT_FALSE(acpi::find_serial_port(bad.memory(), 0));
}

TEST(AcpiTables, Tpm2NamesHowItIsSpokenTo) {
    const auto find = [](std::uint32_t method, std::uint64_t area, std::size_t bytes = 76) {
        Image image = load("q35");
        auto& tpm = table(image, "HPET"); // in its place
        tpm.assign(bytes, std::byte{0});
        std::memcpy(tpm.data(), "TPM2", 4);
        poke(tpm, 4, static_cast<std::uint32_t>(bytes));
        poke(tpm, 40, area);
        if (bytes >= 52)
            poke(tpm, 48, method);
        image.repair();
        return acpi::find_tpm(image.memory(), image.rsdp);
    };
    EXPECT_FALSE(acpi::find_tpm(load("q35").memory(), load("q35").rsdp));
    const auto fifo = find(6, 0xFED40000), crb = find(7, 0xFED40040), by_acpi = find(2, 0x8000'0040),
               arm = find(11, 1);
    ASSERT_TRUE(fifo && crb && by_acpi && arm);
    EXPECT_EQ(fifo->control_area, 0u);
    EXPECT_FALSE(fifo->needs_firmware);
    EXPECT_EQ(crb->control_area, 0xFED40040u);
    EXPECT_FALSE(crb->needs_firmware);
    EXPECT_TRUE(by_acpi->needs_firmware && arm->needs_firmware);
    EXPECT_EQ(by_acpi->control_area, 0u);
    EXPECT_FALSE(find(6, 0, 48)) << "too short to say how";
}

// As a machine with registers in memory says it: kind, bits of a register, size of an access.
TEST(AcpiTables, SpcrNamesALineInMemory) {
    const auto find = [](int kind, int bits, int access, std::uint64_t address = 0xFE030000, int space = 0) {
        Image image = with_spcr(static_cast<std::uint8_t>(space), address, 7);
        auto& spcr = table(image, "SPCR");
        poke(spcr, 36, static_cast<std::uint8_t>(kind));
        poke(spcr, 41, static_cast<std::uint8_t>(bits));
        poke(spcr, 43, static_cast<std::uint8_t>(access));
        image.repair();
        return acpi::find_serial_port(image.memory(), image.rsdp);
    };
    struct Row {
        int kind, bits, access, stride;
        bool wide;
    };
    for (const Row& row : {Row{0, 8, 0, 1, false},
                           {0, 8, 1, 1, false},
                           {1, 16, 1, 2, false},
                           {0x12, 32, 0, 4, true},
                           {0, 32, 3, 4, true},
                           {0, 32, 1, 4, false}}) {
        const auto port = find(row.kind, row.bits, row.access);
        ASSERT_TRUE(port) << row.bits << ' ' << row.access;
        EXPECT_TRUE(port->in_memory);
        EXPECT_EQ(port->address, 0xFE030000u);
        EXPECT_EQ(port->stride, row.stride);
        EXPECT_EQ(port->wide, row.wide);
        EXPECT_EQ(port->divisor, 0) << "its clock is not known";
    }
    EXPECT_TRUE(find(0, 32, 3, std::uint64_t{0x12} << 32)) << "above 4 GiB";
    EXPECT_FALSE(find(3, 32, 3)) << "a PL011";
    EXPECT_FALSE(find(0, 32, 2)) << "by 16 bits";
    EXPECT_FALSE(find(0, 8, 3)) << "words of bytes";
    EXPECT_FALSE(find(0, 32, 4)) << "by 64 bits";
    for (const int bits : {0, 1, 7, 12, 24, 64, 255})
        EXPECT_FALSE(find(0, bits, 1)) << bits;
    EXPECT_FALSE(find(0, 32, 3, 0xFE030002)) << "crooked";
    EXPECT_FALSE(find(0, 8, 1, 0)) << "none";
    for (const int space : {2, 3, 0x0A, 0x7F})
        EXPECT_FALSE(find(0, 8, 1, 0xFE030000, space)) << "PCI configuration and others";
}

TEST(AcpiTables, Q35) {
    Image image = load("q35");
    const Parsed parsed = parse(image);
    ASSERT_TRUE(parsed.status.ok());
    const Tables& t = *parsed.tables;
    ASSERT_EQ(t.cpus.size(), 4u);
    for (std::uint32_t i = 0; i < 4; ++i) {
        EXPECT_EQ(t.cpus[i].apic_id, i);
        EXPECT_TRUE(t.cpus[i].enabled);
    }
    ASSERT_EQ(t.io_apics.size(), 1u);
    EXPECT_EQ(t.io_apics[0].address, 0xFEC00000u);
    EXPECT_EQ(t.hpet, 0xFED00000u);
    ASSERT_TRUE(t.fadt && t.fadt->pm1a_control && t.fadt->reset);
    EXPECT_EQ(*t.fadt->pm1a_control, 0x604);
    EXPECT_FALSE(t.fadt->pm1b_control);
    EXPECT_EQ(*t.fadt->reset, 0xCF9);
    EXPECT_EQ(t.fadt->timer, 0x608);
    EXPECT_EQ(t.ecam.base, 0xB0000000u);
    EXPECT_EQ(t.ecam.last_bus, 255);
    EXPECT_EQ(t.fadt->reset_value, 0x0F);
    ASSERT_TRUE(t.soft_off);
    EXPECT_EQ(t.soft_off->pm1a, 0);
}

TEST(AcpiTables, OldPcWithRsdtAndShortFadt) {
    Image image = load("pc");
    const Parsed parsed = parse(image);
    ASSERT_TRUE(parsed.status.ok());
    const Tables& t = *parsed.tables;
    std::size_t enabled = 0;
    for (const acpi::Cpu& cpu : t.cpus)
        enabled += cpu.enabled ? 1 : 0;
    EXPECT_EQ(enabled, 2u);
    ASSERT_TRUE(t.fadt && t.fadt->pm1a_control);
    EXPECT_EQ(*t.fadt->pm1a_control, 0x604);
    EXPECT_TRUE(t.soft_off);
}

TEST(AcpiTables, MicrovmHasOnlyXsdt) {
    Image image = load("microvm");
    const Parsed parsed = parse(image);
    ASSERT_TRUE(parsed.status.ok());
    EXPECT_EQ(parsed.tables->cpus.size(), 2u);
    ASSERT_TRUE(parsed.tables->fadt);
    EXPECT_FALSE(parsed.tables->fadt->pm1a_control);
    EXPECT_EQ(parsed.tables->hpet, 0u);
}

TEST(AcpiTables, RsdpRefused) {
    Image image = load("microvm");
    Image broken = image;
    broken.blocks.at(image.rsdp)[0] = std::byte{'X'};
    broken.repair();
    EXPECT_EQ(error_of(broken), Error::bad_rsdp);
    broken = image;
    broken.blocks.at(image.rsdp)[9] ^= std::byte{1};
    EXPECT_EQ(error_of(broken), Error::bad_rsdp);
    broken = image; // the extended checksum alone
    broken.blocks.at(image.rsdp)[33] ^= std::byte{1};
    EXPECT_EQ(error_of(broken), Error::bad_rsdp);
    for (std::uint32_t length : {0u, 35u, 4097u, 0xFFFFFFFFu}) {
        broken = image;
        poke(broken.blocks.at(image.rsdp), 20, length);
        broken.repair();
        EXPECT_EQ(error_of(broken), Error::bad_rsdp) << length;
    }
    broken = image;
    broken.rsdp = 0x12345;
    EXPECT_EQ(error_of(broken), Error::unreadable);
    broken = image;
    broken.blocks.at(image.rsdp).resize(20); // revision 2, but nothing behind the first part
    EXPECT_EQ(error_of(broken), Error::unreadable);
}

TEST(AcpiTables, RootRefused) {
    const Image image = load("q35");
    Image broken = image;
    poke(table(broken, "RSDT"), 0, acpi::signature("XSDT"));
    broken.repair();
    EXPECT_EQ(error_of(broken), Error::bad_root);
    for (std::uint32_t length : {0u, 35u, 38u, acpi::max_table_bytes + 1, 0xFFFFFFFFu}) {
        broken = image;
        poke(table(broken, "RSDT"), 4, length);
        broken.repair();
        EXPECT_EQ(error_of(broken), Error::bad_root) << length;
    }
    broken = image;
    table(broken, "RSDT")[10] ^= std::byte{1};
    EXPECT_EQ(error_of(broken), Error::bad_root);
    broken = image; // one entry too many
    auto& root = table(broken, "RSDT");
    root.resize(36 + 65 * 4, std::byte{1});
    poke(root, 4, static_cast<std::uint32_t>(root.size()));
    broken.repair();
    EXPECT_EQ(error_of(broken), Error::bad_root);
}

TEST(AcpiTables, ChangingLengthIsNotBelieved) {
    Image image = load("q35");
    const std::uint64_t madt = address_of(image, "APIC");
    std::vector<std::byte> second = table(image, "APIC");
    poke(second, 4, std::uint32_t{200});
    int reads = 0;
    const auto changing = [&](std::uint64_t address, std::size_t length) -> std::span<const std::byte> {
        if (address == madt && ++reads == 3)
            return std::span<const std::byte>{second}.first(length);
        return image(address, length);
    };
    auto tables = std::make_unique<Tables>();
    const auto status = acpi::parse(bytes::Source{changing, UINT64_MAX}, image.rsdp, *tables);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error(), Error::bad_table);
}

TEST(AcpiTables, MadtEntries) {
    const Image image = load("q35");
    Image changed = image;
    append(changed, {9, 16, 0, 0, 0x34, 0x12, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}); // x2APIC 0x1234
    append(changed, {9, 16, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0});       // APIC 2 again
    append(changed, {0, 8, 0, 0x80, 2, 0, 0, 0});                             // online-capable
    append(changed, {0, 8, 0, 0x80, 1, 0, 0, 0});                             // ... and enabled after all
    append(changed, {0, 8, 0, 0x81, 0, 0, 0, 0});                             // neither
    append(changed, {0, 8, 0, 0xFF, 1, 0, 0, 0});                             // no APIC
    append(changed, {9, 16, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 0, 0, 0, 0, 0, 0, 0}); // likewise
    append(changed, {0x42, 3, 0});                                                  // unknown, skipped
    const Parsed parsed = parse(changed);
    ASSERT_TRUE(parsed.status.ok());
    const Tables& t = *parsed.tables;
    ASSERT_EQ(t.cpus.size(), 6u);
    EXPECT_EQ(t.cpus[4].apic_id, 0x1234u);
    EXPECT_EQ(t.cpus[5].apic_id, 0x80u);
    EXPECT_TRUE(t.cpus[5].enabled);
}

TEST(AcpiTables, MadtRefused) {
    const Image image = load("q35");
    const std::initializer_list<std::initializer_list<int>> bad{
        {9, 0},                // length 0
        {9, 1},                // shorter than its own header
        {9},                   // cut
        {9, 17, 0, 0},         // past the end
        {0, 7, 0, 0, 1, 0, 0}, // too short for its type
        {9, 12, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0},
        {1, 8, 0, 0, 0, 0, 0, 0},
        {1, 12, 3, 0, 0x20, 0, 0xC0, 0xFE, 0, 0, 0, 0}, // not aligned
    };
    for (const auto& entry : bad) {
        Image broken = image;
        append(broken, entry);
        EXPECT_EQ(error_of(broken), Error::bad_table);
    }
    Image many = image;
    for (int id = 0; id < 129; ++id)
        append(many, {1, 12, id, 0, 0, 0, 0, 0, 0, 0, 0, 0});
    EXPECT_EQ(error_of(many), Error::too_many_io_apics);

    Image broken = image;
    table(broken, "APIC")[20] ^= std::byte{1}; // checksum
    EXPECT_EQ(error_of(broken), Error::bad_table);
    broken = image;
    poke(table(broken, "APIC"), 4, std::uint32_t{43});
    broken.repair();
    EXPECT_EQ(error_of(broken), Error::bad_table);
    broken = image; // no MADT
    poke(table(broken, "APIC"), 0, acpi::signature("APIX"));
    broken.repair();
    EXPECT_EQ(error_of(broken), Error::no_processor);
}

TEST(AcpiTables, MoreCpusThanAreKept) {
    Image many = load("q35"); // lists 4
    for (int id = 0; id < 600; ++id)
        append(many, {9, 16, 0, 0, id & 255, id >> 8, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0});
    const Parsed parsed = parse(many);
    ASSERT_TRUE(parsed.status.ok());
    EXPECT_EQ(parsed.tables->cpus.size(), acpi::max_cpus);
    EXPECT_EQ(parsed.tables->cpus_left_out, 600 - acpi::max_cpus);
}

TEST(AcpiTables, OfTwoMadtsTheFirstCounts) {
    Image image = load("q35");
    std::vector<std::byte> second = table(image, "APIC");
    second[madt_first_apic_id] = std::byte{0x77};
    image.blocks[0x1000] = second;
    poke(table(image, "RSDT"), 36, std::uint32_t{0x1000}); // before the other, in the FADT's place
    image.repair();
    EXPECT_EQ(parse(image).tables->cpus[0].apic_id, 0x77u);
}

TEST(AcpiTables, OptionalTablesAreLeftOut) {
    Image image = load("q35");
    table(image, "FACP")[50] ^= std::byte{1};
    table(image, "HPET")[50] ^= std::byte{1};
    const Parsed parsed = parse(image);
    ASSERT_TRUE(parsed.status.ok());
    EXPECT_FALSE(parsed.tables->fadt);
    EXPECT_EQ(parsed.tables->hpet, 0u);
    EXPECT_FALSE(parsed.tables->soft_off);

    Image shorter = load("q35");
    poke(table(shorter, "FACP"), 4, std::uint32_t{100});
    poke(table(shorter, "HPET"), 4, std::uint32_t{50});
    shorter.repair();
    const Parsed less = parse(shorter);
    ASSERT_TRUE(less.status.ok());
    EXPECT_FALSE(less.tables->fadt || less.tables->hpet != 0);

    Image odd = load("q35");
    poke(table(odd, "HPET"), 40, std::uint8_t{1});       // in I/O space
    poke(table(odd, "FACP"), 116, std::uint8_t{0x7F});   // reset register in an unknown space
    poke(table(odd, "FACP"), 172 + 4, std::uint64_t{0}); // no extended PM1a block
    odd.repair();
    const Parsed strange = parse(odd);
    ASSERT_TRUE(strange.status.ok());
    EXPECT_EQ(strange.tables->hpet, 0u);
    ASSERT_TRUE(strange.tables->fadt && strange.tables->fadt->pm1a_control);
    EXPECT_FALSE(strange.tables->fadt->reset);
    EXPECT_EQ(*strange.tables->fadt->pm1a_control, 0x604);
}

TEST(AcpiTables, ReducedHardwareHasNoControlPorts) {
    Image image = load("q35");
    auto& fadt = table(image, "FACP");
    poke(fadt, acpi::fadt::flags,
         bytes::load<std::uint32_t>(fadt, acpi::fadt::flags).value_or(0) | acpi::fadt::flag_hardware_reduced);
    image.repair();
    const Parsed parsed = parse(image);
    ASSERT_TRUE(parsed.status.ok());
    ASSERT_TRUE(parsed.tables->fadt);
    EXPECT_FALSE(parsed.tables->fadt->pm1a_control);
    EXPECT_TRUE(parsed.tables->fadt->reset);
}

// A guest of Hyper-V's second generation: reduced hardware, neither HPET nor PIT nor COM1, CPUs as x2APIC entries. What
// its CPUID does not tell about time is in drivers/clock (StatedRates); without a clock it is refused by name.
TEST(AcpiTables, LikeAGuestOfHyperV) {
    Image image = load("q35"); // lists 4
    auto& fadt = table(image, "FACP");
    poke(fadt, acpi::fadt::flags,
         bytes::load<std::uint32_t>(fadt, acpi::fadt::flags).value_or(0) | acpi::fadt::flag_hardware_reduced);
    poke(table(image, "HPET"), 0, acpi::signature("WAET"));
    for (int id = 4; id < 8; ++id)
        append(image, {9, 16, 0, 0, id, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0});
    image.repair();
    const Parsed parsed = parse(image);
    ASSERT_TRUE(parsed.status.ok());
    const Tables& t = *parsed.tables;
    EXPECT_EQ(t.cpus.size(), 8u);
    EXPECT_EQ(t.io_apics.size(), 1u);
    EXPECT_EQ(t.hpet, 0u);
    ASSERT_TRUE(t.fadt);
    EXPECT_FALSE(t.fadt->pm1a_control);
    EXPECT_FALSE(t.fadt->timer);
    EXPECT_FALSE(acpi::find_serial_port(image.memory(), image.rsdp));
    EXPECT_TRUE(t.remapping.units.empty());
}

TEST(AcpiTables, UnreadableTableIsSkipped) {
    Image image = load("q35");
    poke(table(image, "RSDT"), 36, std::uint32_t{0x1000});
    image.repair();
    const Parsed parsed = parse(image);
    ASSERT_TRUE(parsed.status.ok());
    EXPECT_FALSE(parsed.tables->fadt);
}

TEST(AcpiTables, CutAndEmptyThings) {
    Image image = load("microvm");
    poke(image.blocks.at(image.rsdp), 20, std::uint32_t{40}); // says 40 bytes, has 36
    image.repair();
    EXPECT_EQ(error_of(image), Error::bad_rsdp);

    image = load("q35"); // an empty RSDT entry is skipped, a root that is not there refused
    poke(table(image, "RSDT"), 36, std::uint32_t{0});
    image.repair();
    EXPECT_TRUE(parse(image).status.ok());
    Image gone = image;
    gone.blocks.erase(address_of(gone, "RSDT"));
    EXPECT_EQ(error_of(gone), Error::bad_root);
    gone = image; // header there, body not
    table(gone, "HPET").resize(40);
    EXPECT_EQ(parse(gone).tables->hpet, 0u);

    image = load("q35");
    poke(table(image, "FACP"), 64, std::uint32_t{0x10000}); // PM1a beyond the ports
    poke(table(image, "FACP"), 172 + 4, std::uint64_t{0});
    poke(table(image, "FACP"), 89, std::uint8_t{0}); // PM1b of no length
    poke(table(image, "FACP"), 68, std::uint32_t{0x700});
    poke(table(image, "HPET"), 44, std::uint64_t{0xFED00200}); // across two pages, perhaps
    poke(table(image, "DSDT"), 0, acpi::signature("XXXX"));
    image.repair();
    const Parsed parsed = parse(image);
    ASSERT_TRUE(parsed.status.ok());
    ASSERT_TRUE(parsed.tables->fadt);
    EXPECT_FALSE(parsed.tables->fadt->pm1a_control);
    EXPECT_FALSE(parsed.tables->fadt->pm1b_control);
    EXPECT_EQ(parsed.tables->hpet, 0u);
    EXPECT_FALSE(parsed.tables->soft_off);

    poke(table(image, "FACP"), 40, std::uint32_t{0}); // no DSDT at all
    poke(table(image, "FACP"), 140, std::uint64_t{0});
    image.repair();
    EXPECT_FALSE(parse(image).tables->soft_off);
}

TEST(AcpiTables, FindRsdp) {
    Image image = load("q35");
    const auto found = acpi::find_rsdp(image.memory());
    ASSERT_TRUE(found);
    EXPECT_EQ(*found, image.rsdp);
    Image broken = image;
    broken.blocks.at(image.rsdp)[9] ^= std::byte{1};
    EXPECT_FALSE(acpi::find_rsdp(broken.memory()));
    broken = image; // at the last place that is looked at, and behind it
    const std::vector<std::byte> block = broken.blocks.at(image.rsdp);
    for (const std::uint64_t place : {0xFFFE0, 0xFFFF0, 0xDFFF0}) {
        broken.blocks.clear();
        broken.blocks[place] = block;
        EXPECT_EQ(acpi::find_rsdp(broken.memory()).value_or(0), place == 0xFFFE0 ? place : 0);
    }
}

template <std::size_t N> std::optional<acpi::SleepType> s5(const char (&aml)[N]) {
    return acpi::soft_off_in(std::as_bytes(std::span{aml, N - 1}));
}

TEST(AcpiTables, SoftOff) {
    const auto both = s5("xx\x08_S5_\x12\x08\x04\x0A\x05\x0A\x06\x00\x00");
    ASSERT_TRUE(both);
    EXPECT_EQ(both->pm1a, 5);
    EXPECT_EQ(both->pm1b, 6);
    const auto rooted = s5("\x08\\_S5_\x12\x06\x04\x01\x00\x00\x00");
    ASSERT_TRUE(rooted);
    EXPECT_EQ(rooted->pm1a, 1);
    const auto words = s5("\x08_S5_\x12\x0A\x02\x0B\x03\x00\x0C\x04\x00\x00\x00");
    ASSERT_TRUE(words);
    EXPECT_EQ(words->pm1b, 4);
    const auto long_form = s5("\x08_S5_\x12\x47\x00\x02\x0A\x07\x0A\x07");
    ASSERT_TRUE(long_form);
    EXPECT_EQ(long_form->pm1a, 7);
    // A first mention that is no definition, then the definition.
    EXPECT_TRUE(s5("\x10_S5_ \x08_S5_\x12\x06\x02\x0A\x05\x0A\x05"));

    EXPECT_FALSE(s5("_S5_\x12\x06\x02\x0A\x05\x0A\x05"));     // nothing before
    EXPECT_FALSE(s5("\x09_S5_\x12\x06\x02\x0A\x05\x0A\x05")); // not a NameOp
    EXPECT_FALSE(s5("\\_S5_\x12\x06\x02\x0A\x05\x0A\x05"));   // likewise
    EXPECT_FALSE(s5("\x08_S5_\x11\x06\x02\x0A\x05\x0A\x05")); // not a package
    EXPECT_FALSE(s5("\x08_S5_\x12\x3F\x02\x0A\x05\x0A\x05")); // longer than the block
    EXPECT_FALSE(s5("\x08_S5_\x12\x06\x01\x0A\x05\x0A\x05")); // one element
    EXPECT_FALSE(s5("\x08_S5_\x12\x06\x02\x0A\x08\x0A\x05")); // not a 3-bit value
    EXPECT_FALSE(s5("\x08_S5_\x12\x06\x02\x0A\x05\x0A\x08"));
    EXPECT_FALSE(s5("\x08_S5_\x12\x04\x02\x0A\x05\x0A\x05")); // the package ends before the second
    EXPECT_FALSE(s5("\x08_S5_\x12\x06\x02\x0D\x05\x0A\x05")); // a string, not a number
    EXPECT_FALSE(s5("\x08_S5_\x12"));
    EXPECT_FALSE(s5("\x08_S5_\x12\x01"));
    EXPECT_FALSE(s5("\x08_S5_"));
    EXPECT_FALSE(s5("\x08_S5"));
}

} // namespace
