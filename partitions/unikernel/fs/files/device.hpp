// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/device.hpp - the character devices that there are: null, zero, full, random,
// urandom, console.
#pragma once

#include "partitions/unikernel/fs/files/file.hpp"

namespace uk::fs {

namespace device {
inline constexpr std::uint64_t null = make_device(1, 3);
inline constexpr std::uint64_t zero = make_device(1, 5);
inline constexpr std::uint64_t full = make_device(1, 7);
inline constexpr std::uint64_t random = make_device(1, 8);
inline constexpr std::uint64_t urandom = make_device(1, 9);
inline constexpr std::uint64_t tty = make_device(5, 0); // the session's controlling terminal
inline constexpr std::uint64_t terminal_maker = make_device(5, 2);
inline constexpr std::uint64_t console = make_device(5, 1);
} // namespace device

// nxio: no such device.
[[nodiscard]] Result<Ref<File>> open_device(Ref<Node> node, std::uint32_t flags);

} // namespace uk::fs
