// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/paging/table_builder.hpp - four-level address translation tables: NPT, EPT and the
// hypervisor's own.
//
// Pure: no asm, no globals, no heap; runs in the hypervisor and in tests. The caller flushes.
// Trust:      addresses come from a verified plan; table pages are ours alone.
// Invariants: I1  an operation that returns an error leaves every translation, and every table, as it was
//             I2  each single store leaves every address with its old or its new translation, never a third one
//             I3  tables are added, never freed: the plan reserves the frames
// Spec:       AMD APM vol. 2 15.25 "Nested Paging", 5.3 "Long-Mode Page Translation"; Intel SDM vol. 3 28.3 "EPT".
#pragma once

#include "hypervisor/base/address.hpp"
#include "hypervisor/base/result.hpp"
#include "hypervisor/core/paging/format.hpp"

#include <array>
#include <concepts>
#include <cstdint>

namespace paging {

// NPT: user in every entry, or the nested walk faults.
inline constexpr Format nested{
    .table = 0b111, .leaf = 0b101, .no_execute = std::uint64_t{1} << 63, .cache = {0, 0b11 << 3}};
// EPT: rights to read, write, execute (bits 0-2), memory type (3-5: 6 is write-back, 0 uncached), ignore-PAT (6) so that a
// guest cannot weaken RAM's caching.
inline constexpr Format extended{
    .table = 0b111, .leaf = 1u << 6 | 0b001, .execute = 1u << 2, .cache = {6u << 3}};

// What a device reaches by VT-d's second-stage tables: reading (bit 0) and writing. Spec: Intel VT-d 4.1, 9.8.
inline constexpr Format dma{.table = 0b011, .leaf = 0b001};

enum class Error : std::uint8_t {
    misaligned,    // an address or length is not a multiple of 4 KiB, or the length is 0
    out_of_range,  // beyond the format's input or output width
    bad_access,    // the format does not allow these rights together
    overlap,       // something is mapped there already
    out_of_frames, // too few table frames left
};

// Where the tables live. `allocate` gives a zeroed frame and cannot fail while available() > 0.
template <typename M>
concept TableMemory = requires(M& memory, const M& view, base::PhysAddr table, unsigned index,
                               std::uint64_t entry) {
    { memory.allocate() } -> std::same_as<base::PhysAddr>;
    { view.available() } -> std::convertible_to<std::uint64_t>;
    { memory.read(table, index) } -> std::same_as<std::uint64_t>;
    {memory.write(table, index, entry)};
};

// Level 0: 4 KiB, 1: 2 MiB, 2: 1 GiB, 3: 512 GiB (never a leaf).
constexpr unsigned level_shift(unsigned level) {
    return 12 + 9 * level;
}
constexpr std::uint64_t level_size(unsigned level) {
    return std::uint64_t{1} << level_shift(level);
}
constexpr unsigned level_index(std::uint64_t address, unsigned level) {
    return static_cast<unsigned>(address >> level_shift(level)) & 511;
}
inline constexpr unsigned root_level = 3;
inline constexpr std::uint64_t input_limit = std::uint64_t{1} << 48;
inline constexpr std::uint64_t output_limit = std::uint64_t{1} << 52;

template <TableMemory Memory> class TableBuilder {
public:
    // Takes the root table from `memory`. `largest` is the largest leaf level the processor (or the plan) allows, at most 2.
    [[nodiscard]] static base::Result<TableBuilder, Error> create(const Format& format, Memory& memory,
                                                                  unsigned largest = 2) {
        if (memory.available() == 0)
            return base::Failure{Error::out_of_frames};
        return TableBuilder{format, memory, memory.allocate(), largest};
    }
    [[nodiscard]] base::PhysAddr root() const { return root_; }

    // Maps [from, from + bytes) to `to` with the largest pages that fit.
    [[nodiscard]] base::Status<Error> map(std::uint64_t from, base::PhysAddr to, std::uint64_t bytes,
                                          Access access) {
        if (bytes == 0 || ((from | to.value() | bytes) & (base::page_size - 1)) != 0)
            return base::Failure{Error::misaligned};
        if (from >= input_limit || bytes > input_limit - from || to.value() >= output_limit ||
            bytes > output_limit - to.value())
            return base::Failure{Error::out_of_range};
        if (!format_->allows(access))
            return base::Failure{Error::bad_access};
        if (CAISSON_TRY(fill(from, to.value(), bytes, access, false)) > memory_->available())
            return base::Failure{Error::out_of_frames};
        (void)CAISSON_TRY(fill(from, to.value(), bytes, access, true));
        return base::success;
    }

    // The last-level table of an address, made where it is missing: for windows opened later without allocating.
    [[nodiscard]] base::Result<base::PhysAddr, Error> last_table(std::uint64_t address) {
        if (address >= input_limit)
            return base::Failure{Error::out_of_range};
        const Step step = descend(address);
        if (step.level > 0 && (step.entry & bit_present) != 0)
            return base::Failure{Error::overlap};
        if (step.level > memory_->available())
            return base::Failure{Error::out_of_frames};
        return extend(step, address, 0);
    }

private:
    struct Step { // where a descent ended: an entry that is a leaf or absent
        base::PhysAddr table;
        unsigned level;
        std::uint64_t entry;
    };
    TableBuilder(const Format& format, Memory& memory, base::PhysAddr root, unsigned largest)
        : format_(&format), memory_(&memory), root_(root), largest_(largest) {}

    [[nodiscard]] Step descend(std::uint64_t address) const {
        for (Step step{root_, root_level, 0};;) {
            step.entry = memory_->read(step.table, level_index(address, step.level));
            if ((step.entry & bit_present) == 0 || step.level == 0 || (step.entry & bit_large) != 0)
                return step;
            step.table = base::PhysAddr{step.entry & address_mask};
            --step.level;
        }
    }

    // Makes the tables from where a descent ended down to `level`.
    base::PhysAddr extend(Step step, std::uint64_t address, unsigned level) {
        for (; step.level > level; --step.level) {
            const base::PhysAddr table = memory_->allocate();
            memory_->write(step.table, level_index(address, step.level), format_->table_entry(table));
            step.table = table;
        }
        return step.table;
    }

    // Once only looking, which gives the number of tables that are missing; once storing, which can then not fail.
    [[nodiscard]] base::Result<std::uint64_t, Error> fill(std::uint64_t from, std::uint64_t to,
                                                          std::uint64_t bytes, Access access, bool store) {
        std::uint64_t missing = 0;
        // Tables that would be made: up to which address the one of each level reaches.
        std::array<std::uint64_t, root_level> imagined{};
        for (std::uint64_t done = 0; done < bytes;) {
            const std::uint64_t at = from + done, target = to + done;
            const Step step = descend(at);
            if ((step.entry & bit_present) != 0)
                return base::Failure{Error::overlap};
            unsigned level = step.level;
            while (level > largest_ || ((at | target) & (level_size(level) - 1)) != 0 ||
                   bytes - done < level_size(level)) {
                const std::uint64_t end = (at | (level_size(level) - 1)) + 1;
                if (imagined[--level] < end) {
                    imagined[level] = end;
                    ++missing;
                }
            }
            if (store)
                memory_->write(extend(step, at, level), level_index(at, level),
                               format_->leaf_entry(base::PhysAddr{target}, level, access));
            done += level_size(level);
        }
        return missing;
    }

    const Format* format_;
    Memory* memory_;
    base::PhysAddr root_;
    unsigned largest_;
};

} // namespace paging
