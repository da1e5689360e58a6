// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/descriptor.cpp - descriptors: close, dup, fcntl, flock, ioctl.
#include "partitions/unikernel/fs/files/async.hpp"
#include "partitions/unikernel/fs/files/locks.hpp"
#include "partitions/unikernel/fs/files/pipe.hpp"
#include "partitions/unikernel/syscalls/sockets.hpp"
#include "partitions/unikernel/syscalls/terminal.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

#include <algorithm>

namespace uk {

using files::table;
using fs::File;

SyscallResult sys_close(const Arguments& arguments) {
    CAISSON_TRY(table().close(arguments.integer(0)));
    return 0ul;
}

SyscallResult sys_close_range(const Arguments& arguments) {
    constexpr std::uint32_t unshare = 2, close_on_exec = 4;
    const std::uint32_t flags = arguments.word(2);
    if ((flags & ~(unshare | close_on_exec)) != 0 || arguments.word(0) > arguments.word(1))
        return base::Failure{Errno::inval};
    Process& process = current_process();
    if ((flags & unshare) != 0 && process.thread_count > 1)
        return base::Failure{Errno::nosys}; // threads share one table here
    if ((flags & unshare) != 0 && process.files->references > 1) {
        Ref<fs::FileTable> own{mm::make<fs::FileTable>()};
        if (!own)
            return base::Failure{Errno::nomem};
        CAISSON_TRY(own->copy_from(*process.files));
        process.files = std::move(own);
    }
    if ((flags & close_on_exec) != 0)
        table().mark_range_close_on_exec(arguments.word(0), arguments.word(1));
    else
        table().close_range(arguments.word(0), arguments.word(1));
    return 0ul;
}

SyscallResult sys_dup(const Arguments& arguments) {
    Ref<File> file = CAISSON_TRY(table().get(arguments.integer(0)));
    return static_cast<std::uint64_t>(CAISSON_TRY(table().add(std::move(file), false)));
}

SyscallResult sys_dup2(const Arguments& arguments) {
    Ref<File> file = CAISSON_TRY(table().get(arguments.integer(0)));
    if (arguments.integer(0) != arguments.integer(1))
        CAISSON_TRY(table().put(arguments.integer(1), std::move(file), false));
    return std::uint64_t{arguments.word(1)};
}

SyscallResult sys_dup3(const Arguments& arguments) {
    const std::uint32_t flags = arguments.word(2);
    if ((flags & ~fs::open_flag::close_on_exec) != 0 || arguments.integer(0) == arguments.integer(1))
        return base::Failure{Errno::inval};
    Ref<File> file = CAISSON_TRY(table().get(arguments.integer(0)));
    CAISSON_TRY(table().put(arguments.integer(1), std::move(file), flags != 0));
    return std::uint64_t{arguments.word(1)};
}

namespace {

struct UserLock { // struct flock
    std::int16_t type, whence;
    std::int32_t padding;
    std::int64_t start, length;
    std::int32_t process, padding_end;
};
static_assert(sizeof(UserLock) == 32);
constexpr std::int16_t lock_read = 0, lock_write = 1, lock_none = 2;

// The range that start, whence and length name.
Result<fs::RangeLock> range_of(const UserLock& lock, const File& file) {
    std::int64_t first = 0;
    if (lock.whence == 1)
        first = static_cast<std::int64_t>(file.position);
    else if (lock.whence == 2)
        first = static_cast<std::int64_t>(file.node->size);
    else if (lock.whence != 0)
        return base::Failure{Errno::inval};
    if (__builtin_add_overflow(first, lock.start, &first))
        return base::Failure{Errno::overflow};
    std::int64_t end = 0;
    if (__builtin_add_overflow(first, lock.length, &end))
        return base::Failure{Errno::overflow};
    if (lock.length < 0)
        std::swap(first, end);
    if (first < 0)
        return base::Failure{Errno::inval};
    fs::RangeLock out;
    out.first = static_cast<std::uint64_t>(first);
    out.last = lock.length == 0 ? ~std::uint64_t{0} : static_cast<std::uint64_t>(end - 1);
    out.exclusive = lock.type == lock_write;
    out.owner = &table();
    out.process = current_process().id;
    return out;
}

SyscallResult get_lock(File& file, mm::UserAddress address) {
    UserLock lock = CAISSON_TRY(mm::read_user<UserLock>(address));
    if (lock.type != lock_read && lock.type != lock_write)
        return base::Failure{Errno::inval};
    const fs::RangeLock wanted = CAISSON_TRY(range_of(lock, file));
    const fs::RangeLock* held = fs::conflict(*file.node, wanted);
    lock.type = lock_none;
    if (held != nullptr) {
        lock.type = held->exclusive ? lock_write : lock_read;
        lock.whence = 0;
        lock.start = static_cast<std::int64_t>(held->first);
        lock.length =
            held->last == ~std::uint64_t{0} ? 0 : static_cast<std::int64_t>(held->last - held->first + 1);
        lock.process = held->process;
    }
    CAISSON_TRY(mm::write_user(address, lock));
    return 0ul;
}

SyscallResult set_lock(File& file, mm::UserAddress address, bool wait) {
    const UserLock lock = CAISSON_TRY(mm::read_user<UserLock>(address));
    const fs::RangeLock wanted = CAISSON_TRY(range_of(lock, file));
    if (lock.type == lock_none) {
        CAISSON_TRY(fs::unlock_range(*file.node, wanted.first, wanted.last, table()));
        return 0ul;
    }
    if (lock.type != lock_read && lock.type != lock_write)
        return base::Failure{Errno::inval};
    if (!(wanted.exclusive ? file.writable : file.readable))
        return base::Failure{Errno::badf};
    for (;;) {
        const Status locked = fs::lock_range(*file.node, wanted);
        if (locked.ok())
            return 0ul;
        if (locked.error() != Errno::again || !wait)
            return base::Failure{locked.error()};
        const fs::RangeLock* held = fs::conflict(*file.node, wanted);
        if (held == nullptr)
            continue;
        if (fs::RangeLockWait::closes_circle(table(), *held->owner))
            return base::Failure{Errno::deadlk};
        const fs::RangeLockWait waiting{table(), *held->owner};
        fs::LockSet* set = CAISSON_TRY(fs::locks_of(*file.node));
        CAISSON_TRY(sched::wait(set->changed, never));
    }
}

SyscallResult set_flags(File& file, int descriptor, std::uint32_t flags) {
    constexpr std::uint32_t changeable =
        fs::open_flag::append | fs::open_flag::non_block | fs::open_flag::direct | fs::open_flag::no_atime;
    const Status async = fs::set_async(file, descriptor, (flags & fs::open_flag::async) != 0);
    if (!async.ok() && async.error() != Errno::notty) // a kind that has none takes no notice
        return base::Failure{async.error()};
    file.flags = (file.flags & ~changeable) | (flags & changeable);
    return 0ul;
}

SyscallResult duplicate_from(Ref<File> file, std::uint64_t lowest, bool close_on_exec) {
    if (lowest > static_cast<std::uint64_t>(INT32_MAX))
        return base::Failure{Errno::inval};
    return static_cast<std::uint64_t>(
        CAISSON_TRY(table().add(std::move(file), close_on_exec, static_cast<int>(lowest))));
}

namespace command {
constexpr int duplicate = 0, get_descriptor = 1, set_descriptor = 2, get_status = 3, set_status = 4,
              get_range = 5, set_range = 6, set_range_wait = 7, set_owner = 8, get_owner = 9, set_signal = 10,
              get_signal = 11, set_owner_ex = 15, get_owner_ex = 16, get_owner_users = 17, notify = 1026,
              duplicate_close_on_exec = 1030;
}

struct UserOwner { // struct f_owner_ex
    std::uint32_t kind;
    std::int32_t id;
};

// Who that says the file's owner is, with the caller's rights.
fs::FileOwner owned_by(std::uint32_t kind, int id) {
    const fs::Credentials& mine = current_process().context.credentials;
    return {kind, id, mine.real_user, mine.effective_user};
}

SyscallResult set_owner(File& file, int number) {
    const bool group = number < 0;
    if (number == INT32_MIN)
        return base::Failure{Errno::inval};
    CAISSON_TRY(fs::set_owner(
        file, owned_by(group ? fs::FileOwner::group : fs::FileOwner::process, group ? -number : number)));
    return 0ul;
}

int owner_number(const File& file) {
    const fs::FileOwner owner = fs::owner_of(file);
    return owner.kind == fs::FileOwner::group ? -owner.id : owner.id;
}

// The commands that are about its signals.
SyscallResult signal_command(File& file, int operation, const Arguments& arguments) {
    switch (operation) {
    case command::set_owner:
        return set_owner(file, arguments.integer(2));
    case command::get_owner:
        return static_cast<std::uint64_t>(std::int64_t{owner_number(file)});
    case command::set_signal:
        CAISSON_TRY(fs::set_signal(file, arguments.integer(2)));
        return 0ul;
    case command::get_signal:
        return static_cast<std::uint64_t>(fs::signal_of(file));
    case command::set_owner_ex: {
        const auto wanted = CAISSON_TRY(mm::read_user<UserOwner>(arguments.pointer(2)));
        CAISSON_TRY(fs::set_owner(file, owned_by(wanted.kind, wanted.id)));
        return 0ul;
    }
    default: {
        const fs::FileOwner owner = fs::owner_of(file);
        CAISSON_TRY(operation == command::get_owner_ex
                        ? mm::write_user(arguments.pointer(2), UserOwner{owner.kind, owner.id})
                        : mm::write_user(arguments.pointer(2), std::array<std::uint32_t, 2>{
                                                                   owner.real_user, owner.effective_user}));
        return 0ul;
    }
    }
}

} // namespace

SyscallResult sys_fcntl(const Arguments& arguments) {
    const int descriptor = arguments.integer(0);
    Ref<File> file = CAISSON_TRY(table().get(descriptor));
    const int operation = arguments.integer(1);
    const bool for_paths = operation <= command::get_status || operation == command::duplicate_close_on_exec;
    if (file->is(fs::path_file) && !for_paths)
        return base::Failure{Errno::badf};
    switch (operation) {
    case command::duplicate:
    case command::duplicate_close_on_exec:
        return duplicate_from(std::move(file), arguments[2], operation == command::duplicate_close_on_exec);
    case command::get_descriptor:
        return std::uint64_t{CAISSON_TRY(table().close_on_exec(descriptor))};
    case command::set_descriptor:
        CAISSON_TRY(table().set_close_on_exec(descriptor, (arguments[2] & 1) != 0));
        return 0ul;
    case command::get_status:
        return std::uint64_t{file->flags};
    case command::set_status:
        return set_flags(*file, descriptor, arguments.word(2));
    case command::get_range:
        return get_lock(*file, arguments.pointer(2));
    case command::set_range:
    case command::set_range_wait:
        return set_lock(*file, arguments.pointer(2), operation == command::set_range_wait);
    case command::set_owner:
    case command::get_owner:
    case command::set_signal:
    case command::get_signal:
    case command::set_owner_ex:
    case command::get_owner_ex:
    case command::get_owner_users:
        return signal_command(*file, operation, arguments);
    case command::notify: { // directories tell through inotify alone: asking for nothing is all that works
        constexpr std::uint64_t again_and_again = 0x80000000;
        if (!file->node->is_directory())
            return base::Failure{Errno::notdir};
        return (arguments[2] & ~again_and_again & 0xFFFFFFFF) == 0 ? SyscallResult{0ul}
                                                                   : base::Failure{Errno::inval};
    }
    case fs::control::get_pipe_size:
    case fs::control::set_pipe_size: {
        const auto size = fs::control_file(*file, static_cast<std::uint32_t>(operation), arguments.word(2));
        if (!size.ok() && size.error() == Errno::notty)
            return base::Failure{Errno::badf}; // not a pipe
        return size;
    }
    case fs::control::add_seals:
    case fs::control::get_seals: {
        const auto seals = fs::control_file(*file, static_cast<std::uint32_t>(operation), arguments.word(2));
        return seals.ok() || seals.error() != Errno::notty ? seals : base::Failure{Errno::inval};
    }
    default:
        return base::Failure{Errno::inval};
    }
}

SyscallResult sys_flock(const Arguments& arguments) {
    constexpr std::uint32_t shared = 1, exclusive = 2, non_block = 4, unlock = 8;
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    std::uint8_t wanted = 0;
    switch (arguments.word(1) & ~non_block) {
    case shared:
        wanted = 1;
        break;
    case exclusive:
        wanted = 2;
        break;
    case unlock:
        break;
    default:
        return base::Failure{Errno::inval};
    }
    for (;;) {
        const Status locked = fs::lock_file(*file, wanted);
        if (locked.ok())
            return 0ul;
        if (locked.error() != Errno::again || (arguments.word(1) & non_block) != 0)
            return base::Failure{locked.error()};
        fs::LockSet* set = CAISSON_TRY(fs::locks_of(*file->node));
        CAISSON_TRY(sched::wait(set->changed, never));
    }
}

SyscallResult sys_ioctl(const Arguments& arguments) {
    constexpr std::uint32_t bytes_to_read = fs::control::bytes_waiting, non_block = 0x5421, async = 0x5452,
                            set_owner = 0x8901, set_owner_too = 0x8902, get_owner = 0x8903,
                            get_owner_too = 0x8904, no_close_on_exec = 0x5450, close_on_exec = 0x5451;
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    switch (arguments.word(1)) {
    case bytes_to_read: {
        const std::uint64_t bytes = CAISSON_TRY(fs::control_file(*file, bytes_to_read, 0));
        CAISSON_TRY(mm::write_user(arguments.pointer(2),
                                   static_cast<std::int32_t>(std::min<std::uint64_t>(bytes, INT32_MAX))));
        return 0ul;
    }
    case non_block: {
        const auto on = CAISSON_TRY(mm::read_user<std::int32_t>(arguments.pointer(2)));
        file->flags =
            on != 0 ? file->flags | fs::open_flag::non_block : file->flags & ~fs::open_flag::non_block;
        return 0ul;
    }
    case async: {
        const auto on = CAISSON_TRY(mm::read_user<std::int32_t>(arguments.pointer(2)));
        CAISSON_TRY(fs::set_async(*file, arguments.integer(0), on != 0));
        return 0ul;
    }
    case set_owner:
    case set_owner_too:
        if (!file->is(net::socket_file))
            return base::Failure{Errno::notty};
        return uk::set_owner(*file, CAISSON_TRY(mm::read_user<std::int32_t>(arguments.pointer(2))));
    case get_owner:
    case get_owner_too:
        if (!file->is(net::socket_file))
            return base::Failure{Errno::notty};
        CAISSON_TRY(mm::write_user(arguments.pointer(2), owner_number(*file)));
        return 0ul;
    case close_on_exec:
    case no_close_on_exec:
        CAISSON_TRY(table().set_close_on_exec(arguments.integer(0), arguments.word(1) == close_on_exec));
        return 0ul;
    default:
        if (file->is(net::socket_file))
            return sockets::control(*file, arguments.word(1), arguments.pointer(2));
        if (fs::Pty* pty = fs::terminal_of(*file))
            return control_terminal(*file, *pty, arguments.word(1), arguments.pointer(2));
        return base::Failure{Errno::notty};
    }
}

} // namespace uk
