// SPDX-License-Identifier: Apache-2.0
// image-tools/prove/live.hpp - a stopped machine compared with what the plan intends, frame by frame (AMD-V).
//
// Nothing is asked of the hypervisor: control blocks are found by looking through all memory that is no partition's for
// pages that VMRUN would accept; which of them the CPUs use, and with which host tables, is what the CPUs themselves wrote
// into their host-save areas at VMRUN (QEMU uses the VMCB's layout there), and what `info registers` says of a CPU in host
// mode. From there everything is walked.
// Spec: AMD APM vol. 2 chapter 15, appendix B; docs/hypervisor.md rules 8, 13, 18, 24.
#pragma once

#include "image-tools/prove/devices.hpp"
#include "image-tools/prove/intended.hpp"
#include "image-tools/prove/walker.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

namespace prove {

// What QEMU says of one CPU.
struct CpuRegisters {
    std::uint64_t rip = 0, cr3 = 0, gdt_base = 0;
};

// A control block with what it refers to.
struct ControlBlock {
    std::uint64_t at = 0;
    std::uint64_t nested_root = 0, msr_map = 0, port_map = 0;
    std::array<std::uint32_t, 6> intercepts{};
    std::uint32_t asid = 0;
    std::uint64_t nested_control = 0, virtual_interrupt = 0, lbr_control = 0;
    bool entered = false; // a CPU's host-save area names it
};

// What a CPU keeps while it runs a guest.
struct HostSave {
    std::uint64_t at = 0, control_block = 0, cr0 = 0, cr3 = 0, cr4 = 0, efer = 0;
};

struct Findings {
    std::vector<ControlBlock> control_blocks;
    std::vector<HostSave> host_saves;
};

// Looks through all usable memory that belongs to no partition and is not the bundle.
Findings find_control_blocks(PhysicalMemory& memory, const Intended& intended);

// The frame at which the bundle that starts with these bytes lies; 0: nowhere. Its first page is compared.
std::uint64_t find_bundle(PhysicalMemory& memory, const std::vector<Range>& usable,
                          std::span<const std::byte> first_page);

struct LiveInput {
    PhysicalMemory* memory = nullptr;
    const Intended* intended = nullptr;
    const LoaderImage* loader = nullptr;
    std::vector<CpuRegisters> cpus;
    std::vector<PciFunction> functions; // of the machine
    // Byte `offset` on of the bundle's file.
    std::function<bool(std::uint64_t offset, std::span<std::byte> to)> bundle;
};

// All items; `settled` becomes false where waiting may help: a partition has not been entered yet, or the hypervisor had
// a window open at this moment.
std::vector<Item> check_machine(const LiveInput& input, bool& settled);

// The part of it that concerns one partition's second-stage tables; for tests.
Item compare_second_stage(const Intended& intended, std::uint32_t partition,
                          std::span<const OwnedFunction> owned, const Walk& real);

} // namespace prove
