// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/base/library.cpp - the few functions of the C++ and C libraries that headers call.
#include "hypervisor/base/fail.hpp"

#include <cstddef>

namespace std {
[[noreturn]] void __throw_out_of_range_fmt(const char* format, ...) {
    base::fail(format, "", 0);
}
[[noreturn]] void __throw_length_error(const char* what) {
    base::fail(what, "", 0);
}
} // namespace std

extern "C" std::size_t strnlen(const char* text, std::size_t most) {
    std::size_t length = 0;
    while (length < most && text[length] != '\0')
        ++length;
    return length;
}
