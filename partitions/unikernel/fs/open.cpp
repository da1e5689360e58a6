// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/open.cpp - open(2): from a path to an open file description.
#include "partitions/unikernel/fs/files/device.hpp"
#include "partitions/unikernel/fs/files/inotify.hpp"
#include "partitions/unikernel/fs/files/pipe.hpp"
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/fs/overlay/volume.hpp"
#include "partitions/unikernel/fs/proc/synthetic.hpp"
#include "partitions/unikernel/fs/walk.hpp"
#include "partitions/unikernel/mm/heap.hpp"

namespace uk::fs {

namespace {

constexpr std::uint32_t creation_flags =
    open_flag::create | open_flag::exclusive | open_flag::no_controlling_tty | open_flag::truncate;

unsigned wanted_by(std::uint32_t flags) {
    const std::uint32_t access = flags & open_flag::access_mask;
    unsigned wanted = 0;
    if (access != open_flag::write_only)
        wanted |= want::read;
    if (access != open_flag::read_only || (flags & open_flag::truncate) != 0)
        wanted |= want::write;
    return wanted;
}

Status may_open(const Context& context, const Node& node, std::uint32_t flags) {
    const unsigned wanted = wanted_by(flags);
    if (node.is_symlink())
        return base::Failure{Errno::loop};
    if (node.is_directory() && (wanted & want::write) != 0)
        return base::Failure{Errno::isdir};
    if (!permits(node, context.credentials, wanted))
        return base::Failure{Errno::acces};
    const bool takes_writes = node.synthetic.entry != 0 && (node.mode & 0222) != 0;
    const bool changes_volume = (wanted & want::write) != 0 && node.is_regular() && !takes_writes;
    if (changes_volume && node.volume->read_only())
        return base::Failure{Errno::rofs};
    if (changes_volume && node.executions > 0)
        return base::Failure{Errno::txtbsy};
    const bool foreign =
        context.credentials.file_user != node.user && !context.credentials.can(capability::file_owner);
    if ((flags & open_flag::no_atime) != 0 && foreign)
        return base::Failure{Errno::perm};
    return base::success;
}

Result<Ref<File>> open_fifo(Ref<Node> node, std::uint32_t flags) {
    if (node->pipe == nullptr)
        node->pipe = mm::make<Pipe>();
    if (node->pipe == nullptr)
        return base::Failure{Errno::nomem};
    const bool writes_only = (flags & open_flag::access_mask) == open_flag::write_only;
    if (writes_only && (flags & open_flag::non_block) != 0 && node->pipe->readers == 0)
        return base::Failure{Errno::nxio};
    Pipe& pipe = *node->pipe;
    Ref<File> file = CAISSON_TRY(make_file(std::move(node), pipe_file, flags));
    // Remembers how often the other end had been opened: see fifo_waits_for_peer.
    file->position = file->readable ? pipe.writer_opens : pipe.reader_opens;
    pipe.open_end(file->readable, file->writable);
    return file;
}

Result<Ref<File>> open_contents(Context& context, Ref<Node> node, std::uint32_t flags, bool created) {
    if (!created)
        CAISSON_TRY(may_open(context, *node, flags));
    const std::uint32_t kept = (flags & ~creation_flags) | open_flag::large_file;
    switch (node->type()) {
    case mode::directory:
        return make_file(std::move(node), directory_file, kept);
    case mode::character:
        return open_device(std::move(node), kept | (flags & open_flag::no_controlling_tty));
    case mode::fifo:
        return node->console != 0 ? make_file(std::move(node), console_file, kept)
                                  : open_fifo(std::move(node), kept);
    case mode::regular:
        break;
    default: // a socket or a block device: nothing is behind it
        return base::Failure{Errno::nxio};
    }
    if (node->synthetic.entry != 0) {
        const bool memory = is_process_memory(*node);
        if (memory && !may_inspect(*node, context.credentials))
            return base::Failure{Errno::acces};
        return make_file(std::move(node), memory ? memory_file : synthetic_file, kept);
    }
    return make_file(std::move(node), regular_file, kept);
}

Result<Ref<File>> open_node(Context& context, Ref<Node> node, std::uint32_t flags, bool created) {
    if ((flags & open_flag::path) != 0)
        return make_file(std::move(node), path_file, flags & (open_flag::path | open_flag::directory));
    Ref<File> file = CAISSON_TRY(open_contents(context, std::move(node), flags, created));
    Node& contents = *file->node;
    tell(contents, notice::open);
    if (file->is(regular_file) && (flags & open_flag::truncate) != 0 && !created) {
        contents.mode &= ~privileges_lost_by_writing(contents, context.credentials);
        CAISSON_TRY(resize_node(contents, 0));
    }
    return file;
}

// O_TMPFILE: a file without a name in a directory's volume; linkat may give it one, unless O_EXCL forbids it.
Result<Ref<File>> open_temporary(Context& context, Node& start, std::string_view path, std::uint32_t flags,
                                 std::uint32_t file_mode) {
    if ((flags & open_flag::directory) == 0 || (flags & open_flag::create) != 0 ||
        (flags & open_flag::access_mask) == open_flag::read_only)
        return base::Failure{Errno::inval};
    const Ref<Node> directory = CAISSON_TRY(
        find(context, start, path, (flags & open_flag::no_follow) != 0 ? at::symlink_no_follow : 0));
    if (!directory->is_directory())
        return base::Failure{directory->is_symlink() ? Errno::loop : Errno::notdir};
    Ref<Node> node =
        CAISSON_TRY(create_nameless(context, *directory, mode::regular | (file_mode & mode::permissions)));
    node->linkable = (flags & open_flag::exclusive) == 0;
    TextSink shown;
    shown << '#' << node->number;
    CAISSON_TRY(set_generated_target(*node, shown));
    retain(*directory);
    node->parent = directory.get();
    return open_node(context, std::move(node), flags & ~open_flag::directory, true);
}

} // namespace

Result<Ref<File>> open(Context& context, Node& start, std::string_view path, std::uint32_t flags,
                       std::uint32_t file_mode) {
    if ((flags & open_flag::path) != 0)
        flags &= open_flag::path | open_flag::directory | open_flag::no_follow | open_flag::close_on_exec;
    if ((flags & open_flag::temporary) != 0)
        return open_temporary(context, start, path, flags, file_mode);
    const bool create = (flags & open_flag::create) != 0;
    const bool exclusive = create && (flags & open_flag::exclusive) != 0;
    const bool no_follow = (flags & open_flag::no_follow) != 0;
    Walk walk{context};
    if (create)
        walk.refuse_last_slash();
    Place place =
        CAISSON_TRY(walk.to(start, path, exclusive || no_follow ? LastLink::keep : LastLink::follow));
    if (!place.node) {
        if (!create)
            return base::Failure{Errno::noent};
        Ref<Node> node =
            CAISSON_TRY(create_node(context, place, mode::regular | (file_mode & mode::permissions), 0));
        return open_node(context, std::move(node), flags, true);
    }
    if (exclusive)
        return base::Failure{Errno::exist};
    Node& node = *place.node;
    if (create && node.is_directory())
        return base::Failure{Errno::isdir};
    if ((flags & open_flag::directory) != 0 && !node.is_directory())
        return base::Failure{node.is_symlink() && (flags & open_flag::path) == 0 ? Errno::loop
                                                                                 : Errno::notdir};
    return open_node(context, std::move(place.node), flags, false);
}

bool fifo_waits_for_peer(const File& file) {
    if (!file.is(pipe_file) || file.node->volume->kind() == VolumeKind::anonymous || file.non_blocking())
        return false;
    if (file.readable && file.writable)
        return false;
    const Pipe& pipe = *file.node->pipe;
    // A peer that is there, or came and went meanwhile.
    if (file.readable)
        return pipe.writers == 0 && pipe.writer_opens == static_cast<std::uint32_t>(file.position);
    return pipe.readers == 0 && pipe.reader_opens == static_cast<std::uint32_t>(file.position);
}

Result<Ref<Node>> find(Context& context, Node& start, std::string_view path, std::uint32_t flags) {
    if (path.empty() && (flags & at::empty_path) != 0)
        return Ref<Node>{&start};
    Walk walk{context};
    const LastLink last = (flags & at::symlink_no_follow) != 0 ? LastLink::keep : LastLink::follow;
    Place place = CAISSON_TRY(walk.to(start, path, last));
    if (!place.node)
        return base::Failure{Errno::noent};
    return std::move(place.node);
}

Result<Ref<Node>> find_executable(Context& context, Node& start, std::string_view path) {
    Ref<Node> node = CAISSON_TRY(find(context, start, path, 0));
    CAISSON_TRY(may_execute(context, *node));
    return node;
}

Status may_execute(const Context& context, const Node& node) {
    if (node.is_symlink()) // not followed
        return base::Failure{Errno::loop};
    if (!node.is_regular() || node.synthetic.entry != 0 || !permits(node, context.credentials, want::execute))
        return base::Failure{Errno::acces};
    return base::success;
}

} // namespace uk::fs
