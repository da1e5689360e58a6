// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/deadline.hpp - how long a wait for a CPU or a device may last, in time: by the TSC.
#pragma once

#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/kernel/machine.hpp"

namespace hv {

class Deadline {
public:
    // From now on. Before boot knows the TSC's frequency it is taken to be one that no processor has yet.
    explicit Deadline(std::uint64_t milliseconds)
        : ticks_(milliseconds * (machine().times.tsc_hz != 0 ? machine().times.tsc_hz / 1000 : fastest_khz)) {
    }
    [[nodiscard]] bool passed() const { return cpu::rdtsc() - since_ >= ticks_; }

private:
    static constexpr std::uint64_t fastest_khz = 10'000'000;

    std::uint64_t since_ = cpu::rdtsc(), ticks_;
};

} // namespace hv
