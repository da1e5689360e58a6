// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/deliver.cpp - acting on a signal: default actions, handler frames, the way
// back.
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/frame_layout.hpp"
#include "partitions/unikernel/signal/signals.hpp"

#include <cstring>
#include <utility>

namespace uk::signal {

namespace {

constexpr std::uint64_t system_call_bytes = 2; // SYSCALL, run again by going back over it
constexpr std::uint32_t stack_on = 1, stack_disabled = 2, stack_autodisarm = 0x80000000;

enum class Default { terminate, ignore, stop };

Default default_of(int number) {
    switch (number) {
    case child:
    case cont:
    case urg:
    case winch:
        return Default::ignore;
    case stop:
    case tstp:
    case ttin:
    case ttou:
        return Default::stop;
    default:
        return Default::terminate;
    }
}

bool was_interrupted(const TrapFrame& frame) {
    return frame.vector == system_call_vector &&
           frame.rax == std::uint64_t{0} - static_cast<std::uint64_t>(Errno::restart_sys);
}

void restart_call(TrapFrame& frame) {
    frame.rax = frame.error;
    frame.rip -= system_call_bytes;
}

bool on_stack(const AlternateStack& stack, std::uint64_t address) {
    return (stack.flags & stack_disabled) == 0 && address > stack.base && address - stack.base <= stack.bytes;
}

Status write_vectors(std::uint64_t to, Thread& thread) {
    const machine::Features& features = machine::features();
    machine::save_vectors(thread.vector_state);
    VectorMark mark{};
    if (features.xsave) {
        mark.magic = extended_magic;
        mark.extended_bytes = features.vector_bytes + trailing_magic_bytes;
        mark.features = features.xcr0;
        mark.bytes = features.vector_bytes;
    }
    std::memcpy(thread.vector_state + vector_mark_offset, &mark, sizeof(mark));
    CAISSON_TRY(mm::copy_out(mm::UserAddress{to}, thread.vector_state, features.vector_bytes));
    return mm::write_user(mm::UserAddress{to + features.vector_bytes}, trailing_magic);
}

// Puts the frame on the program's stack and sets the registers for the handler.
Status enter_handler(TrapFrame& frame, Thread& thread, const Action& action, const Information& information,
                     Set mask_to_restore) {
    AlternateStack& alternate = thread.alternate_stack;
    const bool switch_stack = (action.flags & action_flag::on_stack) != 0 &&
                              (alternate.flags & stack_disabled) == 0 && !on_stack(alternate, frame.rsp);
    const std::uint64_t top = switch_stack ? alternate.base + alternate.bytes : frame.rsp - red_zone_bytes;
    const FramePlace place = place_frame(top, machine::features().vector_bytes);
    if (place.frame == 0 || (switch_stack && place.frame < alternate.base))
        return base::Failure{Errno::fault};

    SignalFrame out{};
    out.return_address = action.restorer;
    out.context_flags = context_flag::stack_segment | context_flag::strict_stack_segment |
                        (machine::features().xsave ? context_flag::extended_vectors : 0);
    out.stack = {alternate.base, alternate.flags, 0, alternate.bytes};
    if (on_stack(alternate, frame.rsp))
        out.stack.flags |= stack_on;
    out.registers = to_user(frame);
    out.registers.vectors = place.vectors;
    out.registers.old_mask = mask_to_restore;
    if (frame.vector != system_call_vector) {
        out.registers.vector = frame.vector;
        out.registers.error = frame.error;
        out.registers.cr2 = information.address;
    }
    out.mask = mask_to_restore;
    out.information = to_user(information);
    CAISSON_TRY(write_vectors(place.vectors, thread));
    CAISSON_TRY(mm::write_user(mm::UserAddress{place.frame}, out));

    if ((alternate.flags & stack_autodisarm) != 0)
        alternate = {};
    frame.rdi = static_cast<std::uint64_t>(information.number);
    frame.rsi = place.frame + offsetof(SignalFrame, information);
    frame.rdx = place.frame + offsetof(SignalFrame, context_flags);
    frame.rax = 0;
    frame.rip = action.handler;
    frame.rsp = place.frame;
    frame.rflags &= ~(rflags::direction | rflags::trap | rflags::resume);
    frame.cs = user_code_selector;
    frame.ss = user_data_selector;
    return base::success;
}

void run_handler(TrapFrame& frame, Thread& thread, Action& slot, const Information& information) {
    const Action action = slot;
    if (was_interrupted(frame)) {
        if ((action.flags & action_flag::restart) != 0)
            restart_call(frame);
        else
            frame.rax = std::uint64_t{0} - static_cast<std::uint64_t>(Errno::intr);
    }
    const Set mask = thread.restore_blocked ? thread.saved_blocked : thread.blocked;
    if ((action.flags & action_flag::restorer) == 0 ||
        !enter_handler(frame, thread, action, information, mask).ok()) {
        Information fault;
        fault.number = segv;
        fault.code = code::kernel;
        die(frame, fault);
    }
    frame.vector = 0; // the interrupted call is settled
    thread.restore_blocked = false;
    Set blocked = thread.blocked | action.mask;
    if ((action.flags & action_flag::no_defer) == 0)
        blocked |= bit(information.number);
    set_blocked(thread, blocked);
    if ((action.flags & action_flag::reset_hand) != 0)
        slot = {};
}

} // namespace

void act_on_pending(TrapFrame& frame) {
    Thread& thread = current();
    if (thread.ending)
        end_thread();
    const Information information = take(thread, ~thread.blocked);
    if (information.number == 0) {
        if (was_interrupted(frame))
            restart_call(frame);
        frame.vector = 0;
        if (std::exchange(thread.restore_blocked, false))
            thread.blocked = thread.saved_blocked;
        return;
    }
    Action& action = thread.process->actions[static_cast<unsigned>(information.number - 1)];
    if (action.handler == handler_ignore)
        return;
    if (action.handler != handler_default) {
        run_handler(frame, thread, action, information);
        return;
    }
    switch (default_of(information.number)) {
    case Default::ignore:
        return;
    case Default::stop: // nobody could continue the only process
        return;
    case Default::terminate:
        die(frame, information);
    }
}

bool restore_from_frame(TrapFrame& frame) {
    Thread& thread = current();
    const std::uint64_t at = frame.rsp - sizeof(std::uint64_t);
    const auto saved = mm::read_user<SignalFrame>(mm::UserAddress{at});
    if (!saved.ok())
        return false;
    const machine::Features& features = machine::features();
    if (saved->registers.vectors == 0) {
        machine::restore_vectors(machine::initial_vectors());
    } else {
        const mm::UserAddress from{saved->registers.vectors};
        if (!mm::copy_in(thread.vector_state, from, legacy_vector_bytes).ok())
            return false;
        VectorMark mark{};
        std::memcpy(&mark, thread.vector_state + vector_mark_offset, sizeof(mark));
        const bool extended =
            features.xsave && mark.magic == extended_magic && mark.bytes == features.vector_bytes;
        if (extended && !mm::copy_in(thread.vector_state, from, features.vector_bytes).ok())
            return false;
        sanitize_vectors(thread.vector_state, features.vector_bytes, features.xcr0, extended);
        machine::restore_vectors(thread.vector_state);
    }
    from_user(saved->registers, frame);
    frame.vector = 0;
    set_blocked(thread, saved->mask);
    thread.alternate_stack = {saved->stack.base, saved->stack.bytes,
                              saved->stack.flags & (stack_disabled | stack_autodisarm)};
    return true;
}

} // namespace uk::signal
