// SPDX-License-Identifier: Apache-2.0
// arch/host/fail.cpp - `fail` for hosted programs: message and abort.
#include "hypervisor/base/fail.hpp"

#include <cstdio>
#include <cstdlib>

namespace base {

void fail(const char* what, const char* file, unsigned line) {
    std::fprintf(stderr, "caisson: internal error: %s (%s:%u)\n", what, file, line);
    std::abort();
}

} // namespace base
