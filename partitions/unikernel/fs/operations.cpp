// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/operations.cpp - names made, removed and moved by path.
#include "partitions/unikernel/fs/operations.hpp"

#include "partitions/unikernel/fs/overlay/volume.hpp"
#include "partitions/unikernel/fs/walk.hpp"

namespace uk::fs {

namespace {

constexpr std::uint32_t most_links = 65000;

// May names of `directory` be made and removed?
Status may_change(const Context& context, const Node& directory) {
    if (directory.volume->kind() == VolumeKind::proc || directory.volume->kind() == VolumeKind::sys)
        return base::Failure{directory.volume->kind() == VolumeKind::proc ? Errno::noent : Errno::perm};
    if (!permits(directory, context.credentials, want::write | want::execute))
        return base::Failure{Errno::acces};
    if (directory.volume->read_only())
        return base::Failure{Errno::rofs};
    if (directory.links == 0)
        return base::Failure{Errno::noent}; // it was removed
    return base::success;
}

// May this name of `directory` be taken away? In a sticky directory only by the owner of either.
Status may_remove(const Context& context, const Node& directory, const Node& node) {
    CAISSON_TRY(may_change(context, directory));
    const Credentials& who = context.credentials;
    const bool guarded = (directory.mode & mode::sticky) != 0 && !who.can(capability::file_owner);
    if (guarded && who.file_user != node.user && who.file_user != directory.user)
        return base::Failure{Errno::perm};
    return base::success;
}

bool is_mount(const Node& node) {
    return node.covers != nullptr || node.mounted != nullptr;
}

bool is_above(const Node& upper, Node& node) {
    for (Node* here = &node;;) {
        if (here == &upper)
            return true;
        Node& above = parent_of(*here);
        if (&above == here)
            return false;
        here = &above;
    }
}

// May this file be given another name? One's own, or one that could be copied as well (protected_hardlinks).
bool may_link(const Credentials& who, const Node& node) {
    if (who.file_user == node.user || who.can(capability::file_owner))
        return true;
    const bool privileged_file =
        (node.mode & mode::set_user) != 0 || (node.mode & (mode::set_group | 010)) == (mode::set_group | 010);
    return node.is_regular() && !privileged_file && permits(node, who, want::read | want::write);
}

// A place for something new.
Result<Place> free_place(Walk& walk, Node& start, std::string_view path, bool directory) {
    Place place = CAISSON_TRY(walk.to(start, path, LastLink::never));
    if (place.node)
        return base::Failure{Errno::exist};
    if (place.must_be_directory && !directory)
        return base::Failure{Errno::noent};
    return place;
}

} // namespace

Result<Ref<Node>> create_nameless(Context& context, Node& directory, std::uint32_t file_mode) {
    CAISSON_TRY(may_change(context, directory));
    const Credentials& who = context.credentials;
    std::uint32_t group = who.file_group;
    const bool is_directory = (file_mode & mode::type_mask) == mode::directory;
    if ((file_mode & mode::type_mask) != mode::symlink)
        file_mode &= ~(context.umask & 0777);
    if ((directory.mode & mode::set_group) != 0) {
        group = directory.group;
        if (is_directory)
            file_mode |= mode::set_group;
        else if ((file_mode & 010) != 0 && !who.in_group(group) && !who.can(capability::keep_set_ids))
            file_mode &= ~mode::set_group;
    }
    return directory.volume->make_node(file_mode, who.file_user, group);
}

Result<Ref<Node>> create_node(Context& context, const Place& place, std::uint32_t file_mode,
                              std::uint64_t device) {
    Node& directory = *place.directory;
    Ref<Node> node = CAISSON_TRY(create_nameless(context, directory, file_mode));
    node->special_device = device;
    if ((file_mode & mode::type_mask) != mode::symlink)
        CAISSON_TRY(directory.volume->add_name(directory, place.name, *node));
    return node;
}

Status make_directory(Context& context, Node& start, std::string_view path, std::uint32_t file_mode) {
    Walk walk{context};
    const Place place = CAISSON_TRY(free_place(walk, start, path, true));
    // The mode's set-id bits are not the caller's to choose; a set-group parent hands its own on.
    (void)CAISSON_TRY(create_node(context, place, mode::directory | (file_mode & (0777 | mode::sticky)), 0));
    return base::success;
}

Status make_node(Context& context, Node& start, std::string_view path, std::uint32_t file_mode,
                 std::uint64_t device) {
    std::uint32_t type = file_mode & mode::type_mask;
    if (type == 0)
        type = mode::regular;
    if (type == mode::directory)
        return base::Failure{Errno::perm};
    if (type == mode::symlink || (type != mode::regular && type != mode::fifo && type != mode::socket &&
                                  type != mode::character && type != mode::block))
        return base::Failure{Errno::inval};
    const bool is_device = type == mode::character || type == mode::block;
    Walk walk{context};
    const Place place = CAISSON_TRY(free_place(walk, start, path, false));
    if (is_device && !context.credentials.can(capability::make_devices))
        return base::Failure{Errno::perm};
    (void)CAISSON_TRY(
        create_node(context, place, type | (file_mode & mode::permissions), is_device ? device : 0));
    return base::success;
}

Status make_symlink(Context& context, std::string_view target, Node& start, std::string_view path) {
    if (target.empty())
        return base::Failure{Errno::noent};
    if (target.size() >= path_max)
        return base::Failure{Errno::nametoolong};
    Walk walk{context};
    const Place place = CAISSON_TRY(free_place(walk, start, path, false));
    const Ref<Node> node = CAISSON_TRY(create_node(context, place, mode::symlink | 0777, 0));
    CAISSON_TRY(node->volume->set_target(*node, target));
    return node->volume->add_name(*place.directory, place.name, *node);
}

Status make_link(Context& context, Node& from_start, std::string_view from, Node& to_start,
                 std::string_view to, std::uint32_t flags) {
    const std::uint32_t follow = (flags & at::symlink_follow) != 0 ? 0 : at::symlink_no_follow;
    const Ref<Node> node = CAISSON_TRY(find(context, from_start, from, follow | (flags & at::empty_path)));
    Walk walk{context};
    const Place place = CAISSON_TRY(free_place(walk, to_start, to, false));
    if (place.directory->volume != node->volume)
        return base::Failure{Errno::xdev};
    if (!may_link(context.credentials, *node))
        return base::Failure{Errno::perm};
    CAISSON_TRY(may_change(context, *place.directory));
    if (node->is_directory())
        return base::Failure{Errno::perm};
    if (node->links == 0 && !node->linkable)
        return base::Failure{Errno::noent};
    if (node->links >= most_links)
        return base::Failure{Errno::mlink};
    CAISSON_TRY(place.directory->volume->add_name(*place.directory, place.name, *node));
    node->linkable = false;
    return base::success;
}

Status remove_directory(Context& context, Node& start, std::string_view path) {
    Walk walk{context};
    const Place place = CAISSON_TRY(walk.to(start, path, LastLink::never));
    if (!place.node)
        return base::Failure{Errno::noent};
    if (place.name.empty()) { // "/", "." or ".."
        if (place.node == context.root)
            return base::Failure{Errno::busy};
        return base::Failure{path.ends_with("..") || path.ends_with("../") ? Errno::notempty : Errno::inval};
    }
    Node& node = *place.node;
    if (is_mount(node))
        return base::Failure{Errno::busy};
    CAISSON_TRY(may_remove(context, *place.directory, node));
    if (!node.is_directory())
        return base::Failure{Errno::notdir};
    if (!node.volume->is_empty(node))
        return base::Failure{Errno::notempty};
    return node.volume->remove_name(*place.directory, place.name, node);
}

Status unlink(Context& context, Node& start, std::string_view path) {
    Walk walk{context};
    const Place place = CAISSON_TRY(walk.to(start, path, LastLink::never));
    if (place.name.empty())
        return base::Failure{Errno::isdir};
    if (!place.node)
        return base::Failure{Errno::noent};
    Node& node = *place.node;
    if (place.must_be_directory)
        return base::Failure{node.is_directory() ? Errno::isdir : Errno::notdir};
    if (is_mount(node))
        return base::Failure{node.is_directory() ? Errno::isdir : Errno::busy};
    CAISSON_TRY(may_remove(context, *place.directory, node));
    if (node.is_directory())
        return base::Failure{Errno::isdir};
    return node.volume->remove_name(*place.directory, place.name, node);
}

namespace {

// The checks of rename(2) that depend on what both names mean. `other` may be nothing.
Status may_rename(const Context& context, const Place& from, const Place& to, bool exchange) {
    Node& node = *from.node;
    CAISSON_TRY(may_remove(context, *from.directory, node));
    if (to.node)
        CAISSON_TRY(may_remove(context, *to.directory, *to.node));
    else
        CAISSON_TRY(may_change(context, *to.directory));
    if (!exchange && to.node) {
        if (node.is_directory() && !to.node->is_directory())
            return base::Failure{Errno::notdir};
        if (!node.is_directory() && to.node->is_directory())
            return base::Failure{Errno::isdir};
    }
    // A directory that moves gets another "..": its own write permission is asked for.
    const bool moves = from.directory.get() != to.directory.get();
    if (moves && node.is_directory() && !permits(node, context.credentials, want::write))
        return base::Failure{Errno::acces};
    if (moves && exchange && to.node->is_directory() && !permits(*to.node, context.credentials, want::write))
        return base::Failure{Errno::acces};
    if (is_mount(node) || (to.node && is_mount(*to.node)))
        return base::Failure{Errno::busy};
    if (!exchange && to.node && to.node->is_directory() && !to.node->volume->is_empty(*to.node))
        return base::Failure{Errno::notempty};
    return base::success;
}

} // namespace

Status rename(Context& context, Node& from_start, std::string_view from_path, Node& to_start,
              std::string_view to_path, std::uint32_t flags) {
    const bool exchange = flags == rename_exchange;
    if (flags != 0 && flags != rename_no_replace && !exchange)
        return base::Failure{Errno::inval};
    Walk from_walk{context};
    Walk to_walk{context};
    const Place from = CAISSON_TRY(from_walk.to(from_start, from_path, LastLink::never));
    const Place to = CAISSON_TRY(to_walk.to(to_start, to_path, LastLink::never));
    const bool crosses = from.directory && to.directory && from.directory->volume != to.directory->volume;
    if (crosses)
        return base::Failure{Errno::xdev};
    if (from.name.empty() || to.name.empty())
        return base::Failure{flags == rename_no_replace && to.name.empty() ? Errno::exist : Errno::busy};
    if (!from.node)
        return base::Failure{Errno::noent};
    if (flags == rename_no_replace && to.node)
        return base::Failure{Errno::exist};
    if (exchange && !to.node)
        return base::Failure{Errno::noent};
    Node& node = *from.node;
    if (!node.is_directory() && (from.must_be_directory || (to.must_be_directory && !exchange)))
        return base::Failure{Errno::notdir};
    if (exchange && to.must_be_directory && !to.node->is_directory())
        return base::Failure{Errno::notdir};
    if (node.is_directory() && is_above(node, *to.directory))
        return base::Failure{Errno::inval};
    if (to.node && to.node->is_directory() && is_above(*to.node, *from.directory))
        return base::Failure{exchange ? Errno::inval : Errno::notempty};
    if (to.node && to.node.get() == &node)
        return base::success;
    CAISSON_TRY(may_rename(context, from, to, exchange));
    Volume& volume = *node.volume;
    if (exchange)
        return volume.exchange_names(*from.directory, from.name, node, *to.directory, to.name, *to.node);
    return volume.move_name(*from.directory, from.name, node, *to.directory, to.name, to.node.get());
}

} // namespace uk::fs
