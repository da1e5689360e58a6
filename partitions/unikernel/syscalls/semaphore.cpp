// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/semaphore.cpp - System V semaphores: semget, semop, semtimedop, semctl.
//
// An operation is done whole or waits whole. What a process asked to be undone (SEM_UNDO) is kept with the set, a number a
// process and semaphore, and done when the process ends.
#include "partitions/unikernel/mm/heap_array.hpp"
#include "partitions/unikernel/process/ipc.hpp"
#include "partitions/unikernel/sched/wait.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/syscalls/time_values.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>

namespace uk {

namespace {

constexpr int highest_value = 32767;
constexpr std::uint32_t most_semaphores = 32000, most_operations = 500;

struct Semaphore {
    int value = 0, last = 0; // last: the process
    unsigned waits_for_more = 0, waits_for_zero = 0;
};

struct Undo {
    int process;
    std::uint16_t number;
    int change;
    Undo* next;
};

struct Set : ipc::Object {
    explicit Set(std::uint32_t count) : semaphores(count) {}
    mm::HeapArray<Semaphore> semaphores;
    Undo* undo = nullptr;
    std::int64_t operated = 0;
    WaitQueue on_change;
};

struct SetState { // struct semid64_ds
    ipc::Permissions permissions;
    std::int64_t operated, unused1, changed, unused2;
    std::uint64_t count;
    std::array<std::uint64_t, 2> unused3;
};
static_assert(sizeof(SetState) == 104);

struct Operation { // struct sembuf
    std::uint16_t number;
    std::int16_t change;
    std::int16_t flags;
    static constexpr int undo = 0x1000;
    [[nodiscard]] bool undone() const { return (flags & undo) != 0 && change != 0; }
};
static_assert(sizeof(Operation) == 6);

ipc::Table sets;

Result<Set*> find_set(int id) {
    return static_cast<Set*>(CAISSON_TRY(sets.find(id)));
}

// What the process has to be undone; made where it is not there. nullptr: no memory.
Undo* undo_of(Set& set, int process, std::uint16_t number) {
    for (Undo* undo = set.undo; undo != nullptr; undo = undo->next)
        if (undo->process == process && undo->number == number)
            return undo;
    auto* made = mm::make<Undo>(Undo{process, number, 0, set.undo});
    if (made != nullptr)
        set.undo = made;
    return made;
}

// Of `process` and, unless it is `all`, of that semaphore.
void forget_undo(Set& set, int process, int number) {
    constexpr int all = -1;
    for (Undo** link = &set.undo; *link != nullptr;) {
        Undo* undo = *link;
        if ((process != all && undo->process != process) || (number != all && undo->number != number)) {
            link = &undo->next;
            continue;
        }
        *link = undo->next;
        mm::destroy(undo);
    }
}

// Does them all, or none. again: `waits` is the one that has to wait.
Status operate(Set& set, std::span<const Operation> operations, const Operation*& waits) {
    const std::span<Semaphore> semaphores = set.semaphores.view();
    const auto back = [&](std::size_t count) {
        while (count-- > 0)
            semaphores[operations[count].number].value -= operations[count].change;
    };
    const int self = current_process().id;
    for (std::size_t i = 0; i < operations.size(); ++i) {
        const Operation& operation = operations[i];
        Semaphore& semaphore = semaphores[operation.number];
        const int value = semaphore.value + operation.change;
        Errno error{};
        if (operation.change == 0 ? semaphore.value != 0 : value < 0)
            error = Errno::again;
        else if (value > highest_value)
            error = Errno::range;
        else if (operation.undone() && undo_of(set, self, operation.number) == nullptr)
            error = Errno::nomem;
        if (error != Errno{}) {
            back(i);
            waits = &operation;
            return base::Failure{error};
        }
        semaphore.value = value;
    }
    bool changed = false;
    for (const Operation& operation : operations) {
        semaphores[operation.number].last = self;
        if (operation.undone())
            undo_of(set, self, operation.number)->change -= operation.change;
        changed = changed || operation.change != 0;
    }
    set.operated = ipc::now();
    if (changed)
        set.on_change.wake_all();
    return base::success;
}

SyscallResult operate(const Arguments& arguments, Deadline deadline) {
    const std::uint64_t count = arguments.word(2);
    const int id = arguments.integer(0);
    if (count == 0 || id < 0)
        return base::Failure{Errno::inval};
    if (count > most_operations)
        return base::Failure{Errno::too_big};
    mm::HeapArray<Operation> operations{count};
    if (!operations.made())
        return base::Failure{Errno::nomem};
    CAISSON_TRY(mm::copy_in(operations.view().data(), arguments.pointer(1), operations.view().size_bytes()));
    for (bool again = false;; again = true) {
        const auto found = find_set(id);
        if (!found.ok())
            return base::Failure{again ? Errno::idrm : Errno::inval};
        Set& set = **found;
        std::uint32_t wanted = 0400;
        for (const Operation& operation : operations.view()) {
            if (operation.number >= set.semaphores.view().size())
                return base::Failure{Errno::fbig};
            wanted |= operation.change != 0 ? 0200 : 0;
        }
        CAISSON_TRY(set.permit(wanted));
        const Operation* waits = nullptr;
        const Status done = operate(set, operations.view(), waits);
        if (done.ok() || done.error() != Errno::again ||
            (waits->flags & static_cast<int>(ipc::flag::no_wait)) != 0)
            return done.ok() ? SyscallResult{0ul} : base::Failure{done.error()};
        Semaphore& semaphore = set.semaphores.view()[waits->number];
        unsigned& waiters = waits->change == 0 ? semaphore.waits_for_zero : semaphore.waits_for_more;
        ++waiters;
        const Status woken = sched::wait(set.on_change, deadline);
        if (find_set(id).ok())
            --waiters;
        if (!woken.ok())
            return base::Failure{woken.error() == Errno::timedout ? Errno::again : Errno::intr};
    }
}

Result<int> make_set(int key, std::uint32_t count, std::uint32_t flags) {
    if (count == 0)
        return base::Failure{Errno::inval};
    mm::Owned<Set> set{mm::make<Set>(count)};
    if (set == nullptr || !set->semaphores.made())
        return base::Failure{Errno::nomem};
    const int id = CAISSON_TRY(sets.add(*set, key, flags));
    (void)set.release();
    return id;
}

void set_value(Set& set, std::size_t number, int value) {
    forget_undo(set, -1, static_cast<int>(number));
    Semaphore& semaphore = set.semaphores.view()[number];
    semaphore.value = value;
    semaphore.last = current_process().id;
    set.changed = ipc::now();
}

// What is about one semaphore.
SyscallResult control_one(Set& set, std::uint32_t number, int command, int value) {
    constexpr int get_process = 11, get_value = 12, get_more = 14, get_zero = 15, set_one = 16;
    if (command != set_one && command != get_process && command != get_value && command != get_more &&
        command != get_zero)
        return base::Failure{Errno::inval};
    CAISSON_TRY(set.permit(command == set_one ? 0200 : 0400));
    if (number >= set.semaphores.view().size())
        return base::Failure{Errno::inval};
    const Semaphore& semaphore = set.semaphores.view()[number];
    switch (command) {
    case get_process:
        return static_cast<std::uint64_t>(semaphore.last);
    case get_value:
        return static_cast<std::uint64_t>(semaphore.value);
    case get_more:
        return std::uint64_t{semaphore.waits_for_more};
    case get_zero:
        return std::uint64_t{semaphore.waits_for_zero};
    default:
        if (value < 0 || value > highest_value)
            return base::Failure{Errno::range};
        set_value(set, number, value);
        set.on_change.wake_all();
        return 0ul;
    }
}

} // namespace

SyscallResult sys_semget(const Arguments& arguments) {
    const int key = arguments.integer(0);
    const std::uint32_t count = arguments.word(1), flags = arguments.word(2);
    if (count > most_semaphores)
        return base::Failure{Errno::inval};
    auto* found = static_cast<Set*>(CAISSON_TRY(sets.find_key(key, flags)));
    if (found != nullptr && count > found->semaphores.view().size())
        return base::Failure{Errno::inval};
    return static_cast<std::uint64_t>(found != nullptr ? found->id
                                                       : CAISSON_TRY(make_set(key, count, flags)));
}

SyscallResult sys_semop(const Arguments& arguments) {
    return operate(arguments, never);
}

SyscallResult sys_semtimedop(const Arguments& arguments) {
    Deadline deadline = never;
    if (arguments[3] != 0)
        deadline = deadline_after(CAISSON_TRY(read_timespec(arguments.pointer(3))));
    return operate(arguments, deadline);
}

SyscallResult sys_semctl(const Arguments& arguments) {
    constexpr int get_all = 13, set_all = 17;
    Set& set = *CAISSON_TRY(find_set(arguments.integer(0)));
    const int command = arguments.integer(2);
    const std::span<Semaphore> semaphores = set.semaphores.view();
    switch (command) {
    case ipc::command::stat: {
        CAISSON_TRY(set.permit(0400));
        SetState state{};
        state.permissions = set.permissions;
        state.operated = set.operated;
        state.changed = set.changed;
        state.count = semaphores.size();
        CAISSON_TRY(mm::write_user(arguments.pointer(3), state));
        return 0;
    }
    case ipc::command::set: {
        const auto given = CAISSON_TRY(mm::read_user<SetState>(arguments.pointer(3)));
        CAISSON_TRY(set.may_control());
        set.set_permissions(given.permissions);
        return 0;
    }
    case ipc::command::remove:
        CAISSON_TRY(set.may_control());
        sets.remove(set);
        set.on_change.wake_all();
        forget_undo(set, -1, -1);
        mm::destroy(&set);
        return 0;
    case get_all:
    case set_all: {
        CAISSON_TRY(set.permit(command == set_all ? 0200 : 0400));
        mm::HeapArray<std::uint16_t> values{semaphores.size()};
        if (!values.made())
            return base::Failure{Errno::nomem};
        const std::span<std::uint16_t> all = values.view();
        if (command == set_all) {
            CAISSON_TRY(mm::copy_in(all.data(), arguments.pointer(3), all.size_bytes()));
            if (std::any_of(all.begin(), all.end(),
                            [](std::uint16_t value) { return value > highest_value; }))
                return base::Failure{Errno::range};
            for (std::size_t i = 0; i < all.size(); ++i)
                set_value(set, i, all[i]);
            set.on_change.wake_all();
        } else {
            for (std::size_t i = 0; i < all.size(); ++i)
                all[i] = static_cast<std::uint16_t>(semaphores[i].value);
            CAISSON_TRY(mm::copy_out(arguments.pointer(3), all.data(), all.size_bytes()));
        }
        return 0;
    }
    default:
        return control_one(set, arguments.word(1), command, arguments.integer(3));
    }
}

namespace ipc {

void undo_semaphores(int process) {
    for (Object* object = sets.first(); object != nullptr; object = object->next) {
        Set& set = *static_cast<Set*>(object);
        bool changed = false;
        for (const Undo* undo = set.undo; undo != nullptr; undo = undo->next)
            if (undo->process == process) {
                Semaphore& semaphore = set.semaphores.view()[undo->number];
                semaphore.value = std::clamp(semaphore.value + undo->change, 0, highest_value);
                semaphore.last = process;
                changed = true;
            }
        if (!changed)
            continue;
        forget_undo(set, process, -1);
        set.operated = now();
        set.on_change.wake_all();
    }
}

} // namespace ipc

} // namespace uk
