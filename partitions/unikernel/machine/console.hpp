// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/console.hpp - how the kernel reaches what runs it: the hypervisor, or QEMU
// alone.
#pragma once

#include <array>
#include <cstdint>

namespace uk::machine {

// The status of a partition whose kernel gave up ("Caisson failed").
inline constexpr unsigned failure_status = 125;

// What CPUID shows, until the boot page tells: an error before that must not be silent.
void guess_console();
void set_up_console(std::uint32_t boot_flags);
[[nodiscard]] bool is_direct(); // started by QEMU itself

struct HypercallResult {
    long value = -1;
    std::array<std::uint64_t, 4> more{};
};
[[nodiscard]] HypercallResult hypercall(long number, const std::array<std::uint64_t, 4>& arguments);

// `kind`: enum caisson_exit_kind.
[[noreturn]] void end_partition(unsigned status, unsigned kind);

} // namespace uk::machine
