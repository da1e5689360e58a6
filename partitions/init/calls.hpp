// SPDX-License-Identifier: Apache-2.0
// partitions/init/calls.hpp - Linux x86-64 system calls without a C library.
#pragma once

#include <cstdint>

namespace init {

enum class Call : long {
    read = 0,
    write = 1,
    open = 2,
    close = 3,
    rt_sigprocmask = 14,
    dup2 = 33,
    socket = 41,
    connect = 42,
    clone = 56,
    execve = 59,
    exit = 60,
    wait4 = 61,
    kill = 62,
    setpgid = 109,
    rt_sigtimedwait = 128,
    prctl = 157,
    clock_gettime = 228,
};

inline long call(Call number, long a = 0, long b = 0, long c = 0, long d = 0) {
    long result = 0;
    register long fourth asm("r10") = d;
    register long fifth asm("r8") = 0;
    // SAFETY: a system call changes what the ABI says: rax, rcx, r11, and memory that its arguments name.
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                 : "rcx", "r11", "memory");
    return result;
}

template <typename T> long address(T* pointer) {
    return reinterpret_cast<long>(pointer);
}

[[noreturn]] inline void end(int status) {
    for (;;)
        call(Call::exit, status);
}

struct Time {
    std::int64_t seconds = 0, nanoseconds = 0;
};

// Ends as words that cannot be run end: 126 or 127.
[[noreturn]] void run(char** words, char** environment);

} // namespace init
