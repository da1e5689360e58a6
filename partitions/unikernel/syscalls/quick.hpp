// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/quick.hpp - system calls that are answered without the kernel lock: they read a word that one store
// changes, of the calling thread, its process or the clock, and may write it to the program's memory.
//
// The CPU's mode stays `user`: whoever changes page tables interrupts it, and waits until it is out. So it remembers what a program may,
// waits for nobody, and a fault of its own is not resolved: the call is then made again with the lock. Signals and turns that came
// meanwhile are interrupts that wait, which is what they are for a program.
#pragma once

#include "partitions/unikernel/syscalls/syscalls.hpp"

#include <array>

namespace uk {

namespace call {
inline constexpr std::uint64_t getpid = 39, gettimeofday = 96, getuid = 102, getgid = 104, geteuid = 107,
                               getegid = 108, getppid = 110, gettid = 186, time = 201, clock_gettime = 228,
                               getcpu = 309;
}

class QuickCalls {
public:
    constexpr QuickCalls() {
        for (const std::uint64_t number :
             {call::getpid, call::gettimeofday, call::getuid, call::getgid, call::geteuid, call::getegid,
              call::getppid, call::gettid, call::time, call::clock_gettime, call::getcpu})
            words_[number / 64] |= std::uint64_t{1} << number % 64;
    }
    [[nodiscard]] constexpr bool has(std::uint64_t number) const {
        return number < words_.size() * 64 && (words_[number / 64] >> number % 64 & 1) != 0;
    }

private:
    std::array<std::uint64_t, 5> words_{};
};
inline constexpr QuickCalls quick_calls;

// A clock of the CPU's time counts what other CPUs change.
[[nodiscard]] inline bool is_quick(std::uint64_t number, const Arguments& arguments) {
    constexpr std::uint32_t process_cpu = 2, thread_cpu = 3, boot = 7;
    const std::uint32_t clock = arguments.word(0);
    return number != call::clock_gettime || (clock <= boot && clock != process_cpu && clock != thread_cpu);
}

} // namespace uk
