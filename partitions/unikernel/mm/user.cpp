// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/user.cpp - see user.hpp. The copies themselves are in start/stubs.S.
#include "partitions/unikernel/mm/user.hpp"

#include "partitions/unikernel/machine/stubs.hpp"

#include <algorithm>

namespace uk::mm {

namespace {

bool in_user_half(UserAddress address, std::size_t bytes) {
    return address.value() <= user_end && bytes <= user_end - address.value();
}

// SAFETY: only for ranges that in_user_half() accepted; dereferenced in the fix-up routines alone.
void* user_pointer(UserAddress address) {
    return reinterpret_cast<void*>(address.value());
}

} // namespace

Status copy_in(void* to, UserAddress from, std::size_t bytes) {
    if (!in_user_half(from, bytes) || user_copy(to, user_pointer(from), bytes) != 0)
        return base::Failure{Errno::fault};
    return base::success;
}

Status copy_out(UserAddress to, const void* from, std::size_t bytes) {
    if (!in_user_half(to, bytes) || user_copy(user_pointer(to), from, bytes) != 0)
        return base::Failure{Errno::fault};
    return base::success;
}

std::size_t copy_in_some(void* to, UserAddress from, std::size_t bytes) {
    if (from.value() >= user_end)
        return 0;
    bytes = std::min<std::uint64_t>(bytes, user_end - from.value());
    return bytes - user_copy(to, user_pointer(from), bytes);
}

std::size_t copy_out_some(UserAddress to, const void* from, std::size_t bytes) {
    if (to.value() >= user_end)
        return 0;
    bytes = std::min<std::uint64_t>(bytes, user_end - to.value());
    return bytes - user_copy(user_pointer(to), from, bytes);
}

Status clear_out(UserAddress to, std::size_t bytes) {
    if (!in_user_half(to, bytes) || user_clear(user_pointer(to), bytes) != 0)
        return base::Failure{Errno::fault};
    return base::success;
}

Result<std::size_t> copy_string(std::span<char> to, UserAddress from) {
    if (from.value() >= user_end)
        return base::Failure{Errno::fault};
    const std::size_t room = std::min<std::uint64_t>(to.size(), user_end - from.value());
    const std::int64_t length = user_string(to.data(), static_cast<const char*>(user_pointer(from)), room);
    if (length == -2)
        return base::Failure{room < to.size() ? Errno::fault : Errno::nametoolong};
    if (length < 0)
        return base::Failure{Errno::fault};
    return static_cast<std::size_t>(length);
}

} // namespace uk::mm
