// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/boot/application_processor.hpp - starting another CPU by INIT and start-up IPIs.
//
// The trampoline (entry.S) lies in one page below 1 MiB while CPUs start and is erased afterwards. Uses the early
// tables, which map that page; the started CPU enters `entry` in the hypervisor's own tables, on its own stack.
// Spec: AMD APM vol. 2 15.27.8, 16.5 "Interprocessor Interrupts"; Intel SDM vol. 3 "MP initialization".
#pragma once

#include "hypervisor/base/address.hpp"

namespace boot {

void erase_trampoline(base::PhysAddr page);

// What enter_address_space() is called with on the new CPU (entry.S).
struct Start {
    void* argument;
    std::uint64_t stack_top;
    void (*function)(void*); // does not return
    std::uint64_t root;      // of the tables it runs in
};
// Copies the trampoline to `page` (page aligned, below 1 MiB) and sends the IPIs; the new CPU says itself that it is there.
void start_processor(base::PhysAddr page, std::uint32_t apic_id, const Start& start, bool again);

// Leaves the early tables for good (entry.S).
extern "C" [[noreturn]] void enter_address_space(void* argument, std::uint64_t stack_top,
                                                 void (*function)(void*), std::uint64_t root);

} // namespace boot
