// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_board.cpp - board import, show, check: machines as descriptions, before they are there.
#include "image-tools/board/check.hpp"
#include "image-tools/board/from_line.hpp"
#include "image-tools/board/import.hpp"
#include "image-tools/board/names.hpp"
#include "image-tools/board/read.hpp"
#include "image-tools/build/media.hpp"
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

// What a scan wrote: the line that was recorded, or the description itself.
board::Imported import_file(const std::string& file) {
    constexpr std::uint64_t longest_line = std::uint64_t{64} << 20;
    const std::string text = files::read_file(file, longest_line);
    if (text.starts_with('{'))
        return {board::read(text, file), {}};
    const auto description = board::description_on(text, file);
    if (!description)
        throw diagnostic::fail("E0426",
                               file + " is no description, and holds none that a scan wrote to its line")
            .help("record the serial line while the machine boots scan.img, then import the recording");
    return {board::read(*description, file), {}};
}

int import_board(const ImportOptions& options, const Common& common, Report& report) {
    const board::Imported imported = std::filesystem::is_directory(options.folder)
                                         ? board::import_folder(options.folder)
                                         : import_file(options.folder);
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
    report.line(!graded.runs ? "This board cannot keep partitions apart."
                : !graded.devices
                    ? "This board keeps partitions apart; whether it can give them devices of their own "
                      "is not said, or it cannot."
                    : "This board keeps partitions apart, and devices of their own too.");
    report.data({{"schema", "caisson.board-check/1"},
                 {"name", facts->name.view()},
                 {"runs", graded.runs},
                 {"devices", graded.devices},
                 {"items", items}});
    return graded.runs ? 0 : static_cast<int>(diagnostic::ExitCode::answer_is_no);
}

// Media that boot the scan.
int scan_board(const Common& common, Report& report) {
    const bundle::Library library = bundle::Library::find();
    const std::string loader = library.elf("caisson-scan.elf");
    const std::filesystem::path out = common.outputs.empty() ? "scan.img" : common.output();
    if (out.extension() == ".elf") {
        files::AtomicFile file(out);
        file.write(files::bytes_of(loader));
        file.commit();
    } else if (build::is_medium(out)) {
        const build::WorkFolder work(std::filesystem::temp_directory_path());
        const std::filesystem::path placeholder = work.path() / "board.json";
        files::write_new_file(placeholder, build::scan_file(out.extension() == ".img"), 0600);
        constexpr std::array<std::uint8_t, 32> id{'b', 'o', 'a', 'r', 'd', ' ', 's', 'c', 'a', 'n'};
        build::MediumSource source{"board.json", placeholder, id, nullptr, 0, loader, library};
        source.starter = "caisson-efi-scan.elf";
        build::write_medium(out, source);
    } else {
        throw diagnostic::fail("E0101", "board scan does not write " + out.string())
            .help("-o NAME.img, NAME.efi, NAME.iso, or NAME.elf for GRUB and QEMU's -kernel");
    }
    report.line(fmt::format(
        "{}: boot it and record the serial line, then: caisson board import LINE -o board.json{}",
        out.string(),
        out.extension() == ".img" ? fmt::format("\nOnto a stick: caisson flash {} /dev/sdX; where memory "
                                                "outlives a reset, the description is in its "
                                                "EFI/caisson/board.json afterwards",
                                                out.string())
                                  : ""));
    report.data({{"schema", "caisson.board-scan/1"}, {"file", out.string()}});
    return 0;
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
            command.argument(
                options.folder, value::path,
                "/ of that Linux, a folder with what docs/boards.md collects, or a scan's serial line",
                Command::Must::yes);
            command.option("--name", options.name, value::name, "what the board is called");
        },
        import_board);
    board.add("scan",
              "Write a medium that boots, describes the machine on its serial line and switches it off",
              "caisson board scan -o scan.img", scan_board);
    board.add<BoardOptions>("show", "What a description says", "caisson board show board.json", one_file,
                            show_board);
    board.add<BoardOptions>("check", "Grade a board: isolation, devices, console, TPM, watchdog, clocks",
                            "caisson board check board.json --format json", one_file, check_board);
}

} // namespace cli
