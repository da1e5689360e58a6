// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/mqueue.cpp - mq_open and its relatives. Nobody is notified: mq_notify is not there.
#include "partitions/unikernel/fs/files/message_queue.hpp"

#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/syscalls/time_values.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

namespace uk {

namespace {

struct UserShape { // struct mq_attr
    std::int64_t flags, most_messages, message_bytes, messages, reserved[4];
};
static_assert(sizeof(UserShape) == 64);

Result<Ref<fs::File>> queue_at(int descriptor, bool fs::File::*opened_for) {
    Ref<fs::File> file = CAISSON_TRY(files::usable(descriptor));
    if (!fs::is_message_queue(*file) || (opened_for != nullptr && !((*file).*opened_for)))
        return base::Failure{Errno::badf};
    return file;
}

// A moment of the day's clock; a null pointer waits without end.
Result<Deadline> moment(mm::UserAddress from) {
    if (from.value() == 0)
        return never;
    return realtime_to_deadline(CAISSON_TRY(read_timespec(from)));
}

template <typename Attempt> SyscallResult wait_until(fs::File& file, Deadline deadline, Attempt attempt) {
    for (;;) {
        const SyscallResult result = attempt();
        if (result.ok() || result.error() != Errno::again || file.non_blocking())
            return result;
        CAISSON_TRY(sched::wait(*fs::wait_queue(file), deadline));
    }
}

} // namespace

SyscallResult sys_mq_open(const Arguments& arguments) {
    fs::QueueWish wish{arguments.word(1),
                       arguments.word(2) & ~files::context().umask,
                       {},
                       arguments[3] != 0,
                       current_process().limits[static_cast<unsigned>(Resource::message_queues)].soft};
    if (wish.shaped) {
        const auto given = CAISSON_TRY(mm::read_user<UserShape>(arguments.pointer(3)));
        const auto bounded = [](std::int64_t value) {
            return value < 0 ? 0 : static_cast<std::uint64_t>(value);
        };
        wish.shape = {bounded(given.most_messages), bounded(given.message_bytes)};
    }
    files::UserPath name;
    CAISSON_TRY(name.read(arguments.pointer(0)));
    Ref<fs::Node> node = CAISSON_TRY(fs::Tree::current().make_anonymous(0));
    Ref<fs::File> file =
        CAISSON_TRY(fs::open_message_queue(std::move(node), name.view(), wish, files::context().credentials));
    return static_cast<std::uint64_t>(CAISSON_TRY(files::table().add(std::move(file), true)));
}

SyscallResult sys_mq_unlink(const Arguments& arguments) {
    files::UserPath name;
    CAISSON_TRY(name.read(arguments.pointer(0)));
    CAISSON_TRY(fs::unlink_message_queue(name.view(), files::context().credentials));
    return 0;
}

SyscallResult sys_mq_timedsend(const Arguments& arguments) {
    const Deadline deadline = CAISSON_TRY(moment(arguments.pointer(4)));
    if (arguments.word(3) >= fs::message_priorities)
        return base::Failure{Errno::inval};
    const Ref<fs::File> file = CAISSON_TRY(queue_at(arguments.integer(0), &fs::File::writable));
    if (arguments[2] > fs::shape_of_queue(*file).message_bytes)
        return base::Failure{Errno::msgsize};
    files::UserBuffers buffers;
    buffers.set(arguments.pointer(1), arguments[2]);
    return wait_until(*file, deadline, [&]() -> SyscallResult {
        fs::Origin from = buffers.origin();
        CAISSON_TRY(fs::send_message(*file, from, arguments.word(3)));
        return 0;
    });
}

SyscallResult sys_mq_timedreceive(const Arguments& arguments) {
    const Deadline deadline = CAISSON_TRY(moment(arguments.pointer(4)));
    const Ref<fs::File> file = CAISSON_TRY(queue_at(arguments.integer(0), &fs::File::readable));
    files::UserBuffers buffers;
    buffers.set(arguments.pointer(1), arguments[2]);
    unsigned priority = 0;
    const std::uint64_t bytes = CAISSON_TRY(wait_until(*file, deadline, [&] {
        fs::Destination to = buffers.destination();
        return fs::receive_message(*file, to, priority);
    }));
    if (arguments[3] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(3), priority));
    return bytes;
}

SyscallResult sys_mq_getsetattr(const Arguments& arguments) {
    UserShape wanted{};
    if (arguments[1] != 0)
        wanted = CAISSON_TRY(mm::read_user<UserShape>(arguments.pointer(1)));
    if ((wanted.flags & ~static_cast<std::int64_t>(fs::open_flag::non_block)) != 0)
        return base::Failure{Errno::inval};
    const Ref<fs::File> file = CAISSON_TRY(queue_at(arguments.integer(0), nullptr));
    const fs::QueueShape shape = fs::shape_of_queue(*file);
    const UserShape old{static_cast<std::int64_t>(file->flags & fs::open_flag::non_block),
                        static_cast<std::int64_t>(shape.most_messages),
                        static_cast<std::int64_t>(shape.message_bytes),
                        static_cast<std::int64_t>(fs::messages_in_queue(*file)),
                        {}};
    if (arguments[1] != 0)
        file->flags = (file->flags & ~fs::open_flag::non_block) | static_cast<std::uint32_t>(wanted.flags);
    if (arguments[2] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(2), old));
    return 0;
}

} // namespace uk
