// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/acpi/tables.cpp - a strict, bounded reader of ACPI tables.
#include "hypervisor/core/acpi/tables.hpp"

#include "hypervisor/base/address.hpp"
#include "hypervisor/core/acpi/layout.hpp"
#include "hypervisor/core/bytes/reader.hpp"

#include <algorithm>

namespace acpi {
namespace {

using Bytes = std::span<const std::byte>;
using Status = base::Status<Error>;
using TableList = base::FixedVector<std::uint64_t, 64>;

template <typename T> T at(Bytes table, std::size_t offset) {
    return bytes::load<T>(table, offset).value_or(T{});
}

std::uint32_t signature_of(Bytes table) {
    return at<std::uint32_t>(table, 0);
}

Status require(bool condition, Error error) {
    return condition ? Status{base::success} : base::Failure{error};
}

bool checksum_good(Bytes data) {
    unsigned sum = 0;
    for (const std::byte byte : data)
        sum += std::to_integer<unsigned>(byte);
    return (sum & 0xFF) == 0;
}

// Exactly `count` bytes of physical memory, or an empty span.
Bytes exactly(const bytes::Source& memory, std::uint64_t address, std::uint32_t count) {
    const Bytes seen = memory.view(address, count);
    return seen.size() == count ? seen : Bytes{};
}

// A whole table with a good checksum, or an empty span.
Bytes read_table(const bytes::Source& memory, std::uint64_t address) {
    const std::uint32_t length = at<std::uint32_t>(exactly(memory, address, header::bytes), header::length);
    if (length < header::bytes || length > max_table_bytes)
        return {};
    const Bytes table = exactly(memory, address, length);
    // Firmware memory may change between the two reads: the length inside what is used must be the one that
    // was read.
    return at<std::uint32_t>(table, header::length) == length && checksum_good(table) ? table : Bytes{};
}

// Walks the records of `bytes` from `offset` on: length_of(record) says how long each is, use(record) looks at it.
template <typename Length, typename Use>
Status each_record(Bytes bytes, std::size_t offset, std::size_t smallest, Length length_of, Use use) {
    while (offset < bytes.size()) {
        const Bytes rest = bytes.subspan(offset);
        const std::size_t length = rest.size() < smallest ? 0 : length_of(rest);
        CAISSON_TRY(require(length >= smallest && length <= rest.size(), Error::bad_table));
        CAISSON_TRY(use(rest.first(length)));
        offset += length;
    }
    return base::success;
}

bool is_rsdp(Bytes bytes) {
    return at<std::array<char, 8>>(bytes, 0) == rsdp::signature && checksum_good(bytes);
}

// The tables that the XSDT lists, or where there is none the RSDT.
Status read_root(const bytes::Source& memory, std::uint64_t rsdp_address, TableList& list) {
    const Bytes first = exactly(memory, rsdp_address, rsdp::bytes_v1);
    CAISSON_TRY(require(!first.empty(), Error::unreadable));
    CAISSON_TRY(require(is_rsdp(first), Error::bad_rsdp));
    std::uint64_t address = at<std::uint32_t>(first, rsdp::rsdt), entry_bytes = 4;
    if (at<std::uint8_t>(first, rsdp::revision) >= 2) {
        const Bytes head = exactly(memory, rsdp_address, rsdp::bytes);
        CAISSON_TRY(require(!head.empty(), Error::unreadable));
        const std::uint32_t length = at<std::uint32_t>(head, rsdp::length);
        CAISSON_TRY(require(length >= rsdp::bytes && length <= base::page_size, Error::bad_rsdp));
        const Bytes whole = exactly(memory, rsdp_address, length);
        CAISSON_TRY(require(!whole.empty() && checksum_good(whole), Error::bad_rsdp));
        if (const std::uint64_t xsdt = at<std::uint64_t>(whole, rsdp::xsdt); xsdt != 0) {
            address = xsdt;
            entry_bytes = 8;
        }
    }
    const Bytes root = read_table(memory, address);
    CAISSON_TRY(require(signature_of(root) == signature(entry_bytes == 8 ? "XSDT" : "RSDT") &&
                            (root.size() - header::bytes) % entry_bytes == 0,
                        Error::bad_root));
    for (std::size_t offset = header::bytes; offset < root.size(); offset += entry_bytes) {
        const std::uint64_t entry =
            entry_bytes == 8 ? at<std::uint64_t>(root, offset) : at<std::uint32_t>(root, offset);
        CAISSON_TRY(require(entry == 0 || list.push_back(entry), Error::bad_root));
    }
    return base::success;
}

// A CPU that is neither enabled nor online-capable does not exist; the same APIC ID twice is one CPU.
Status add_cpu(Tables& out, std::uint32_t apic_id, std::uint32_t flags) {
    const bool enabled = (flags & madt::cpu_enabled) != 0;
    if (!enabled && (flags & madt::cpu_online_capable) == 0)
        return base::success;
    Cpu* const known = std::ranges::find(out.cpus, apic_id, &Cpu::apic_id);
    if (known != out.cpus.end())
        known->enabled = known->enabled || enabled;
    else if (!out.cpus.push_back({apic_id, enabled}))
        ++out.cpus_left_out;
    return base::success;
}

Status read_madt_entry(Bytes entry, Tables& out) {
    constexpr std::uint8_t no_local_apic = 0xFF;
    constexpr std::uint32_t no_x2apic = 0xFFFFFFFF, io_apic_alignment = 64; // registers in one page
    const auto need = [&](std::size_t bytes) { return require(entry.size() >= bytes, Error::bad_table); };
    const auto byte = [&](std::size_t offset) { return at<std::uint8_t>(entry, offset); };
    const auto word = [&](std::size_t offset) { return at<std::uint32_t>(entry, offset); };
    switch (byte(0)) {
    case madt::type_local_apic:
        CAISSON_TRY(need(8));
        return byte(3) == no_local_apic ? base::success : add_cpu(out, byte(3), word(4));
    case madt::type_x2apic:
        CAISSON_TRY(need(16));
        return word(4) == no_x2apic ? base::success : add_cpu(out, word(4), word(8));
    case madt::type_io_apic:
        CAISSON_TRY(need(12));
        CAISSON_TRY(require(word(4) % io_apic_alignment == 0, Error::bad_table));
        return require(out.io_apics.push_back({word(4), word(8), byte(2)}), Error::too_many_io_apics);
    default:
        return base::success;
    }
}

Status read_madt(Bytes table, Tables& out) {
    CAISSON_TRY(require(table.size() >= madt::entries, Error::bad_table));
    const auto length = [](Bytes entry) { return std::size_t{at<std::uint8_t>(entry, 1)}; };
    return each_record(table, madt::entries, 2, length,
                       [&out](Bytes entry) { return read_madt_entry(entry, out); });
}

Status add_unit(std::uint64_t base, Remapping& out) {
    CAISSON_TRY(require(base != 0 && base % unit_bytes(out.kind) == 0, Error::bad_remapping));
    const bool known = std::ranges::find(out.units, base) != out.units.end();
    return require(known || out.units.push_back(base), Error::too_many_units);
}

// While a table is read: with every requester that it gives an I/O APIC. Blocks of several types describe one unit.
Status add_source(const IoApicSource& source, Remapping& out) {
    const auto known = [&source](const IoApicSource& other) {
        return other.io_apic == source.io_apic && other.requester == source.requester;
    };
    const bool room = std::ranges::any_of(out.io_apics, known) || out.io_apics.push_back(source);
    return require(room, Error::too_many_io_apics);
}

// Of an I/O APIC with two requesters, either may be another device's.
void drop_ambiguous(Remapping& out) {
    for (std::size_t i = 0; i < out.io_apics.size();) {
        const std::uint8_t id = out.io_apics[i].io_apic;
        if (std::ranges::count(out.io_apics, id, &IoApicSource::io_apic) == 1) {
            ++i;
            continue;
        }
        for (std::size_t n = out.io_apics.size(); n-- > i;)
            if (out.io_apics[n].io_apic == id)
                out.io_apics.erase(n);
    }
}

Status read_drhd(Bytes unit, Remapping& out) {
    constexpr std::size_t segment = 6, base_address = 8, scopes = 16, scope_head = 6, scope_one_hop = 8;
    constexpr std::uint8_t scope_io_apic = 3;
    CAISSON_TRY(require(unit.size() >= scopes, Error::bad_remapping));
    const auto base = at<std::uint64_t>(unit, base_address);
    CAISSON_TRY(require(out.switched_off ? base == 0 : base != 0 || out.units.empty(), Error::half_remapped));
    out.switched_off = base == 0;
    if (out.switched_off)
        return base::success;
    CAISSON_TRY(add_unit(base, out));
    out.has_other_segments = out.has_other_segments || at<std::uint16_t>(unit, segment) != 0;
    const auto length = [](Bytes scope) { return std::size_t{at<std::uint8_t>(scope, 1)}; };
    return each_record(unit, scopes, scope_head, length, [&out](Bytes scope) -> Status {
        // An I/O APIC behind a bridge would need the bridge's registers: it is left out and stays blocked.
        if (at<std::uint8_t>(scope, 0) != scope_io_apic || scope.size() != scope_one_hop)
            return base::success;
        const unsigned slot = (at<std::uint8_t>(scope, 6) & 31u) << 3 | (at<std::uint8_t>(scope, 7) & 7u);
        const auto requester = static_cast<std::uint16_t>(unsigned{at<std::uint8_t>(scope, 5)} << 8 | slot);
        return add_source({at<std::uint8_t>(scope, 4), requester}, out);
    });
}

// Memory that firmware wants some functions to reach at any time. One that cannot be read, or too many of them: it may be any
// function's.
void read_rmrr(Bytes region, Remapping& out) {
    constexpr std::size_t scopes = 24, scope_head = 6, scope_one_hop = 8;
    const auto length = [](Bytes scope) { return std::size_t{at<std::uint8_t>(scope, 1)}; };
    const bool read =
        region.size() >= scopes &&
        each_record(region, scopes, scope_head, length, [&out](Bytes scope) -> Status {
            std::uint16_t requester = behind_bridge;
            if (scope.size() == scope_one_hop) {
                const unsigned slot =
                    (at<std::uint8_t>(scope, 6) & 31u) << 3 | (at<std::uint8_t>(scope, 7) & 7u);
                requester = static_cast<std::uint16_t>(unsigned{at<std::uint8_t>(scope, 5)} << 8 | slot);
            }
            const bool known = std::ranges::find(out.firmware_memory, requester) != out.firmware_memory.end();
            return require(known || out.firmware_memory.push_back(requester), Error::bad_table);
        }).ok();
    out.unclear_firmware_memory = out.unclear_firmware_memory || !read;
}

Status read_ivhd(Bytes unit, bool extended, Remapping& out) {
    constexpr std::size_t base_address = 8, entries_short = 24, entries_extended = 40;
    constexpr std::uint8_t special = 72, special_io_apic = 1, named = 240;
    const std::size_t entries = extended ? entries_extended : entries_short;
    CAISSON_TRY(require(unit.size() >= entries, Error::bad_table));
    CAISSON_TRY(add_unit(at<std::uint64_t>(unit, base_address), out));
    const auto length = [](Bytes entry) -> std::size_t {
        constexpr std::size_t named_head = 22, named_length = 21;
        const auto type = at<std::uint8_t>(entry, 0);
        return type == named ? named_head + at<std::uint8_t>(entry, named_length)
                             : std::size_t{4} << (type >> 6);
    };
    return each_record(unit, entries, 4, length, [&out](Bytes entry) -> Status {
        if (at<std::uint8_t>(entry, 0) != special || at<std::uint8_t>(entry, 7) != special_io_apic)
            return base::success;
        return add_source({at<std::uint8_t>(entry, 4), at<std::uint16_t>(entry, 5)}, out);
    });
}

constexpr std::uint8_t memory_space = 0, io_space = 1;

// The address in a Generic Address Structure of that space, or 0.
std::uint64_t register_in(Bytes table, std::size_t offset, std::uint8_t space) {
    return at<std::uint8_t>(table, offset) == space ? at<std::uint64_t>(table, offset + 4) : 0;
}

std::optional<std::uint16_t> port(std::uint64_t address) {
    if (address == 0 || address > UINT16_MAX)
        return std::nullopt;
    return static_cast<std::uint16_t>(address);
}

// The extended field where it names a port, else the 32-bit one if it has a length.
std::optional<std::uint16_t> either_port(Bytes table, std::size_t extended, std::size_t old,
                                         std::size_t length) {
    const auto found = port(register_in(table, extended, io_space));
    const bool has_old = at<std::uint8_t>(table, length) != 0;
    return found || !has_old ? found : port(at<std::uint32_t>(table, old));
}

std::optional<Fadt> read_fadt(Bytes table) {
    constexpr std::size_t bytes_v1 = 116;
    if (table.size() < bytes_v1)
        return std::nullopt;
    Fadt result;
    const auto flags = at<std::uint32_t>(table, fadt::flags);
    result.dsdt = at<std::uint64_t>(table, fadt::x_dsdt);
    if (result.dsdt == 0)
        result.dsdt = at<std::uint32_t>(table, fadt::dsdt);
    if ((flags & fadt::flag_hardware_reduced) == 0) {
        constexpr std::size_t length = fadt::pm1_control_length;
        result.pm1a_control = either_port(table, fadt::x_pm1a_control, fadt::pm1a_control, length);
        result.pm1b_control = either_port(table, fadt::x_pm1b_control, fadt::pm1b_control, length);
        result.timer = either_port(table, fadt::x_timer, fadt::timer, fadt::timer_length);
        result.timer_has_32_bits = (flags & fadt::flag_timer_32_bits) != 0;
        constexpr std::uint8_t status_and_enable = 4; // bytes: two registers of 16 bits
        if ((flags & fadt::flag_no_fixed_button) == 0 &&
            at<std::uint8_t>(table, fadt::pm1_event_length) == status_and_enable)
            result.button = either_port(table, fadt::x_pm1a_event, fadt::pm1a_event, fadt::pm1_event_length);
        result.command = port(at<std::uint32_t>(table, fadt::command));
        result.enable = at<std::uint8_t>(table, fadt::enable);
    }
    if ((flags & fadt::flag_reset_register) != 0) {
        result.reset = port(register_in(table, fadt::reset_register, io_space));
        result.reset_value = at<std::uint8_t>(table, fadt::reset_value);
    }
    return result;
}

std::uint64_t read_hpet(Bytes table) {
    constexpr std::size_t base_address = 40, bytes_needed = 56;
    constexpr std::uint64_t alignment = 1024; // all registers in one page
    const std::uint64_t base =
        table.size() < bytes_needed ? 0 : register_in(table, base_address, memory_space);
    return base % alignment == 0 ? base : 0;
}

// Bytes that an access takes: as the address says, or as the register's width does; 0: neither is of use.
std::uint8_t access_bytes(Bytes address) {
    constexpr std::size_t width = 1, access = 3;
    constexpr std::array<std::uint8_t, 4> by_size{0, 1, 2, 4};
    const auto size = at<std::uint8_t>(address, access);
    const auto bits = at<std::uint8_t>(address, width);
    if (size != 0)
        return size < by_size.size() ? by_size[size] : std::uint8_t{0};
    for (const std::uint8_t bytes : by_size)
        if (bits == 8 * bytes)
            return bytes;
    return 0;
}

// All of its entries can be done, or it is none.
std::optional<Wdat> read_wdat(Bytes table) {
    constexpr std::size_t period = 48, most = 52, least = 56, count = 64, first = 68, entry_bytes = 24;
    constexpr std::size_t register_at = 4, address_at = 8, value_at = 16, mask_at = 20;
    Wdat out{at<std::uint32_t>(table, period),
             at<std::uint32_t>(table, most),
             at<std::uint32_t>(table, least),
             {}};
    const auto entries = at<std::uint32_t>(table, count);
    if (table.size() < first || entries == 0 || entries > out.entries.capacity() ||
        table.size() - first < entries * entry_bytes)
        return std::nullopt;
    for (std::size_t i = 0; i < entries; ++i) {
        const Bytes entry = table.subspan(first + i * entry_bytes, entry_bytes);
        const auto space = at<std::uint8_t>(entry, register_at);
        const WdatEntry one{at<std::uint8_t>(entry, 0),
                            at<std::uint8_t>(entry, 1),
                            space == memory_space,
                            access_bytes(entry.subspan(register_at)),
                            at<std::uint8_t>(entry, register_at + 2),
                            at<std::uint64_t>(entry, address_at),
                            at<std::uint32_t>(entry, value_at),
                            at<std::uint32_t>(entry, mask_at)};
        const std::uint64_t limit = space == io_space ? UINT16_MAX : UINT32_MAX;
        if (space > io_space || one.bytes == 0 || one.bit_offset >= 8 * one.bytes || one.address == 0 ||
            one.address > limit || one.address % one.bytes != 0)
            return std::nullopt;
        (void)out.entries.push_back(one);
    }
    return out;
}

// The first entry of segment 0 that begins with its bus 0.
Ecam read_mcfg(Bytes table) {
    constexpr std::size_t entries = 44, entry_bytes = 16, segment = 8, first_bus = 10, last_bus = 11;
    for (std::size_t at_entry = entries; at_entry + entry_bytes <= table.size(); at_entry += entry_bytes) {
        const Bytes entry = table.subspan(at_entry, entry_bytes);
        if (at<std::uint16_t>(entry, segment) == 0 && at<std::uint8_t>(entry, first_bus) == 0)
            return {at<std::uint64_t>(entry, 0), at<std::uint8_t>(entry, last_bus)};
    }
    return {};
}

// An AML integer constant: ZeroOp, OneOp, or a prefix (1, 2 or 4 bytes) and its bytes. Advances past it.
std::optional<std::uint64_t> integer(Bytes aml, std::size_t& offset) {
    constexpr std::uint8_t one_op = 0x01, byte_prefix = 0x0A, dword_prefix = 0x0C;
    const auto op = bytes::load<std::uint8_t>(aml, offset++);
    if (!op || *op <= one_op)
        return op;
    if (*op < byte_prefix || *op > dword_prefix)
        return std::nullopt;
    const unsigned count = 1u << (*op - byte_prefix);
    if (!bytes::lies_within(offset, count, aml.size()))
        return std::nullopt;
    std::uint64_t value = 0;
    std::memcpy(&value, aml.data() + offset, count);
    offset += count;
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

std::optional<SleepType> soft_off_in(std::span<const std::byte> aml) {
    constexpr std::uint8_t name_op = 0x08, root_char = '\\';
    constexpr std::size_t name_bytes = 4;
    for (std::size_t offset = 1; bytes::lies_within(offset, name_bytes, aml.size()); ++offset) {
        // Most bytes are no underscore: a DSDT has thousands, and each is looked at in every boot.
        if (aml[offset] != std::byte{'_'} || at<std::uint32_t>(aml, offset) != signature("_S5_"))
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

base::Status<Error> read_remapping(Bytes table, Remapping& out) {
    constexpr std::size_t first_structure = 48; // both tables: header, twelve more bytes
    constexpr std::size_t dmar_flags = 37;
    constexpr std::uint8_t opt_out = 2;
    constexpr std::uint16_t drhd = 0, rmrr = 1;
    constexpr std::uint8_t ivhd_10 = 0x10, ivhd_11 = 0x11, ivhd_40 = 0x40;
    CAISSON_TRY(
        require(table.size() >= first_structure && out.kind == RemappingKind::none, Error::bad_remapping));
    const bool vtd = signature_of(table) == signature("DMAR");
    out.kind = vtd ? RemappingKind::vtd : RemappingKind::amdvi;
    out.x2apic_opt_out = vtd && (at<std::uint8_t>(table, dmar_flags) & opt_out) != 0;
    const auto length = [](Bytes structure) { return std::size_t{at<std::uint16_t>(structure, 2)}; };
    CAISSON_TRY(each_record(table, first_structure, 4, length, [&out, vtd](Bytes structure) -> Status {
        if (vtd && at<std::uint16_t>(structure, 0) == rmrr)
            read_rmrr(structure, out);
        if (vtd)
            return at<std::uint16_t>(structure, 0) == drhd ? read_drhd(structure, out) : base::success;
        const auto type = at<std::uint8_t>(structure, 0);
        if (type != ivhd_10 && type != ivhd_11 && type != ivhd_40)
            return base::success;
        return read_ivhd(structure, type != ivhd_10, out);
    }));
    drop_ambiguous(out);
    return base::success;
}

const char* describe(Error error) {
    switch (error) {
    case Error::unreadable:
    case Error::bad_rsdp:
        return "there is no RSDP (the start of its ACPI tables) where the loader says: boot by another way "
               "or update it";
    case Error::bad_root:
        return "its list of ACPI tables (RSDT or XSDT) is damaged: update it";
    case Error::bad_table:
        return "its list of CPUs and I/O APICs (MADT) is damaged: update it";
    case Error::no_processor:
        return "it lists no usable CPU (MADT): update it";
    case Error::bad_remapping:
        return "its table of IOMMUs (DMAR or IVRS) is damaged: update it, or switch the IOMMU off in its "
               "setup";
    case Error::half_remapped:
        return "it says that some of its IOMMUs are off (DMAR units at address 0): switch VT-d on or off in "
               "its "
               "setup";
    case Error::too_many_io_apics:
        return "too many I/O APICs: this version takes 128";
    case Error::too_many_units:
        return "too many IOMMUs: this version takes 64, and each left out would leave its devices free";
    }
    return "";
}

base::Status<Error> parse(const bytes::Source& memory, std::uint64_t rsdp, Tables& out) {
    out = Tables{};
    TableList list;
    CAISSON_TRY(read_root(memory, rsdp, list));
    bool has_madt = false;
    for (const std::uint64_t address : list) {
        const std::uint32_t kind = signature_of(exactly(memory, address, header::bytes));
        if (kind == signature("APIC")) {
            if (has_madt)
                continue;
            const Bytes table = read_table(memory, address);
            CAISSON_TRY(require(!table.empty(), Error::bad_table));
            CAISSON_TRY(read_madt(table, out));
            has_madt = true;
        } else if (kind == signature("FACP")) {
            out.fadt = read_fadt(read_table(memory, address));
        } else if (kind == signature("HPET") && out.hpet == 0) {
            out.hpet = read_hpet(read_table(memory, address));
        } else if (kind == signature("WDAT") && !out.wdat) {
            out.wdat = read_wdat(read_table(memory, address));
        } else if (kind == signature("MCFG") && out.ecam.base == 0) {
            out.ecam = read_mcfg(read_table(memory, address));
        } else if (kind == signature("DMAR") || kind == signature("IVRS")) {
            const auto read = read_remapping(read_table(memory, address), out.remapping);
            CAISSON_TRY(require(read.ok() || read.error() != Error::bad_table, Error::bad_remapping));
            CAISSON_TRY(read);
        }
    }
    CAISSON_TRY(require(std::ranges::any_of(out.cpus, &Cpu::enabled), Error::no_processor));
    if (out.fadt && out.fadt->dsdt != 0) {
        const Bytes dsdt = read_table(memory, out.fadt->dsdt);
        if (signature_of(dsdt) == signature("DSDT"))
            out.soft_off = soft_off_in(dsdt.subspan(header::bytes));
    }
    return base::success;
}

namespace {

std::optional<SerialPort> serial_port_of(Bytes table) {
    constexpr std::uint64_t last_port = 0xFFF8;
    if (table.size() < spcr::bytes)
        return std::nullopt;
    const auto byte = [&table](std::size_t offset) { return at<std::uint8_t>(table, offset); };
    SerialPort found{at<std::uint64_t>(table, spcr::address)};
    if (found.address == 0)
        return std::nullopt;
    if (byte(spcr::address_space) == spcr::in_ports) {
        constexpr std::array<std::array<std::uint8_t, 2>, 4> rates{
            {{3, 12}, {4, 6}, {6, 2}, {7, 1}}}; // code, divisor
        for (const auto& [code, divisor] : rates)
            if (byte(spcr::baud_rate) == code)
                found.divisor = divisor;
        return found.address <= last_port ? std::optional{found} : std::nullopt;
    }
    // The clock of one in memory may be any: its rate stays.
    const std::uint8_t bits = byte(spcr::register_bits), access = byte(spcr::access_size),
                       kind = byte(spcr::interface);
    const bool known_kind = kind == spcr::is_16550 || kind == spcr::is_16450 || kind == spcr::as_said;
    found.in_memory = true;
    found.wide = access == spcr::by_words || (access == spcr::any_access && bits == 32);
    found.stride = bits / 8;
    const bool known_access = found.wide ? bits == 32 : access <= spcr::by_bytes;
    const bool known_bits = bits == 8 || bits == 16 || bits == 32;
    if (byte(spcr::address_space) != spcr::in_memory || !known_kind || !known_access || !known_bits ||
        found.address % found.stride != 0)
        return std::nullopt;
    return found;
}

} // namespace

namespace {

// The first table of that name; empty where there is none or it is damaged.
Bytes table_named(const bytes::Source& memory, std::uint64_t rsdp, std::uint32_t name) {
    TableList list;
    if (rsdp == 0 || !read_root(memory, rsdp, list).ok())
        return {};
    for (const std::uint64_t address : list)
        if (signature_of(exactly(memory, address, header::bytes)) == name)
            return read_table(memory, address);
    return {};
}

} // namespace

bool has_table(const bytes::Source& memory, std::uint64_t rsdp, const char (&name)[5]) {
    return !table_named(memory, rsdp, signature(name)).empty();
}

std::optional<SerialPort> find_serial_port(const bytes::Source& memory, std::uint64_t rsdp) {
    return serial_port_of(table_named(memory, rsdp, signature("SPCR")));
}

std::optional<Tpm> find_tpm(const bytes::Source& memory, std::uint64_t rsdp) {
    constexpr std::size_t control_area = 40, start_method = 48, least = 52;
    constexpr std::uint32_t by_fifo = 6, by_buffer = 7;
    const Bytes table = table_named(memory, rsdp, signature("TPM2"));
    if (table.size() < least)
        return std::nullopt;
    const auto method = at<std::uint32_t>(table, start_method);
    Tpm out{method == by_buffer ? at<std::uint64_t>(table, control_area) : 0, true};
    out.needs_firmware = method != by_fifo && method != by_buffer;
    return out;
}

std::optional<std::uint64_t> nmi_redirection(const Remapping& remapping, std::size_t interrupt_units,
                                             std::uint8_t io_apic, std::uint32_t apic_id) {
    constexpr std::uint64_t deliver_nmi = 4u << 8, remapped = std::uint64_t{1} << 48;
    const std::uint64_t plain = deliver_nmi | std::uint64_t{apic_id} << 56;
    const bool vtd = remapping.kind == RemappingKind::vtd;
    if (vtd ? interrupt_units == 0 : remapping.units.empty())
        return plain;
    const auto* const source = std::ranges::find(remapping.io_apics, io_apic, &IoApicSource::io_apic);
    // Of several VT-d units it is not known which one's the I/O APIC is.
    if (source == remapping.io_apics.end() || (vtd && interrupt_units < remapping.units.size()))
        return std::nullopt;
    return vtd ? static_cast<std::uint64_t>(source - remapping.io_apics.begin()) << 49 | remapped : plain;
}

std::optional<std::uint64_t> find_rsdp(const bytes::Source& memory) {
    constexpr std::uint64_t first = 0xE0000, end = 0x100000, step = 16;
    for (std::uint64_t address = first; address + rsdp::bytes_v1 <= end; address += step)
        if (is_rsdp(exactly(memory, address, rsdp::bytes_v1)))
            return address;
    return std::nullopt;
}

} // namespace acpi
