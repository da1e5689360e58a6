// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_version.cpp - version: the tool, its ELFs, the size of the trusted code.
#include "build_id.hpp"
#include "image-tools/bundle/loader_elf.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <sstream>

namespace cli {
namespace {

// lib/caisson/tcb.txt: "LINES NAME" a line, written by the build (cmake/CountLines.cmake).
int say_lines_of_code(const bundle::Library& library, Report& report) {
    std::istringstream text(files::read_file(library.file("tcb.txt"), 1 << 20));
    Json items = Json::array();
    unsigned long lines = 0;
    std::string name;
    while (text >> lines && std::getline(text >> std::ws, name)) {
        report.line(std::to_string(lines) + "\t" + name);
        items.push_back({{"name", name}, {"lines", lines}});
    }
    report.data({{"schema", "caisson.tcb/1"}, {"items", items}});
    return 0;
}

struct VersionOptions {
    bool tcb = false;
};

int version(const VersionOptions& options, const Common&, Report& report) {
    const bundle::Library library = bundle::Library::find();
    if (options.tcb)
        return say_lines_of_code(library, report);
    Json items = Json::array();
    report.line("caisson " CAISSON_VERSION "  build " + bundle::build_id());
    for (const char* name : {"caisson.elf", "unikernel.elf", "unikernel-net.elf", "uplink.elf"}) {
        std::string state = "missing";
        try {
            const std::string elf = files::read_file(library.file(name), 64 << 20);
            state = bundle::carries(elf, bundle::build_id()) ? "of this build" : "of another build";
        } catch (const diagnostic::Failure&) {
            // Said as "missing": version answers whatever is installed.
        }
        report.line(std::string(name) + "  " + state);
        items.push_back({{"name", name}, {"state", state}});
    }
    report.data({{"schema", "caisson.version/1"},
                 {"version", CAISSON_VERSION},
                 {"build", bundle::build_id()},
                 {"items", items}});
    return 0;
}

} // namespace

void declare_version(Command& root) {
    root.add<VersionOptions>(
        "version", "Version, build id, what is installed", "caisson version --tcb",
        [](Command& command, VersionOptions& options) {
            command.flag("--tcb", options.tcb, "lines of trusted code");
        },
        version);
}

} // namespace cli
