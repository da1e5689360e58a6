// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/usage.hpp - struct rusage, of getrusage(2) and wait4(2).
#pragma once

#include "partitions/unikernel/syscalls/time_values.hpp"

#include <array>
#include <cstdint>

namespace uk {

struct Usage {
    TimeMicro user, system;
    std::int64_t resident_max_kib;
    std::array<std::int64_t, 13> rest;
};

// User and system time are one figure here.
inline Usage make_usage(std::uint64_t cpu_ns, std::uint64_t resident_max_pages) {
    Usage usage{};
    usage.user = to_timeval(cpu_ns);
    usage.resident_max_kib = static_cast<std::int64_t>(resident_max_pages * 4);
    return usage;
}

} // namespace uk
