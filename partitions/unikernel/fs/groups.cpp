// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/groups.cpp - see groups.hpp.
#include "partitions/unikernel/fs/groups.hpp"

#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>

namespace uk::fs {

Ref<GroupList> GroupList::make(std::size_t count) {
    void* memory = mm::allocate(sizeof(GroupList) + count * sizeof(std::uint32_t));
    if (memory == nullptr)
        return {};
    return Ref<GroupList>::adopt(new (memory) GroupList(count));
}

void GroupList::sort() {
    std::ranges::sort(ids());
}

bool GroupList::contains(std::uint32_t group) const {
    return std::ranges::binary_search(ids(), group);
}

void release(GroupList& list) {
    if (--list.references_ == 0)
        mm::free(&list);
}

} // namespace uk::fs
