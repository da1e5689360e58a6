// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/challenge.hpp - what a registry asks for: the header WWW-Authenticate.
//
// Trust: the header's bytes are hostile. Pure.
// Spec:  RFC 9110, 11.3 and 11.6.1.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace registry {

struct Challenge {
    std::string scheme;                              // lower case: "bearer"
    std::string token68;                             // instead of parameters
    std::map<std::string, std::string> parameters{}; // names in lower case, quoting taken off
};

// Nothing where the header is not well formed, or names a parameter twice.
std::optional<std::vector<Challenge>> parse_challenges(std::string_view header);

} // namespace registry
