// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/wait.cpp - wait4(2) and waitid(2).
#include "partitions/unikernel/process/wait.hpp"
#include "partitions/unikernel/process/pidfd.hpp"
#include "partitions/unikernel/signal/frame_layout.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/syscalls/usage.hpp"

namespace uk {

namespace {

namespace option = process::wait_option;
constexpr std::uint32_t kinds_of_child = option::no_thread | option::all | option::clone;

Usage usage_of(const process::WaitResult& result) {
    return make_usage(result.cpu_ns, result.resident_max);
}

} // namespace

SyscallResult sys_wait4(const Arguments& arguments) {
    constexpr std::uint32_t known = option::no_hang | option::stopped | option::continued | kinds_of_child;
    const int whom = arguments.integer(0);
    if ((arguments.word(2) & ~known) != 0)
        return base::Failure{Errno::inval};
    if (whom == -0x7FFFFFFF - 1) // its group would be no number
        return base::Failure{Errno::srch};
    process::WaitRequest request;
    request.options = arguments.word(2) | option::exited;
    if (whom > 0) {
        request.whom = process::WaitRequest::Whom::one;
        request.id = whom;
    } else if (whom != -1) {
        request.whom = process::WaitRequest::Whom::group;
        request.id = whom == 0 ? current_process().group->id : -whom;
    }
    const process::WaitResult result = CAISSON_TRY(process::wait(request));
    if (result.id == 0)
        return 0;
    if (arguments[1] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(1), static_cast<std::int32_t>(result.status)));
    if (arguments[3] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(3), usage_of(result)));
    return static_cast<std::uint64_t>(result.id);
}

namespace {

// The request of waitid's first two arguments.
Result<process::WaitRequest> request_for(const Arguments& arguments) {
    constexpr std::uint32_t all = 0, process = 1, group = 2, descriptor = 3;
    using process::WaitRequest;
    WaitRequest request;
    request.options = arguments.word(3);
    request.id = arguments.integer(1);
    switch (arguments.word(0)) {
    case all:
        return request;
    case process:
        request.whom = WaitRequest::Whom::one;
        return request.id > 0 ? Result<WaitRequest>{request} : base::Failure{Errno::inval};
    case group:
        request.whom = WaitRequest::Whom::group;
        if (request.id == 0)
            request.id = current_process().group->id;
        return request.id > 0 ? Result<WaitRequest>{request} : base::Failure{Errno::inval};
    case descriptor: {
        if (request.id < 0)
            return base::Failure{Errno::inval};
        const auto file = CAISSON_TRY(current_process().files->get(request.id));
        request.whom = WaitRequest::Whom::one;
        request.id = CAISSON_TRY(process::pid_of(*file))->id;
        request.non_blocking_descriptor = file->non_blocking();
        return request;
    }
    default:
        return base::Failure{Errno::inval};
    }
}

// For waitid the status is what its code is about: an exit code or a signal.
std::int32_t plain_status(const process::WaitResult& result) {
    switch (result.code) {
    case signal::code::child_exited:
    case signal::code::child_stopped:
        return result.status >> 8 & 0xFF;
    case signal::code::child_continued:
        return signal::cont;
    default:
        return result.status & 0x7F;
    }
}

} // namespace

SyscallResult sys_waitid(const Arguments& arguments) {
    constexpr std::uint32_t events = option::exited | option::stopped | option::continued;
    if ((arguments.word(3) & ~(option::no_hang | option::no_wait | events | kinds_of_child)) != 0 ||
        (arguments.word(3) & events) == 0)
        return base::Failure{Errno::inval};
    const process::WaitRequest request = CAISSON_TRY(request_for(arguments));
    const process::WaitResult result = CAISSON_TRY(process::wait(request));
    if (arguments[4] != 0 && result.id != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(4), usage_of(result)));
    if (arguments[2] == 0)
        return 0;
    signal::Information information; // all zero where there is nothing to tell yet
    if (result.id != 0) {
        information.number = signal::child;
        information.code = result.code;
        information.process = result.id;
        information.user = result.user;
        information.value = static_cast<std::uint32_t>(plain_status(result));
    }
    // As on Linux only these fields are written.
    const signal::UserInformation user = signal::to_user(information);
    CAISSON_TRY(mm::copy_out(arguments.pointer(2), &user, offsetof(signal::UserInformation, sender) + 12));
    return 0;
}

} // namespace uk
