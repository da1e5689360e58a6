// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/attributes.hpp"

namespace rootfs {

namespace {

constexpr AttributeNamespace whole_names[] = {{2, "system.posix_acl_access"},
                                              {3, "system.posix_acl_default"}};
constexpr AttributeNamespace prefixes[] = {{1, "user."}, {4, "trusted."}, {6, "security."}};

} // namespace

std::optional<AttributeNamespace> attribute_namespace(std::string_view name) {
    for (const AttributeNamespace& known : whole_names) {
        if (name == known.prefix) {
            return known;
        }
    }
    for (const AttributeNamespace& known : prefixes) {
        if (name.starts_with(known.prefix) && name.size() > known.prefix.size()) {
            return known;
        }
    }
    return std::nullopt;
}

} // namespace rootfs
