// SPDX-License-Identifier: Apache-2.0
// hypervisor/base/weakness.hpp - holes that one test image, caisson_weak.elf, can be told to have.
//
// In every product build weak() is the constant false and leaves no trace. The test image asks a selector in its own
// ELF section, which the tests fill in a copy of the file. Each weakness must turn at least one test red.
#pragma once

#include <cstdint>

namespace base {

// Named in tests; the order is free.
enum class Weakness : std::uint32_t {
    none,
    open_msr,       // MTRR_DEF_TYPE does not exit
    any_pat,        // every PAT value
    any_delivery,   // LVT entries with every delivery mode
    loose_range,    // a buffer may end one byte behind its region
    writable_tsc,   // a write to the TSC is taken for good
    open_feature,   // FEATURE_CONTROL does not exit
    open_port,      // PCI configuration ports do not exit
    open_vmload,    // VMLOAD and VMSAVE do not exit
    open_counters,  // RDPMC does not exit
    any_efer,       // what EFER may not hold is swallowed instead of refused
    survive_fault,  // a triple fault becomes #UD
    unframed,       // nothing in console output is escaped
    any_stream,     // console output to streams that there are none of
    endless_notes,  // no budget for audit notes
    noisy_exits,    // every exit but the quickest and a kick kicks every CPU
    keep_memory,    // memory is not scrubbed between two lives
    keep_registers, // vector state, debug registers, CR2 neither
    keep_requests,  // the local APIC is not emptied
    bus_masters_on, // devices that firmware left running go on
    dma_open,       // that, and remapping units stay off
    extra_page,     // a partition sees one page of the hypervisor's image behind its memory
    stop_feeding,   // the hardware watchdog is not fed, as where the hypervisor hangs
    code_on_stack,  // the hypervisor's stacks are executable
    unmarked_jump,  // the hypervisor jumps to an instruction that no indirect jump may reach
    keep_boot,      // boot's code stays mapped, what it wrote stays writable
    skewed_tsc,     // every CPU but the boot CPU says a TSC that is 10 ms ahead
};

#if CAISSON_WEAK
struct WeaknessSelector {
    char magic[16]; // "CAISSON-WEAK-V1"
    Weakness chosen;
};
[[gnu::section(".caisson.weakness")]] extern const WeaknessSelector weakness_selector;
inline bool weak(Weakness weakness) {
    return weakness_selector.chosen == weakness;
}
#else
constexpr bool weak(Weakness) {
    return false;
}
#endif

} // namespace base
