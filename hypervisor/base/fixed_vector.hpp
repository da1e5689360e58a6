// SPDX-License-Identifier: Apache-2.0
// hypervisor/base/fixed_vector.hpp - a vector of trivially destructible items with a fixed capacity and no heap.
#pragma once

#include "hypervisor/base/fail.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <type_traits>

namespace base {

template <typename T, std::size_t Capacity> class FixedVector {
    static_assert(std::is_trivially_destructible_v<T>);

public:
    // False, and nothing changed, when full.
    [[nodiscard]] constexpr bool push_back(const T& item) { return insert(size_, item); }
    // Inserts before `index` (<= size). False, and nothing changed, when full.
    [[nodiscard]] constexpr bool insert(std::size_t index, const T& item) {
        expects(index <= size_, "FixedVector: insert past the end");
        if (size_ >= Capacity) // not ==: from this g++ 13 and later learn that the copy stays inside
            return false;
        std::copy_backward(begin() + index, end(), end() + 1);
        items_[index] = item;
        ++size_;
        return true;
    }
    constexpr void erase(std::size_t index) {
        expects(index < size_, "FixedVector: erase past the end");
        std::copy(begin() + index + 1, end(), begin() + index);
        --size_;
    }
    constexpr void clear() { size_ = 0; }
    [[nodiscard]] constexpr std::size_t size() const { return size_; }
    [[nodiscard]] constexpr bool empty() const { return size_ == 0; }
    [[nodiscard]] static constexpr std::size_t capacity() { return Capacity; }
    // Past size() is our own bug, which libstdc++ asserts (_GLIBCXX_ASSERTIONS).
    [[nodiscard]] constexpr T& operator[](std::size_t i) { return std::span{begin(), size_}[i]; }
    [[nodiscard]] constexpr const T& operator[](std::size_t i) const { return view()[i]; }
    constexpr T* begin() { return items_.data(); }
    constexpr T* end() { return items_.data() + size_; }
    constexpr const T* begin() const { return items_.data(); }
    constexpr const T* end() const { return items_.data() + size_; }
    [[nodiscard]] constexpr std::span<const T> view() const { return {items_.data(), size_}; }

private:
    std::array<T, Capacity> items_{};
    std::size_t size_ = 0;
};

} // namespace base
