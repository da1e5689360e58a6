// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/seccomp.cpp - seccomp(2), and what a filtered call comes to.
#include "partitions/unikernel/syscalls/seccomp.hpp"

#include "hypervisor/base/fail.hpp"
#include "hypervisor/base/text.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/policy/recorder.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/syscalls/waiting.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <cstring>

namespace uk {

using policy::Instruction;
namespace action = policy::action;

namespace seccomp {

namespace {

constexpr int bad_system_call = 31; // SIGSYS

void note(std::string_view verb, std::uint64_t number, const Arguments& arguments) {
    base::Text<256> text;
    text << "seccomp=" << verb << ':' << number << ':' << syscall_name(number)
         << " pid=" << static_cast<std::uint64_t>(current_process().id)
         << " comm=" << std::string_view{current().name.data()} << " args=";
    for (const std::uint64_t value : arguments.values)
        text << base::hex(value) << ',';
    audit_denial(text.view());
}

void trap(std::uint64_t number, std::uint32_t data, const TrapFrame& frame) {
    constexpr int by_seccomp = 1; // SYS_SECCOMP
    signal::Information information{};
    information.number = bad_system_call;
    information.code = by_seccomp;
    information.error = static_cast<std::int32_t>(data);
    information.address = frame.rip;
    information.value = number | std::uint64_t{policy::architecture_x86_64} << 32;
    signal::force_fault(information);
}

} // namespace

SyscallResult decide(TrapFrame& frame, std::uint64_t number, const Arguments& arguments) {
    policy::CallData data{static_cast<std::uint32_t>(number), policy::architecture_x86_64, frame.rip,
                          arguments.values};
    const auto [verdict, by] = policy::verdict(*current().filters, data);
    const std::uint32_t value = verdict & action::data_mask;
    constexpr std::uint32_t most_error = 4095;
    switch (verdict & action::mask) {
    case action::allow:
        return dispatch(number, arguments);
    case action::log:
        if (by->records)
            policy::record_call(number);
        else
            note("log", number, arguments);
        return dispatch(number, arguments);
    case action::error:
        if (value == static_cast<std::uint32_t>(Errno::nosys) && !syscall_is_there(number))
            return dispatch(number, arguments); // which says so: a missing call, no denial
        if (by->logs && value != static_cast<std::uint32_t>(Errno::nosys))
            note("errno", number, arguments);
        if (value == 0)
            return 0ul;
        return base::Failure{static_cast<Errno>(std::min(value, most_error))};
    case action::trap:
        if (by->logs)
            note("trap", number, arguments);
        trap(number, value, frame);
        return number;  // the register is as it was
    case action::trace: // nobody traces, nobody is notified
    case action::notify:
        return base::Failure{Errno::nosys};
    case action::kill_thread:
        note("kill", number, arguments);
        if (by->strict)
            signal::end_process(9);
        if (current_process().thread_count > 1)
            signal::end_thread();
        signal::end_process(bad_system_call);
    default:
        note("kill", number, arguments);
        signal::end_process(bad_system_call);
    }
}

SyscallResult set_strict() {
    Thread& thread = current();
    if (thread.filters)
        return base::Failure{Errno::inval};
    thread.filters = CAISSON_TRY(policy::make_strict());
    return 0ul;
}

SyscallResult mode() {
    const policy::Chain* chain = current().filters.get();
    return chain == nullptr ? 0ul : chain->strict ? 1ul : 2ul;
}

SyscallResult set_filter(std::uint32_t flags, mm::UserAddress address) {
    constexpr std::uint32_t all_threads = 1, logs = 2, speculation = 4, listener = 8, say_esrch = 16;
    if ((flags & ~(all_threads | logs | speculation | say_esrch)) != 0)
        return base::Failure{(flags & listener) != 0 ? Errno::opnotsupp : Errno::inval};
    struct UserProgram { // struct sock_fprog
        std::uint16_t count;
        std::array<std::uint16_t, 3> pad;
        std::uint64_t instructions;
    };
    const auto user = CAISSON_TRY(mm::read_user<UserProgram>(address));
    Process& process = current_process();
    if (user.count == 0 || user.count > policy::most_instructions)
        return base::Failure{Errno::inval};
    if (!process.no_new_privileges && !process.capabilities().can(capability::administer))
        return base::Failure{Errno::acces};
    HeapArray<Instruction> program{user.count};
    if (!program.made())
        return base::Failure{Errno::nomem};
    CAISSON_TRY(
        mm::copy_in(program.view().data(), mm::UserAddress{user.instructions}, program.view().size_bytes()));
    Thread& thread = current();
    if (thread.filters && thread.filters->strict)
        return base::Failure{Errno::inval};
    Ref<policy::Chain> chain = CAISSON_TRY(policy::extend(thread.filters, program.view()));
    chain->logs = (flags & logs) != 0;
    if ((flags & all_threads) != 0) {
        for (Thread* other = process.threads; other != nullptr; other = other->next_in_process)
            if (!policy::contains(thread.filters.get(), other->filters.get())) {
                if ((flags & say_esrch) != 0)
                    return base::Failure{Errno::srch};
                return static_cast<std::uint64_t>(other->id);
            }
        for (Thread* other = process.threads; other != nullptr; other = other->next_in_process)
            other->filters = chain;
    }
    thread.filters = std::move(chain);
    return 0ul;
}

void start_policy(Thread& thread, std::span<const std::byte> program, bool records) {
    HeapArray<Instruction> instructions{program.size() / sizeof(Instruction)};
    if (!instructions.made())
        base::fail("out of memory at start", "", 0);
    std::memcpy(instructions.view().data(), program.data(), instructions.view().size_bytes());
    auto chain = policy::extend({}, instructions.view());
    if (!chain.ok())
        base::fail("the policy of system calls is no program", "", 0);
    (*chain)->logs = true;
    (*chain)->records = records;
    thread.filters = std::move(chain).value();
}

} // namespace seccomp

SyscallResult sys_seccomp(const Arguments& arguments) {
    constexpr std::uint32_t set_strict = 0, set_filter = 1, action_there = 2, listener_sizes = 3;
    const std::uint32_t flags = arguments.word(1);
    switch (arguments.word(0)) {
    case set_strict:
        if (flags != 0 || arguments[2] != 0)
            return base::Failure{Errno::inval};
        return seccomp::set_strict();
    case set_filter:
        return seccomp::set_filter(flags, arguments.pointer(2));
    case action_there: {
        if (flags != 0)
            return base::Failure{Errno::inval};
        switch (CAISSON_TRY(mm::read_user<std::uint32_t>(arguments.pointer(2)))) {
        case action::kill_process:
        case action::kill_thread:
        case action::trap:
        case action::error:
        case action::log:
        case action::allow:
            return 0ul;
        default:
            return base::Failure{Errno::opnotsupp};
        }
    }
    case listener_sizes:
    default:
        return base::Failure{Errno::inval};
    }
}

} // namespace uk
