// SPDX-License-Identifier: Apache-2.0
// cmake/short_assertions.hpp - libstdc++'s own checks (_GLIBCXX_ASSERTIONS) name file and line only.
//
// Included before everything else by -include, for images whose size counts: each check would carry the text of its condition
// and of its function with all template arguments, an eighth of the unikernel. What another release of libstdc++ calls
// its macro stays as it is.
#pragma once

#include <cstddef>

#ifdef __glibcxx_assert_impl
#undef __glibcxx_assert_impl
#define __glibcxx_assert_impl(condition)                                                                     \
    if (__builtin_expect(!bool(condition), false)) {                                                         \
        __glibcxx_constexpr_assert(false);                                                                   \
        std::__glibcxx_assert_fail(__FILE__, __LINE__, nullptr, nullptr);                                    \
    }
#endif
