// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/completion.hpp - what shells offer, made of the options as they are declared.
#pragma once

#include "image-tools/cli/command_tree.hpp"

#include <cstdint>
#include <string>

namespace cli {

enum class Shell : std::uint8_t { bash, zsh, fish };

// The script that completes commands, options, their words, files and error codes.
std::string completion(const CommandTree& tree, Shell shell);

} // namespace cli
