// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/execute.cpp - execve(2), execveat(2).
#include "partitions/unikernel/exec/exec.hpp"
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/process/exit.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/sched/wait.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

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

// What is shared with other processes stays theirs: the new program has its own.
Status stop_sharing(Process& process) {
    if (process.files->references > 1) {
        Ref<fs::FileTable> own{mm::make<fs::FileTable>()};
        if (!own)
            return base::Failure{Errno::nomem};
        CAISSON_TRY(own->copy_from(*process.files));
        process.files = std::move(own);
    }
    if (process.actions->references > 1) {
        Ref<signal::ActionTable> own{mm::make<signal::ActionTable>()};
        if (!own)
            return base::Failure{Errno::nomem};
        own->actions = process.actions->actions;
        process.actions = std::move(own);
    }
    return base::success;
}

// A new program has one thread: the others end, and only then the old memory goes. again: another thread was
// first, and ends this one.
Status end_other_threads() {
    Thread& self = current();
    Process& process = *self.process;
    if (self.ending)
        return base::Failure{Errno::again};
    CAISSON_TRY(stop_sharing(process));
    for (Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process)
        if (thread != &self) {
            thread->ending = true;
            sched::interrupt_sleep(*thread);
        }
    while (process.thread_count > 1) {
        sched::ThreadWaiter waiter;
        process.on_thread_end.add(waiter);
        self.deaf = true;
        (void)sched::sleep(never);
        self.deaf = false;
        if (self.ending)
            return base::Failure{Errno::again};
    }
    // It is the first thread now, whichever it was.
    if (self.pid != process.pid) {
        self.pid->thread = nullptr;
        self.pid = process.pid;
        self.pid->thread = &self;
        self.id = process.id;
    }
    process.exit_signal = signal::child;
    process.executed = true;
    return base::success;
}

// The program that an execve or execveat names, and the path that stands for it.
struct Named {
    Ref<fs::Node> file;
    std::string_view path;
    fs::TextSink made; // "/dev/fd/N/rest"
};

Status find_program(Named& named, int directory, std::string_view path, std::uint32_t flags) {
    fs::Context& context = current_process().context;
    const Ref<fs::Node> start = CAISSON_TRY(files::start_of(directory, path));
    named.file = CAISSON_TRY(fs::find(context, *start, path, flags));
    CAISSON_TRY(fs::may_execute(context, *named.file));
    named.path = path;
    if (directory == fs::at::working_directory || path.starts_with('/'))
        return base::success;
    named.made << exec::descriptor_path << static_cast<std::uint64_t>(directory);
    if (!path.empty())
        named.made << '/' << path;
    if (!named.made.complete())
        return base::Failure{Errno::nomem};
    named.path = named.made.view();
    // A script's interpreter would open a path that is gone by then.
    std::array<std::byte, 2> head{};
    const auto closes = files::table().close_on_exec(directory);
    if (closes.ok() && *closes && fs::read_node(*named.file, 0, head).ok() && head[0] == std::byte{'#'} &&
        head[1] == std::byte{'!'})
        return base::Failure{Errno::noent};
    return base::success;
}

SyscallResult execute_at(int directory, mm::UserAddress path, mm::UserAddress arguments,
                         mm::UserAddress environment, std::uint32_t flags) {
    if ((flags & ~(fs::at::empty_path | fs::at::symlink_no_follow)) != 0)
        return base::Failure{Errno::inval};
    Process& process = current_process();
    exec::ProgramStrings strings;
    StringBuffer buffer;
    CAISSON_TRY(gather(strings, arguments, &exec::ProgramStrings::add_argument, buffer));
    CAISSON_TRY(gather(strings, environment, &exec::ProgramStrings::add_environment, buffer));
    if (strings.argument_count() == 0)
        CAISSON_TRY(strings.replace_first(std::array{std::string_view{}})); // as Linux: argv[0] is ""
    const auto text = CAISSON_TRY(buffer.read(path));
    if (text.size() >= fs::path_max)
        return base::Failure{Errno::nametoolong};
    Named named;
    CAISSON_TRY(find_program(named, directory, text, flags));
    CAISSON_TRY(
        exec::execute(process, current(), std::move(named.file), named.path, strings, &end_other_threads));
    sched::load_user_bases(current());
    machine::restore_vectors(current().vector_state);
    return 0;
}

} // namespace

SyscallResult sys_execve(const Arguments& arguments) {
    return execute_at(fs::at::working_directory, arguments.pointer(0), arguments.pointer(1),
                      arguments.pointer(2), 0);
}

SyscallResult sys_execveat(const Arguments& arguments) {
    return execute_at(arguments.integer(0), arguments.pointer(1), arguments.pointer(2), arguments.pointer(3),
                      arguments.word(4));
}

} // namespace uk
