// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/run/intercept_interrupts_test.hpp - the control of the zero-exit measurement (caisson_control.elf, a test image).
//
// Included by hypervisor/kernel/run/run.cpp of that image alone. Every exit arms the interrupt intercept, and the exit that
// an interrupt then causes disarms it so that the guest can take that interrupt.
#pragma once

#include "arch/x86_64/svm/exits.hpp"
#include "arch/x86_64/vmx/vmx.hpp"

namespace hv {

inline void arm_interrupt_intercept(svm::Vmcb& vmcb) {
    constexpr std::uint32_t intr = 1u << svm::exit_code::intr % 32;
    if (vmcb.exit_code == svm::exit_code::intr)
        vmcb.intercepts[3] &= ~intr;
    else
        vmcb.intercepts[3] |= intr;
}
inline void arm_interrupt_intercept(std::uint32_t reason) {
    constexpr vmx::Field<0x4000> pin_controls;
    constexpr std::uint32_t interrupts = 1u << 0;
    vmx::Current current;
    const std::uint32_t pin = current.read(pin_controls) & ~interrupts;
    current.write(pin_controls, reason == vmx::exit_reason::interrupt ? pin : pin | interrupts);
}

} // namespace hv
