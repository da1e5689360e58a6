// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/wait.cpp - wait4(2) and waitid(2): nobody has a child while a container is one process.
#include "partitions/unikernel/syscalls/syscalls.hpp"

namespace uk {

namespace {

namespace wait_option {
constexpr std::uint32_t no_hang = 1, stopped = 2, exited = 4, continued = 8, no_wait = 0x01000000,
                        no_thread = 0x20000000, all = 0x40000000, clone = 0x80000000;
} // namespace wait_option
constexpr std::uint32_t kinds_of_child = wait_option::no_thread | wait_option::all | wait_option::clone;

} // namespace

SyscallResult sys_wait4(const Arguments& arguments) {
    constexpr std::uint32_t known =
        wait_option::no_hang | wait_option::stopped | wait_option::continued | kinds_of_child;
    if ((arguments.word(2) & ~known) != 0)
        return base::Failure{Errno::inval};
    if (arguments.integer(0) == -0x7FFFFFFF - 1) // its group would be no number
        return base::Failure{Errno::srch};
    return base::Failure{Errno::child};
}

SyscallResult sys_waitid(const Arguments& arguments) {
    constexpr std::uint32_t all = 0, process = 1, group = 2, descriptor = 3;
    constexpr std::uint32_t events = wait_option::exited | wait_option::stopped | wait_option::continued;
    const std::uint32_t options = arguments.word(3);
    if ((options & ~(wait_option::no_hang | wait_option::no_wait | events | kinds_of_child)) != 0 ||
        (options & events) == 0)
        return base::Failure{Errno::inval};
    switch (arguments.word(0)) {
    case all:
        break;
    case process:
        if (arguments.integer(1) <= 0)
            return base::Failure{Errno::inval};
        break;
    case group:
        if (arguments.integer(1) < 0)
            return base::Failure{Errno::inval};
        break;
    case descriptor: // there are no descriptors of processes
        return base::Failure{Errno::badf};
    default:
        return base::Failure{Errno::inval};
    }
    return base::Failure{Errno::child};
}

} // namespace uk
