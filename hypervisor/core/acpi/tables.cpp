// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/acpi/tables.cpp - a strict, bounded reader of ACPI tables.
#include "hypervisor/core/acpi/tables.hpp"

#include "hypervisor/core/acpi/layout.hpp"
#include "hypervisor/core/bytes/reader.hpp"

namespace acpi {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t max_tables = 64;
using TableList = base::FixedVector<std::uint64_t, max_tables>;

template <typename T> T at(Bytes table, std::size_t offset) {
    return bytes::load<T>(table, offset).value_or(T{});
}

// A whole table with a good checksum, or an empty span.
Bytes read_table(PhysicalReader read, std::uint64_t address) {
    const Bytes head = read(address, sizeof(Header));
    if (head.empty())
        return {};
    const std::uint32_t length = at<Header>(head, 0).length;
    if (length < sizeof(Header) || length > max_table_bytes)
        return {};
    const Bytes table = read(address, length);
    // Firmware memory may change between the two reads: the length inside what is used must be the one that
    // was read.
    if (table.empty() || at<Header>(table, 0).length != length || !checksum_good(table))
        return {};
    return table;
}

template <typename Entry> bool list_tables(Bytes root, TableList& list) {
    const std::size_t body = root.size() - sizeof(Header);
    if (body % sizeof(Entry) != 0)
        return false;
    for (std::size_t offset = sizeof(Header); offset < root.size(); offset += sizeof(Entry)) {
        const std::uint64_t address = at<Entry>(root, offset);
        if (address != 0 && !list.push_back(address))
            return false;
    }
    return true;
}

base::Status<Error> read_root(PhysicalReader read, base::PhysAddr rsdp_address, TableList& list) {
    const Bytes first = read(rsdp_address.value(), rsdp_v1_bytes);
    if (first.empty())
        return base::Failure{Error::unreadable};
    if (at<std::array<char, 8>>(first, 0) != rsdp_signature || !checksum_good(first))
        return base::Failure{Error::bad_rsdp};
    const auto revision = at<std::uint8_t>(first, offsetof(Rsdp, revision));
    std::uint64_t rsdt = at<std::uint32_t>(first, offsetof(Rsdp, rsdt));
    std::uint64_t xsdt = 0;
    if (revision >= 2) {
        const Bytes head = read(rsdp_address.value(), sizeof(Rsdp));
        if (head.empty())
            return base::Failure{Error::unreadable};
        const std::uint32_t length = at<Rsdp>(head, 0).length;
        if (length < sizeof(Rsdp) || length > base::page_size)
            return base::Failure{Error::bad_rsdp};
        const Bytes whole = read(rsdp_address.value(), length);
        if (whole.empty() || !checksum_good(whole))
            return base::Failure{Error::bad_rsdp};
        xsdt = at<Rsdp>(whole, 0).xsdt;
    }
    const bool extended = xsdt != 0;
    const Bytes root = read_table(read, extended ? xsdt : rsdt);
    if (root.empty() || at<Header>(root, 0).signature != (extended ? signature("XSDT") : signature("RSDT")))
        return base::Failure{Error::bad_root};
    const bool listed =
        extended ? list_tables<std::uint64_t>(root, list) : list_tables<std::uint32_t>(root, list);
    if (!listed)
        return base::Failure{Error::bad_root};
    return base::success;
}

// A CPU that is neither enabled nor online-capable does not exist; the same APIC ID twice is one CPU.
base::Status<Error> add_cpu(Tables& out, std::uint32_t apic_id, std::uint32_t flags) {
    const bool enabled = (flags & madt::cpu_enabled) != 0;
    if (!enabled && (flags & madt::cpu_online_capable) == 0)
        return base::success;
    for (Cpu& cpu : out.cpus)
        if (cpu.apic_id == apic_id) {
            cpu.enabled = cpu.enabled || enabled;
            return base::success;
        }
    if (!out.cpus.push_back({apic_id, enabled}))
        return base::Failure{Error::too_many};
    return base::success;
}

base::Status<Error> read_madt_entry(Bytes entry, Tables& out) {
    const auto need = [&](std::size_t bytes) { return entry.size() >= bytes; };
    constexpr std::uint8_t no_local_apic = 0xFF;
    constexpr std::uint32_t no_x2apic = 0xFFFFFFFF;
    switch (at<std::uint8_t>(entry, 0)) {
    case madt::type_local_apic:
        if (!need(8))
            return base::Failure{Error::bad_table};
        if (at<std::uint8_t>(entry, 3) == no_local_apic)
            return base::success;
        return add_cpu(out, at<std::uint8_t>(entry, 3), at<std::uint32_t>(entry, 4));
    case madt::type_x2apic:
        if (!need(16))
            return base::Failure{Error::bad_table};
        if (at<std::uint32_t>(entry, 4) == no_x2apic)
            return base::success;
        return add_cpu(out, at<std::uint32_t>(entry, 4), at<std::uint32_t>(entry, 8));
    case madt::type_io_apic:
        if (!need(12))
            return base::Failure{Error::bad_table};
        if (!out.io_apics.push_back(
                {at<std::uint32_t>(entry, 4), at<std::uint32_t>(entry, 8), at<std::uint8_t>(entry, 2)}))
            return base::Failure{Error::too_many};
        return base::success;
    case madt::type_override:
        if (!need(10))
            return base::Failure{Error::bad_table};
        if (!out.overrides.push_back(
                {at<std::uint8_t>(entry, 3), at<std::uint32_t>(entry, 4), at<std::uint16_t>(entry, 8)}))
            return base::Failure{Error::too_many};
        return base::success;
    default:
        return base::success;
    }
}

base::Status<Error> read_madt(Bytes table, Tables& out) {
    if (table.size() < madt::entries)
        return base::Failure{Error::bad_table};
    for (std::size_t offset = madt::entries; offset < table.size();) {
        const std::size_t left = table.size() - offset;
        const std::size_t length = left >= 2 ? at<std::uint8_t>(table, offset + 1) : 0;
        if (length < 2 || length > left)
            return base::Failure{Error::bad_table};
        CAISSON_TRY(read_madt_entry(table.subspan(offset, length), out));
        offset += length;
    }
    return base::success;
}

std::optional<Register> generic(Bytes table, std::size_t offset) {
    const auto raw = bytes::load<GenericAddress>(table, offset);
    if (!raw || raw->address == 0 || raw->space > static_cast<std::uint8_t>(Space::pci))
        return std::nullopt;
    return Register{static_cast<Space>(raw->space), raw->bits, raw->address};
}

// The extended field where there is one, else the 32-bit port and its length in bytes.
std::optional<Register> port_block(Bytes table, std::size_t extended, std::size_t old, std::size_t length) {
    if (const auto found = generic(table, extended))
        return found;
    const auto port = at<std::uint32_t>(table, old);
    const auto bytes = at<std::uint8_t>(table, length);
    if (port == 0 || port > UINT16_MAX || bytes == 0)
        return std::nullopt;
    return Register{Space::io, static_cast<std::uint8_t>(bytes * 8), port};
}

std::optional<Fadt> read_fadt(Bytes table) {
    constexpr std::size_t bytes_v1 = 116;
    if (table.size() < bytes_v1)
        return std::nullopt;
    Fadt result;
    result.flags = at<std::uint32_t>(table, fadt::flags);
    result.dsdt = at<std::uint64_t>(table, fadt::x_dsdt);
    if (result.dsdt == 0)
        result.dsdt = at<std::uint32_t>(table, fadt::dsdt);
    if (!result.hardware_reduced()) {
        result.pm1a_control =
            port_block(table, fadt::x_pm1a_control, fadt::pm1a_control, fadt::pm1_control_length);
        result.pm1b_control =
            port_block(table, fadt::x_pm1b_control, fadt::pm1b_control, fadt::pm1_control_length);
    }
    if ((result.flags & fadt::flag_reset_register) != 0) {
        result.reset = generic(table, fadt::reset_register);
        result.reset_value = at<std::uint8_t>(table, fadt::reset_value);
    }
    return result;
}

std::optional<Hpet> read_hpet(Bytes table) {
    constexpr std::size_t base_address = 40, number = 52, minimum_tick = 53, bytes_needed = 56;
    if (table.size() < bytes_needed)
        return std::nullopt;
    const auto block = generic(table, base_address);
    if (!block || block->space != Space::memory)
        return std::nullopt;
    return Hpet{block->address, at<std::uint16_t>(table, minimum_tick), at<std::uint8_t>(table, number)};
}

// An AML integer constant: ZeroOp, OneOp, OnesOp, or a prefix and its bytes. Advances past it.
std::optional<std::uint64_t> integer(Bytes aml, std::size_t& offset) {
    constexpr std::uint8_t zero_op = 0x00, one_op = 0x01, byte_prefix = 0x0A, word_prefix = 0x0B,
                           dword_prefix = 0x0C;
    const auto op = bytes::load<std::uint8_t>(aml, offset);
    if (!op)
        return std::nullopt;
    ++offset;
    std::optional<std::uint64_t> value;
    if (*op == zero_op || *op == one_op)
        return *op;
    if (*op == byte_prefix) {
        value = bytes::load<std::uint8_t>(aml, offset);
        offset += 1;
    } else if (*op == word_prefix) {
        value = bytes::load<std::uint16_t>(aml, offset);
        offset += 2;
    } else if (*op == dword_prefix) {
        value = bytes::load<std::uint32_t>(aml, offset);
        offset += 4;
    }
    return value;
}

// The package that follows a name: PackageOp, PkgLength, element count, elements.
std::optional<SleepType> sleep_package(Bytes aml, std::size_t offset) {
    constexpr std::uint8_t package_op = 0x12;
    if (at<std::uint8_t>(aml, offset) != package_op)
        return std::nullopt;
    const auto lead = bytes::load<std::uint8_t>(aml, offset + 1);
    if (!lead)
        return std::nullopt;
    const std::size_t follow = *lead >> 6; // further bytes of PkgLength
    std::size_t length = follow == 0 ? *lead & 0x3Fu : *lead & 0x0Fu;
    for (std::size_t i = 0; i < follow; ++i)
        length |= std::size_t{at<std::uint8_t>(aml, offset + 2 + i)} << (4 + 8 * i);
    if (!bytes::lies_within(offset + 1, length, aml.size()))
        return std::nullopt;
    const Bytes package = aml.first(offset + 1 + length);
    std::size_t cursor = offset + 2 + follow;
    const auto count = bytes::load<std::uint8_t>(package, cursor++);
    if (!count || *count < 2)
        return std::nullopt;
    const auto pm1a = integer(package, cursor);
    const auto pm1b = pm1a ? integer(package, cursor) : std::nullopt;
    constexpr std::uint64_t sleep_type_max = 7; // a 3-bit field
    if (!pm1a || !pm1b || *pm1a > sleep_type_max || *pm1b > sleep_type_max)
        return std::nullopt;
    return SleepType{static_cast<std::uint8_t>(*pm1a), static_cast<std::uint8_t>(*pm1b)};
}

} // namespace

