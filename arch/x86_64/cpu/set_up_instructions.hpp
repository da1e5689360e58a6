// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/cpu/set_up_instructions.hpp - instructions that the hypervisor needs only while it sets a CPU up; guests use them too.
#pragma once

#include "arch/x86_64/cpu/instructions.hpp"

namespace cpu {

// Not before what was loaded earlier, and nothing later before it.
inline std::uint64_t ordered_rdtsc() {
    asm volatile("lfence" : : : "memory");
    const std::uint64_t now = rdtsc();
    asm volatile("lfence" : : : "memory");
    return now;
}
// What was written is seen by others before anything later is done, whatever it is.
inline void fence() {
    asm volatile("mfence\n\tlfence" : : : "memory");
}
inline void interrupts_on() {
    asm volatile("sti" : : : "memory");
}
inline void wbinvd() {
    asm volatile("wbinvd" : : : "memory");
}
inline void lgdt(const DescriptorTable& table) {
    asm volatile("lgdt %0" : : "m"(table) : "memory");
}
inline void ltr(std::uint16_t selector) {
    asm volatile("ltr %0" : : "r"(selector) : "memory");
}

} // namespace cpu
