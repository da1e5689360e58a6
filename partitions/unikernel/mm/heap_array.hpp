// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/heap_array.hpp - an array on the kernel's heap.
#pragma once

#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>
#include <memory>
#include <span>

namespace uk::mm {

// An array on the heap that is destroyed with its scope.
template <typename T> class HeapArray {
public:
    explicit HeapArray(std::size_t count)
        : items_(count == 0 ? nullptr : static_cast<T*>(allocate(count * sizeof(T)))),
          made_(count == 0 || items_ != nullptr) {
        for (; items_ != nullptr && count_ < count; ++count_)
            std::construct_at(items_ + count_);
    }
    HeapArray(const HeapArray&) = delete;
    HeapArray& operator=(const HeapArray&) = delete;
    ~HeapArray() {
        while (count_ > 0)
            std::destroy_at(items_ + --count_);
        uk::mm::free(items_);
    }
    [[nodiscard]] bool made() const { return made_; }
    [[nodiscard]] std::span<T> view() { return {items_, count_}; }

private:
    T* items_;
    bool made_;
    std::size_t count_ = 0;
};

} // namespace uk::mm
