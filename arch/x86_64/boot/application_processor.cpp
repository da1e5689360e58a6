// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/boot/application_processor.hpp"

#include "arch/x86_64/apic/local_apic.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/raw.hpp"

#include <cstring>

extern "C" {
extern const char trampoline_start[], trampoline_end[], trampoline_gdt[], trampoline_gdtr[], trampoline_far[];
extern const char trampoline_long[], trampoline_cr3[], trampoline_entry[], trampoline_stack[],
    trampoline_argument[];
extern const char trampoline_space[];
extern const char early_pml4[];
}

namespace boot {
namespace {

std::uint64_t number(const void* pointer) {
    return cpu::address_of(*static_cast<const char*>(pointer)).value();
}

// Stores `value` in the copy's field that `field` names in the original.
template <typename T> void set(base::PhysAddr page, const char* field, T value) {
    const std::uint64_t offset = number(field) - number(trampoline_start);
    std::memcpy(cpu::pointer_to<char>(base::VirtAddr{page.value() + offset}), &value, sizeof(value));
}

std::uint32_t moved(base::PhysAddr page, const char* label) {
    return static_cast<std::uint32_t>(page.value() + (number(label) - number(trampoline_start)));
}

} // namespace

void place_trampoline(base::PhysAddr page) {
    const std::size_t size = number(trampoline_end) - number(trampoline_start);
    std::memcpy(cpu::pointer_to<char>(base::VirtAddr{page.value()}), trampoline_start, size);
    set(page, trampoline_gdtr + 2, moved(page, trampoline_gdt));
    set(page, trampoline_far, moved(page, trampoline_long));
    set(page, trampoline_cr3, number(early_pml4));
}

void erase_trampoline(base::PhysAddr page) {
    std::memset(cpu::pointer_to<char>(base::VirtAddr{page.value()}), 0, base::page_size);
}

void start_processor(base::PhysAddr page, const Start& start, bool again) {
    set(page, trampoline_space, start.space.value());
    set(page, trampoline_entry, start.entry);
    set(page, trampoline_stack, start.stack_top);
    set(page, trampoline_argument, start.argument);
    // The 10 ms after INIT that the oldest CPUs need are skipped: none of them has AMD-V.
    if (!again)
        apic::send(start.apic_id, apic::init);
    apic::send(start.apic_id, apic::startup | static_cast<std::uint32_t>(page.value() >> 12 & 0xff));
}

} // namespace boot
