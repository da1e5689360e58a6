// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_profile.cpp - profile check: is a file a profile of system calls, and what does it do here?
#include "image-tools/cli/commands.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/policy/program.hpp"

#include <fmt/format.h>

namespace cli {
namespace {

constexpr std::uint64_t largest_profile = 1 << 20;

struct CheckOptions {
    std::string file;
    std::vector<std::string> capabilities;
};

int check(const CheckOptions& options, const Common&, Report& report) {
    policy::Capabilities capabilities;
    for (const std::string& name : options.capabilities)
        capabilities.insert(name.starts_with("CAP_") ? name : "CAP_" + name);
    const policy::Profile profile =
        policy::read_profile(files::read_file(options.file, largest_profile), options.file, capabilities);
    const policy::Program program = policy::compile(profile, options.file);
    std::size_t names = 0, conditions = 0;
    for (const policy::Rule& rule : profile.rules) {
        names += rule.names.size();
        conditions += rule.conditions.empty() ? 0 : 1;
    }
    report.line(fmt::format("{}: {} rules for {} calls, {} of them with conditions; {} instructions",
                            options.file, profile.rules.size(), names, conditions,
                            program.instructions.size()));
    if (!program.unknown.empty())
        report.line(fmt::format("not a call of x86-64, left out: {}", fmt::join(program.unknown, " ")));
    report.data({{"schema", "caisson.profile/1"},
                 {"rules", profile.rules.size()},
                 {"calls", names},
                 {"instructions", program.instructions.size()},
                 {"unknown", program.unknown}});
    return 0;
}

} // namespace

void declare_profile_commands(Command& root) {
    Command group = root.group("profile", "Profiles of system calls (security.syscalls)");
    group.add<CheckOptions>(
        "check", "Is FILE a profile, and what does it do here?",
        "caisson profile check web.json --capability NET_ADMIN",
        [](Command& command, CheckOptions& options) {
            command.argument(options.file, value::file,
                             "JSON as docker run --security-opt seccomp=FILE takes it", Command::Must::yes);
            command.option("--capability", options.capabilities, value::name,
                           "one that the container has, for rules that ask (repeat)");
        },
        check);
}

} // namespace cli
