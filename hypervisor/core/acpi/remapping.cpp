// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/acpi/remapping.cpp - see remapping.hpp.
#include "hypervisor/core/acpi/remapping.hpp"

#include "hypervisor/base/address.hpp"
#include "hypervisor/core/bytes/reader.hpp"

namespace acpi {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t first_structure = 48; // both tables: header, twelve more bytes

template <typename T> T at(Bytes bytes, std::size_t offset) {
    return bytes::load<T>(bytes, offset).value_or(T{});
}

bool add_unit(std::uint64_t base, Remapping& out) {
    if (base == 0 || base % base::page_size != 0)
        return false;
    for (const std::uint64_t known : out.units)
        if (known == base)
            return true;
    return out.units.push_back(base);
}

// Walks records of `bytes` from `offset` on; length_of(record) says how long each is, use(record) looks at it.
template <typename Length, typename Use>
bool each_record(Bytes bytes, std::size_t offset, std::size_t smallest, Length length_of, Use use) {
    while (offset < bytes.size()) {
        const Bytes rest = bytes.subspan(offset);
        const std::size_t length = rest.size() < smallest ? 0 : length_of(rest);
        if (length < smallest || length > rest.size() || !use(rest.first(length)))
            return false;
        offset += length;
    }
    return true;
}

bool read_drhd(Bytes unit, Remapping& out) {
    constexpr std::size_t base_address = 8, scopes = 16, scope_head = 6, scope_one_hop = 8;
    constexpr std::uint8_t scope_io_apic = 3;
    if (unit.size() < scopes || !add_unit(at<std::uint64_t>(unit, base_address), out))
        return false;
    const auto length = [](Bytes scope) { return std::size_t{at<std::uint8_t>(scope, 1)}; };
    return each_record(unit, scopes, scope_head, length, [&out](Bytes scope) {
        // An I/O APIC behind a bridge would need the bridge's registers: it is left out and stays blocked.
        if (at<std::uint8_t>(scope, 0) != scope_io_apic || scope.size() != scope_one_hop)
            return true;
        const unsigned slot = (at<std::uint8_t>(scope, 6) & 31u) << 3 | (at<std::uint8_t>(scope, 7) & 7u);
        return out.io_apics.push_back(
            {at<std::uint8_t>(scope, 4),
             static_cast<std::uint16_t>(unsigned{at<std::uint8_t>(scope, 5)} << 8 | slot)});
    });
}

bool read_ivhd(Bytes unit, bool extended, Remapping& out) {
    constexpr std::size_t base_address = 8, entries_short = 24, entries_extended = 40;
    constexpr std::uint8_t special = 72, special_io_apic = 1, named = 240;
    const std::size_t entries = extended ? entries_extended : entries_short;
    if (unit.size() < entries || !add_unit(at<std::uint64_t>(unit, base_address), out))
        return false;
    const auto length = [](Bytes entry) -> std::size_t {
        constexpr std::size_t named_head = 22, named_length = 21;
        const auto type = at<std::uint8_t>(entry, 0);
        return type == named ? named_head + at<std::uint8_t>(entry, named_length)
                             : std::size_t{4} << (type >> 6);
    };
    return each_record(unit, entries, 4, length, [&out](Bytes entry) {
        if (at<std::uint8_t>(entry, 0) != special || at<std::uint8_t>(entry, 7) != special_io_apic)
            return true;
        const IoApicSource source{at<std::uint8_t>(entry, 4), at<std::uint16_t>(entry, 5)};
        for (const IoApicSource& known : out.io_apics) // blocks of several types describe one unit
            if (known.io_apic == source.io_apic)
                return known.requester == source.requester;
        return out.io_apics.push_back(source);
    });
}

} // namespace

bool read_dmar(Bytes table, Remapping& out) {
    constexpr std::uint16_t drhd = 0;
    if (table.size() < first_structure || out.kind != RemappingKind::none)
        return false;
    out.kind = RemappingKind::vtd;
    const auto length = [](Bytes structure) { return std::size_t{at<std::uint16_t>(structure, 2)}; };
    return each_record(table, first_structure, 4, length, [&out](Bytes structure) {
        return at<std::uint16_t>(structure, 0) != drhd || read_drhd(structure, out);
    });
}

bool read_ivrs(Bytes table, Remapping& out) {
    constexpr std::uint8_t ivhd_10 = 0x10, ivhd_11 = 0x11, ivhd_40 = 0x40;
    if (table.size() < first_structure || out.kind != RemappingKind::none)
        return false;
    out.kind = RemappingKind::amdvi;
    const auto length = [](Bytes block) { return std::size_t{at<std::uint16_t>(block, 2)}; };
    return each_record(table, first_structure, 4, length, [&out](Bytes block) {
        const auto type = at<std::uint8_t>(block, 0);
        return (type != ivhd_10 && type != ivhd_11 && type != ivhd_40) ||
               read_ivhd(block, type != ivhd_10, out);
    });
}

} // namespace acpi
