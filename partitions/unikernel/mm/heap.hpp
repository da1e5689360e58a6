// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/heap.hpp - the kernel heap: small objects, and runs of frames for large ones.
//
// Memory is 16-byte aligned and not cleared. Every allocation can fail; the caller answers with ENOMEM.
// The unikernel links heap.cpp (over mm/frames), hosted tests link host_memory.cpp (over malloc).
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace uk::mm {

[[nodiscard]] void* allocate(std::size_t bytes); // nullptr: out of memory
void free(void* memory);                         // what allocate gave, or nullptr

// Bytes of frames that the heap holds now.
[[nodiscard]] std::size_t heap_bytes();

// One object, or nullptr.
template <typename T, typename... Arguments> [[nodiscard]] T* make(Arguments&&... arguments) {
    static_assert(alignof(T) <= 16);
    void* memory = allocate(sizeof(T));
    if (memory == nullptr)
        return nullptr;
    return std::construct_at(static_cast<T*>(memory), std::forward<Arguments>(arguments)...);
}

template <typename T> void destroy(T* object) {
    if (object == nullptr)
        return;
    object->~T();
    uk::mm::free(object);
}

// Owns one object made by make().
struct Deleter {
    template <typename T> void operator()(T* object) const { destroy(object); }
};
template <typename T> using Owned = std::unique_ptr<T, Deleter>;

} // namespace uk::mm
