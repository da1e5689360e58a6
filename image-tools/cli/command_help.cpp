// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_help.cpp - help and completion: what is known of the commands themselves.
#include "image-tools/cli/commands.hpp"
#include "image-tools/cli/completion.hpp"
#include "image-tools/cli/manual.hpp"

#include <array>

namespace cli {
namespace {

struct HelpOptions {
    const CommandTree* tree = nullptr;
    std::vector<std::string> topic;
    bool manual = false;
};

struct CompletionOptions {
    const CommandTree* tree = nullptr;
    Shell shell = Shell::bash;
};

int help(const HelpOptions& options, const Common&, Report& report) {
    std::string topic;
    for (const std::string& word : options.topic)
        topic += (topic.empty() ? "" : " ") + word;
    std::string text = options.tree->help(topic);
    if (options.manual)
        text = manual_page(*options.tree, topic);
    else if (topic.empty())
        text += "\nExit codes: 0 done, 1 the answer is no, 2 usage, 3 manifest or plan, 4 image or input, "
                "5 trust, 6 I/O,\n7 something is missing here, 8 a limit, 70 a bug; `run` gives the "
                "partition's own. See docs/cli.md.\n";
    report.text(text);
    return 0;
}

int complete(const CompletionOptions& options, const Common&, Report& report) {
    report.text(completion(*options.tree, options.shell));
    return 0;
}

} // namespace

void declare_help_commands(Command& root) {
    root.add<HelpOptions>(
        "help", "This text, or that of a command", "caisson help image create",
        [](Command& command, HelpOptions& options) {
            options.tree = &command.tree();
            command.argument(options.topic, value::command, "a command");
            command.flag("--man", options.manual, "as a manual page");
            command.hidden("--man");
        },
        help);
    root.add<CompletionOptions>(
        "completion", "The script with which a shell completes commands and options",
        "caisson completion bash >~/.local/share/bash-completion/completions/caisson",
        [](Command& command, CompletionOptions& options) {
            constexpr std::array<std::pair<const char*, Shell>, 3> shells{
                {{"bash", Shell::bash}, {"zsh", Shell::zsh}, {"fish", Shell::fish}}};
            options.tree = &command.tree();
            command.argument(options.shell, shells, "SHELL", "bash, zsh or fish");
        },
        complete);
}

} // namespace cli
