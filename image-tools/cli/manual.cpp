// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/manual.cpp - manual pages, and the common part of help.
#include "image-tools/cli/manual.hpp"

#include "image-tools/cli/declared.hpp"
#include "image-tools/diagnostic/codes.hpp"

#include <algorithm>

namespace cli {
namespace {

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

} // namespace

std::string common_help(const CommandTree& tree, const CLI::App& command) {
    constexpr std::size_t column = 32;
    std::string out = "Options of every command:\n";
    for (const CLI::Option* option : options_of(tree.app())) {
        std::string line = "  " + spelling(*option);
        if (line.size() >= column)
            line += '\n' + std::string(column, ' ');
        else
            line.append(column - line.size(), ' ');
        out += line + option->get_description() + "\n";
    }
    if (const std::string_view example = tree.example(command); !example.empty())
        out += "\nExample:\n  " + std::string(example) + "\n";
    return out;
}

std::string manual_page(const CommandTree& tree, std::string_view command) {
    const CLI::App& app = tree.app();
    const CLI::App* at = tree.find(command);
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
            out += troff(option->get_required() ? " " + spelling(*option) : " [" + spelling(*option) + "]");
    out += " [OPTIONS]\n";
    if (const auto list = below(*at); !list.empty()) {
        out += ".SH COMMANDS\n";
        for (const CLI::App* entry : list)
            out += ".TP\n.B " + troff(entry->get_name()) + "\n" + troff(entry->get_description()) + "\n";
    }
    if (at != &app)
        out += ".SH OPTIONS\n" + option_items(*at);
    out += ".SH OPTIONS OF EVERY COMMAND\n" + option_items(app);
    if (const std::string_view example = tree.example(*at); !example.empty())
        out += ".SH EXAMPLE\n.nf\n" + troff(example) + "\n.fi\n";
    out += ".SH EXIT STATUS\n" + exit_items();
    if (command == "explain") {
        out += ".SH CODES\n";
        for (const diagnostic::CodeEntry& entry : diagnostic::code_table)
            out += ".TP\n.B " + std::string(entry.name) + " " + troff(entry.title) + "\n" +
                   troff(entry.explanation) + "\n";
    }
    out += ".SH SEE ALSO\n.BR caisson (1)";
    for (const NamedCommand& other : commands_of(app)) {
        if (!command.empty() || !below(*other.app).empty() || other.name == "help")
            continue;
        std::string page = "caisson-" + other.name;
        std::replace(page.begin(), page.end(), ' ', '-');
        out += ",\n.BR " + troff(page) + " (1)";
    }
    return out + "\n";
}

} // namespace cli
