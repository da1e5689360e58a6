// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_board.cpp - board import, show, check: machines as descriptions, before they are there.
#include "image-tools/board/check.hpp"
#include "image-tools/board/import.hpp"
#include "image-tools/board/names.hpp"
#include "image-tools/board/read.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace cli {
namespace {

struct ImportOptions {
    std::string folder, name;
};
struct BoardOptions {
    std::string file;
};

void name_board(board::Facts& facts, const std::string& name) {
    if (name.empty())
        return;
    const bool plain = std::ranges::all_of(name, [](char c) { return c >= ' ' && c < 0x7f; });
    if (!plain || name.size() > 128)
        throw diagnostic::fail("E0101", "--name is not a line of plain ASCII with at most 128 characters");
    facts.name.clear();
    facts.name << std::string_view(name);
}

void write_description(const board::Facts& facts, const Common& common, Report& report) {
    const std::string text = board::to_text(facts);
    if (common.outputs.empty()) {
        report.text(text);
        return;
    }
    files::AtomicFile file(common.output());
    file.write(files::bytes_of(text));
    file.commit();
    report.line(fmt::format("{}: {} {}", common.output(), facts.tables.cpus.size(),
                            facts.tables.cpus.size() == 1 ? "CPU" : "CPUs") +
                fmt::format(", {} PCI functions", facts.functions.size()));
    report.data({{"schema", "caisson.board-import/1"}, {"file", common.output()}});
}

int import_board(const ImportOptions& options, const Common& common, Report& report) {
    const board::Imported imported = board::import_folder(options.folder);
    for (const std::string& note : imported.notes)
        report.note("note: " + note);
    name_board(*imported.facts, options.name);
    write_description(*imported.facts, common, report);
    return 0;
}

int show_board(const BoardOptions& options, const Common&, Report& report) {
    const auto facts = board::load(options.file);
    if (report.json())
        report.text(board::to_text(*facts));
    else
        report.text(board::show(*facts));
    return 0;
}

int check_board(const BoardOptions& options, const Common&, Report& report) {
    const auto facts = board::load(options.file);
    const board::Graded graded = board::grade(*facts);
    Json items = Json::array();
    std::size_t width = 0;
    for (const board::Finding& finding : graded.findings)
        width = std::max(width, finding.subject.size());
    for (const board::Finding& finding : graded.findings) {
        const std::string_view word = board::grade_words[static_cast<std::size_t>(finding.grade)];
        report.line(fmt::format("{:<8} {:<{}}  {}", word, finding.subject, width, finding.reason));
        items.push_back({{"subject", finding.subject}, {"grade", word}, {"reason", finding.reason}});
    }
    report.line(!graded.runs      ? "This board cannot keep partitions apart."
                : !graded.devices ? "This board keeps partitions apart; devices of their own it cannot give them."
                                  : "This board keeps partitions apart, and devices of their own too.");
    report.data({{"schema", "caisson.board-check/1"},
                 {"name", facts->name.view()},
                 {"runs", graded.runs},
                 {"devices", graded.devices},
                 {"items", items}});
    return graded.runs ? 0 : static_cast<int>(diagnostic::ExitCode::answer_is_no);
}

} // namespace

void declare_board_commands(Command& root) {
    Command board = root.group("board", "Describe a machine, grade it, plan for it before it is there");
    const auto one_file = [](Command& command, BoardOptions& options) {
        command.argument(options.file, value::file, "the description", Command::Must::yes);
    };
    board.add<ImportOptions>(
        "import", "Describe a board by what a Linux that runs on it shows",
        "caisson board import / -o board.json",
        [](Command& command, ImportOptions& options) {
            command.argument(options.folder, value::folder,
                             "/ of that Linux, or a folder with what docs/boards.md collects", Command::Must::yes);
            command.option("--name", options.name, value::name, "what the board is called");
        },
        import_board);
    board.add<BoardOptions>("show", "What a description says", "caisson board show board.json", one_file, show_board);
    board.add<BoardOptions>("check", "Grade a board: isolation, devices, console, TPM, watchdog, clocks",
                            "caisson board check board.json --format json", one_file, check_board);
}

} // namespace cli
