// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/exec/vdso/clock.cpp - clock_gettime, gettimeofday, time and getcpu for programs, in
// user mode.
//
// Runs in the program with the program's rights; reads the data page before the object. What it does not know
// itself it asks the kernel.
// Spec: Linux user ABI vdso(7): symbol names and version LINUX_2.6.
#include "partitions/unikernel/exec/vdso/data.hpp"
#include "partitions/unikernel/machine/scale.hpp"

#include <cstdint>

extern "C" {

// Placed by vdso.ld: one page before the object.
extern const uk::vdso::Data vdso_data __attribute__((visibility("hidden")));

struct TimeSpec {
    std::int64_t seconds, nanoseconds;
};
struct TimeMicro {
    std::int64_t seconds, microseconds;
};
}

namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr long clock_gettime_number = 228, getcpu_number = 309;

std::uint64_t monotonic_ns() {
    std::uint32_t low = 0, high = 0;
    // SAFETY: reads the counter, after the loads before it.
    asm volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
    const std::uint64_t tsc = std::uint64_t{high} << 32 | low;
    return uk::scale_ticks(tsc - vdso_data.start_tsc, vdso_data.multiplier);
}

std::uint64_t realtime_ns() {
    return vdso_data.realtime_at_start + monotonic_ns();
}

int call(long number, long first, void* second) {
    // SAFETY: the system call clobbers RCX, R11 and what it writes.
    asm volatile("syscall" : "+a"(number) : "D"(first), "S"(second), "d"(0) : "rcx", "r11", "memory");
    return static_cast<int>(number);
}

} // namespace

extern "C" {

int __vdso_clock_gettime(int clock, TimeSpec* to) {
    constexpr unsigned of_the_day = 1u << 0 | 1u << 5 | 1u << 11; // REALTIME, REALTIME_COARSE, TAI
    constexpr unsigned since_start =
        1u << 1 | 1u << 4 | 1u << 6 | 1u << 7; // MONOTONIC, RAW, COARSE, BOOTTIME
    if (clock < 0 || clock > 11 || ((of_the_day | since_start) >> clock & 1) == 0)
        return call(clock_gettime_number, clock, to);
    const std::uint64_t ns = (of_the_day >> clock & 1) != 0 ? realtime_ns() : monotonic_ns();
    to->seconds = static_cast<std::int64_t>(ns / second_ns);
    to->nanoseconds = static_cast<std::int64_t>(ns % second_ns);
    return 0;
}

int __vdso_gettimeofday(TimeMicro* to, std::uint64_t* zone) {
    if (to != nullptr) {
        const std::uint64_t ns = realtime_ns();
        to->seconds = static_cast<std::int64_t>(ns / second_ns);
        to->microseconds = static_cast<std::int64_t>(ns % second_ns / 1000);
    }
    if (zone != nullptr)
        *zone = 0;
    return 0;
}

std::int64_t __vdso_time(std::int64_t* to) {
    const auto seconds = static_cast<std::int64_t>(realtime_ns() / second_ns);
    if (to != nullptr)
        *to = seconds;
    return seconds;
}

int __vdso_getcpu(unsigned* cpu, unsigned* node, void*) {
    unsigned number = 0;
    if (vdso_data.several_cpus != 0) {
        if (vdso_data.tsc_aux == 0)
            return call(getcpu_number, reinterpret_cast<long>(cpu), node);
        // SAFETY: reads TSC_AUX, which holds the CPU's number.
        asm volatile("rdtscp" : "=c"(number) : : "rax", "rdx");
    }
    if (cpu != nullptr)
        *cpu = number;
    if (node != nullptr)
        *node = 0;
    return 0;
}
}
