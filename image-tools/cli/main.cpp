// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/main.cpp - the program: command line in, exit code out (docs/cli.md).
#include "image-tools/cli/command_tree.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/manifest/failures.hpp"
#include "image-tools/manifest/values.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <unistd.h>

namespace {

using cli::Command;
using cli::CommandTree;
using cli::Common;

// What --timeout and -C say before it is looked at.
struct CommonText {
    std::string directory, time_out;
};

void declare_common(Command root, Common& common, CommonText& text) {
    static constexpr std::array<std::pair<const char*, cli::Format>, 2> formats{
        {{"text", cli::Format::text}, {"json", cli::Format::json}}};
    static constexpr std::array<std::pair<const char*, cli::ProgressStyle>, 4> styles{
        {{"auto", cli::ProgressStyle::automatic},
         {"plain", cli::ProgressStyle::plain},
         {"tty", cli::ProgressStyle::tty},
         {"none", cli::ProgressStyle::none}}};
    root.choice("--format", common.format, formats, "data on stdout, everything else on stderr");
    root.option("-o", common.outputs, cli::value::file, "where to write");
    root.choice("--progress", common.progress, styles, "how progress is shown");
    root.choice("--color", common.colour, cli::when_words, "colour; NO_COLOR and TERM=dumb are honoured");
    root.flag("-q,--quiet", common.quiet, "say only what went wrong");
    root.flag("-v,--verbose", common.verbose, "say more");
    root.option("-C", text.directory, cli::value::folder, "change to DIR first");
    root.flag("--offline", common.offline, "never use the network: what is in the cache must do");
    root.flag("--locked", common.locked, "refuse images that appliance.lock does not pin (exit 5)");
    root.option("--timeout", text.time_out, cli::value::time,
                "give up after, for example, 30s or 2m (exit 124)");
}

void declare_commands(Command root) {
    cli::declare_manifest_commands(root);
    cli::declare_run(root);
    cli::declare_test(root);
    cli::declare_bundle_commands(root);
    cli::declare_artifact_commands(root);
    cli::declare_approve(root);
    cli::declare_evidence(root);
    cli::declare_sbom(root);
    cli::declare_scan(root);
    cli::declare_diff(root);
    cli::declare_flash(root);
    cli::declare_board_commands(root);
    cli::declare_image_commands(root);
    cli::declare_attack(root);
    cli::declare_audit_commands(root);
    cli::declare_attest_commands(root);
    cli::declare_init(root);
    cli::declare_lock(root);
    cli::declare_cache_commands(root);
    cli::declare_console(root);
    cli::declare_policy_commands(root);
    cli::declare_report(root);
    cli::declare_profile_commands(root);
    cli::declare_version(root);
    cli::declare_bench(root);
    cli::declare_prove(root);
    cli::declare_explain(root);
    cli::declare_help_commands(root);
}

void apply(const CommonText& text, Common& common) {
    if (!text.time_out.empty()) {
        const auto value = manifest::parse_duration_ms(text.time_out);
        if (const auto* error = std::get_if<manifest::ValueError>(&value))
            throw diagnostic::fail("E0101", "--timeout: " + error->message).help(error->help);
        common.time_out = std::chrono::milliseconds(std::get<std::uint32_t>(value));
    }
    if (!text.directory.empty() && ::chdir(text.directory.c_str()) != 0)
        throw diagnostic::fail_system("E0601", "cannot change to " + text.directory, errno);
}

int run_command(Common& common, int count, char** arguments) {
    CommandTree tree("Turns OCI images into signed appliances whose containers each run in a hardware "
                     "partition of their own.");
    CommonText text;
    declare_common(tree.root(), common, text);
    declare_commands(tree.root());
    tree.reserve(
        {"doctor", "sign", "ps", "logs", "stop", "restart", "exec", "attach", "device", "secret", "crash"});
    int code = 0;
    if (const cli::Action* action = tree.parse(count, arguments, common.command)) {
        apply(text, common);
        if (common.outputs.size() > 1 && common.command != "build")
            throw diagnostic::fail("E0101", "-o is given more than once")
                .help("only build writes several files");
        cli::Report report(common);
        code = (*action)(common, report);
    }
    cli::finish_output();
    return code;
}

int report_failure(const cli::Common& common, const diagnostic::Diagnostic& diagnostic,
                   const std::vector<diagnostic::Diagnostic>& rest = {}) {
    cli::Report report(common);
    report.failure(diagnostic);
    cli::Json all = cli::Json::array({cli::to_json(diagnostic)});
    for (const diagnostic::Diagnostic& other : rest) {
        report.failure(other);
        all.push_back(cli::to_json(other));
    }
    try {
        report.data({{"schema", "caisson.error/1"},
                     {"exit", static_cast<int>(diagnostic.exit)},
                     {"error", cli::to_json(diagnostic)},
                     {"errors", all}});
        cli::finish_output();
    } catch (const diagnostic::BrokenPipe&) {
    } catch (const diagnostic::Failure&) { // stderr and the exit code have said it
    }
    return static_cast<int>(diagnostic.exit);
}

// A file that is opened must never become the tool's stdout or stderr because that was closed; a write to a closed
// one fails, as it should.
void hold_closed_descriptors() {
    for (int descriptor = 0; descriptor <= 2; ++descriptor)
        if (::fcntl(descriptor, F_GETFD) < 0)
            static_cast<void>(::open("/dev/null", O_RDONLY));
}

} // namespace

int main(int count, char** arguments) {
    hold_closed_descriptors();
    ::signal(SIGPIPE, SIG_IGN); // a failed write says so itself
    cli::Common common;
    try {
        return run_command(common, count, arguments);
    } catch (const diagnostic::BrokenPipe&) {
        return diagnostic::broken_pipe_exit;
    } catch (const manifest::Failures& failures) {
        return report_failure(common, failures.diagnostic(), failures.rest());
    } catch (const diagnostic::Failure& failure) {
        return report_failure(common, failure.diagnostic());
    } catch (const std::exception& error) {
        return report_failure(common,
                              diagnostic::fail("E7001", std::string("a bug in caisson: ") + error.what())
                                  .help("please report it with the command and its input")
                                  .diagnostic());
    }
}
