// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/memory.hpp - lists that are made at start and stay.
#pragma once

#include "partitions/unikernel/mm/heap.hpp"

#include <optional>
#include <span>

namespace uplink {

// `count` of T as they begin; nothing: out of memory.
template <typename T> [[nodiscard]] std::optional<std::span<T>> make_list(std::size_t count) {
    static_assert(alignof(T) <= 16);
    if (count == 0)
        return std::span<T>{};
    auto* memory = static_cast<T*>(uk::mm::allocate(count * sizeof(T)));
    if (memory == nullptr)
        return std::nullopt;
    for (std::size_t i = 0; i < count; ++i)
        std::construct_at(memory + i);
    return std::span{memory, count};
}

} // namespace uplink
