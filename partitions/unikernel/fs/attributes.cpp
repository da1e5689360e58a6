// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/attributes.cpp - what is told about a node, and changing it: mode, owner, times,
// size.
#include "partitions/unikernel/fs/files/transfer.hpp"
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/fs/overlay/volume.hpp"
#include "partitions/unikernel/fs/proc/synthetic.hpp"
#include "partitions/unikernel/fs/walk.hpp"

#include <algorithm>

namespace uk::fs {

namespace {

Timestamp now() {
    return static_cast<Timestamp>(realtime_ns());
}

bool owns(const Credentials& who, const Node& node) {
    return who.owns_every_file() || who.file_user == node.user;
}

Status may_change(Node& node) {
    if (node.synthetic.entry != 0)
        return base::Failure{Errno::perm};
    return node.volume->prepare_change(node);
}

} // namespace

Attributes attributes(Node& node) {
    Attributes out;
    out.device = node.volume->device();
    out.number = node.number;
    out.mode = node.mode;
    out.links = node.links;
    out.user = node.user;
    out.group = node.group;
    out.special_device = node.special_device;
    out.size = node.is_directory() && node.lower == no_lower ? page_bytes : node.size;
    if (node.synthetic.entry != 0)
        out.size = 0;
    const std::uint64_t lower_pages = (node.lower_size + page_bytes - 1) / page_bytes;
    if (node.is_regular())
        out.blocks = std::max(node.pages.count(), lower_pages) * (page_bytes / 512);
    out.accessed = node.accessed;
    out.modified = node.modified;
    out.changed = node.changed;
    return out;
}

VolumeFigures figures(Node& node) {
    const Volume& volume = *node.volume;
    VolumeFigures out;
    out.read_only = volume.read_only();
    out.id = volume.id();
    const std::uint64_t below = volume.lower() != nullptr ? volume.lower()->bytes() : 0;
    switch (volume.kind()) {
    case VolumeKind::overlay:
        out.type = 0x794C7630; // what a container's root shows elsewhere: overlayfs
        break;
    case VolumeKind::tmpfs:
    case VolumeKind::device:
        out.type = 0x01021994;
        break;
    case VolumeKind::proc:
        out.type = 0x9FA0;
        return out;
    case VolumeKind::sys:
        out.type = 0x62656572;
        return out;
    case VolumeKind::anonymous:
        out.type = 0x50495045; // pipefs
        return out;
    }
    out.blocks = (volume.limit() + below) / page_bytes;
    out.blocks_free = (volume.limit() - std::min(volume.used(), volume.limit())) / page_bytes;
    out.files_free = (volume.limit() - std::min(volume.used(), volume.limit())) / sizeof(Node);
    out.files =
        out.files_free + volume.nodes() + (volume.lower() != nullptr ? volume.lower()->inode_count() : 0);
    return out;
}

Status check_access(Context& context, Node& node, unsigned wanted, bool effective) {
    Credentials who = context.credentials;
    if (!effective) {
        who.file_user = who.real_user;
        who.file_group = who.real_group;
    }
    const bool changes = (wanted & want::write) != 0 && (node.is_regular() || node.is_directory());
    if (changes && node.volume->read_only())
        return base::Failure{Errno::rofs};
    if (!permits(node, who, wanted))
        return base::Failure{Errno::acces};
    return base::success;
}

Result<std::string_view> read_link(Context& context, Node& link, TextSink& made) {
    if (!link.is_symlink())
        return base::Failure{Errno::inval};
    if (link.synthetic.entry == 0 || !link.target.empty())
        return link.target;
    if (!may_inspect(link, context.credentials))
        return base::Failure{Errno::acces};
    const Ref<Node> target = CAISSON_TRY(follow_synthetic(link));
    describe(*target, *context.root, made);
    return made.view();
}

Status change_mode(Context& context, Node& node, std::uint32_t file_mode) {
    if (!owns(context.credentials, node))
        return base::Failure{Errno::perm};
    if (node.is_symlink())
        return base::Failure{Errno::opnotsupp};
    CAISSON_TRY(may_change(node));
    file_mode &= mode::permissions;
    const bool foreign_group =
        !context.credentials.owns_every_file() && !context.credentials.in_group(node.group);
    if (foreign_group)
        file_mode &= ~mode::set_group;
    node.mode = node.type() | file_mode;
    node.changed = now();
    return base::success;
}

Status change_owner(Context& context, Node& node, std::uint32_t user, std::uint32_t group) {
    const Credentials& who = context.credentials;
    const bool user_free =
        user == keep_owner || who.owns_every_file() || (user == node.user && owns(who, node));
    const bool group_free = group == keep_owner || who.owns_every_file() ||
                            (owns(who, node) && (group == node.group || who.in_group(group)));
    if (!user_free || !group_free)
        return base::Failure{Errno::perm};
    CAISSON_TRY(may_change(node));
    if (user != keep_owner)
        node.user = user;
    if (group != keep_owner)
        node.group = group;
    if (!node.is_directory()) {
        node.mode &= ~mode::set_user;
        if ((node.mode & 010) != 0)
            node.mode &= ~mode::set_group;
    }
    node.changed = now();
    return base::success;
}

Status change_times(Context& context, Node& node, NewTime accessed, NewTime modified) {
    using Kind = NewTime::Kind;
    if (accessed.kind == Kind::omit && modified.kind == Kind::omit)
        return base::success;
    const bool both_now = accessed.kind == Kind::now && modified.kind == Kind::now;
    if (!owns(context.credentials, node)) {
        if (!both_now)
            return base::Failure{Errno::perm};
        if (!permits(node, context.credentials, want::write))
            return base::Failure{Errno::acces};
    }
    CAISSON_TRY(may_change(node));
    const Timestamp present = now();
    if (accessed.kind != Kind::omit)
        node.accessed = accessed.kind == Kind::now ? present : accessed.value;
    if (modified.kind != Kind::omit)
        node.modified = modified.kind == Kind::now ? present : modified.value;
    node.changed = present;
    return base::success;
}

std::uint32_t privileges_lost_by_writing(const Node& node, const Credentials& who) {
    if (who.owns_every_file())
        return 0;
    const std::uint32_t group = (node.mode & 010) != 0 ? mode::set_group : 0;
    return node.mode & (mode::set_user | group);
}

Status truncate(Context& context, Node& node, std::uint64_t size) {
    if (node.is_directory())
        return base::Failure{Errno::isdir};
    if (!node.is_regular())
        return base::Failure{Errno::inval};
    if (!permits(node, context.credentials, want::write))
        return base::Failure{Errno::acces};
    if (node.synthetic.entry != 0)
        return base::Failure{Errno::inval};
    CAISSON_TRY(node.volume->prepare_change(node));
    CAISSON_TRY(check_new_size(size));
    node.mode &= ~privileges_lost_by_writing(node, context.credentials);
    return resize_node(node, size);
}

Status allocate_range(File& file, std::uint32_t flags, std::uint64_t offset, std::uint64_t bytes) {
    constexpr std::uint32_t keep_size = 1, punch_hole = 2, zero_range = 0x10;
    constexpr std::uint64_t largest = (std::uint64_t{1} << 63) - 1;
    if (!file.writable)
        return base::Failure{Errno::badf};
    if (!file.is(regular_file))
        return base::Failure{file.is(pipe_file) ? Errno::spipe : Errno::nodev};
    if (bytes == 0 || bytes > largest || offset > largest)
        return base::Failure{Errno::inval};
    if (bytes > largest - offset)
        return base::Failure{Errno::fbig};
    Node& node = *file.node;
    const bool grow = (flags & keep_size) == 0 && offset + bytes > node.size;
    CAISSON_TRY(check_new_size(offset + bytes));
    switch (flags) {
    case 0:
    case keep_size: {
        // Memory is taken when it is written; what can never fit is refused now.
        const Volume& volume = *node.volume;
        if (offset + bytes > node.size &&
            offset + bytes - node.size > volume.limit() - std::min(volume.used(), volume.limit()))
            return base::Failure{Errno::nospc};
        break;
    }
    case keep_size | punch_hole:
    case zero_range:
    case keep_size | zero_range:
        CAISSON_TRY(clear_node(node, offset, bytes));
        break;
    default:
        return base::Failure{Errno::opnotsupp};
    }
    if (grow)
        return resize_node(node, offset + bytes);
    return base::success;
}

Status change_directory(Context& context, Ref<Node> node) {
    if (!node->is_directory())
        return base::Failure{Errno::notdir};
    if (!permits(*node, context.credentials, want::execute))
        return base::Failure{Errno::acces};
    context.working = std::move(node);
    return base::success;
}

Result<std::span<const std::byte>> extended_attribute(Node& node, std::string_view name) {
    if (node.lower == no_lower)
        return base::Failure{Errno::nodata};
    const Erofs& image = *node.volume->lower();
    return image.attribute(CAISSON_TRY(image.inode(node.lower)), name);
}

Status list_extended_attributes(Node& node, TextSink& names) {
    if (node.lower == no_lower)
        return base::success;
    const Erofs& image = *node.volume->lower();
    const ErofsInode inode = CAISSON_TRY(image.inode(node.lower));
    for (unsigned i = 0; i < 256; ++i) {
        const auto entry = CAISSON_TRY(image.attribute_at(inode, i));
        if (!entry)
            return base::success;
        names << entry->prefix << entry->rest << '\0';
    }
    return base::Failure{Errno::io};
}

} // namespace uk::fs
