// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/execute.cpp - execve(2).
#include "partitions/unikernel/exec/exec.hpp"
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/process/exit.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/process.hpp"

namespace uk {

namespace {

constexpr std::size_t string_max = 128 * 1024;

struct StringBuffer {
    char* data = static_cast<char*>(mm::allocate(fs::path_max));
    std::size_t size = fs::path_max;
    StringBuffer() = default;
    StringBuffer(const StringBuffer&) = delete;
    StringBuffer& operator=(const StringBuffer&) = delete;
    ~StringBuffer() { mm::free(data); }
    // The string at `from`; the buffer grows when it must.
    [[nodiscard]] Result<std::string_view> read(mm::UserAddress from) {
        if (data == nullptr)
            return base::Failure{Errno::nomem};
        auto length = mm::copy_string({data, size}, from);
        if (!length.ok() && length.error() == Errno::nametoolong && size < string_max) {
            mm::free(data);
            size = string_max;
            data = static_cast<char*>(mm::allocate(size));
            if (data == nullptr)
                return base::Failure{Errno::nomem};
            return read(from);
        }
        if (!length.ok())
            return base::Failure{length.error() == Errno::nametoolong ? Errno::too_big : length.error()};
        return std::string_view{data, *length};
    }
};

using Add = Status (exec::ProgramStrings::*)(std::string_view);

Status gather(exec::ProgramStrings& strings, mm::UserAddress array, Add add, StringBuffer& buffer) {
    if (array.value() == 0)
        return base::success;
    for (std::uint64_t i = 0;; ++i) {
        const auto pointer =
            CAISSON_TRY(mm::read_user<std::uint64_t>(mm::UserAddress{array.value() + i * 8}));
        if (pointer == 0)
            return base::success;
        const auto text = CAISSON_TRY(buffer.read(mm::UserAddress{pointer}));
        CAISSON_TRY((strings.*add)(text));
    }
}

// A new program has one thread: the others end, and only then the old memory goes. again: another thread was
// first, and ends this one.
Status end_other_threads() {
    Thread& self = current();
    Process& process = *self.process;
    if (self.ending)
        return base::Failure{Errno::again};
    for (Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process)
        if (thread != &self) {
            thread->ending = true;
            sched::interrupt_sleep(*thread);
        }
    while (process.thread_count > 1)
        sched::yield();
    self.id = process.id;
    return base::success;
}

} // namespace

SyscallResult sys_execve(const Arguments& arguments) {
    Process& process = current_process();
    exec::ProgramStrings strings;
    StringBuffer buffer;
    CAISSON_TRY(gather(strings, arguments.pointer(1), &exec::ProgramStrings::add_argument, buffer));
    CAISSON_TRY(gather(strings, arguments.pointer(2), &exec::ProgramStrings::add_environment, buffer));
    if (strings.argument_count() == 0)
        CAISSON_TRY(strings.replace_first(std::array{std::string_view{}})); // as Linux: argv[0] is ""
    const auto path = CAISSON_TRY(buffer.read(arguments.pointer(0)));
    if (path.size() >= fs::path_max)
        return base::Failure{Errno::nametoolong};
    auto file = CAISSON_TRY(fs::find_executable(process.context, *process.context.working, path));
    CAISSON_TRY(exec::execute(process, current(), std::move(file), path, strings, &end_other_threads));
    sched::load_user_bases(current());
    machine::restore_vectors(current().vector_state);
    return 0;
}

} // namespace uk
