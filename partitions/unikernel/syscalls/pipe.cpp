// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/pipe.cpp - pipe and pipe2.
#include "partitions/unikernel/fs/files/pipe.hpp"
#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

#include <array>

namespace uk {

using files::table;

namespace {

SyscallResult make_pipe(mm::UserAddress to, std::uint32_t flags) {
    constexpr std::uint32_t kept = fs::open_flag::non_block | fs::open_flag::direct;
    if ((flags & ~(kept | fs::open_flag::close_on_exec)) != 0)
        return base::Failure{Errno::inval};
    Ref<fs::Node> node = CAISSON_TRY(fs::Tree::current().make_anonymous(fs::mode::fifo | 0600));
    fs::PipeEnds pipe = CAISSON_TRY(fs::make_pipe(std::move(node), flags & kept));
    const bool closing = (flags & fs::open_flag::close_on_exec) != 0;
    std::array<int, 2> ends{};
    ends[0] = CAISSON_TRY(table().add(std::move(pipe.reader), closing));
    const auto second = table().add(std::move(pipe.writer), closing);
    const Status given = second.ok() ? mm::write_user(to, std::array<int, 2>{ends[0], *second})
                                     : Status{base::Failure{second.error()}};
    if (!given.ok()) {
        (void)table().close(ends[0]);
        if (second.ok())
            (void)table().close(*second);
        return base::Failure{given.error()};
    }
    return 0ul;
}

} // namespace

SyscallResult sys_pipe(const Arguments& arguments) {
    return make_pipe(arguments.pointer(0), 0);
}

SyscallResult sys_pipe2(const Arguments& arguments) {
    return make_pipe(arguments.pointer(0), arguments.word(1));
}

} // namespace uk
