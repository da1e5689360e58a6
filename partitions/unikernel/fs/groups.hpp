// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/groups.hpp - the supplementary groups of a process: sorted, shared, never changed once they are set.
#pragma once

#include "partitions/unikernel/base/ref.hpp"

#include <cstdint>
#include <span>

namespace uk::fs {

class GroupList {
public:
    static constexpr std::size_t groups_max = 65'536; // NGROUPS_MAX

    // Room for `count`, not filled; nothing without memory.
    [[nodiscard]] static Ref<GroupList> make(std::size_t count);

    [[nodiscard]] std::span<std::uint32_t> ids() {
        return {reinterpret_cast<std::uint32_t*>(this + 1), count_};
    }
    [[nodiscard]] std::span<const std::uint32_t> ids() const {
        return {reinterpret_cast<const std::uint32_t*>(this + 1), count_};
    }
    void sort();
    [[nodiscard]] bool contains(std::uint32_t group) const; // of a sorted list

    friend void retain(GroupList& list) { ++list.references_; }
    friend void release(GroupList& list);

private:
    explicit GroupList(std::size_t count) : count_(count) {}

    std::size_t count_;
    unsigned references_ = 1;
};

} // namespace uk::fs
