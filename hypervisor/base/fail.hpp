// SPDX-License-Identifier: Apache-2.0
// hypervisor/base/fail.hpp - the one way out for our own bugs (a link-time seam).
//
// Never reachable from guest, firmware or bundle bytes: those give errors. Each environment links its own `fail`:
// the hypervisor panics, the unikernel ends its partition, the host aborts (arch/host/fail.cpp).
#pragma once

namespace base {

[[noreturn]] void fail(const char* what, const char* file, unsigned line);

// A condition that only a bug in the hypervisor can break.
constexpr void expects(bool condition, const char* what, const char* file = __builtin_FILE(),
                       unsigned line = __builtin_LINE()) {
    if (!condition) [[unlikely]]
        fail(what, file, line);
}

} // namespace base
