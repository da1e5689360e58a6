// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/eventfd.cpp - eventfd and eventfd2.
#include "partitions/unikernel/fs/files/eventfd.hpp"

#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

namespace uk {

namespace {

SyscallResult make_event(std::uint32_t value, std::uint32_t flags) {
    constexpr std::uint32_t semaphore = 1;
    constexpr std::uint32_t non_block = fs::open_flag::non_block,
                            close_on_exec = fs::open_flag::close_on_exec;
    if ((flags & ~(semaphore | non_block | close_on_exec)) != 0)
        return base::Failure{Errno::inval};
    Ref<fs::Node> node = CAISSON_TRY(fs::Tree::current().make_anonymous(0600));
    Ref<fs::File> file =
        CAISSON_TRY(fs::make_eventfd(std::move(node), value, (flags & semaphore) != 0, flags & non_block));
    return static_cast<std::uint64_t>(
        CAISSON_TRY(files::table().add(std::move(file), (flags & close_on_exec) != 0)));
}

} // namespace

SyscallResult sys_eventfd(const Arguments& arguments) {
    return make_event(arguments.word(0), 0);
}

SyscallResult sys_eventfd2(const Arguments& arguments) {
    return make_event(arguments.word(0), arguments.word(1));
}

} // namespace uk
