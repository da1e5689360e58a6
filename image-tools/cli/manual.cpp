// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/manual.cpp - manual pages and completion.
#include "image-tools/cli/manual.hpp"

#include "image-tools/diagnostic/codes.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <vector>

namespace cli {
namespace {

struct Example {
    std::string_view command, text;
};
constexpr auto examples = std::to_array<Example>({
    {"check", "caisson check gateway/appliance.yaml"},
    {"plan", "caisson plan -v"},
    {"build", "caisson build -o gateway.bundle"},
    {"run", "caisson run --timeout 2m --audit run.jsonl"},
    {"inspect", "caisson inspect gateway.bundle --format json"},
    {"verify", "caisson verify --key keys/release.pub gateway.bundle"},
    {"keygen", "caisson keygen -o keys/release"},
    {"init", "caisson init --from oci:./web"},
    {"console", "caisson console /dev/ttyUSB0 --bundle gateway.bundle"},
    {"cache ls", "caisson cache ls"},
    {"cache prune", "caisson cache prune --max-size 1GiB"},
    {"image create", "caisson image create --from root --entrypoint /bin/app oci:image"},
    {"image ls", "caisson image ls oci-archive:web.tar"},
    {"image inspect", "caisson image inspect oci:image"},
    {"attack", "caisson attack --class memory,ports --junit attack.xml"},
    {"audit show", "caisson audit show run.jsonl"},
    {"audit verify", "caisson audit verify --key audit.key run.jsonl"},
    {"prove", "caisson prove --live"},
    {"explain", "caisson explain E0407"},
    {"completion", "caisson completion bash >~/.local/share/bash-completion/completions/caisson"},
});

std::vector<const CLI::App*> below(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<const CLI::Option*> options_of(const CLI::App& app) {
    return app.get_options([](const CLI::Option*) { return true; });
}

// The command's app; nothing when there is none of that name.
const CLI::App* find(const CLI::App& app, std::string_view command) {
    const CLI::App* at = &app;
    while (!command.empty()) {
        const std::size_t end = std::min(command.find(' '), command.size());
        const auto list = below(*at);
        const auto found = std::find_if(list.begin(), list.end(), [&](const CLI::App* entry) {
            return entry->get_name() == command.substr(0, end);
        });
        if (found == list.end())
            return nullptr;
        at = *found;
        command.remove_prefix(std::min(end + 1, command.size()));
    }
    return at;
}

// "-q, --quiet" or "--cpu MODEL"; a positional's name.
std::string spelling(const CLI::Option& option) {
    if (option.get_positional())
        return option.get_option_text().empty() ? option.get_name(true) : option.get_option_text();
    std::string out;
    for (const std::string& name : option.get_snames())
        out += (out.empty() ? "-" : ", -") + name;
    for (const std::string& name : option.get_lnames())
        out += (out.empty() ? "--" : ", --") + name;
    if (!option.get_option_text().empty())
        out += " " + option.get_option_text();
    else if (option.get_items_expected_max() > 0)
        out += " " + std::string("VALUE");
    return out;
}

// "auto|always|never" -> the words; nothing for other values.
std::vector<std::string> words_of(const CLI::Option& option) {
    const std::string& text = option.get_option_text();
    std::vector<std::string> out;
    if (text.find('|') == std::string::npos)
        return out;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find('|', at), text.size());
        out.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

// Text for troff: backslashes, hyphens and leading dots are the author's, not requests.
std::string troff(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\')
            out += "\\e";
        else if (c == '-')
            out += "\\-";
        else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n'))
            (out += "\\&") += c;
        else
            out += c;
    }
    return out;
}

std::string option_items(const CLI::App& app) {
    std::string out;
    for (const CLI::Option* option : options_of(app))
        if (!option->get_group().empty())
            out += ".TP\n.B " + troff(spelling(*option)) + "\n" + troff(option->get_description()) + "\n";
    return out;
}

std::string exit_items() {
    return troff("0 done; 1 the answer is no; 2 usage; 3 manifest or plan; 4 image or input; 5 trust; 6 I/O; "
                 "7 the "
                 "environment lacks something; 8 a limit; 70 a bug; 124 time-out; 130, 143 interrupted; 141 "
                 "the "
                 "reader of stdout went away. run gives the partition's own status, 125 when Caisson itself "
                 "failed.") +
           "\n";
}

// Every command with what it takes, "image create" as one word of two.
struct Command {
    std::string name;
    const CLI::App* app;
};
std::vector<Command> commands_of(const CLI::App& app) {
    std::vector<Command> out;
    for (const CLI::App* command : below(app)) {
        out.push_back({command->get_name(), command});
        for (const CLI::App* inner : below(*command))
            out.push_back({command->get_name() + " " + inner->get_name(), inner});
    }
    return out;
}

std::vector<std::string> names_of(const CLI::App& app) {
    std::vector<std::string> out;
    for (const CLI::Option* option : options_of(app)) {
        for (const std::string& name : option->get_snames())
            out.push_back("-" + name);
        for (const std::string& name : option->get_lnames())
            out.push_back("--" + name);
    }
    return out;
}

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words)
        out += (out.empty() ? "" : " ") + word;
    return out;
}

