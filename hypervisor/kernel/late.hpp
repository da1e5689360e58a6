// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/late.hpp - room in the image for one object that boot makes when its inputs are there.
//
// No constructor runs before boot, no destructor ever. Using it before emplace() is our own bug.
#pragma once

#include "hypervisor/base/fail.hpp"

#include <memory>
#include <type_traits>
#include <utility>

namespace hv {

template <typename T> class Late {
    static_assert(std::is_trivially_destructible_v<T>);

public:
    constexpr Late() : nothing_(0) {}
    Late(const Late&) = delete;
    Late& operator=(const Late&) = delete;

    template <typename... Arguments> T& emplace(Arguments&&... arguments) {
        std::construct_at(&value_, std::forward<Arguments>(arguments)...);
        made_ = true;
        return value_;
    }
    [[nodiscard]] bool made() const { return made_; }
    T& operator*() {
        base::expects(made_, "Late: used before it was made");
        return value_;
    }
    T* operator->() { return &**this; }

private:
    union {
        char nothing_;
        T value_;
    };
    bool made_ = false;
};

} // namespace hv
