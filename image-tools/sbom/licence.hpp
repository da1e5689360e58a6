// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/licence.hpp - what packages call their licences, in SPDX's words where they have one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sbom {

// One licence: an identifier of SPDX's list, an expression of such, or words that are neither.
struct Licence {
    enum class Form : unsigned char { identifier, expression, words };
    Form form{};
    std::string text;
};

// Of a field that may name several ("; " between them). Empty: nothing was said.
std::vector<Licence> licences_of(std::string_view field);

// "LicenseRef-..." for words, unique by them.
std::string reference_of(std::string_view words);

} // namespace sbom
