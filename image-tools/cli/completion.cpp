// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/completion.cpp - scripts for bash, zsh and fish.
#include "image-tools/cli/completion.hpp"

#include "image-tools/cli/declared.hpp"
#include "image-tools/diagnostic/codes.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace cli {
namespace {

using Words = std::vector<std::string>;

std::string joined(const Words& words, std::string_view between = " ") {
    std::string out;
    for (const std::string& word : words)
        out += std::string(out.empty() ? "" : between) + word;
    return out;
}

// What may stand for a value: words, names of files or folders, or nothing that a shell knows.
struct Offer {
    Words words;
    bool files = false, folders = false;
};

Offer offer_of(const CommandTree& tree, const CLI::Option& option) {
    Offer out;
    std::string text = option.get_option_text();
    if (text.empty())
        text = option.get_name(true);
    for (std::size_t at = 0; text.find('|') != std::string::npos && at <= text.size();) {
        const std::size_t end = std::min(text.find('|', at), text.size());
        out.words.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    for (const Value& value : value::with_offers) {
        if (text != value.word)
            continue;
        out.files = value.offers == Value::Offers::files;
        out.folders = value.offers == Value::Offers::folders;
        if (value.offers == Value::Offers::codes)
            for (const diagnostic::CodeEntry& entry : diagnostic::code_table)
                out.words.emplace_back(entry.name);
        if (value.offers == Value::Offers::commands)
            for (const CLI::App* command : below(tree.app()))
                out.words.push_back(command->get_name());
    }
    return out;
}

Words names_of(const CLI::Option& option) {
    Words out;
    for (const std::string& name : option.get_snames())
        out.push_back("-" + name);
    for (const std::string& name : option.get_lnames())
        out.push_back("--" + name);
    return out;
}

Words names_of(const CLI::App& app) {
    Words out;
    for (const CLI::Option* option : options_of(app))
        for (const std::string& name : names_of(*option))
            out.push_back(name);
    return out;
}

bool takes_value(const CLI::Option& option) {
    return !option.get_positional() && option.get_items_expected_max() > 0;
}

// Every option that takes a value, with what it offers. A name means the same in all commands.
std::map<std::string, Offer> values(const CommandTree& tree) {
    std::map<std::string, Offer> out;
    const auto collect = [&](const CLI::App& app) {
        for (const CLI::Option* option : options_of(app))
            if (takes_value(*option))
                for (const std::string& name : names_of(*option))
                    out[name] = offer_of(tree, *option);
    };
    collect(tree.app());
    for (const NamedCommand& command : commands_of(tree.app()))
        collect(*command.app);
    return out;
}

// The value of the option before the word, as branches of a case.
std::string value_branches(const CommandTree& tree) {
    Words files, folders, others;
    std::string out;
    for (const auto& [name, offer] : values(tree)) {
        if (!offer.words.empty())
            out += "        " + name + ") COMPREPLY=($(compgen -W '" + joined(offer.words) +
                   "' -- \"$word\")); return ;;\n";
        else
            (offer.files ? files : offer.folders ? folders : others).push_back(name);
    }
    out += "        " + joined(files, " | ") + ") COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n";
    out += "        " + joined(folders, " | ") + ") COMPREPLY=($(compgen -d -- \"$word\")); return ;;\n";
    return out + "        " + joined(others, " | ") + ") return ;;\n";
}

// What a command takes: the commands below it or its arguments, then its options.
std::string command_branch(const CommandTree& tree, const NamedCommand& command, const std::string& common) {
    Words words;
    bool files = false;
    for (const CLI::App* inner : below(*command.app))
        words.push_back(inner->get_name());
    for (const CLI::Option* option : options_of(*command.app)) {
        if (!option->get_positional())
            continue;
        const Offer offer = offer_of(tree, *option);
        words.insert(words.end(), offer.words.begin(), offer.words.end());
        files = files || offer.files;
    }
    const Words own = names_of(*command.app);
    words.insert(words.end(), own.begin(), own.end());
    return "        '" + command.name + "' | '" + command.name + " '*) words='" + joined(words) +
           (words.empty() ? "" : " ") + common + "'" + (files ? " files=yes" : "") + " ;;\n";
}

// Both bash and zsh run this function; zsh through its bashcompinit.
std::string bash_function(const CommandTree& tree) {
    std::string out = "_caisson_words() {\n"
                      "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
                      "    local command= words= files= i\n"
                      "    COMPREPLY=()\n"
                      "    if [[ $word == = ]]; then # --format=\n"
                      "        word=\n"
                      "    elif [[ $before == = ]]; then\n"
                      "        before=${COMP_WORDS[COMP_CWORD-2]}\n"
                      "    fi\n"
                      "    case $before in\n" +
                      value_branches(tree) +
                      "    esac\n"
                      "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                      "        case ${COMP_WORDS[i]} in\n";
    Words with_value;
    for (const auto& [name, offer] : values(tree))
        with_value.push_back(name);
    out += "            " + joined(with_value, " | ") +
           ") i=$((i + 1)) ;;\n"
           "            -*) ;;\n"
           "            *) command=${command:+$command }${COMP_WORDS[i]} ;;\n"
           "        esac\n"
           "    done\n"
           "    case $command in\n";
    Words top;
    for (const CLI::App* command : below(tree.app()))
        top.push_back(command->get_name());
    const std::string common = joined(names_of(tree.app()));
    out += "        '') words='" + joined(top) + " " + common + "' ;;\n";
    auto commands = commands_of(tree.app());
    // The longer name first: "image create" is also an "image".
    std::reverse(commands.begin(), commands.end());
    for (const NamedCommand& command : commands)
        out += command_branch(tree, command, common);
    return out + "    esac\n"
                 "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
                 "    [[ -z $files || $word == -* ]] || COMPREPLY+=($(compgen -f -- \"$word\"))\n"
                 "}\n";
}

std::string fish_quoted(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\')
            out += '\\';
        out += c;
    }
    return out + "'";
}

std::string fish_options(const CommandTree& tree, const CLI::App& app, const std::string& condition) {
    std::string out;
    for (const CLI::Option* option : options_of(app)) {
        const Offer offer = offer_of(tree, *option);
        if (option->get_positional()) {
            if (!offer.words.empty())
                out +=
                    "complete -c caisson -f" + condition + " -a " + fish_quoted(joined(offer.words)) + "\n";
            continue;
        }
        out += "complete -c caisson" + condition;
        for (const std::string& name : option->get_snames())
            out += " -s " + name;
        for (const std::string& name : option->get_lnames())
            out += " -l " + name;
        if (!offer.words.empty())
            out += " -x -a " + fish_quoted(joined(offer.words));
        else if (offer.folders)
            out += " -x -a '(__fish_complete_directories)'";
        else if (takes_value(*option))
            out += offer.files ? " -r -F" : " -x";
        out += " -d " + fish_quoted(option->get_description()) + "\n";
    }
    return out;
}

bool takes_files(const CommandTree& tree, const CLI::App& app) {
    const auto options = options_of(app);
    return std::any_of(options.begin(), options.end(), [&](const CLI::Option* option) {
        return option->get_positional() && offer_of(tree, *option).files;
    });
}

std::string fish_completion(const CommandTree& tree) {
    std::string out = "# Completion of caisson for fish.   caisson completion fish\n"
                      "complete -c caisson -f\n";
    for (const CLI::App* command : below(tree.app())) {
        const std::string name = command->get_name();
        out += "complete -c caisson -n __fish_use_subcommand -a " + name + " -d " +
               fish_quoted(command->get_description()) + "\n";
        const std::string seen = "__fish_seen_subcommand_from " + name;
        const auto inner = below(*command);
        Words names;
        for (const CLI::App* each : inner)
            names.push_back(each->get_name());
        for (const CLI::App* each : inner) {
            out += "complete -c caisson -n " +
                   fish_quoted(seen + "; and not __fish_seen_subcommand_from " + joined(names)) + " -a " +
                   each->get_name() + " -d " + fish_quoted(each->get_description()) + "\n";
            const std::string both = seen + "; and __fish_seen_subcommand_from " + each->get_name();
            if (takes_files(tree, *each))
                out += "complete -c caisson -F -n " + fish_quoted(both) + "\n";
            out += fish_options(tree, *each, " -n " + fish_quoted(both));
        }
        if (takes_files(tree, *command))
            out += "complete -c caisson -F -n " + fish_quoted(seen) + "\n";
        out += fish_options(tree, *command, " -n " + fish_quoted(seen));
    }
    return out + fish_options(tree, tree.app(), "");
}

} // namespace

std::string completion(const CommandTree& tree, Shell shell) {
    switch (shell) {
    case Shell::bash:
        return "# Completion of caisson for bash.   caisson completion bash\n" + bash_function(tree) +
               "complete -o filenames -F _caisson_words caisson\n";
    case Shell::zsh:
        // The first time zsh runs the whole file as the completing function: then it must also answer.
        return "#compdef caisson\n# Completion of caisson for zsh.   caisson completion zsh\n"
               "autoload -U +X bashcompinit && bashcompinit\n" +
               bash_function(tree) +
               "complete -o filenames -F _caisson_words caisson\n"
               "[[ ${funcstack[1]} == _caisson ]] && _bash_complete -o filenames -F _caisson_words\n";
    case Shell::fish:
        return fish_completion(tree);
    }
    return {};
}

} // namespace cli
