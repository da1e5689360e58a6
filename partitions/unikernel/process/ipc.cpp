// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/ipc.cpp - see ipc.hpp.
#include "partitions/unikernel/process/ipc.hpp"

#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/task/process.hpp"

namespace uk::ipc {

namespace {

const fs::Credentials& who() {
    return current_process().context.credentials;
}

bool owns(const Permissions& permissions) {
    return who().effective_user == permissions.user || who().effective_user == permissions.creator_user;
}

} // namespace

std::int64_t now() {
    return static_cast<std::int64_t>(realtime_ns() / 1'000'000'000);
}

Status Object::permit(std::uint32_t wanted) const {
    std::uint32_t granted = permissions.mode;
    if (owns(permissions))
        granted >>= 6;
    else if (who().in_group(permissions.group) || who().in_group(permissions.creator_group))
        granted >>= 3;
    wanted |= wanted >> 3 | wanted >> 6;
    if ((wanted & ~granted & 7) != 0 && !who().can(capability::own_ipc))
        return base::Failure{Errno::acces};
    return base::success;
}

Status Object::may_control() const {
    if (!owns(permissions) && !who().can(capability::administer))
        return base::Failure{Errno::perm};
    return base::success;
}

void Object::set_permissions(const Permissions& given) {
    permissions.user = given.user;
    permissions.group = given.group;
    permissions.mode = (permissions.mode & ~0777u) | (given.mode & 0777);
    changed = now();
}

Result<Object*> Table::find(int id) const {
    for (Object* object = first_; object != nullptr; object = object->next)
        if (object->id == id)
            return object;
    return base::Failure{Errno::inval};
}

Result<Object*> Table::find_key(int key, std::uint32_t flags) const {
    Object* found = key == private_key ? nullptr : first_;
    while (found != nullptr && found->permissions.key != key)
        found = found->next;
    if (found != nullptr) {
        if ((flags & flag::create) != 0 && (flags & flag::exclusive) != 0)
            return base::Failure{Errno::exist};
        CAISSON_TRY(found->permit(flags));
    } else if (key != private_key && (flags & flag::create) == 0) {
        return base::Failure{Errno::noent};
    }
    return found;
}

Result<int> Table::add(Object& object, int key, std::uint32_t flags) {
    constexpr unsigned most = 4096;
    if (count_ == most)
        return base::Failure{Errno::nospc};
    object.permissions.key = key;
    object.permissions.user = object.permissions.creator_user = who().effective_user;
    object.permissions.group = object.permissions.creator_group = who().effective_group;
    object.permissions.mode = flags & 0777;
    object.id = next_id_;
    next_id_ = (next_id_ + 1) & 0x7FFFFFFF;
    object.changed = now();
    object.next = first_;
    first_ = &object;
    ++count_;
    return object.id;
}

void Table::remove(Object& object) {
    Object** link = &first_;
    while (*link != &object)
        link = &(*link)->next;
    *link = object.next;
    --count_;
}

} // namespace uk::ipc
