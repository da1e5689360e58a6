// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/manual.hpp - manual pages and completion, made from the options as they are parsed.
#pragma once

#include <string>
#include <string_view>

namespace CLI {
class App;
}

namespace cli {

// An example of that command's use; empty: none.
std::string_view example_of(std::string_view command);

// What stands below a command's own options in its help: the options of every command, and the example.
std::string common_help(const CLI::App& app, std::string_view command);

// The page caisson-COMMAND(1), or caisson(1) for an empty command, as troff.
std::string manual_page(const CLI::App& app, std::string_view command);

// The script that completes commands, options and their words; shell: bash, zsh or fish. Empty: another shell.
std::string completion(const CLI::App& app, std::string_view shell);

} // namespace cli
