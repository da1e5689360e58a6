// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/random.cpp - getrandom(2).
#include "partitions/unikernel/machine/random.hpp"

#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>

namespace uk {

SyscallResult sys_getrandom(const Arguments& arguments) {
    constexpr std::uint32_t non_block = 1, random = 2, insecure = 4;
    const std::uint32_t flags = arguments.word(2);
    if ((flags & ~(non_block | random | insecure)) != 0 ||
        (flags & (random | insecure)) == (random | insecure))
        return base::Failure{Errno::inval};
    constexpr std::uint64_t piece_bytes = 256 * 1024;
    const std::uint64_t wanted = std::min<std::uint64_t>(arguments[1], 33'554'431);
    std::array<std::byte, 1024> buffer;
    machine::RandomStream stream;
    std::uint64_t done = 0;
    while (done < wanted) {
        const auto part = std::min<std::uint64_t>(wanted - done, buffer.size());
        stream.read(std::span{buffer}.first(part));
        const Status copied = mm::copy_out(mm::UserAddress{arguments[0] + done}, buffer.data(), part);
        if (!copied.ok())
            return done > 0 ? SyscallResult{done} : SyscallResult{base::Failure{copied.error()}};
        done += part;
        if (done % piece_bytes == 0)
            sched::preemption_point();
    }
    return done;
}

} // namespace uk
