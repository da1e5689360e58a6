// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/user.hpp - the only way to user memory: checked copies with fault fix-up.
//
// Trust:      addresses and lengths come from the program and may be anything.
// Invariants: I1  no byte at or above user_end is touched
//             I2  a page that cannot be made present gives EFAULT; what was copied before stays
//                 copied
//             I3  SMAP is off only inside the copy instructions. Copies may fault pages in; they
//                 never sleep.
//             I4  the program's other CPUs change its memory meanwhile: what is checked is what was
//                 copied, and a value that is read again is checked again
#pragma once

#include "hypervisor/base/address.hpp"
#include "partitions/unikernel/base/errno.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace uk::mm {

using UserAddress = base::Address<struct UserTag>;

inline constexpr std::uint64_t user_end = 0x7ffffffff000; // first address a program cannot use

[[nodiscard]] Status copy_in(void* to, UserAddress from, std::size_t bytes);
[[nodiscard]] Status copy_out(UserAddress to, const void* from, std::size_t bytes);
// As many bytes as can be copied, from the first on.
[[nodiscard]] std::size_t copy_in_some(void* to, UserAddress from, std::size_t bytes);
[[nodiscard]] std::size_t copy_out_some(UserAddress to, const void* from, std::size_t bytes);
[[nodiscard]] Status clear_out(UserAddress to, std::size_t bytes);
// A string with its NUL into `to`; gives its length. ENAMETOOLONG when no NUL comes within to.size().
[[nodiscard]] Result<std::size_t> copy_string(std::span<char> to, UserAddress from);

template <typename T> [[nodiscard]] Result<T> read_user(UserAddress from) {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    CAISSON_TRY(copy_in(&value, from, sizeof(T)));
    return value;
}

template <typename T> [[nodiscard]] Status write_user(UserAddress to, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    return copy_out(to, &value, sizeof(T));
}

} // namespace uk::mm
