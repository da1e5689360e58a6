// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/ipc.hpp - what System V's shared memory and semaphores have in common: keys, numbers, owners.
// Spec: POSIX.1-2017 2.7 "XSI Interprocess Communication"; struct ipc64_perm of the Linux x86-64 user ABI.
#pragma once

#include "partitions/unikernel/base/errno.hpp"

#include <array>
#include <cstdint>

namespace uk::ipc {

inline constexpr int private_key = 0;
namespace flag {
inline constexpr std::uint32_t create = 01000, exclusive = 02000, no_wait = 04000;
}
namespace command {
inline constexpr int remove = 0, set = 1, stat = 2;
}

struct Permissions { // struct ipc64_perm
    std::int32_t key;
    std::uint32_t user, group, creator_user, creator_group, mode;
    std::uint16_t sequence;
    std::array<std::uint16_t, 3> pad;
    std::array<std::uint64_t, 2> unused;
};
static_assert(sizeof(Permissions) == 48);

// A segment or a set of semaphores, in the table of its kind.
struct Object {
    int id = 0;
    Permissions permissions{};
    std::int64_t changed = 0; // seconds since 1970
    Object* next = nullptr;

    // May who runs do what the permission bits of `wanted` say? Any of the three groups of bits will do. acces.
    [[nodiscard]] Status permit(std::uint32_t wanted) const;
    // perm: neither the owner, nor the maker, nor privileged.
    [[nodiscard]] Status may_control() const;
    // Its owner, group and mode become those of `given`.
    void set_permissions(const Permissions& given);
};

class Table {
public:
    [[nodiscard]] Object* first() const { return first_; }
    [[nodiscard]] Result<Object*> find(int id) const; // inval: there is none
    // shmget's and semget's way to a key: nullptr where one is to be made. noent, exist, acces.
    [[nodiscard]] Result<Object*> find_key(int key, std::uint32_t flags) const;
    // A new one, made by who runs. nospc: there are as many as there may be.
    [[nodiscard]] Result<int> add(Object& object, int key, std::uint32_t flags);
    void remove(Object& object);

private:
    Object* first_ = nullptr;
    int next_id_ = 0;
    unsigned count_ = 0;
};

// When a process ends: what it asked to be undone (SEM_UNDO), and segments that were removed and that it was the last to use.
void undo_semaphores(int process);
void sweep_segments();

[[nodiscard]] std::int64_t now(); // seconds since 1970

} // namespace uk::ipc
