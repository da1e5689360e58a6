// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/host_heap.hpp - the kernel heap in the tests of this room: malloc, with an end that a test sets.
// Included by one source of a test program.
#pragma once

#include "partitions/unikernel/mm/heap.hpp"

#include <cstdlib>

namespace uk::mm {

inline unsigned allocations_left = ~0U; // then out of memory
inline int allocated = 0;

void* allocate(std::size_t bytes) {
    if (allocations_left == 0)
        return nullptr;
    if (allocations_left != ~0U)
        --allocations_left;
    ++allocated;
    return std::malloc(bytes);
}

void free(void* memory) {
    if (memory != nullptr)
        --allocated;
    std::free(memory);
}

} // namespace uk::mm
