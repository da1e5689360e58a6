// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/traps.cpp - exceptions, the timer interrupt and system calls, as the stubs hand
// them over.
//
// Trust: a user frame's registers may hold anything; what the kernel itself does wrong ends the partition.
#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/fail.hpp"
#include "hypervisor/base/text.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/fs/overlay/node.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/machine/local_timer.hpp"
#include "partitions/unikernel/machine/stubs.hpp"
#include "partitions/unikernel/mm/flush.hpp"
#include "partitions/unikernel/process/out_of_memory.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/sched/timer.hpp"
#include "partitions/unikernel/signal/frame_layout.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/syscalls/quick.hpp"
#include "partitions/unikernel/syscalls/seccomp.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <cstring>

namespace uk {

namespace {

namespace vector {
constexpr std::uint64_t divide = 0, debug = 1, nmi = 2, breakpoint = 3, invalid_opcode = 6, double_fault = 8,
                        stack = 12, protection = 13, page_fault = 14, x87 = 16, alignment = 17,
                        machine_check = 18, simd = 19;
} // namespace vector
namespace page_error {
constexpr std::uint64_t present = 1, write = 2, fetch = 16;
} // namespace page_error

mm::Access access_of(std::uint64_t error) {
    if ((error & page_error::fetch) != 0)
        return mm::Access::execute;
    return (error & page_error::write) != 0 ? mm::Access::write : mm::Access::read;
}

void user_page_fault(const TrapFrame& frame, std::uint64_t address) {
    signal::Information information;
    information.address = address;
    switch (current_process().space->handle_fault(address, access_of(frame.error))) {
    case mm::Fault::resolved:
        return;
    case mm::Fault::out_of_memory:
        process::relieve_memory();
        return;
    case mm::Fault::unmapped:
        information.number = signal::segv;
        information.code = signal::code::segv_unmapped;
        break;
    case mm::Fault::denied:
        information.number = signal::segv;
        information.code = signal::code::segv_access;
        break;
    case mm::Fault::past_end:
        information.number = signal::bus;
        information.code = signal::code::bus_address;
        break;
    }
    // For an address that is the kernel's it does not say that nothing is mapped there.
    const std::uint64_t error = address >= mm::user_end ? frame.error | page_error::present : frame.error;
    current().last_fault = {vector::page_fault, error, address};
    signal::force_fault(information);
}

// From the exception flags in the thread's own vector state (FXSAVE area: FCW, FSW, MXCSR).
int float_code(std::uint64_t number) {
    std::byte* area = current().vector_state;
    machine::save_vectors(area);
    std::uint16_t control = 0, status = 0;
    std::uint32_t mxcsr = 0;
    std::memcpy(&control, area, sizeof(control));
    std::memcpy(&status, area + 2, sizeof(status));
    std::memcpy(&mxcsr, area + 24, sizeof(mxcsr));
    return signal::float_code(number == vector::simd ? signal::sse_raised(mxcsr)
                                                     : signal::x87_raised(control, status));
}

signal::Information exception_signal(const TrapFrame& frame) {
    signal::Information information;
    information.address = frame.rip;
    switch (frame.vector) {
    case vector::divide:
        information.number = signal::fpe;
        information.code = signal::code::fpe_divide;
        break;
    case vector::x87:
    case vector::simd:
        information.number = signal::fpe;
        information.code = float_code(frame.vector);
        break;
    case vector::debug:
        information.number = signal::trap;
        information.code = signal::code::trap_trace;
        break;
    case vector::breakpoint:
        information.number = signal::trap;
        information.code = signal::code::kernel;
        information.address = 0;
        break;
    case vector::invalid_opcode:
        information.number = signal::ill;
        information.code = signal::code::ill_opcode;
        break;
    case vector::alignment:
        information.number = signal::bus;
        information.code = signal::code::bus_alignment;
        information.address = 0;
        break;
    case vector::stack:
        information.number = signal::bus;
        information.code = signal::code::kernel;
        information.address = 0;
        break;
    default: // general protection and the rest
        information.number = signal::segv;
        information.code = signal::code::kernel;
        information.address = 0;
        break;
    }
    return information;
}

// Everything that is to happen before the program runs on; acting on one thing may bring up another.
void go_back(TrapFrame& frame) {
    while (fs::leaving_nodes != nullptr) {
        (void)fs::free_a_piece();
        sched::preemption_point();
    }
    for (;;) {
        sched::preempt_if_due();
        if (!signal::has_to_act(frame))
            break;
        signal::act_on_pending(frame);
    }
    mm::leave_kernel();
}

// Without the kernel lock (quick.hpp). False: it is to be made with it. Another CPU may put a filter before the thread's own
// (SECCOMP_FILTER_FLAG_TSYNC): that is one store, and the chain that it was keeps what was there.
[[gnu::noinline]] bool answer_quickly(TrapFrame& frame, std::uint64_t number, const Arguments& arguments) {
    const policy::Chain* filters = current().filters.get();
    if ((filters != nullptr && !filters->allows(number)) || !is_quick(number, arguments))
        return false;
    const SyscallResult result = dispatch(number, arguments);
    if (result.ok())
        frame.rax = *result;
    return result.ok();
}

// Where a fault in a routine that uses a program's values goes on; 0: it was not in one.
std::uint64_t fix_up(std::uint64_t rip) {
    struct Range {
        const char *start, *end, *target;
    };
    const Range ranges[] = {
        {user_copy_words, user_copy_bytes, user_copy_words_failed},
        {user_copy_bytes, user_copy_bytes_failed, user_copy_bytes_failed},
        {user_clear_bytes, user_clear_bytes_failed, user_clear_bytes_failed},
        {user_string_load, user_string_load_end, user_string_failed},
        {user_exchange_access, user_exchange_access_end, user_exchange_failed},
        {vector_xrstor, vector_xrstor_end, vector_restore_failed},
        {vector_fxrstor, vector_fxrstor_end, vector_restore_failed},
    };
    for (const Range& range : ranges)
        if (rip >= reinterpret_cast<std::uint64_t>(range.start) &&
            rip < reinterpret_cast<std::uint64_t>(range.end))
            return reinterpret_cast<std::uint64_t>(range.target);
    return 0;
}

[[noreturn]] void kernel_fault(const TrapFrame& frame) {
    base::Text<300> text;
    text << "kernel exception " << frame.vector << " error " << base::hex(frame.error) << " rip "
         << base::hex(frame.rip) << " rsp " << base::hex(frame.rsp) << " cr2 " << base::hex(cpu::read_cr<2>())
         << " rbp " << base::hex(frame.rbp);
    log(text.view());
    base::fail("exception in the kernel", "", 0);
}

} // namespace

extern "C" void handle_user_trap(TrapFrame* frame) {
    if (frame->vector == machine::flush_vector) { // its sender has the lock
        mm::answer_flush();
        return machine::end_interrupt();
    }
    mm::enter_kernel();
    switch (frame->vector) {
    case machine::kick_vector:
        sched::acknowledge_kick();
        break;
    case machine::timer_vector:
        sched::acknowledge_timer();
        sched::act_on_interrupts();
        break;
    case machine::lane_vector:
        sched::acknowledge_lanes();
        sched::act_on_interrupts();
        break;
    case vector::double_fault:
    case vector::machine_check:
        kernel_fault(*frame);
    case machine::spurious_vector:
        break;
    case vector::page_fault:
        user_page_fault(*frame, cpu::read_cr<2>());
        break;
    default:
        current().last_fault.vector = frame->vector;
        current().last_fault.error = frame->error;
        signal::force_fault(exception_signal(*frame));
        break;
    }
    go_back(*frame);
}

// IRETQ found a value in the program's frame that no program can run with: as if its next instruction faulted.
// `fault` lies below the frame on the same stack, and holds the registers that were already the program's.
extern "C" TrapFrame* handle_bad_return(TrapFrame* fault) {
    mm::enter_kernel();
    TrapFrame& frame = current().frame();
    const std::uint64_t vector = fault->vector, error = fault->error;
    std::memmove(&frame, fault, offsetof(TrapFrame, vector)); // they may overlap
    frame.vector = vector;
    frame.error = error;
    current().last_fault.vector = vector;
    current().last_fault.error = error;
    signal::Information information;
    information.number = signal::segv;
    information.code = signal::code::kernel;
    signal::force_fault(information);
    go_back(frame);
    return &frame;
}

// An interrupt comes only where the kernel stands still (mm::let_others_in): who stood still acts on it.
extern "C" void handle_kernel_trap(TrapFrame* frame) {
    switch (frame->vector) {
    case machine::timer_vector:
        return sched::acknowledge_timer();
    case machine::lane_vector:
        return sched::acknowledge_lanes();
    case machine::kick_vector:
        return sched::acknowledge_kick();
    case machine::flush_vector:
        mm::answer_flush();
        return machine::end_interrupt();
    case machine::spurious_vector:
        return;
    default:
        break;
    }
    if (frame->vector != vector::page_fault && frame->vector != vector::protection)
        kernel_fault(*frame);
    const std::uint64_t target = fix_up(frame->rip);
    if (target == 0)
        kernel_fault(*frame);
    if (frame->vector == vector::page_fault && machine::this_cpu().mode == machine::Mode::kernel) {
        const std::uint64_t address = cpu::read_cr<2>();
        const mm::Fault fault = current_process().space->handle_fault(address, access_of(frame->error));
        if (fault == mm::Fault::resolved)
            return;
        if (fault == mm::Fault::out_of_memory)
            process::choose_victim();
    }
    frame->rip = target;
}

// At any instruction of the kernel, with the lock or without it.
extern "C" void handle_paranoid_trap(TrapFrame* frame) {
    switch (frame->vector) {
    case vector::nmi: // nothing sends one
        return;
    case vector::debug: // a program's, put off by its MOV SS until behind SYSCALL
        frame->rflags &= ~rflags::trap;
        return;
    default:
        kernel_fault(*frame);
    }
}

// Every call pays for what stands here. Without the stack's guard: nothing is written to its one array but six registers.
extern "C" __attribute__((no_stack_protector)) void handle_system_call(TrapFrame* frame) {
    const Arguments arguments{{frame->rdi, frame->rsi, frame->rdx, frame->r10, frame->r8, frame->r9}};
    const std::uint64_t number = frame->error;
    if (quick_calls.has(number) && answer_quickly(*frame, number, arguments))
        return;
    mm::enter_kernel();
    const policy::Chain* filters = current().filters.get();
    const SyscallResult result = filters == nullptr || filters->allows(number)
                                     ? dispatch(number, arguments)
                                     : seccomp::decide(*frame, number, arguments);
    frame->rax = result.ok() ? *result : std::uint64_t{0} - static_cast<std::uint64_t>(result.error());
    go_back(*frame);
}

extern "C" void handle_thread_begin(TrapFrame* frame) {
    sched::after_switch();
    go_back(*frame);
}

} // namespace uk
