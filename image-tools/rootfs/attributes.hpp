// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/attributes.hpp - which extended attributes a root image can hold.
//
// Others (macOS tools put com.apple.* into layers) no Linux file system would take: they are left out.
// Spec: EROFS on-disk format, xattr name indexes; xattr(7).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace rootfs {

struct AttributeNamespace {
    std::uint8_t index;
    std::string_view prefix; // with its dot, or the whole name
};

std::optional<AttributeNamespace> attribute_namespace(std::string_view name);

// Of one inode, with their headers; the format's 16-bit count of words allows 256 KiB.
inline constexpr std::uint64_t largest_attributes = std::uint64_t{128} << 10;

} // namespace rootfs
