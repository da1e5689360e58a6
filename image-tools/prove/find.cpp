// SPDX-License-Identifier: Apache-2.0
// image-tools/prove/find.cpp - what of a stopped machine is found by looking: control blocks, host-save areas, the bundle.
#include "image-tools/prove/frames.hpp"
#include "image-tools/prove/live.hpp"

#include <algorithm>

namespace prove {
namespace {

constexpr std::uint64_t efer_svme = 1 << 12;

bool is_frame(std::uint64_t value) {
    return value != 0 && value % page == 0 && value >> 52 == 0;
}

// Usable memory of nobody: where the hypervisor's frames lie.
std::vector<Range> rest(const Intended& intended) {
    std::vector<Range> taken{intended.bundle};
    for (const Backing& backing : intended.backings)
        taken.push_back(backing.frames());
    for (const Lane& lane : intended.lanes)
        taken.push_back(lane.frames());
    std::sort(taken.begin(), taken.end(), [](const Range& a, const Range& b) { return a.base < b.base; });
    std::vector<Range> out;
    for (const Range& usable : intended.usable) {
        std::uint64_t at = usable.base;
        for (const Range& range : taken) {
            if (range.base >= usable.end() || range.end() <= at)
                continue;
            if (range.base > at)
                out.push_back({at, range.base - at});
            at = (range.end() + page - 1) / page * page;
        }
        if (at < usable.end())
            out.push_back({at, usable.end() - at});
    }
    return out;
}

// What VMRUN checks and every guest of this hypervisor needs: VMRUN intercepted, an address space of its own, EFER.SVME.
bool is_control_block(const Page& bytes) {
    return (field<std::uint32_t>(bytes, 0x10) & 1) != 0 && field<std::uint32_t>(bytes, 0x58) != 0 &&
           field<std::uint32_t>(bytes, 0x58) < 0x10000 && is_frame(field<std::uint64_t>(bytes, 0x40)) &&
           is_frame(field<std::uint64_t>(bytes, 0x48)) &&
           (field<std::uint64_t>(bytes, 0x4d0) & efer_svme) != 0;
}

ControlBlock control_block(std::uint64_t at, const Page& bytes) {
    ControlBlock out;
    out.at = at;
    std::memcpy(out.intercepts.data(), bytes.data(), sizeof out.intercepts);
    out.port_map = field<std::uint64_t>(bytes, 0x40);
    out.msr_map = field<std::uint64_t>(bytes, 0x48);
    out.asid = field<std::uint32_t>(bytes, 0x58);
    out.virtual_interrupt = field<std::uint64_t>(bytes, 0x60);
    out.nested_control = field<std::uint64_t>(bytes, 0x90);
    out.nested_root = field<std::uint64_t>(bytes, 0xb0);
    out.lbr_control = field<std::uint64_t>(bytes, 0xb8);
    return out;
}

} // namespace

Findings find_control_blocks(PhysicalMemory& memory, const Intended& intended) {
    Findings out;
    const std::vector<Range> ranges = rest(intended);
    each_page(memory, ranges, [&](std::uint64_t at, const Page& bytes) {
        if (is_control_block(bytes))
            out.control_blocks.push_back(control_block(at, bytes));
    });
    each_page(memory, ranges, [&](std::uint64_t at, const Page& bytes) {
        const HostSave save{at,
                            field<std::uint64_t>(bytes, 0x5f8),
                            field<std::uint64_t>(bytes, 0x558),
                            field<std::uint64_t>(bytes, 0x550),
                            field<std::uint64_t>(bytes, 0x548),
                            field<std::uint64_t>(bytes, 0x4d0)};
        if (is_control_block(bytes) || (save.efer & efer_svme) == 0 || !is_frame(save.cr3))
            return;
        for (ControlBlock& block : out.control_blocks)
            if (block.at == save.control_block) {
                block.entered = true;
                out.host_saves.push_back(save);
            }
    });
    return out;
}

std::uint64_t find_bundle(PhysicalMemory& memory, const std::vector<Range>& usable,
                          std::span<const std::byte> first_page) {
    std::uint64_t found = 0;
    each_page(memory, usable, [&](std::uint64_t at, const Page& bytes) {
        if (found == 0 && std::memcmp(bytes.data(), first_page.data(), page) == 0)
            found = at;
    });
    return found;
}

} // namespace prove
