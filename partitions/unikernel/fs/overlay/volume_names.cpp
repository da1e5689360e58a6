// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/overlay/volume_names.cpp - adding, removing, moving and listing the names of a directory.
//
// Every change first makes the entries it needs, holding what the names mean already, and then switches them:
// what can fail comes before what shows.
#include "partitions/unikernel/fs/files/inotify.hpp"
#include "partitions/unikernel/fs/overlay/volume.hpp"
#include "partitions/unikernel/fs/proc/synthetic.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <cstring>

namespace uk::fs {

namespace {

Timestamp now() {
    return static_cast<Timestamp>(realtime_ns());
}

void touch(Node& directory) {
    directory.modified = directory.changed = now();
}

void reparent(Node& node, Node& parent) {
    Node* old = node.parent;
    if (old == &parent)
        return;
    retain(parent);
    node.parent = &parent;
    if (old != nullptr)
        release(*old);
}

// Cookies: names of the lower image below, entries in memory (by serial) above.
constexpr std::uint64_t memory_cookies = std::uint64_t{1} << 48;

} // namespace

Result<Volume::Reservation> Volume::reserve(Node& directory, std::string_view name, Node* meaning) {
    if (DirectoryEntry* entry = directory.entries.find(name))
        return Reservation{entry, false};
    CAISSON_TRY(charge(DirectoryEntries::cost(name)));
    DirectoryEntry* entry = directory.entries.insert(name, meaning);
    if (entry == nullptr) {
        refund(DirectoryEntries::cost(name));
        return base::Failure{Errno::nomem};
    }
    return Reservation{entry, true};
}

void Volume::cancel(Node& directory, Reservation reservation) {
    if (!reservation.made)
        return;
    refund(DirectoryEntries::cost(reservation.entry->name()));
    directory.entries.remove(*reservation.entry);
}

// The name means nothing any more: a whiteout where the lower image has it.
void Volume::clear_name(Node& directory, DirectoryEntry& entry) {
    known_.forget({directory.lower, entry.name(), entry.hash});
    const auto below = lower_name(directory, entry.name());
    if (!below.ok() && below.error() == Errno::noent) {
        refund(DirectoryEntries::cost(entry.name()));
        directory.entries.remove(entry);
    } else {
        directory.entries.replace(entry, nullptr);
    }
}

Status Volume::add_name(Node& directory, std::string_view name, Node& node) {
    CAISSON_TRY(prepare_change(directory));
    CAISSON_TRY(prepare_change(node));
    const Reservation place = CAISSON_TRY(reserve(directory, name, nullptr));
    directory.entries.replace(*place.entry, &node);
    reparent(node, directory);
    if (node.is_directory()) {
        node.links = 2;
        ++directory.links;
    } else {
        ++node.links;
    }
    node.changed = now();
    touch(directory);
    if (!node.is_directory() && node.links > 1)
        tell_itself(node, notice::attributes);
    tell_name(directory, name, node, notice::create);
    return base::success;
}

// What is still open without a name shows the last one it had, in /proc/PID/fd and maps.
void Volume::remember_name(Node& node, std::string_view name) {
    if (node.links != 0 || node.references == 1 || !node.target.empty())
        return;
    auto* copy = static_cast<char*>(mm::allocate(name.size()));
    if (copy == nullptr)
        return;
    std::memcpy(copy, name.data(), name.size());
    node.target = {copy, name.size()};
    node.owns_target = true;
    used_ += node.charged ? name.size() : 0;
}

Status Volume::remove_name(Node& directory, std::string_view name, Node& node) {
    CAISSON_TRY(prepare_change(directory));
    const Reservation place = CAISSON_TRY(reserve(directory, name, &node));
    const Ref<Node> hold{&node};
    clear_name(directory, *place.entry);
    if (node.is_directory())
        --directory.links;
    drop_name(node);
    remember_name(node, name);
    touch(directory);
    if (!node.is_directory())
        tell_itself(node, notice::attributes);
    tell_name(directory, name, node, notice::remove);
    if (node.links == 0)
        tell_nameless(node);
    return base::success;
}

namespace {

void tell_moved(Node& from, std::string_view from_name, const Node& node, Node& to,
                std::string_view to_name) {
    const std::uint32_t cookie = next_cookie();
    tell_name(from, from_name, node, notice::moved_from, cookie);
    tell_name(to, to_name, node, notice::moved_to, cookie);
}

} // namespace

Status Volume::move_name(Node& from, std::string_view from_name, Node& node, Node& to,
                         std::string_view to_name, Node* victim) {
    CAISSON_TRY(prepare_change(from));
    CAISSON_TRY(prepare_change(to));
    CAISSON_TRY(prepare_change(node));
    const Reservation source = CAISSON_TRY(reserve(from, from_name, &node));
    const auto reserved = reserve(to, to_name, victim);
    if (!reserved.ok()) {
        cancel(from, source);
        return base::Failure{reserved.error()};
    }
    const Ref<Node> hold{&node};
    const Ref<Node> hold_victim{victim};
    to.entries.replace(*reserved->entry, &node);
    clear_name(from, *source.entry);
    reparent(node, to);
    if (node.is_directory() && &from != &to) {
        --from.links;
        ++to.links;
    }
    if (victim != nullptr) {
        if (victim->is_directory())
            --to.links;
        drop_name(*victim);
        remember_name(*victim, to_name);
    }
    node.changed = now();
    touch(from);
    touch(to);
    tell_moved(from, from_name, node, to, to_name);
    if (victim != nullptr && !victim->is_directory())
        tell_itself(*victim, notice::attributes);
    tell_itself(node, notice::move_self);
    if (victim != nullptr && victim->links == 0)
        tell_nameless(*victim);
    return base::success;
}

Status Volume::exchange_names(Node& from, std::string_view from_name, Node& node, Node& to,
                              std::string_view to_name, Node& other) {
    CAISSON_TRY(prepare_change(from));
    CAISSON_TRY(prepare_change(to));
    CAISSON_TRY(prepare_change(node));
    CAISSON_TRY(prepare_change(other));
    const Reservation source = CAISSON_TRY(reserve(from, from_name, &node));
    const auto reserved = reserve(to, to_name, &other);
    if (!reserved.ok()) {
        cancel(from, source);
        return base::Failure{reserved.error()};
    }
    const Ref<Node> hold{&node};
    from.entries.replace(*source.entry, &other);
    to.entries.replace(*reserved->entry, &node);
    reparent(node, to);
    reparent(other, from);
    if (node.is_directory() != other.is_directory()) {
        (node.is_directory() ? from : to).links -= 1;
        (node.is_directory() ? to : from).links += 1;
    }
    node.changed = other.changed = now();
    touch(from);
    touch(to);
    tell_moved(from, from_name, node, to, to_name);
    tell_itself(node, notice::move_self);
    tell_moved(to, to_name, other, from, from_name);
    tell_itself(other, notice::move_self);
    return base::success;
}

Result<std::optional<Volume::ListedName>> Volume::name_at(Node& directory, std::uint64_t cookie) {
    if (kind_ == VolumeKind::proc || kind_ == VolumeKind::sys)
        return synthetic_name_at(directory, cookie);
    if (cookie < memory_cookies && directory.lower != no_lower) {
        for (;;) {
            const auto found = CAISSON_TRY(image_.name_at(directory.inode, cookie));
            if (!found)
                break;
            cookie = found->cookie;
            const bool shows =
                found->name != "." && found->name != ".." && directory.entries.find(found->name) == nullptr;
            if (shows)
                return std::optional{ListedName{found->name, found->nid + 1, found->type, cookie}};
        }
    }
    const std::uint64_t serial = cookie < memory_cookies ? 0 : cookie - memory_cookies;
    const DirectoryEntry* entry = directory.entries.after(serial);
    while (entry != nullptr && entry->node == nullptr)
        entry = entry->next;
    if (entry == nullptr)
        return std::optional<ListedName>{};
    return std::optional{
        ListedName{entry->name(), entry->node->number, entry->node->type(), memory_cookies + entry->serial}};
}

bool Volume::is_empty(Node& directory) {
    const auto first = name_at(directory, 0);
    return first.ok() && !first->has_value();
}

std::string_view Volume::name_of(Node& directory, const Node& node) {
    for (const DirectoryEntry* entry = directory.entries.after(0); entry != nullptr; entry = entry->next)
        if (entry->node == &node)
            return entry->name();
    if (node.lower == no_lower || directory.lower == no_lower)
        return {};
    std::uint64_t cookie = 0;
    for (;;) {
        const auto found = image_.name_at(directory.inode, cookie);
        if (!found.ok() || !found->has_value())
            return {};
        const ErofsName& here = **found;
        if (here.nid == node.lower && here.name != "." && here.name != ".." &&
            directory.entries.find(here.name) == nullptr)
            return here.name;
        cookie = here.cookie;
    }
}

namespace {

// Takes the names away from the leaves up; only directories without names in memory are left.
void drop_names(Node& top) {
    Ref<Node> here{&top};
    for (;;) {
        DirectoryEntry* entry = here->entries.after(0);
        if (entry == nullptr) {
            if (here.get() == &top)
                return;
            here = Ref<Node>{here->parent};
            continue;
        }
        if (entry->node != nullptr && entry->node->is_directory() && !entry->node->entries.empty())
            here = Ref<Node>{entry->node};
        else
            here->volume->drop_entry(*here, *entry);
    }
}

} // namespace

void Volume::drop_entry(Node& directory, DirectoryEntry& entry) {
    refund(DirectoryEntries::cost(entry.name()));
    directory.entries.remove(entry);
}

void Volume::drop_all(Node& root) {
    (void)known_.clear();
    drop_names(root);
    for (Node*& bucket : cache_) {
        for (Node* node = bucket; node != nullptr;) {
            drop_names(*node);
            const bool pinned = node->pinned;
            node->pinned = false;
            if (pinned)
                release(*node);
            // Releasing may have freed others of the chain: begin again, until no pinned one is left.
            node = pinned ? bucket : node->next_cached;
        }
    }
}

} // namespace uk::fs
