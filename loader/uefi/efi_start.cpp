// SPDX-License-Identifier: Apache-2.0
// loader/uefi/efi_start.cpp - what firmware enters, and the jump into the hypervisor.
//
// Firmware's page tables show all memory one to one (UEFI 2.10 section 2.3.4), so the entry of the placed image can be called
// where it lies; it leaves those tables at once (arch/x86_64/boot/entry.S).
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/raw.hpp"
#include "loader/uefi/besides.hpp"
#include "loader/uefi/efi_loader.hpp"

namespace base {

// Our own mistakes before there is a hypervisor: nothing is left to be said to.
[[noreturn]] void fail(const char*, const char*, unsigned) {
    for (;;)
        cpu::halt();
}

} // namespace base

extern "C" [[gnu::ms_abi]] loader::uefi::Status caisson_efi_entry(loader::uefi::Handle self,
                                                                  const loader::uefi::SystemTable* system) {
    using namespace loader::uefi;
    constexpr std::uint64_t la57 = 1u << 12;
    constexpr std::uint32_t extended = 0x80000001, huge_pages = 1u << 26;
    const Processor processor{(cpu::cpuid(extended).edx & huge_pages) != 0, (cpu::read_cr<4>() & la57) != 0,
                              cpu::rdtsc};
    if (!before_start(*system, self))
        return ok;
    const Start start = load(*system, self, processor);
    if (start.problem == Problem::boot_services_stay)
        base::fail("", "", 0);
    if (start.problem != Problem::none)
        return load_error;
    before_entry(start.handover);
    cpu::interrupts_off();
    cpu::pointer_to<void(std::uint64_t)>(base::VirtAddr{start.entry})(start.handover);
    return load_error; // never
}
