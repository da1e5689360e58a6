// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_tree.hpp - all commands with their options, and reading a command line by them.
#pragma once

#include "image-tools/cli/command.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace cli {

class CommandTree {
public:
    explicit CommandTree(const std::string& description);
    CommandTree(const CommandTree&) = delete;
    CommandTree& operator=(const CommandTree&) = delete;
    ~CommandTree();

    // Where the options of every command and the commands are declared; the next two are Command's.
    [[nodiscard]] Command root() { return Command{*this, *app_}; }
    void add_leaf(const CLI::App& command, std::string example, Action action);
    // Names that a later version will know: refused with that reason.
    void reserve(std::vector<std::string_view> names) { reserved_ = std::move(names); }

    // Reads the words into what was declared. The chosen command's action, `chosen` its name ("image create"); nothing
    // where --help was asked for and written. Throws E0101 (exit 2) with what was probably meant.
    [[nodiscard]] const Action* parse(int count, char** arguments, std::string& chosen);

    // For help, manual pages and completion.
    [[nodiscard]] const CLI::App& app() const { return *app_; }
    // The command of that name ("image create"; empty: the tool itself); nothing: there is none.
    [[nodiscard]] const CLI::App* find(std::string_view name) const;
    // Empty: none.
    [[nodiscard]] std::string_view example(const CLI::App& command) const;
    // As `caisson help NAME` prints it. Throws E0101.
    [[nodiscard]] std::string help(const std::string& name) const;

private:
    struct Leaf {
        std::string example;
        Action action;
    };
    void check_command(int count, char** arguments) const;
    [[noreturn]] void refuse(std::string message, bool unexpected) const;
    [[nodiscard]] const CLI::App& chosen_app() const;

    std::unique_ptr<CLI::App> app_;
    std::map<const CLI::App*, Leaf> leaves_;
    std::vector<std::string_view> reserved_;
};

} // namespace cli
