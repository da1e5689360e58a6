// SPDX-License-Identifier: Apache-2.0
// image-tools/policy/profile.hpp - which system calls a container may make: built in, or read from the JSON that Docker and
// the OCI runtime specification use.
//
// A profile is read for one set of capabilities and for x86-64: rules for others are left out here and play no part later.
// Nothing is accepted and then ignored: an action, an operator or a field that has no meaning here is refused by its place.
// Spec: OCI runtime specification, config-linux, "Seccomp"; includes and excludes as Docker's profiles have them.
#pragma once

#include "image-tools/diagnostic/diagnostic.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace policy {

struct Action {
    enum class Kind : std::uint8_t { allow, error, kill_process, kill_thread, trap, log };
    Kind kind = Kind::allow;
    std::uint16_t error = 0; // kind error: an errno
    [[nodiscard]] bool operator==(const Action&) const = default;
};

struct Condition {
    enum class Operator : std::uint8_t { equal, not_equal, less, at_most, at_least, greater, masked_equal };
    unsigned argument = 0; // 0 to 5
    Operator operation = Operator::equal;
    std::uint64_t value = 0; // masked_equal: the mask
    std::uint64_t other = 0; // masked_equal: what is left under the mask
};

struct Rule {
    std::vector<std::string> names; // as Linux calls them
    Action action;
    std::vector<Condition> conditions; // all hold
};

struct Profile {
    Action otherwise;
    std::vector<Rule> rules;
};

using Capabilities = std::set<std::string>; // "CAP_SYS_ADMIN"

// Throws diagnostic::Failure E0430, naming `file` and line or field.
[[nodiscard]] Profile read_profile(std::string_view json, const std::string& file,
                                   const Capabilities& capabilities);

// `default`: what Docker's default profile refuses a container with these capabilities is EPERM; clone3, whose flags a filter
// cannot see, is ENOSYS, so that libraries fall back to clone.
[[nodiscard]] Profile default_profile(const Capabilities& capabilities);
// `strict`: `default`, and besides nothing that servers do without: tracing, other address spaces, keys, namespaces, raw
// sockets, device nodes, input pushed into terminals.
[[nodiscard]] Profile strict_profile(const Capabilities& capabilities);

} // namespace policy
