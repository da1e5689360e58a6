// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/paging/table_builder.hpp - four-level address translation tables: NPT, EPT and the
// hypervisor's own.
//
// Pure: no asm, no globals, no heap; runs in the hypervisor, in the tool and in tests. The caller flushes.
// Trust:      addresses come from a verified plan; table pages are ours alone.
// Invariants: I1  an operation that returns an error leaves every translation, and every table, as it was
//             I2  each single store leaves every address with its old or its new translation, never a third
//             one I3  tables are added, never freed: the plan reserves tables_needed() frames
// Spec:       AMD APM vol. 2 15.25 "Nested Paging", 5.3 "Long-Mode Page Translation"; Intel SDM vol. 3 28.3
// "EPT".
#pragma once

#include "hypervisor/base/address.hpp"
#include "hypervisor/base/result.hpp"
#include "hypervisor/core/paging/format.hpp"

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>

namespace paging {

enum class Error : std::uint8_t {
    misaligned,    // an address or length is not a multiple of 4 KiB, or the length is 0
    out_of_range,  // beyond the format's input or output width
    bad_access,    // the format does not allow these rights together
    overlap,       // something is mapped there already
    not_mapped,    // a page of the range is not mapped
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

// One translation as query() and next() find it: [from, from + bytes) -> to.
struct Leaf {
    std::uint64_t from = 0;
    base::PhysAddr to;
    std::uint64_t bytes = 0;
    Access access;
};

template <TableFormat Format, TableMemory Memory> class TableBuilder {
public:
    // Takes the root table from `memory`. `largest` is the largest leaf level the processor (or the plan)
    // allows.
    [[nodiscard]] static base::Result<TableBuilder, Error> create(Memory& memory, unsigned largest = 2) {
        if (memory.available() == 0)
            return base::Failure{Error::out_of_frames};
        return TableBuilder{memory, memory.allocate(), largest};
    }
    // Over an existing root.
    TableBuilder(Memory& memory, base::PhysAddr root, unsigned largest = 2)
        : memory_(&memory), root_(root), largest_(largest < 2 ? largest : 2) {}

    [[nodiscard]] base::PhysAddr root() const { return root_; }

    // Maps [from, from + bytes) to `to` with the largest pages that fit. All of these return the entries
    // written.
    [[nodiscard]] base::Result<unsigned, Error> map(std::uint64_t from, base::PhysAddr to,
                                                    std::uint64_t bytes, Access access);
    // The whole range must be mapped; large pages are split where the range cuts them.
    [[nodiscard]] base::Result<unsigned, Error> unmap(std::uint64_t from, std::uint64_t bytes);
    [[nodiscard]] base::Result<unsigned, Error> protect(std::uint64_t from, std::uint64_t bytes,
                                                        Access access);
    // Makes the last-level tables for an unmapped range (for windows opened later without allocating).
    [[nodiscard]] base::Result<unsigned, Error> prepare(std::uint64_t from, std::uint64_t bytes);

    [[nodiscard]] std::optional<Leaf> query(std::uint64_t address) const;
    // The first leaf at or after `address`: walks a whole tree with  for (a = 0; l = next(a); a = l.from +
    // l.bytes).
    [[nodiscard]] std::optional<Leaf> next(std::uint64_t address) const;
    // The last-level table of an address, once prepared or mapped with 4 KiB pages.
    [[nodiscard]] std::optional<base::PhysAddr> last_table(std::uint64_t address) const;

private:
    struct Step { // where a descent ended: an entry that is a leaf or absent
        base::PhysAddr table;
        unsigned level;
        std::uint64_t entry;
    };
    enum class Pass : std::uint8_t { count, store };
    struct Tally {
        std::uint64_t tables = 0;
        unsigned written = 0;
    };
    [[nodiscard]] static std::optional<Error> check_range(std::uint64_t from, std::uint64_t bytes);
    [[nodiscard]] Step descend(std::uint64_t address) const;
    [[nodiscard]] static bool fits(std::uint64_t from, std::uint64_t to, std::uint64_t left, unsigned level) {
        return ((from | to) & (level_size(level) - 1)) == 0 && left >= level_size(level);
    }
    template <Pass pass>
    [[nodiscard]] base::Result<Tally, Error> fill(std::uint64_t from, std::uint64_t to, std::uint64_t bytes,
                                                  Access access, bool tables_only);
    template <Pass pass>
    [[nodiscard]] base::Result<Tally, Error> change(std::uint64_t from, std::uint64_t bytes,
                                                    std::optional<Access> access);
    [[nodiscard]] base::PhysAddr split(const Step& step, std::uint64_t address, Tally& tally);

    Memory* memory_;
    base::PhysAddr root_;
    unsigned largest_;
};

// A range that will be mapped; `congruent_log2` is 12, 21 or 30: to which page size `from` and `to` agree at
// least.
struct Extent {
    std::uint64_t from = 0, bytes = 0;
    unsigned congruent_log2 = 12;
};
// How many table frames (root included) mapping all of these can take at most.
[[nodiscard]] std::uint64_t tables_needed(std::span<const Extent> extents, unsigned largest = 2);

} // namespace paging

#include "hypervisor/core/paging/table_builder_inline.hpp"
