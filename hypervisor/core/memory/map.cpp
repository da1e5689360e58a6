// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/memory/map.cpp - from firmware's entries to disjoint ranges.
//
// Every entry is cut to pages (usable ones inwards, others outwards), its ends become boundaries, and each
// interval between two boundaries takes the most restrictive kind of the entries that cover it.
#include "hypervisor/core/memory/map.hpp"

#include "hypervisor/base/address.hpp"

#include <algorithm>
#include <array>

namespace memory {

namespace {

constexpr std::size_t max_boundaries = 2 * max_firmware_entries;

// The entry in whole pages below address_limit; empty (bytes 0) when nothing is left.
Range to_pages(const Range& entry) {
    std::uint64_t end = 0;
    if (__builtin_add_overflow(entry.base, entry.bytes, &end) || end > address_limit)
        end = address_limit;
    std::uint64_t base = std::min(entry.base, end);
    if (entry.bytes == 0)
        return {0, 0, entry.kind};
    if (entry.kind == Kind::usable) {
        base = (base + base::page_size - 1) & ~(base::page_size - 1);
        end = base::round_down(end, base::page_size);
    } else {
        base = base::round_down(base, base::page_size);
        end = (end + base::page_size - 1) & ~(base::page_size - 1);
    }
    return base < end ? Range{base, end - base, entry.kind} : Range{0, 0, entry.kind};
}

class Boundaries {
public:
    void add(std::uint64_t boundary) { all_[count_++] = boundary; }
    void sort() {
        std::sort(all_.begin(), all_.begin() + static_cast<std::ptrdiff_t>(count_));
        count_ = static_cast<std::size_t>(
            std::unique(all_.begin(), all_.begin() + static_cast<std::ptrdiff_t>(count_)) - all_.begin());
    }
    [[nodiscard]] std::size_t size() const { return count_; }
    [[nodiscard]] std::uint64_t operator[](std::size_t i) const { return all_[i]; }

private:
    std::array<std::uint64_t, max_boundaries> all_;
    std::size_t count_ = 0;
};

// Appends to the map, joining with a touching range of the same kind.
bool append(Map& map, const Range& range) {
    if (!map.empty()) {
        Range& last = map[map.size() - 1];
        if (last.kind == range.kind && last.end() == range.base) {
            last.bytes += range.bytes;
            return true;
        }
    }
    return map.push_back(range);
}

} // namespace

Kind kind_of_e820(std::uint32_t type) {
    switch (type) {
    case 1:
        return Kind::usable;
    case 3:
        return Kind::acpi_reclaimable;
    case 4:
        return Kind::acpi_nvs;
    case 5:
        return Kind::unusable;
    default: // 2, persistent memory (7), whatever comes later
        return Kind::reserved;
    }
}

Kind kind_of_efi(std::uint32_t type, std::uint64_t attributes) {
    constexpr std::uint64_t runtime = std::uint64_t{1} << 63;
    constexpr std::uint64_t write_back = 8;
    if ((attributes & runtime) != 0)
        return Kind::firmware_runtime;
    switch (type) {
    case 1: // loader code
    case 2: // loader data
    case 3: // boot services code
    case 4: // boot services data
    case 7: // conventional
        return (attributes & write_back) != 0 ? Kind::usable : Kind::reserved;
    case 5: // runtime services code
    case 6: // runtime services data
        return Kind::firmware_runtime;
    case 8:
        return Kind::unusable;
    case 9:
        return Kind::acpi_reclaimable;
    case 10:
        return Kind::acpi_nvs;
    default:
        return Kind::reserved;
    }
}

base::Status<Error> normalize(std::span<const Range> entries, Map& map) {
    map.clear();
    if (entries.size() > max_firmware_entries)
        return base::Failure{Error::too_many_entries};
    Boundaries boundaries;
    for (const Range& entry : entries) {
        const Range range = to_pages(entry);
        if (range.bytes == 0)
            continue;
        boundaries.add(range.base);
        boundaries.add(range.end());
    }
    boundaries.sort();
    bool usable = false;
    for (std::size_t i = 0; i + 1 < boundaries.size(); ++i) {
        bool covered = false;
        Kind kind = Kind::usable;
        for (const Range& entry : entries) {
            const Range range = to_pages(entry);
            if (range.bytes == 0 || range.base > boundaries[i] || range.end() < boundaries[i + 1])
                continue;
            covered = true;
            kind = std::max(kind, range.kind);
        }
        if (!covered)
            continue;
        usable = usable || kind == Kind::usable;
        if (!append(map, {boundaries[i], boundaries[i + 1] - boundaries[i], kind})) {
            map.clear();
            return base::Failure{Error::too_many_ranges};
        }
    }
    if (!usable) {
        map.clear();
        return base::Failure{Error::no_usable_memory};
    }
    return base::success;
}

std::uint64_t usable_bytes(const Map& map) {
    std::uint64_t sum = 0;
    for (const Range& range : map)
        if (range.kind == Kind::usable)
            sum += range.bytes;
    return sum;
}

bool is_usable(const Map& map, std::uint64_t base, std::uint64_t bytes) {
    // Neighbours differ in kind, so a usable run lies inside one range.
    for (const Range& range : map)
        if (base >= range.base && base < range.end())
            return range.kind == Kind::usable && bytes <= range.end() - base;
    return false;
}

const char* describe(Error error) {
    switch (error) {
    case Error::too_many_entries:
        return "the firmware's memory map has too many entries";
    case Error::too_many_ranges:
        return "the firmware's memory map is cut into too many ranges";
    case Error::no_usable_memory:
        return "the firmware's memory map names no usable memory";
    case Error::sealed:
        return "memory is sealed";
    case Error::overlap:
        return "memory already has an owner";
    case Error::not_usable:
        return "memory is not usable";
    case Error::out_of_frames:
        return "the hypervisor's frames are used up";
    case Error::too_many_grants:
        return "memory is cut into too many pieces";
    case Error::misaligned:
        return "memory is not made of whole pages";
    }
    return "unknown error";
}

const char* describe(Kind kind) {
    switch (kind) {
    case Kind::usable:
        return "usable";
    case Kind::acpi_reclaimable:
        return "ACPI tables";
    case Kind::reserved:
        return "reserved";
    case Kind::acpi_nvs:
        return "ACPI NVS";
    case Kind::firmware_runtime:
        return "firmware runtime";
    case Kind::unusable:
        return "unusable";
    }
    return "unknown";
}

} // namespace memory
