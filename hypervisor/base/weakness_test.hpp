// SPDX-License-Identifier: Apache-2.0
// hypervisor/base/weakness_test.hpp - what base::weak() is in caisson_weak.elf: does a copy of the ELF name this weakness?
#pragma once

#include <string_view>

namespace base {

struct WeaknessSelector {
    char magic[16]; // "CAISSON-WEAK-V2"
    char chosen[32];
};
[[gnu::section(".caisson.weakness")]] extern const WeaknessSelector weakness_selector;

inline bool weak(std::string_view name) {
    const volatile char* chosen = weakness_selector.chosen; // the compiler has not seen it
    for (const char c : name)
        if (*chosen++ != c)
            return false;
    return *chosen == 0;
}

} // namespace base
