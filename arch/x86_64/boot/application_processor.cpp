// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/boot/application_processor.hpp"

#include "arch/x86_64/apic/local_apic.hpp"
#include "arch/x86_64/cpu/raw.hpp"

#include <cstring>

extern "C" {
extern const char trampoline_start[], trampoline_end[];
constinit boot::Start processor_start{}; // for processor_entry
}

namespace boot {

void erase_trampoline(base::PhysAddr page) {
    std::memset(cpu::pointer_to<char>(base::VirtAddr{page.value()}), 0, base::page_size);
}

void start_processor(base::PhysAddr page, std::uint32_t apic_id, const Start& start, bool again) {
    const std::uint64_t size =
        cpu::address_of(*trampoline_end).value() - cpu::address_of(*trampoline_start).value();
    std::memcpy(cpu::pointer_to<char>(base::VirtAddr{page.value()}), trampoline_start, size);
    processor_start = start;
    // The 10 ms after INIT that the oldest CPUs need are skipped: none of them has AMD-V.
    if (!again)
        apic::send(apic_id, apic::init);
    apic::send(apic_id, apic::startup | static_cast<std::uint32_t>(page.value() >> 12 & 0xff));
}

} // namespace boot
