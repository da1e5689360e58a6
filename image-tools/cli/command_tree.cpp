// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_tree.cpp - declaring commands to CLI11, and reading a command line with it.
//
// CLI11 is included here and by declared.hpp only. Usage errors are exit 2 whatever CLI11 calls them,
// with our suggestions.
#include "image-tools/cli/command_tree.hpp"

#include "image-tools/cli/declared.hpp"
#include "image-tools/cli/manual.hpp"
#include "image-tools/diagnostic/suggest.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>

namespace cli {
namespace {

[[noreturn]] void usage_error(std::string message, std::string help) {
    throw diagnostic::fail("E0101", std::move(message)).help(std::move(help));
}

std::string joined(const std::vector<std::string>& words, std::string_view between, std::string_view last) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i)
        out += std::string(i == 0 ? "" : i + 1 == words.size() ? last : between) + words[i];
    return out;
}

// What stands in help for its value, and what it is without it.
std::string described(const std::string& description, const std::string& standard) {
    return standard.empty() ? description : description + " (default: " + standard + ")";
}

} // namespace

void Command::flag(const std::string& names, bool& to, const std::string& description) {
    app_.add_flag(names, to, description);
}

void Command::negative_flag(const std::string& names, bool& to, const std::string& description) {
    app_.add_flag("!" + names, to, description);
}

void Command::option(const std::string& names, std::string& to, Value value, const std::string& description) {
    app_.add_option(names, to, described(description, to))->option_text(value.word);
}

void Command::option(const std::string& names, std::optional<std::uint64_t>& to, Value value,
                     const std::string& description) {
    app_.add_option(names, to, description)->option_text(value.word);
}

void Command::option(const std::string& names, std::uint64_t& to, Value value,
                     const std::string& description) {
    app_.add_option(names, to, described(description, std::to_string(to)))->option_text(value.word);
}

void Command::option(const std::string& names, std::vector<std::string>& to, Value value,
                     const std::string& description, char separator) {
    CLI::Option* option =
        app_.add_option(names, to, description)->option_text(value.word)->allow_extra_args(false);
    if (separator != '\0')
        option->delimiter(separator);
}

void Command::choice(const std::string& names, const std::vector<std::string>& words,
                     const std::string& description, std::function<void(std::size_t)> take) {
    const auto chosen = [words, names, take = std::move(take)](const std::string& given) {
        const auto found = std::find(words.begin(), words.end(), given);
        if (found == words.end())
            usage_error(names + " can be " + joined(words, ", ", " or ") + ", not '" + given + "'",
                        "see caisson help");
        take(static_cast<std::size_t>(found - words.begin()));
    };
    app_.add_option_function<std::string>(names, chosen, description)->option_text(joined(words, "|", "|"));
}

void Command::argument(std::string& to, Value value, const std::string& description, Must must) {
    app_.add_option(value.word, to, description)->type_name("")->required(must == Must::yes);
}

void Command::argument(std::vector<std::string>& to, Value value, const std::string& description) {
    app_.add_option(value.word, to, description)->type_name("");
}

void Command::bundle(std::string& to, Value value) {
    argument(to, value, "the bundle, or a .efi, .img or .iso", Must::yes);
}

void Command::required(const std::string& name) {
    app_.get_option(name)->required();
}

void Command::hidden(const std::string& name) {
    app_.get_option(name)->group("");
}

Command Command::group(const std::string& name, const std::string& description) {
    CLI::App* command = app_.add_subcommand(name, description);
    command->require_subcommand(1);
    return {tree_, *command};
}

Command Command::leaf(const std::string& name, const std::string& description, const std::string& example,
                      Action action) {
    CLI::App* command = app_.add_subcommand(name, description);
    tree_.add_leaf(*command, example, std::move(action));
    // Below a command's own options: those of every command, and an example.
    command->footer([&tree = tree_, command] { return common_help(tree, *command); });
    return {tree_, *command};
}

CommandTree::CommandTree(const std::string& description)
    : app_(std::make_unique<CLI::App>(description, "caisson")) {
    app_->require_subcommand(1);
    app_->fallthrough();
    app_->get_formatter()->column_width(32);
}

CommandTree::~CommandTree() = default;