bool checksum_good(std::span<const std::byte> data) {
    unsigned sum = 0;
    for (const std::byte byte : data)
        sum += std::to_integer<unsigned>(byte);
    return (sum & 0xFF) == 0;
}

std::optional<SleepType> soft_off_in(std::span<const std::byte> aml) {
    constexpr std::uint8_t name_op = 0x08, root_char = '\\';
    constexpr std::size_t name_bytes = 4;
    for (std::size_t offset = 1; bytes::lies_within(offset, name_bytes, aml.size()); ++offset) {
        if (at<std::uint32_t>(aml, offset) != signature("_S5_"))
            continue;
        const auto before = at<std::uint8_t>(aml, offset - 1);
        const bool named = before == name_op || (before == root_char && offset >= 2 &&
                                                 at<std::uint8_t>(aml, offset - 2) == name_op);
        if (!named)
            continue;
        if (const auto found = sleep_package(aml, offset + name_bytes))
            return found;
    }
    return std::nullopt;
}

base::Status<Error> parse(PhysicalReader read, base::PhysAddr rsdp, Tables& out) {
    out = Tables{};
    TableList list;
    CAISSON_TRY(read_root(read, rsdp, list));
    bool has_madt = false;
    for (const std::uint64_t address : list) {
        const Bytes head = read(address, sizeof(Header));
        if (head.empty())
            continue;
        const std::uint32_t kind = at<Header>(head, 0).signature;
        if (kind == signature("APIC")) {
            const Bytes table = read_table(read, address);
            if (table.empty() || has_madt)
                return base::Failure{Error::bad_table};
            CAISSON_TRY(read_madt(table, out));
            has_madt = true;
        } else if (kind == signature("FACP")) {
            out.fadt = read_fadt(read_table(read, address));
        } else if (kind == signature("HPET") && !out.hpet) {
            out.hpet = read_hpet(read_table(read, address));
        } else if (kind == signature("DMAR") || kind == signature("IVRS")) {
            const Bytes table = read_table(read, address);
            if (kind == signature("DMAR") ? !read_dmar(table, out.remapping)
                                          : !read_ivrs(table, out.remapping))
                return base::Failure{Error::bad_remapping};
        }
    }
    bool usable = false;
    for (const Cpu& cpu : out.cpus)
        usable = usable || cpu.enabled;
    if (!usable)
        return base::Failure{Error::no_processor};
    if (out.fadt && out.fadt->dsdt != 0) {
        const Bytes dsdt = read_table(read, out.fadt->dsdt);
        if (!dsdt.empty() && at<Header>(dsdt, 0).signature == signature("DSDT"))
            out.soft_off = soft_off_in(dsdt.subspan(sizeof(Header)));
    }
    return base::success;
}

std::optional<base::PhysAddr> find_rsdp(PhysicalReader read, base::PhysAddr from, std::uint32_t bytes) {
    constexpr std::uint64_t step = 16;
    for (std::uint64_t offset = 0; bytes::lies_within(offset, rsdp_v1_bytes, bytes); offset += step) {
        const auto address = from.plus(offset);
        if (!address)
            return std::nullopt;
        const Bytes candidate = read(address->value(), rsdp_v1_bytes);
        if (!candidate.empty() && at<std::array<char, 8>>(candidate, 0) == rsdp_signature &&
            checksum_good(candidate))
            return address;
    }
    return std::nullopt;
}

} // namespace acpi
