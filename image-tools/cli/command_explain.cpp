// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_explain.cpp - explain: what an error code means and what to do.
#include "image-tools/cli/commands.hpp"
#include "image-tools/diagnostic/suggest.hpp"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

namespace cli {
namespace {

using diagnostic::CodeEntry;

Json to_json(const CodeEntry& entry) {
    return {{"code", entry.name},
            {"exit", static_cast<int>(entry.exit)},
            {"title", entry.title},
            {"explanation", entry.explanation}};
}

// "E0407", "e407" and "407" are the same.
const CodeEntry* find(std::string_view word) {
    std::string digits(word);
    if (!digits.empty() && (digits.front() == 'E' || digits.front() == 'e'))
        digits.erase(0, 1);
    if (digits.size() < 4)
        digits.insert(0, 4 - digits.size(), '0');
    const auto found = std::find_if(diagnostic::code_table.begin(), diagnostic::code_table.end(),
                                    [&](const CodeEntry& entry) { return entry.name.substr(1) == digits; });
    return found == diagnostic::code_table.end() ? nullptr : &*found;
}

struct ExplainOptions {
    std::string code;
};

int explain(const ExplainOptions& options, const Common&, Report& report) {
    Json items = Json::array();
    if (options.code.empty()) {
        for (const CodeEntry& entry : diagnostic::code_table) {
            report.line(
                fmt::format("{}  exit {:<3}  {}", entry.name, static_cast<int>(entry.exit), entry.title));
            items.push_back(to_json(entry));
        }
    } else if (const CodeEntry* entry = find(options.code)) {
        report.line(fmt::format("{}: {} (exit {})\n\n{}", entry->name, entry->title,
                                static_cast<int>(entry->exit), entry->explanation));
        items.push_back(to_json(*entry));
    } else {
        throw diagnostic::fail("E0101", "there is no error code '" + options.code + "'")
            .help("caisson explain lists them all");
    }
    report.data({{"schema", "caisson.explain/1"}, {"items", items}});
    return 0;
}

} // namespace

void declare_explain(Command& root) {
    root.add<ExplainOptions>(
        "explain", "What an error code means, and what to do", "caisson explain E0407",
        [](Command& command, ExplainOptions& options) {
            command.argument(options.code, value::code, "for example E0407; without it all are listed");
        },
        explain);
}

} // namespace cli