// Every option with a fixed set of words: "--format" -> "text json".
std::vector<std::pair<std::string, std::string>> fixed_values(const CLI::App& app) {
    std::vector<std::pair<std::string, std::string>> out;
    const auto collect = [&](const CLI::App& from) {
        for (const CLI::Option* option : options_of(from))
            if (const auto words = words_of(*option); !words.empty() && !option->get_positional())
                for (const std::string& name : option->get_lnames())
                    out.emplace_back("--" + name, joined(words));
    };
    collect(app);
    for (const Command& command : commands_of(app))
        collect(*command.app);
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
}

// Both shells run this function; zsh through its bashcompinit.
std::string bash_completion(const CLI::App& app) {
    std::string out =
        "# Completion of caisson for bash.   caisson completion bash\n"
        "_caisson() {\n"
        "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} command= i words=\n"
        "    COMPREPLY=()\n"
        "    case $before in\n";
    for (const auto& [name, values] : fixed_values(app))
        out += "        " + name + ") COMPREPLY=($(compgen -W '" + values + "' -- \"$word\")); return ;;\n";
    out += "    esac\n"
           "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        case ${COMP_WORDS[i]} in\n"
           "            --format | -o | --progress | --color | -C | --timeout) i=$((i + 1)) ;;\n"
           "            -*) ;;\n"
           "            *) command=${command:+$command }${COMP_WORDS[i]} ;;\n"
           "        esac\n"
           "    done\n"
           "    case $command in\n";
    std::vector<std::string> top;
    for (const CLI::App* command : below(app))
        top.push_back(command->get_name());
    const std::string common = joined(names_of(app));
    out += "        '') words='" + joined(top) + " " + common + "' ;;\n";
    auto commands = commands_of(app);
    // The longer name first: "image create" is also an "image".
    std::reverse(commands.begin(), commands.end());
    for (const Command& command : commands) {
        std::vector<std::string> words;
        for (const CLI::App* inner : below(*command.app))
            words.push_back(inner->get_name());
        if (command.name == "completion")
            words = {"bash", "zsh", "fish"};
        if (command.name == "help")
            words = top;
        if (command.name == "explain")
            for (const diagnostic::CodeEntry& entry : diagnostic::code_table)
                words.emplace_back(entry.name);
        const std::string own = joined(words);
        out += "        '" + command.name + "'*) words='" + (own.empty() ? "" : own + " ") +
               joined(names_of(*command.app)) + " " + common + "' ;;\n";
    }
    out += "    esac\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
           "    [[ $word == -* ]] || COMPREPLY+=($(compgen -f -- \"$word\"))\n"
           "}\n"
           "complete -o filenames -F _caisson caisson\n";
    return out;
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

std::string fish_options(const CLI::App& app, const std::string& condition) {
    std::string out;
    for (const CLI::Option* option : options_of(app)) {
        if (option->get_positional())
            continue;
        out += "complete -c caisson" + condition;
        for (const std::string& name : option->get_snames())
            out += " -s " + name;
        for (const std::string& name : option->get_lnames())
            out += " -l " + name;
        if (const auto words = words_of(*option); !words.empty())
            out += " -x -a " + fish_quoted(joined(words));
        else if (option->get_items_expected_max() > 0)
            out += " -r";
        out += " -d " + fish_quoted(option->get_description()) + "\n";
    }
    return out;
}

std::string fish_completion(const CLI::App& app) {
    std::string out = "# Completion of caisson for fish.   caisson completion fish\n";
    for (const CLI::App* command : below(app)) {
        out += "complete -c caisson -n __fish_use_subcommand -a " + command->get_name() + " -d " +
               fish_quoted(command->get_description()) + "\n";
        const std::string condition = " -n '__fish_seen_subcommand_from " + command->get_name() + "'";
        for (const CLI::App* inner : below(*command))
            out += "complete -c caisson" + condition + " -a " + inner->get_name() + " -d " +
                   fish_quoted(inner->get_description()) + "\n" + fish_options(*inner, condition);
        out += fish_options(*command, condition);
    }
    return out + fish_options(app, "");
}

} // namespace

