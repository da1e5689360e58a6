// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/cpu/guarded.hpp - RDMSR, WRMSR and XSETBV that may fault: the only way to reach a register whose number or
// value a guest, a bundle or firmware has a say in.
//
// Each returns false where the CPU answered with #GP; nothing has changed then. The #GP entry of boot/exceptions.S looks the
// faulting instruction up in `guarded_moves` and continues at its second address; with any other #GP the machine ends. Works
// in host mode of either vendor: GIF = 0 and VMX root operation hold no exceptions back.
// Spec: Intel SDM vol. 2 and AMD APM vol. 3, "RDMSR", "WRMSR", "XSETBV".
#pragma once

#include <cstdint>

namespace cpu {

extern "C" {
[[nodiscard]] bool try_rdmsr(std::uint32_t index, std::uint64_t& value);
[[nodiscard]] bool try_wrmsr(std::uint32_t index, std::uint64_t value);
[[nodiscard]] bool try_xsetbv(std::uint32_t index, std::uint64_t value);
}

// Of a register that this model may lack: 0 then.
inline std::uint64_t rdmsr_or_0(std::uint32_t index) {
    std::uint64_t value = 0;
    return try_rdmsr(index, value) ? value : 0;
}

} // namespace cpu
