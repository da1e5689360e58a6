// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/overlay/volume.cpp - names and nodes of the root overlay and of tmpfs.
//
// What a name means: the entry in memory if there is one (a whiteout: nothing), else the lower image's name.
#include "partitions/unikernel/fs/overlay/volume.hpp"

#include "partitions/unikernel/fs/files/inotify.hpp"
#include "partitions/unikernel/fs/files/locks.hpp"
#include "partitions/unikernel/fs/files/pipe.hpp"
#include "partitions/unikernel/fs/proc/synthetic.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <cstring>
#include <utility>

namespace uk::fs {

namespace {

Timestamp now() {
    return static_cast<Timestamp>(realtime_ns());
}

void set_parent(Node& node, Node& parent) {
    if (node.parent == &parent)
        return;
    Node* old = node.parent;
    retain(parent);
    node.parent = &parent;
    if (old != nullptr)
        release(*old);
}

} // namespace

Status Volume::charge(std::uint64_t bytes) {
    if (used_ > limit_ || bytes > limit_ - used_)
        return base::Failure{Errno::nospc};
    used_ += bytes;
    return base::success;
}

void Volume::refund(std::uint64_t bytes) {
    used_ -= bytes;
}

Result<Ref<Node>> Volume::make_node(std::uint32_t file_mode, std::uint32_t user, std::uint32_t group) {
    CAISSON_TRY(charge(sizeof(Node)));
    Node* node = mm::make<Node>();
    if (node == nullptr) {
        refund(sizeof(Node));
        return base::Failure{Errno::nomem};
    }
    node->volume = this;
    node->charged = true;
    node->mode = file_mode;
    node->user = user;
    node->group = group;
    node->number = next_number_++;
    node->accessed = node->modified = node->changed = now();
    ++nodes_;
    return Ref<Node>{node};
}

Result<Ref<Node>> Volume::make_synthetic(const SyntheticIdentity& identity, std::uint32_t file_mode) {
    Node* node = mm::make<Node>();
    if (node == nullptr)
        return base::Failure{Errno::nomem};
    node->volume = this;
    node->mode = file_mode;
    node->links = (file_mode & mode::type_mask) == mode::directory ? 2 : 1;
    node->synthetic = identity;
    node->number = next_number_++;
    node->accessed = node->modified = node->changed = now();
    return Ref<Node>{node};
}

Result<Ref<Node>> Volume::make_root(std::uint32_t file_mode) {
    Ref<Node> node = CAISSON_TRY(make_node(mode::directory | file_mode, 0, 0));
    node->links = 2;
    return node;
}

Result<Ref<Node>> Volume::open_image(std::span<const std::byte> image) {
    image_ = CAISSON_TRY(Erofs::open(image));
    next_number_ = image.size() / 32 + 2; // behind every number that comes from a nid
    return lower_node(image_.root());
}

Result<Ref<Node>> Volume::lower_node(std::uint64_t nid) {
    Node*& bucket = cache_[nid % buckets];
    for (Node* node = bucket; node != nullptr; node = node->next_cached)
        if (node->lower == nid)
            return Ref<Node>{node};
    const ErofsInode inode = CAISSON_TRY(image_.inode(nid));
    Node* made = mm::make<Node>();
    if (made == nullptr)
        return base::Failure{Errno::nomem};
    made->volume = this;
    made->lower = nid;
    made->inode = inode;
    made->number = nid + 1;
    made->mode = inode.mode;
    made->user = inode.user;
    made->group = inode.group;
    made->links = inode.links;
    made->size = made->lower_size = inode.size;
    made->special_device = inode.special_device;
    made->accessed = made->modified = made->changed = inode.modified;
    made->next_cached = bucket;
    bucket = made;
    ++nodes_;
    Ref<Node> node{made};
    if (node->is_symlink()) {
        if (inode.size == 0 || inode.size >= path_max)
            return base::Failure{Errno::io};
        const ErofsRun run = CAISSON_TRY(image_.run(inode, 0));
        if (run.data == nullptr || run.bytes < inode.size)
            return base::Failure{Errno::io}; // in two pieces: only with blocks smaller than any we are given
        node->target = {reinterpret_cast<const char*>(run.data), inode.size};
        if (node->target.find('\0') != std::string_view::npos)
            return base::Failure{Errno::io};
    }
    return node;
}

Status Volume::set_target(Node& link, std::string_view target) {
    CAISSON_TRY(charge(target.size()));
    auto* copy = static_cast<char*>(mm::allocate(target.size()));
    if (copy == nullptr) {
        refund(target.size());
        return base::Failure{Errno::nomem};
    }
    std::memcpy(copy, target.data(), target.size());
    link.target = {copy, target.size()};
    link.owns_target = true;
    link.size = target.size();
    return base::success;
}

Result<ErofsName> Volume::lower_name(const Node& directory, std::string_view name) const {
    if (directory.lower == no_lower)
        return base::Failure{Errno::noent};
    return image_.find(directory.inode, name);
}

Result<Ref<Node>> Volume::look_up(Node& directory, std::string_view name) {
    if (kind_ == VolumeKind::proc || kind_ == VolumeKind::sys)
        return look_up_synthetic(*this, directory, name);
    const std::uint64_t hash = name_hash(name);
    if (const DirectoryEntry* entry = directory.entries.find(name, hash)) {
        if (entry->node == nullptr)
            return base::Failure{Errno::noent};
        return Ref<Node>{entry->node};
    }
    if (directory.lower == no_lower)
        return base::Failure{Errno::noent};
    const NameCache::Key key{directory.lower, name, hash};
    if (const NameCache::Known* known = known_.find(key)) {
        if (known->node == nullptr)
            return base::Failure{Errno::noent};
        set_parent(*known->node, directory);
        return Ref<Node>{known->node};
    }
    const auto found = image_.find(directory.inode, name);
    if (!found.ok()) {
        if (found.error() == Errno::noent)
            known_.remember(key, {}, nullptr);
        return base::Failure{found.error()};
    }
    Ref<Node> node = CAISSON_TRY(lower_node(found->nid));
    // A directory under two names would make a ring of parents; every ancestor is in the cache, so this
    // refuses it.
    if (node->is_directory() &&
        (node->nid_is(image_.root()) || (node->parent != nullptr && node->parent != &directory)))
        return base::Failure{Errno::io};
    set_parent(*node, directory);
    known_.remember(key, found->name, node.get());
    return node;
}

Status Volume::prepare_change(Node& node) {
    if (read_only_)
        return base::Failure{Errno::rofs};
    if (node.lower == no_lower || node.pinned || node.links == 0)
        return base::success;
    CAISSON_TRY(charge(sizeof(Node)));
    node.charged = true;
    node.pinned = true;
    retain(node);
    return base::success;
}

void Volume::drop_name(Node& node) {
    node.changed = now();
    if (node.is_directory())
        node.links = 0;
    else if (node.links > 0)
        --node.links;
    if (node.links == 0 && node.pinned) {
        node.pinned = false;
        release(node);
    }
}

void Volume::forget(Node& node) {
    tell_gone(node);
    if (node.lower != no_lower) {
        Node** link = &cache_[node.lower % buckets];
        while (*link != &node)
            link = &(*link)->next_cached;
        *link = node.next_cached;
    }
    for (DirectoryEntry* entry = node.entries.after(0); entry != nullptr; entry = entry->next)
        refund(DirectoryEntries::cost(entry->name()));
    node.entries.clear();
    refund(node.pages.count() * page_bytes);
    drop_tail_copy(node);
    if (node.owns_target) {
        refund(node.charged ? node.target.size() : 0);
        mm::free(const_cast<char*>(node.target.data()));
    }
    if (node.charged)
        refund(sizeof(Node));
    if (node.synthetic.entry == 0)
        --nodes_;
    mm::destroy(node.pipe);
    mm::destroy(node.locks);
    constexpr std::uint64_t at_once = 1024; // pages
    if (node.pages.count() > at_once) {
        node.size = 0;
        node.next_cached = std::exchange(leaving_nodes, &node);
        return;
    }
    mm::destroy(&node);
}

} // namespace uk::fs
