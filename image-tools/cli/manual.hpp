// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/manual.hpp - manual pages, and the common part of help, made of the options as they are declared.
#pragma once

#include "image-tools/cli/command_tree.hpp"

#include <string>
#include <string_view>

namespace cli {

// What stands below a command's own options in its help: the options of every command, and the example.
std::string common_help(const CommandTree& tree, const CLI::App& command);

// The page caisson-COMMAND(1), or caisson(1) for an empty command, as troff; empty: there is no such command.
std::string manual_page(const CommandTree& tree, std::string_view command);

} // namespace cli
