// SPDX-License-Identifier: Apache-2.0
// image-tools/prove/intended.hpp - what a machine that follows the plan must look like, and whether the plan itself keeps
// its promises.
//
// Independent of what it checks: it shares the table's format with core/plan and takes bind()'s choice of frames as data,
// but parses, adds up and compares by itself, and includes nothing of core/plan's checking nor of core/paging.
// Spec: docs/hypervisor.md rules 1-4; hypervisor/core/plan/format.hpp.
#pragma once

#include "hypervisor/core/plan/bound_plan.hpp"
#include "hypervisor/core/plan/format.hpp"
#include "image-tools/build/planning.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace prove {

// One thing that was to be shown. `detail` says what was looked at, or what is wrong.
struct Item {
    std::string name;
    bool passed = false;
    std::string detail;
};

struct Range {
    std::uint64_t base = 0;
    std::uint64_t bytes = 0;
    [[nodiscard]] std::uint64_t end() const { return base + bytes; }
    [[nodiscard]] bool overlaps(const Range& other) const {
        return bytes != 0 && other.bytes != 0 && base < other.end() && other.base < end();
    }
    [[nodiscard]] bool holds(std::uint64_t address) const { return address - base < bytes; }
};

// Guest-physical [gpa, gpa + bytes) of a partition lies in [frame, frame + bytes). Always readable.
struct Backing {
    std::uint32_t partition = 0;
    std::uint64_t gpa = 0, frame = 0, bytes = 0;
    bool root = false;      // a root image: never writable
    bool lane = false;      // never executable; `root` where this partition only reads it
    bool registers = false; // of a device: uncached, never executable
    [[nodiscard]] Range frames() const { return {frame, bytes}; }
};

// Memory with one writer and one reader, which differ.
struct Lane {
    std::uint32_t writer = 0, reader = 0;
    std::uint64_t writer_gpa = 0, reader_gpa = 0, frame = 0, bytes = 0;
    [[nodiscard]] Range frames() const { return {frame, bytes}; }
    // As one of its two sees it.
    [[nodiscard]] Backing seen_by(std::uint32_t partition) const {
        const bool writes = partition == writer;
        return {partition, writes ? writer_gpa : reader_gpa, frame, bytes, !writes, true};
    }
};

// A device that the plan gives a partition, as it names it.
struct Wish {
    std::uint32_t partition = 0;
    std::uint16_t vendor = 0, device = 0;
    std::uint32_t place = 0; // which of several, or where (by_address)
    bool by_address = false, any_card = false;
};

struct Guest {
    std::string name;
    std::uint32_t cpu_count = 0;
    std::uint64_t cpu_set = 0, memory_bytes = 0;
    std::vector<plan::Region> regions;
    std::vector<plan::Load> loads;
    std::uint32_t root_section = plan::no_section;
    bool shares_cores = false; // with others that say so too
};

inline constexpr std::uint32_t nobody = 0xFFFFFFFF;

struct Processor {
    std::uint32_t apic_id = 0;
    std::uint32_t owner = nobody; // a partition
    std::uint32_t vcpu = 0;
    std::uint32_t core = 0; // equal for SMT siblings
};

struct Intended {
    std::vector<Guest> guests;
    std::vector<Backing> backings; // of RAM and root images
    std::vector<Lane> lanes;
    std::vector<Wish> wishes;
    std::vector<Processor> processors;
    std::vector<Range> hypervisor; // its image and its frames
    Range bundle;
    std::vector<Range> usable;  // memory that may be given to anybody
    std::vector<Range> devices; // registers that the hypervisor uses
    std::vector<bundle::SectionShape> sections;
};

// The loader's segments, from its ELF.
struct LoaderImage {
    Range all;
    Range linked;                  // the same by the addresses at which its code runs
    std::vector<Range> executable; // whole pages, here and below
    std::vector<Range> boot;       // gone once guests run (hypervisor/kernel/link.ld.in says so by flag bits)
    std::vector<Range> constant;   // read-only by then
};
std::optional<LoaderImage> read_loader(std::span<const char> elf);

// The table by its format alone; what is wrong with it, or nothing. Lanes have no frames yet.
std::optional<std::string> read_table(std::span<const std::byte> table, std::vector<Guest>& guests,
                                      std::vector<Lane>& lanes, std::vector<Wish>& wishes);

// A machine of the board with so much memory, and where the bundle lies in it (0: where the board's firmware puts it).
struct Board {
    std::uint32_t cpus = 0;
    std::uint64_t memory = 0;
    std::uint64_t bundle_base = 0;
    bool huge_pages = false; // the CPU has 1 GiB pages: bind() then prefers memory aligned to them
};

// The plan bound on that machine. Text: why it cannot be.
std::optional<std::string> intend(const std::vector<std::byte>& table,
                                  const std::vector<bundle::SectionShape>& sections,
                                  std::uint64_t bundle_bytes, const LoaderImage& loader, const Board& board,
                                  Intended& out);

// The plan's invariants.
std::vector<Item> check_plan(const Intended& intended);

std::string hex(std::uint64_t value);
std::string size_text(std::uint64_t bytes);

} // namespace prove
