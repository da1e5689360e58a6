// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/deliver.cpp - acting on a signal: default actions, handler frames, the way
// back.
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/alternate_stack.hpp"
#include "partitions/unikernel/signal/frame_layout.hpp"
#include "partitions/unikernel/signal/restartable.hpp"
#include "partitions/unikernel/signal/rules.hpp"
#include "partitions/unikernel/signal/signals.hpp"

#include <cstring>

namespace uk::signal {

namespace {

constexpr std::uint64_t protection_vector = 13; // #GP

VectorArea vector_area() {
    const machine::Features& features = machine::features();
    return {static_cast<std::uint32_t>(features.vector_bytes), features.xcr0, features.xsave};
}

Status write_vectors(std::uint64_t to, Thread& thread, const VectorArea& area) {
    machine::save_vectors(thread.vector_state);
    const VectorMark mark = mark_of(area);
    std::memcpy(thread.vector_state + vector_mark_offset, &mark, sizeof(mark));
    CAISSON_TRY(mm::copy_out(mm::UserAddress{to}, thread.vector_state, area.bytes));
    return mm::write_user(mm::UserAddress{to + area.bytes}, trailing_magic);
}

// Puts the frame on the program's stack and sets the registers for the handler.
Status enter_handler(TrapFrame& frame, Thread& thread, const Step& step, Set mask) {
    const VectorArea area = vector_area();
    const HandlerEntry entry = CAISSON_TRY(prepare_handler(frame, thread.alternate_stack, thread.last_fault,
                                                           step.action, step.information, mask, area));
    CAISSON_TRY(write_vectors(entry.place.vectors, thread, area));
    CAISSON_TRY(mm::write_user(mm::UserAddress{entry.place.frame}, entry.frame));
    begin_handler(frame, entry, step.action);
    if ((thread.alternate_stack.flags & stack_flag::autodisarm) != 0)
        thread.alternate_stack = {};
    return base::success;
}

Information stack_fault() {
    Information fault;
    fault.number = segv;
    fault.code = code::kernel;
    return fault;
}

void run_handler(TrapFrame& frame, Thread& thread, const Step& step) {
    settle_for_handler(frame, thread, step.action.flags);
    if (thread.restartable != 0)
        settle_restartable(thread, frame);
    const Set mask = take_mask_to_restore(thread);
    if (enter_handler(frame, thread, step, mask).ok()) {
        thread.blocked = mask_of_handler(thread, step.action, step.information.number);
        return;
    }
    // There is no room for its frame: SIGSEGV, which may have another stack; for SIGSEGV itself the end.
    thread.blocked = mask;
    if (step.information.number == segv)
        die(frame, stack_fault());
    force_fault(stack_fault());
}

} // namespace

bool has_to_act(const TrapFrame& frame) {
    const Thread& thread = current();
    const bool failed = static_cast<std::int64_t>(frame.rax) < 0; // as an interrupted call has
    return must_look(thread) || (thread.restore_blocked | thread.restart_due) != 0 ||
           (failed && was_interrupted(frame)) || !can_return_to(frame.rip);
}

void act_on_pending(TrapFrame& frame) {
    Thread& thread = current();
    if (thread.ending)
        end_thread();
    if (thread.restart_due)
        return settle_restartable(thread, frame);
    if (thread.process->stop_signal != 0) {
        park();
        return;
    }
    if (!can_return_to(frame.rip)) {
        // The CPU would raise #GP in the kernel, on the way out.
        thread.last_fault.vector = protection_vector;
        thread.last_fault.error = 0;
        force_fault(stack_fault());
    }
    const Step step = next_step(thread, *thread.process);
    switch (step.act) {
    case Act::nothing:
        settle_without_handler(frame);
        thread.blocked = take_mask_to_restore(thread);
        return;
    case Act::next:
        return;
    case Act::handler:
        run_handler(frame, thread, step);
        return;
    case Act::hold:
        // Nobody could continue a group whose parents are all gone: it stops for SIGSTOP alone.
        if (step.information.number == stop || !is_orphaned(*thread.process->group))
            stop_process(*thread.process, step.information.number);
        return;
    case Act::terminate:
        die(frame, step.information);
    }
}

bool restore_from_frame(TrapFrame& frame) {
    Thread& thread = current();
    const std::uint64_t at = frame.rsp - sizeof(std::uint64_t);
    const auto saved = mm::read_user<SignalFrame>(mm::UserAddress{at});
    if (!saved.ok())
        return false;
    const VectorArea area = vector_area();
    if (saved->registers.vectors == 0) {
        (void)machine::restore_vectors(machine::initial_vectors());
    } else {
        const mm::UserAddress from{saved->registers.vectors};
        if (!mm::copy_in(thread.vector_state, from, legacy_vector_bytes).ok())
            return false;
        VectorMark mark{};
        std::memcpy(&mark, thread.vector_state + vector_mark_offset, sizeof(mark));
        const bool whole = is_whole(mark, area);
        if (whole && !mm::copy_in(thread.vector_state, from, area.bytes).ok())
            return false;
        sanitize_vectors(thread.vector_state, area.bytes, area.features, whole);
        if (!machine::restore_vectors(thread.vector_state))
            return false;
    }
    from_user(saved->registers, frame);
    frame.vector = 0;
    set_blocked(thread, saved->mask);
    thread.restart.function = nullptr; // what it interrupted was settled
    (void)change_alternate(thread.alternate_stack, saved->stack,
                           frame.rsp); // as on Linux, what is refused stays
    return true;
}

} // namespace uk::signal
