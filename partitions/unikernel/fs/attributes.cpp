// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/attributes.cpp - what is told about a node, and changing it: mode, owner, times,
// size.
#include "partitions/unikernel/fs/files/inotify.hpp"
#include "partitions/unikernel/fs/files/transfer.hpp"
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/fs/overlay/volume.hpp"
#include "partitions/unikernel/fs/proc/synthetic.hpp"
#include "partitions/unikernel/fs/walk.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace uk::fs {

namespace {

constexpr std::string_view capability_attribute = "security.capability";
constexpr std::size_t security_prefix_bytes = 9;

Timestamp now() {
    return static_cast<Timestamp>(realtime_ns());
}

bool owns(const Credentials& who, const Node& node) {
    return who.file_user == node.user || who.can(capability::file_owner);
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
    if (node.is_regular())
        out.blocks = std::max(node.pages.count(), lower_pages(node)) * (page_bytes / 512);
    if (node.volume->kind() == VolumeKind::proc)
        out.block_bytes = 1024;
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
    case VolumeKind::terminals:
        out.type = 0x1CD1; // devpts
        return out;
    case VolumeKind::proc:
        out.type = 0x9FA0;
        return out;
    case VolumeKind::sys:
        out.type = 0x62656572;
        return out;
    case VolumeKind::anonymous:
        // A memfd, a pipe, or what has no file system to show.
        out.type = node.is_regular() ? 0x01021994 : node.pipe != nullptr ? 0x50495045 : 0x09041934;
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
    if (!effective)
        who.become_real();
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
        !context.credentials.in_group(node.group) && !context.credentials.can(capability::keep_set_ids);
    if (foreign_group)
        file_mode &= ~mode::set_group;
    node.mode = node.type() | file_mode;
    node.changed = now();
    tell(node, notice::attributes);
    return base::success;
}

Status change_owner(Context& context, Node& node, std::uint32_t user, std::uint32_t group) {
    const Credentials& who = context.credentials;
    const bool free = who.can(capability::change_owner), own = who.file_user == node.user;
    const bool user_free = user == keep_owner || free || (user == node.user && own);
    const bool group_free =
        group == keep_owner || free || (own && (group == node.group || who.in_group(group)));
    const bool loses_bits =
        !node.is_directory() && ((node.mode & mode::set_user) != 0 ||
                                 (node.mode & (mode::set_group | 010)) == (mode::set_group | 010));
    if (!user_free || !group_free || (loses_bits && !owns(who, node)))
        return base::Failure{Errno::perm};
    CAISSON_TRY(may_change(node));
    if (user != keep_owner)
        node.user = user;
    if (group != keep_owner)
        node.group = group;
    if (!node.is_directory()) {
        node.capabilities_lost = true;
        node.mode &= ~mode::set_user;
        if ((node.mode & 010) != 0)
            node.mode &= ~mode::set_group;
    }
    node.changed = now();
    tell(node, notice::attributes);
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
    if (accessed.kind == Kind::omit)
        tell(node, notice::modify);
    else
        tell(node, modified.kind == Kind::omit ? notice::access : notice::attributes);
    return base::success;
}

std::uint32_t privileges_lost_by_writing(const Node& node, const Credentials& who) {
    if (who.can(capability::keep_set_ids))
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
    if (node.executions > 0)
        return base::Failure{Errno::txtbsy};
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
        if (!grow)
            tell(node, notice::modify);
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
    if (node.lower == no_lower || (node.capabilities_lost && name == capability_attribute))
        return base::Failure{Errno::nodata};
    return node.volume->lower()->attribute(node.inode, name);
}

FileCapabilities file_capabilities(const Node& file) {
    constexpr std::uint32_t version_mask = 0xFF000000, second = 0x02000000, third = 0x03000000, in_force = 1;
    std::array<std::uint32_t, 6>
        words{}; // struct vfs_ns_cap_data: flags, two times permitted and inheritable, root
    if (file.lower == no_lower || file.capabilities_lost)
        return {};
    const auto value = file.volume->lower()->attribute(file.inode, capability_attribute);
    if (!value.ok() || value->size() < 20 || value->size() > sizeof(words))
        return {};
    std::memcpy(words.data(), value->data(), value->size());
    const std::uint32_t version = words[0] & version_mask;
    if ((version != second || value->size() != 20) &&
        (version != third || value->size() != 24 || words[5] != 0))
        return {};
    const auto set = [&words](unsigned at) {
        return (CapabilitySet{words[at + 2]} << 32 | words[at]) & capability::all;
    };
    return {true, (words[0] & in_force) != 0, set(1), set(2)};
}

Status list_extended_attributes(Node& node, TextSink& names) {
    if (node.lower == no_lower)
        return base::success;
    for (unsigned i = 0; i < 256; ++i) {
        const auto entry = CAISSON_TRY(node.volume->lower()->attribute_at(node.inode, i));
        if (!entry)
            return base::success;
        const bool lost = node.capabilities_lost && entry->prefix.size() == security_prefix_bytes &&
                          entry->rest == capability_attribute.substr(security_prefix_bytes);
        if (!lost)
            names << entry->prefix << entry->rest << '\0';
    }
    return base::Failure{Errno::io};
}

} // namespace uk::fs
