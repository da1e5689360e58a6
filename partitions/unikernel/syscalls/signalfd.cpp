// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/signalfd.cpp - signals that are read as records of a file (signalfd(2)): the kind
// and its calls. The kind stands above fs/, because it needs signals. A reader takes the signals of its own thread
// and process, whoever made the file.
#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/signal/rules.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

#include <cstring>

namespace uk {

using fs::File;

namespace {

constexpr std::uint32_t in_events = fs::ready::in | fs::ready::in_normal;

struct SignalFile {
    signal::Set wanted = 0;
};

SignalFile& signals_of(File& file) {
    return *static_cast<SignalFile*>(file.state);
}

struct Record { // struct signalfd_siginfo
    std::uint32_t number;
    std::int32_t error, code;
    std::uint32_t process, user;
    std::int32_t descriptor;
    std::uint32_t timer, band, overrun, trap;
    std::int32_t status, value;
    std::uint64_t pointer, user_time, system_time, address;
    std::uint16_t address_bits;
    std::uint8_t padding[46];
};
static_assert(sizeof(Record) == 128);

Record record_of(const signal::Information& information) {
    Record out{};
    out.number = static_cast<std::uint32_t>(information.number);
    out.error = information.error;
    out.code = information.code;
    if (information.code == signal::code::timer) {
        out.timer = static_cast<std::uint32_t>(information.process);
        out.overrun = information.user;
    } else {
        out.process = static_cast<std::uint32_t>(information.process);
        out.user = information.user;
    }
    if (information.code == signal::code::timer || information.code == signal::code::queue) {
        out.value = static_cast<std::int32_t>(information.value);
        out.pointer = information.value;
    }
    if (information.code > 0 && (signal::bit(information.number) & signal::synchronous) != 0)
        out.address = information.address;
    return out;
}

Result<std::uint64_t> read_signals(File& file, std::uint64_t, fs::Destination& to) {
    if (to.left() < sizeof(Record))
        return base::Failure{Errno::inval};
    std::uint64_t done = 0;
    while (to.left() >= sizeof(Record)) {
        Thread& thread = current();
        const signal::Information taken = signal::take(thread, *thread.process, signals_of(file).wanted);
        if (taken.number == 0)
            break;
        const Record record = record_of(taken);
        const Status put = to.put(std::as_bytes(std::span{&record, 1}));
        if (!put.ok()) // the signal is gone, as on Linux
            return done > 0 ? Result<std::uint64_t>{done} : base::Failure{put.error()};
        done += sizeof(Record);
    }
    if (done == 0)
        return base::Failure{Errno::again};
    return done;
}

std::uint32_t signal_readiness(File& file) {
    return (signal::pending_for(current()) & signals_of(file).wanted) != 0 ? in_events : 0;
}

WaitQueue& signal_queue(File&) {
    return current_process().signal_readers;
}

void tell_mask(File& file, fs::TextSink& out) {
    out << "sigmask:\t";
    out.hexadecimal(signals_of(file).wanted, 16);
    out << '\n';
}

void release_signals(File& file) {
    mm::destroy(&signals_of(file));
}

const fs::FileOperations signal_file{.read = read_signals,
                                     .readiness = signal_readiness,
                                     .wait = signal_queue,
                                     .information = tell_mask,
                                     .release = release_signals,
                                     .positions = fs::Positions::zero};

Result<Ref<File>> make_signal_file(signal::Set wanted, std::uint32_t flags) {
    Ref<fs::Node> node = CAISSON_TRY(fs::Tree::current().make_anonymous(0600));
    node->target = "anon_inode:[signalfd]";
    mm::Owned<SignalFile> state{mm::make<SignalFile>()};
    if (state == nullptr)
        return base::Failure{Errno::nomem};
    state->wanted = wanted;
    Ref<File> file =
        CAISSON_TRY(fs::make_file(std::move(node), signal_file, flags | fs::open_flag::read_write));
    file->state = state.release();
    return file;
}

SyscallResult signal_file_for(const Arguments& arguments, std::uint32_t flags) {
    constexpr std::uint32_t non_block = fs::open_flag::non_block,
                            close_on_exec = fs::open_flag::close_on_exec;
    if ((flags & ~(non_block | close_on_exec)) != 0 || arguments[2] != sizeof(signal::Set))
        return base::Failure{Errno::inval};
    const auto asked = CAISSON_TRY(mm::read_user<signal::Set>(arguments.pointer(1)));
    const signal::Set wanted = asked & ~signal::unblockable;
    if (arguments.integer(0) == -1) {
        Ref<File> file = CAISSON_TRY(make_signal_file(wanted, flags & non_block));
        return static_cast<std::uint64_t>(
            CAISSON_TRY(files::table().add(std::move(file), (flags & close_on_exec) != 0)));
    }
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    if (!file->is(signal_file))
        return base::Failure{Errno::inval};
    signals_of(*file).wanted = wanted;
    current_process().signal_readers.wake(in_events);
    return std::uint64_t{arguments.word(0)};
}

} // namespace

SyscallResult sys_signalfd(const Arguments& arguments) {
    return signal_file_for(arguments, 0);
}

SyscallResult sys_signalfd4(const Arguments& arguments) {
    return signal_file_for(arguments, arguments.word(3));
}

} // namespace uk
