// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command.hpp - how a command declares itself: name, options with the kinds of their values, example,
// action.
//
// Each command's file holds its options and declares them here; help, manual pages and completion are made of the same
// declarations.
#pragma once

#include "image-tools/cli/options.hpp"
#include "image-tools/cli/report.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace CLI {
class App;
}

namespace cli {

// What stands after an option or for an argument: the word that help shows, and what shells offer for it.
struct Value {
    enum class Offers : std::uint8_t { nothing, files, folders, codes, commands };
    const char* word;
    Offers offers = Offers::nothing;
};
namespace value {
inline constexpr Value file{"FILE", Value::Offers::files}, bundle{"BUNDLE", Value::Offers::files},
    log{"LOG", Value::Offers::files}, line{"LINE", Value::Offers::files}, path{"PATH", Value::Offers::files},
    folder{"DIR", Value::Offers::folders}, image{"IMAGE", Value::Offers::files},
    device{"DEVICE", Value::Offers::files}, before{"BEFORE", Value::Offers::files},
    after{"AFTER", Value::Offers::files}, code{"CODE", Value::Offers::codes},
    command{"COMMAND", Value::Offers::commands}, name{"NAME"}, partition{"PARTITION"}, list{"LIST"},
    number{"N"}, port{"PORT"}, time{"TIME"}, size{"SIZE"}, model{"MODEL"}, argument{"ARG"}, word{"WORD"},
    variable{"NAME=VALUE"}, user{"USER[:GROUP]"}, signal{"SIGNAL"}, architecture{"ARCH"};
inline constexpr std::array with_offers{file,  bundle, log,    line,  path, folder,
                                        image, device, before, after, code, command};
} // namespace value

// What a command does with its options once they are read; the exit code. Throws diagnostic::Failure.
using Action = std::function<int(const Common&, Report&)>;

class CommandTree;

// The words of options with a default that depends on where they are used.
inline constexpr std::array<std::pair<const char*, When>, 3> when_words{
    {{"auto", When::automatic}, {"always", When::always}, {"never", When::never}}};

// A command while it is declared. Whatever `to` names must live as long as the tree.
class Command {
public:
    Command(CommandTree& tree, CLI::App& app) : tree_(tree), app_(app) {}

    void flag(const std::string& names, bool& to, const std::string& description);
    // Given, it sets `to` to false.
    void negative_flag(const std::string& names, bool& to, const std::string& description);
    void option(const std::string& names, std::string& to, Value value, const std::string& description);
    void option(const std::string& names, std::optional<std::uint64_t>& to, Value value,
                const std::string& description);
    void option(const std::string& names, std::uint64_t& to, Value value, const std::string& description);
    // Each time it is given adds one; with `separator` also several at once.
    void option(const std::string& names, std::vector<std::string>& to, Value value,
                const std::string& description, char separator = '\0');
    // One of a few words, for the value beside it.
    template <typename T, std::size_t Count>
    void choice(const std::string& names, T& to, const std::array<std::pair<const char*, T>, Count>& choices,
                const std::string& description) {
        std::vector<std::string> words;
        for (const auto& [word, ignored] : choices)
            words.emplace_back(word);
        choice(names, words, description, [&to, choices](std::size_t index) { to = choices[index].second; });
    }
    // Positional ones.
    enum class Must : bool { no, yes };
    void argument(std::string& to, Value value, const std::string& description, Must must = Must::no);
    void argument(std::vector<std::string>& to, Value value, const std::string& description);
    // A bundle that must be given, in a file of any kind that carries one.
    void bundle(std::string& to, Value value);
    template <typename T, std::size_t Count>
    void argument(T& to, const std::array<std::pair<const char*, T>, Count>& choices, const std::string& name,
                  const std::string& description) {
        choice(name, to, choices, description);
        required(name);
    }
    // Of an option or argument declared before, by its first name.
    void required(const std::string& name);
    void hidden(const std::string& name); // not in help, manual pages or completion

    // Commands below this one.
    Command group(const std::string& name, const std::string& description);
    template <typename Options>
    void add(const std::string& name, const std::string& description, const std::string& example,
             void (*declare)(Command&, Options&), int (*run)(const Options&, const Common&, Report&)) {
        const auto options = std::make_shared<Options>();
        Command command =
            leaf(name, description, example, [options, run](const Common& common, Report& report) {
                return run(*options, common, report);
            });
        if (declare != nullptr)
            declare(command, *options);
    }
    void add(const std::string& name, const std::string& description, const std::string& example,
             int (*run)(const Common&, Report&)) {
        leaf(name, description, example, run);
    }

    [[nodiscard]] const CommandTree& tree() const { return tree_; }

private:
    void choice(const std::string& names, const std::vector<std::string>& words,
                const std::string& description, std::function<void(std::size_t)> take);
    Command leaf(const std::string& name, const std::string& description, const std::string& example,
                 Action action);

    CommandTree& tree_;
    CLI::App& app_;
};

} // namespace cli
