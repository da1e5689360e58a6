// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/boot/application_processor.hpp - starting another CPU by INIT and start-up IPIs.
//
// The trampoline (entry.S) and a root table for it lie in two pages below 1 MiB while CPUs start and are erased afterwards. Uses the early
// tables, which map them; the started CPU enters `entry` in the hypervisor's own tables, on its own stack.
// Spec: AMD APM vol. 2 15.27.8, 16.5 "Interprocessor Interrupts"; Intel SDM vol. 3 "MP initialization".
#pragma once

#include "arch/x86_64/apic/init_delay.hpp"
#include "arch/x86_64/apic/start.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/raw.hpp"

#include <array>
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
extern const std::array<std::byte, base::page_size> early_pml4;
// Leaves the early tables for good.
[[noreturn]] void enter_address_space(void* argument, std::uint64_t stack_top, void (*function)(void*),
                                      std::uint64_t root);
}

inline constexpr std::uint64_t trampoline_bytes = 2 * base::page_size;

// Copies the trampoline to `page` (page aligned, below 1 MiB) and sends the IPIs; the new CPU says itself that it is there.
// `again`: only the start-up IPI, to a CPU that did not come up (and may be on its way). `tsc_hz`: to wait by.
inline void start_processor(base::PhysAddr page, std::uint32_t apic_id, const Start& start, bool again,
                            std::uint64_t tsc_hz) {
    const std::uint64_t size =
        cpu::address_of(*trampoline_end).value() - cpu::address_of(*trampoline_start).value();
    if (!again) {
        const auto pages = cpu::bytes_at(base::VirtAddr{page.value()}, trampoline_bytes);
        std::memcpy(pages.data(), trampoline_start, size);
        std::memcpy(pages.subspan(base::page_size).data(), early_pml4.data(), early_pml4.size());
        processor_start = start;
        apic::send(apic_id, apic::init);
        const std::uint64_t ticks =
            milliseconds_after_init(cpu::cpuid(0).ebx, cpu::cpuid(1).eax) * (tsc_hz / 1000);
        for (const std::uint64_t from = cpu::rdtsc(); cpu::rdtsc() - from < ticks;)
            cpu::pause();
    }
    apic::send(apic_id, apic::startup | static_cast<std::uint32_t>(page.value() >> 12 & 0xff));
}

inline void erase_trampoline(base::PhysAddr page) {
    std::memset(cpu::pointer_to<char>(base::VirtAddr{page.value()}), 0, trampoline_bytes);
}

} // namespace boot
