// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/user.hpp - who the container runs as: "user[:group]" by the image's /etc/passwd and
// /etc/group.
//
// The rules are Docker's: names before numbers; a number needs no entry; with an explicit group there are no
// supplementary groups, without one there are all that list the user.
// Trust: both files are the image's; malformed lines are skipped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rootfs {

struct User {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups; // supplementary, in the file's order
    std::string name;                  // empty: no entry
    std::string home = "/";
};

// From the text of the two files (nothing: file missing); `image` is for messages. Throws E0416 for a name that is not there
// and a number above 2^31 - 1.
User resolve_user(std::string_view image, std::string_view specification,
                  std::optional<std::string_view> passwd, std::optional<std::string_view> group);

} // namespace rootfs
