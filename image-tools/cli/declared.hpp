// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/declared.hpp - looking at what was declared to CLI11. Internal: only files that include CLI11 do so.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace cli {

inline std::vector<const CLI::App*> below(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

// Those that are shown.
inline std::vector<const CLI::Option*> options_of(const CLI::App& app) {
    return app.get_options([](const CLI::Option* option) { return !option->get_group().empty(); });
}

// Every command, "image" and "image create" alike.
struct NamedCommand {
    std::string name;
    const CLI::App* app;
};
inline std::vector<NamedCommand> commands_of(const CLI::App& app) {
    std::vector<NamedCommand> out;
    for (const CLI::App* command : below(app)) {
        out.push_back({command->get_name(), command});
        for (const CLI::App* inner : below(*command))
            out.push_back({command->get_name() + " " + inner->get_name(), inner});
    }
    return out;
}

} // namespace cli
