// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/path.cpp - opening, and everything that changes what a path names or shows of it.
#include "partitions/unikernel/fs/files/pipe.hpp"
#include "partitions/unikernel/fs/overlay/volume.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

#include <algorithm>

namespace uk {

using files::context;
using files::find_at;
using files::UserPath;
using fs::File;
using fs::Node;

namespace {

constexpr int here = fs::at::working_directory;

SyscallResult open_at(int directory, mm::UserAddress path, std::uint32_t flags, std::uint32_t mode) {
    UserPath text;
    CAISSON_TRY(text.read(path));
    const Ref<Node> start = CAISSON_TRY(files::start_of(directory, text.view()));
    Ref<File> file =
        CAISSON_TRY(fs::open(context(), *start, text.view(), flags, mode & fs::mode::permissions));
    while (fs::fifo_waits_for_peer(*file))
        CAISSON_TRY(sched::wait(file->node->pipe->changed, never));
    const bool close_on_exec = (flags & fs::open_flag::close_on_exec) != 0;
    return static_cast<std::uint64_t>(CAISSON_TRY(files::table().add(std::move(file), close_on_exec)));
}

SyscallResult access_at(int directory, mm::UserAddress path, std::uint32_t wanted, std::uint32_t flags) {
    constexpr std::uint32_t known = fs::at::effective_access | fs::at::symlink_no_follow | fs::at::empty_path;
    if (wanted > 7 || (flags & ~known) != 0)
        return base::Failure{Errno::inval};
    // The walk itself uses the identity that is asked about.
    fs::Context seen_as = context();
    const bool effective = (flags & fs::at::effective_access) != 0;
    if (!effective)
        seen_as.credentials.become_real();
    UserPath text;
    CAISSON_TRY(text.read(path));
    const Ref<Node> start = CAISSON_TRY(files::start_of(directory, text.view()));
    const Ref<Node> node =
        CAISSON_TRY(fs::find(seen_as, *start, text.view(), flags & ~fs::at::effective_access));
    CAISSON_TRY(fs::check_access(seen_as, *node, wanted, true));
    return 0ul;
}

SyscallResult read_link_at(int directory, mm::UserAddress path, mm::UserAddress to, std::uint64_t size) {
    if (static_cast<std::int32_t>(size) <= 0)
        return base::Failure{Errno::inval};
    const Ref<Node> link =
        CAISSON_TRY(find_at(directory, path, fs::at::symlink_no_follow | fs::at::empty_path));
    fs::TextSink made;
    const std::string_view target = CAISSON_TRY(fs::read_link(context(), *link, made));
    const std::uint64_t bytes = std::min<std::uint64_t>(static_cast<std::uint32_t>(size), target.size());
    CAISSON_TRY(mm::copy_out(to, target.data(), bytes));
    return bytes;
}

SyscallResult change_mode_of(const Result<Ref<Node>>& found, std::uint32_t mode) {
    if (!found.ok())
        return base::Failure{found.error()};
    CAISSON_TRY(fs::change_mode(context(), **found, mode));
    return 0ul;
}

SyscallResult change_owner_of(const Result<Ref<Node>>& found, std::uint32_t user, std::uint32_t group) {
    if (!found.ok())
        return base::Failure{found.error()};
    CAISSON_TRY(fs::change_owner(context(), **found, user, group));
    return 0ul;
}

Result<Ref<Node>> node_of(int descriptor) {
    return CAISSON_TRY(files::usable(descriptor))->node;
}

} // namespace

SyscallResult sys_open(const Arguments& arguments) {
    return open_at(here, arguments.pointer(0), arguments.word(1), arguments.word(2));
}

SyscallResult sys_openat(const Arguments& arguments) {
    return open_at(arguments.integer(0), arguments.pointer(1), arguments.word(2), arguments.word(3));
}

SyscallResult sys_creat(const Arguments& arguments) {
    constexpr std::uint32_t flags =
        fs::open_flag::create | fs::open_flag::write_only | fs::open_flag::truncate;
    return open_at(here, arguments.pointer(0), flags, arguments.word(1));
}

SyscallResult sys_access(const Arguments& arguments) {
    return access_at(here, arguments.pointer(0), arguments.word(1), 0);
}

SyscallResult sys_faccessat(const Arguments& arguments) {
    return access_at(arguments.integer(0), arguments.pointer(1), arguments.word(2), 0);
}

SyscallResult sys_faccessat2(const Arguments& arguments) {
    return access_at(arguments.integer(0), arguments.pointer(1), arguments.word(2), arguments.word(3));
}

SyscallResult sys_readlink(const Arguments& arguments) {
    return read_link_at(here, arguments.pointer(0), arguments.pointer(1), arguments[2]);
}

SyscallResult sys_readlinkat(const Arguments& arguments) {
    return read_link_at(arguments.integer(0), arguments.pointer(1), arguments.pointer(2), arguments[3]);
}

SyscallResult sys_truncate(const Arguments& arguments) {
    if (static_cast<std::int64_t>(arguments[1]) < 0)
        return base::Failure{Errno::inval};
    const Ref<Node> node = CAISSON_TRY(find_at(here, arguments.pointer(0), 0));
    CAISSON_TRY(fs::truncate(context(), *node, arguments[1]));
    return 0ul;
}

SyscallResult sys_chmod(const Arguments& arguments) {
    return change_mode_of(find_at(here, arguments.pointer(0), 0), arguments.word(1));
}

SyscallResult sys_fchmod(const Arguments& arguments) {
    return change_mode_of(node_of(arguments.integer(0)), arguments.word(1));
}

SyscallResult sys_fchmodat(const Arguments& arguments) {
    return change_mode_of(find_at(arguments.integer(0), arguments.pointer(1), 0), arguments.word(2));
}

SyscallResult sys_chown(const Arguments& arguments) {
    return change_owner_of(find_at(here, arguments.pointer(0), 0), arguments.word(1), arguments.word(2));
}

SyscallResult sys_lchown(const Arguments& arguments) {
    return change_owner_of(find_at(here, arguments.pointer(0), fs::at::symlink_no_follow), arguments.word(1),
                           arguments.word(2));
}

SyscallResult sys_fchown(const Arguments& arguments) {
    return change_owner_of(node_of(arguments.integer(0)), arguments.word(1), arguments.word(2));
}

SyscallResult sys_fchownat(const Arguments& arguments) {
    const std::uint32_t flags = arguments.word(4);
    if ((flags & ~(fs::at::symlink_no_follow | fs::at::empty_path)) != 0)
        return base::Failure{Errno::inval};
    return change_owner_of(find_at(arguments.integer(0), arguments.pointer(1), flags), arguments.word(2),
                           arguments.word(3));
}

namespace {

struct UserTime { // struct timespec and struct timeval
    std::int64_t seconds;
    std::int64_t part;
};

Result<fs::NewTime> new_time(const UserTime& time, std::int64_t parts_per_second) {
    constexpr std::int64_t now = (1l << 30) - 1, omit = (1l << 30) - 2;
    constexpr std::int64_t most_seconds = 9'000'000'000;
    if (parts_per_second == 1'000'000'000 && time.part == now)
        return fs::NewTime{fs::NewTime::Kind::now, 0};
    if (parts_per_second == 1'000'000'000 && time.part == omit)
        return fs::NewTime{fs::NewTime::Kind::omit, 0};
    if (time.part < 0 || time.part >= parts_per_second)
        return base::Failure{Errno::inval};
    const std::int64_t seconds = std::clamp(time.seconds, -most_seconds, most_seconds);
    return fs::NewTime{fs::NewTime::Kind::set,
                       seconds * 1'000'000'000 + time.part * (1'000'000'000 / parts_per_second)};
}

SyscallResult set_times(Node& node, mm::UserAddress times, std::int64_t parts_per_second) {
    fs::NewTime accessed{fs::NewTime::Kind::now, 0};
    fs::NewTime modified = accessed;
    if (times.value() != 0) {
        const auto both = CAISSON_TRY((mm::read_user<std::array<UserTime, 2>>(times)));
        accessed = CAISSON_TRY(new_time(both[0], parts_per_second));
        modified = CAISSON_TRY(new_time(both[1], parts_per_second));
    }
    CAISSON_TRY(fs::change_times(context(), node, accessed, modified));
    return 0ul;
}

} // namespace

SyscallResult sys_utimensat(const Arguments& arguments) {
    constexpr std::int64_t nanoseconds = 1'000'000'000, omit = (1 << 30) - 2;
    if (arguments[2] != 0) {
        const auto times = CAISSON_TRY((mm::read_user<std::array<std::int64_t, 4>>(arguments.pointer(2))));
        if (times[1] == omit && times[3] == omit)
            return 0ul; // not even the path is looked at
    }
    const std::uint32_t flags = arguments.word(3);
    if ((flags & ~(fs::at::symlink_no_follow | fs::at::empty_path)) != 0)
        return base::Failure{Errno::inval};
    if (arguments[1] == 0) { // futimens: the descriptor's own file
        const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
        return set_times(*file->node, arguments.pointer(2), nanoseconds);
    }
    const Ref<Node> node = CAISSON_TRY(find_at(arguments.integer(0), arguments.pointer(1), flags));
    return set_times(*node, arguments.pointer(2), nanoseconds);
}

SyscallResult sys_utimes(const Arguments& arguments) {
    const Ref<Node> node = CAISSON_TRY(find_at(here, arguments.pointer(0), 0));
    return set_times(*node, arguments.pointer(1), 1'000'000);
}

SyscallResult sys_futimesat(const Arguments& arguments) {
    const Ref<Node> node = CAISSON_TRY(find_at(arguments.integer(0), arguments.pointer(1), 0));
    return set_times(*node, arguments.pointer(2), 1'000'000);
}

SyscallResult sys_utime(const Arguments& arguments) {
    const Ref<Node> node = CAISSON_TRY(find_at(here, arguments.pointer(0), 0));
    fs::NewTime accessed{fs::NewTime::Kind::now, 0};
    fs::NewTime modified = accessed;
    if (arguments[1] != 0) {
        const auto both = CAISSON_TRY((mm::read_user<std::array<std::int64_t, 2>>(arguments.pointer(1))));
        accessed = CAISSON_TRY(new_time({both[0], 0}, 1));
        modified = CAISSON_TRY(new_time({both[1], 0}, 1));
    }
    CAISSON_TRY(fs::change_times(context(), *node, accessed, modified));
    return 0ul;
}

SyscallResult sys_umask(const Arguments& arguments) {
    const std::uint32_t before = context().umask;
    context().umask = arguments.word(0) & 0777;
    share_place(current_process());
    return std::uint64_t{before};
}

SyscallResult sys_openat2(const Arguments&) {
    return base::Failure{Errno::nosys};
}

} // namespace uk
