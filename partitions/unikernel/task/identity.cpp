// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/task/identity.cpp - see identity.hpp.
#include "partitions/unikernel/task/identity.hpp"

#include <algorithm>
#include <array>

namespace uk {

namespace {
std::array<char, 64> hostname_text{};
} // namespace

std::string_view hostname() {
    return hostname_text.data();
}

void set_hostname(std::string_view name) {
    hostname_text.fill('\0');
    std::copy_n(name.begin(), std::min(name.size(), hostname_text.size() - 1), hostname_text.begin());
}

} // namespace uk
