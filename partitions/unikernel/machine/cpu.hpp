// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/cpu.hpp - the CPU's own tables and features: segments, traps, system-call entry,
// vectors.
// Spec: AMD APM vol. 2 "System Resources", "SYSCALL and SYSRET", "XSAVE/XRSTOR"; Intel SDM vol. 3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace uk::machine {

namespace msr {
inline constexpr std::uint32_t apic_base = 0x1B, efer = 0xC0000080, star = 0xC0000081, lstar = 0xC0000082,
                               cstar = 0xC0000083, sfmask = 0xC0000084, fs_base = 0xC0000100,
                               gs_base = 0xC0000101, kernel_gs_base = 0xC0000102, tsc_aux = 0xC0000103;
} // namespace msr

inline constexpr unsigned timer_vector = 32, lane_vector = 33, flush_vector = 34, kick_vector = 35,
                          spurious_vector = 255;

struct Features {
    bool smap = false;
    bool xsave = false;
    std::uint64_t xcr0 = 0;
    std::uint32_t vector_bytes = 512; // of one thread's vector state
    std::uint32_t hwcap = 0;          // CPUID.1:EDX, AT_HWCAP
    bool tsc_aux = false;             // RDTSCP tells a program its CPU
};
[[nodiscard]] const Features& features();

// Before the kernel's own tables are in force: blanks STAC/CLAC where the CPU lacks SMAP.
void detect_features();
void tell_programs_their_cpu();       // where there are several: an exit that one alone need not pay
void use_features(std::uint64_t cr4); // of every further CPU, which has what the first has
struct Cpu;
// Segments, traps and system calls of the CPU that calls; `cpu` is its block from here on.
void set_up_cpu(Cpu& cpu, std::uint32_t number);
// From here on an interrupt with this vector is taken as a lane's.
void take_as_lane(unsigned vector);

void set_kernel_stack(std::uint64_t top);
// FS and GS of the program that runs next.
void load_user_bases(std::uint64_t fs_base, std::uint64_t gs_base);
void save_vectors(std::byte* area);
// False: the area is not sound, and the state is what a program starts with.
bool restore_vectors(const std::byte* area);
// The state a program starts with.
[[nodiscard]] const std::byte* initial_vectors();

} // namespace uk::machine
