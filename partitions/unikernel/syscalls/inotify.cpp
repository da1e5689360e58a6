// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/inotify.cpp - inotify_init, inotify_add_watch, inotify_rm_watch.
#include "partitions/unikernel/fs/files/inotify.hpp"

#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

namespace uk {

namespace {

SyscallResult make(std::uint32_t flags) {
    constexpr std::uint32_t non_block = fs::open_flag::non_block,
                            close_on_exec = fs::open_flag::close_on_exec;
    if ((flags & ~(non_block | close_on_exec)) != 0)
        return base::Failure{Errno::inval};
    Ref<fs::Node> node = CAISSON_TRY(fs::Tree::current().make_anonymous(0600));
    Ref<fs::File> file = CAISSON_TRY(fs::make_inotify(std::move(node), flags & non_block));
    return static_cast<std::uint64_t>(
        CAISSON_TRY(files::table().add(std::move(file), (flags & close_on_exec) != 0)));
}

Result<Ref<fs::File>> inotify_at(int descriptor) {
    Ref<fs::File> file = CAISSON_TRY(files::usable(descriptor));
    if (!fs::is_inotify(*file))
        return base::Failure{Errno::inval};
    return file;
}

} // namespace

SyscallResult sys_inotify_init(const Arguments&) {
    return make(0);
}

SyscallResult sys_inotify_init1(const Arguments& arguments) {
    return make(arguments.word(0));
}

SyscallResult sys_inotify_add_watch(const Arguments& arguments) {
    const std::uint32_t mask = arguments.word(2);
    if ((mask & fs::notice::all) == 0)
        return base::Failure{Errno::inval};
    const Ref<fs::File> inotify = CAISSON_TRY(inotify_at(arguments.integer(0)));
    const std::uint32_t follow = (mask & fs::notice::no_follow) != 0 ? fs::at::symlink_no_follow : 0;
    const Ref<fs::Node> node =
        CAISSON_TRY(files::find_at(fs::at::working_directory, arguments.pointer(1), follow));
    if ((mask & fs::notice::only_directory) != 0 && !node->is_directory())
        return base::Failure{Errno::notdir};
    if (!fs::permits(*node, files::context().credentials, fs::want::read))
        return base::Failure{Errno::acces};
    return static_cast<std::uint64_t>(CAISSON_TRY(fs::add_watch(*inotify, *node, mask)));
}

SyscallResult sys_inotify_rm_watch(const Arguments& arguments) {
    const Ref<fs::File> inotify = CAISSON_TRY(inotify_at(arguments.integer(0)));
    CAISSON_TRY(fs::remove_watch(*inotify, arguments.integer(1)));
    return 0ul;
}

} // namespace uk
