// SPDX-License-Identifier: Apache-2.0
// hypervisor/base/weakness.hpp - holes that one test image, caisson_weak.elf, can be told to have.
//
// In every product build weak() is the constant false and leaves no trace. The test image compares with a name in its own
// ELF section, which the tests fill in a copy of the file. qemu-tests/weak/weaknesses.txt lists the names.
#pragma once

#if CAISSON_WEAK
#include "hypervisor/base/weakness_test.hpp"
#else
namespace base {
constexpr bool weak(const char*) {
    return false;
}
} // namespace base
#endif