void CommandTree::add_leaf(const CLI::App& command, std::string example, Action action) {
    leaves_[&command] = {std::move(example), std::move(action)};
}

const CLI::App* CommandTree::find(std::string_view name) const {
    const CLI::App* at = app_.get();
    while (!name.empty()) {
        const std::size_t end = std::min(name.find(' '), name.size());
        const auto list = below(*at);
        const auto found = std::find_if(list.begin(), list.end(), [&](const CLI::App* entry) {
            return entry->get_name() == name.substr(0, end);
        });
        if (found == list.end())
            return nullptr;
        at = *found;
        name.remove_prefix(std::min(end + 1, name.size()));
    }
    return at;
}

std::string_view CommandTree::example(const CLI::App& command) const {
    const auto found = leaves_.find(&command);
    return found == leaves_.end() ? std::string_view{} : found->second.example;
}

std::string CommandTree::help(const std::string& name) const {
    const CLI::App* at = find(name);
    if (at == nullptr)
        usage_error("there is no command '" + name + "'", "see caisson help");
    return app_->get_formatter()->make_help(at, name.empty() ? "caisson" : "caisson " + name,
                                            CLI::AppFormatMode::Normal);
}

// The first word is a command: a wrong one gets an answer before CLI11's.
void CommandTree::check_command(int count, char** arguments) const {
    std::vector<std::string_view> words;
    for (const CLI::App* command : below(*app_))
        words.emplace_back(command->get_name());
    for (int i = 1; i < count; ++i) {
        const std::string_view word = arguments[i];
        if (word.starts_with('-')) {
            const CLI::Option* option = app_->get_option_no_throw(std::string(word));
            if (option != nullptr && option->get_items_expected_max() > 0)
                ++i; // its value
            continue;
        }
        if (std::find(words.begin(), words.end(), word) != words.end())
            return;
        const std::string quoted = "'" + std::string(word) + "'";
        if (std::find(reserved_.begin(), reserved_.end(), word) != reserved_.end())
            usage_error(quoted + " is known, not yet supported", "see caisson help");
        const auto near = diagnostic::suggest(word, words);
        usage_error("there is no command " + quoted,
                    near ? "did you mean '" + std::string(*near) + "'?" : "see caisson help");
    }
}

const CLI::App& CommandTree::chosen_app() const {
    const CLI::App* at = app_.get();
    for (auto list = at->get_subcommands(); !list.empty(); list = at->get_subcommands())
        at = list.front();
    return *at;
}

// `unexpected`: CLI11 met a word it knows no place for; then the nearest option is named.
void CommandTree::refuse(std::string message, bool unexpected) const {
    const CLI::App& command = chosen_app();
    std::string help = "see caisson help";
    for (const CLI::App* at = app_.get(); at != &command; at = at->get_subcommands().front())
        help += " " + at->get_subcommands().front()->get_name();
    const std::vector<std::string> extras = app_->remaining(true);
    if (!unexpected || extras.empty())
        usage_error(std::move(message), std::move(help));
    std::vector<std::string> names;
    for (const CLI::App* app : {static_cast<const CLI::App*>(app_.get()), &command})
        for (const CLI::Option* option : app->get_options([](const CLI::Option*) { return true; }))
            for (const std::string& name : option->get_lnames())
                names.push_back("--" + name);
    const std::vector<std::string_view> views(names.begin(), names.end());
    if (const auto near = diagnostic::suggest(extras.front(), views))
        help = "did you mean '" + std::string(*near) + "'?";
    usage_error("unexpected argument '" + extras.front() + "'", std::move(help));
}

const Action* CommandTree::parse(int count, char** arguments, std::string& chosen) {
    check_command(count, arguments);
    try {
        app_->parse(count, arguments);
    } catch (const CLI::Success& success) {
        app_->exit(success);
        return nullptr;
    } catch (const CLI::ParseError& error) {
        const bool nothing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
        refuse(nothing && app_->get_subcommands().empty() ? "name a command" : error.what(),
               dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr);
    }
    const CLI::App& command = chosen_app();
    for (const CLI::App* at = app_.get(); at != &command;) {
        at = at->get_subcommands().front();
        chosen += (chosen.empty() ? "" : " ") + at->get_name();
    }
    return &leaves_.at(&command).action;
}

} // namespace cli
