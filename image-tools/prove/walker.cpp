// SPDX-License-Identifier: Apache-2.0
#include "image-tools/prove/walker.hpp"

#include "image-tools/prove/intended.hpp"

#include <array>

namespace prove {
namespace {

constexpr std::uint64_t present = 1, writable = 2, user = 4, write_through = 8, cache_disable = 16,
                        large = 128, global = 256, no_execute = std::uint64_t{1} << 63;
constexpr std::uint64_t frame_bits = 0x000FFFFFFFFFF000;
constexpr std::size_t most_tables = 1 << 16;

class Walker {
public:
    Walker(PhysicalMemory& memory, Walk& out, bool dma) : memory_(memory), out_(out), dma_(dma) {}

    void table(std::uint64_t at, unsigned level, std::uint64_t address, const Mapping& above) {
        std::array<std::uint64_t, 512> entries{};
        if (out_.tables.size() >= most_tables ||
            !memory_.read(at, std::as_writable_bytes(std::span(entries)))) {
            out_.problem = "a table at " + hex(at) + " cannot be read, or there are too many";
            return;
        }
        out_.tables.push_back(at);
        for (std::uint64_t index = 0; index < entries.size() && out_.problem.empty(); ++index)
            entry(entries[index], level, address + (index << shift(level)), above);
    }

private:
    static unsigned shift(unsigned level) { return 12 + 9 * level; }

    void entry(std::uint64_t value, unsigned level, std::uint64_t address, const Mapping& above) {
        if ((value & (dma_ ? present | writable : present)) == 0)
            return;
        Mapping here = above;
        here.write = above.write && (value & writable) != 0;
        here.user = above.user && (value & (dma_ ? present : user)) != 0; // VT-d's first bit is reading
        here.execute = above.execute && !dma_ && (value & no_execute) == 0;
        const bool leaf = level == 0 || (level < 3 && (value & large) != 0);
        if (!leaf) {
            table(value & frame_bits, level - 1, address, here);
            return;
        }
        here.bytes = std::uint64_t{1} << shift(level);
        here.address = address >> 47 != 0 ? address | ~((std::uint64_t{1} << 48) - 1) : address;
        here.frame = value & frame_bits & ~(here.bytes - 1);
        here.cached = dma_ || (value & (write_through | cache_disable)) == 0;
        here.global = !dma_ && (value & global) != 0;
        add(here);
    }

    void add(const Mapping& mapping) {
        if (!out_.mappings.empty()) {
            Mapping& last = out_.mappings.back();
            if (last.address + last.bytes == mapping.address && last.frame + last.bytes == mapping.frame &&
                last.same_rights(mapping)) {
                last.bytes += mapping.bytes;
                return;
            }
        }
        out_.mappings.push_back(mapping);
    }

    PhysicalMemory& memory_;
    Walk& out_;
    bool dma_;
};

constexpr Mapping everything{0, 0, 0, true, true, true, true, false};

} // namespace

Walk walk(PhysicalMemory& memory, std::uint64_t root) {
    Walk out;
    Walker{memory, out, false}.table(root & frame_bits, 3, 0, everything);
    return out;
}

Walk walk_dma(PhysicalMemory& memory, std::uint64_t root, unsigned levels) {
    Walk out;
    Walker{memory, out, true}.table(root & frame_bits, levels - 1, 0, everything);
    return out;
}

} // namespace prove