std::string_view example_of(std::string_view command) {
    for (const Example& example : examples)
        if (example.command == command)
            return example.text;
    return {};
}

std::string common_help(const CLI::App& app, std::string_view command) {
    constexpr std::size_t column = 32;
    std::string out = "Options of every command:\n";
    for (const CLI::Option* option : options_of(app)) {
        std::string line = "  " + spelling(*option);
        line.append(line.size() < column ? column - line.size() : 1, ' ');
        out += line + option->get_description() + "\n";
    }
    if (const std::string_view example = example_of(command); !example.empty())
        out += "\nExample:\n  " + std::string(example) + "\n";
    return out;
}

std::string manual_page(const CLI::App& app, std::string_view command) {
    const CLI::App* at = find(app, command);
    if (at == nullptr)
        return {};
    std::string name = "caisson";
    if (!command.empty())
        name += "-" + std::string(command);
    std::replace(name.begin(), name.end(), ' ', '-');
    std::string upper = name;
    std::transform(upper.begin(), upper.end(), upper.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    std::string out = ".TH " + upper + " 1 \"\" Caisson\n.SH NAME\n" + troff(name) + " \\- " +
                      troff(at->get_description()) + "\n.SH SYNOPSIS\n.B caisson " + troff(command);
    if (command.empty())
        out += "COMMAND";
    for (const CLI::Option* option : options_of(*at))
        if (option->get_positional())
            out += " [" + troff(spelling(*option)) + "]";
    out += " [OPTIONS]\n";
    if (const auto list = below(*at); !list.empty()) {
        out += ".SH COMMANDS\n";
        for (const CLI::App* entry : list)
            out += ".TP\n.B " + troff(entry->get_name()) + "\n" + troff(entry->get_description()) + "\n";
    }
    if (at != &app)
        out += ".SH OPTIONS\n" + option_items(*at);
    out += ".SH OPTIONS OF EVERY COMMAND\n" + option_items(app);
    if (const std::string_view example = example_of(command); !example.empty())
        out += ".SH EXAMPLE\n.nf\n" + troff(example) + "\n.fi\n";
    out += ".SH EXIT STATUS\n" + exit_items();
    if (command == "explain") {
        out += ".SH CODES\n";
        for (const diagnostic::CodeEntry& entry : diagnostic::code_table)
            out += ".TP\n.B " + std::string(entry.name) + " " + troff(entry.title) + "\n" +
                   troff(entry.explanation) + "\n";
    }
    out += ".SH SEE ALSO\n.BR caisson (1)";
    for (const Command& other : commands_of(app)) {
        if (!command.empty() || !below(*other.app).empty() || other.name == "help")
            continue;
        std::string page = "caisson-" + other.name;
        std::replace(page.begin(), page.end(), ' ', '-');
        out += ",\n.BR " + troff(page) + " (1)";
    }
    return out + "\n";
}

std::string completion(const CLI::App& app, std::string_view shell) {
    if (shell == "bash")
        return bash_completion(app);
    if (shell == "zsh")
        return "#compdef caisson\n# Completion of caisson for zsh.   caisson completion zsh\n"
               "autoload -U +X bashcompinit && bashcompinit\n" +
               bash_completion(app);
    if (shell == "fish")
        return fish_completion(app);
    return {};
}

} // namespace cli
