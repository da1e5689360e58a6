// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/boot/application_processor.hpp - starting another CPU by INIT and start-up IPIs.
//
// The trampoline (entry.S) lies in one page below 1 MiB while CPUs start and is erased afterwards. Uses the early
// tables, which map that page; the started CPU enters `entry` in the hypervisor's own tables, on its own stack.
// Spec: AMD APM vol. 2 15.27.8, 16.5 "Interprocessor Interrupts"; Intel SDM vol. 3 "MP initialization".
#pragma once

#include "arch/x86_64/apic/local_apic.hpp"
#include "arch/x86_64/cpu/raw.hpp"

#include <cstring>

namespace boot {

// What enter_address_space() is called with on the new CPU (entry.S).
struct Start {
    void* argument;
    std::uint64_t stack_top;
    void (*function)(void*); // does not return
    std::uint64_t root;      // of the tables it runs in
};

extern "C" {
extern const char trampoline_start[], trampoline_end[];
extern Start processor_start; // of the CPU that is being started
// Leaves the early tables for good.
[[noreturn]] void enter_address_space(void* argument, std::uint64_t stack_top, void (*function)(void*),
                                      std::uint64_t root);
}

// Copies the trampoline to `page` (page aligned, below 1 MiB) and sends the IPIs; the new CPU says itself that it is there.
inline void start_processor(base::PhysAddr page, std::uint32_t apic_id, const Start& start, bool again) {
    const std::uint64_t size =
        cpu::address_of(*trampoline_end).value() - cpu::address_of(*trampoline_start).value();
    std::memcpy(cpu::pointer_to<char>(base::VirtAddr{page.value()}), trampoline_start, size);
    processor_start = start;
    // The 10 ms after INIT that the oldest CPUs need are skipped: none of them has AMD-V or VT-x's unrestricted guest.
    if (!again)
        apic::send(apic_id, apic::init);
    apic::send(apic_id, apic::startup | static_cast<std::uint32_t>(page.value() >> 12 & 0xff));
}

inline void erase_trampoline(base::PhysAddr page) {
    std::memset(cpu::pointer_to<char>(base::VirtAddr{page.value()}), 0, base::page_size);
}

} // namespace boot
