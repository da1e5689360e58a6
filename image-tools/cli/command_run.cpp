// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_run.cpp - run: builds when given a manifest, boots QEMU, gives the partition's status.
#include "image-tools/run/machine.hpp"

#include "hypervisor/core/plan/bound_plan.hpp"
#include "hypervisor/core/plan/plan.hpp"
#include "image-tools/build/build.hpp"
#include "image-tools/bundle/verify.hpp"
#include "image-tools/channel/record_reader.hpp"
#include "image-tools/cli/appliance_run.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/cli/run_report.hpp"
#include "image-tools/files/digest.hpp"
#include "image-tools/journal/line.hpp"
#include "image-tools/run/console.hpp"
#include "image-tools/run/outlet.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <unistd.h>

namespace cli {
namespace {

// State, last end and restarts of every partition, for people. One that ran alone and ended well is not spoken of.
void say_partitions(const run::Session& session, const Report& report) {
    const auto& partitions = session.partitions();
    for (const run::PartitionResult& partition : partitions) {
        if (partitions.size() == 1 && partition.state() == "stopped" && partition.restarts() == 0)
            continue;
        std::string text = fmt::format("'{}' {}", partition.name, partition.state());
        if (!partition.endings.empty()) {
            const run::Ending& ending = partition.endings.back();
            text += fmt::format("{}, status {} ({}{})", partition.final() != nullptr ? "" : ", before that",
                                ending.status, ending.reason,
                                ending.detail == "none" ? "" : ": " + ending.detail);
        }
        if (const std::size_t restarts = partition.restarts(); restarts != 0)
            text += fmt::format(", {} restart{}", restarts, restarts == 1 ? "" : "s");
        report.note(text);
    }
}

// Records that say more than the console does anyway.
bool worth_saying(std::string_view payload) {
    constexpr std::array<std::string_view, 4> quiet{"boot", "integrity", "ended", "closed"};
    const std::string_view event = channel::find(payload, "event").value_or("");
    return std::ranges::find(quiet, event) == quiet.end();
}

// The audit log as it comes: what a machine said before it was cut off is on file.
class AuditFile {
public:
    explicit AuditFile(std::string name) : name_(std::move(name)), file_(std::fopen(name_.c_str(), "we")) {
        if (file_ == nullptr)
            failed();
    }
    void write(std::string_view payload) {
        // What is no record is kept as it came, for `audit verify` to point at.
        const auto record = journal::from_payload(payload);
        const std::string line = (record ? journal::to_line(*record) : std::string(payload)) + "\n";
        if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() ||
            std::fflush(file_.get()) != 0)
            failed();
    }

private:
    [[noreturn]] void failed() const {
        throw diagnostic::fail("E0602", "cannot write " + name_ + ": " + std::strerror(errno))
            .help("--audit FILE must name a file that can be written");
    }
    struct Close {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::string name_;
    std::unique_ptr<std::FILE, Close> file_;
};

run::ConsoleOptions console_options(const Options& options, const Report& report, std::size_t partitions) {
    run::ConsoleOptions out;
    const bool terminal = !report.json() && ::isatty(1) == 1;
    out.prefix =
        options.prefix == When::always || (options.prefix == When::automatic && (partitions > 1 || terminal));
    out.colour = report.json() ? report.colour_on_stderr() : report.colour_on_stdout();
    out.raw = options.raw;
    return out;
}

} // namespace

Runnable runnable(const Options& options, Report& report) {
    Runnable out;
    const bool from_stdin = options.file == "-";
    if (!options.file.empty() && !from_stdin && bundle::is_bundle(options.file)) {
        out.bundle = options.file;
        out.elf = options.elf.empty() ? std::filesystem::path(out.bundle).replace_extension(".elf")
                                      : std::filesystem::path(options.elf);
        if (!std::filesystem::exists(out.elf))
            throw diagnostic::fail("E0601", "the bundle's loader " + out.elf.string() + " does not exist")
                .help("caisson build writes it beside the bundle; or name it with --elf FILE");
        (void)bundle::keys_of(files::read_file(out.elf, bundle::largest_elf));
        return out;
    }
    const std::filesystem::path file = manifest_file(options);
    const manifest::Manifest manifest = manifest::load(file);
    out.held.emplace(from_stdin ? std::string(manifest.source.text())
                                : std::filesystem::absolute(file).lexically_normal().string());
    report.steps(step_count(manifest, true));
    build::BuildOptions build;
    build.bundle = out.held->path() / (manifest.name + ".bundle");
    build.observer = {report.progress(), [&report](std::string_view name, const std::string& detail,
                                                   double seconds) { report.step(name, detail, seconds); }};
    const build::BuildResult result = build::build(manifest, bundle::Library::find(), build);
    say_warnings(result, report);
    out.bundle = result.bundle;
    out.elf = result.elf;
    prune_cache(default_cache_limit);
    return out;
}

void size_machine(Runnable& runnable) {
    const bundle::FileSource source(runnable.bundle);
    const bundle::BundleSummary summary = bundle::summarize(source.source(), runnable.bundle.string());
    const auto plan = ::plan::Plan::parse(summary.table);
    if (!plan)
        throw diagnostic::fail("E0419",
                               runnable.bundle.string() + ": " + ::plan::describe(plan.error().error));
    for (std::uint32_t i = 0; i < plan->partition_count(); ++i)
        runnable.partitions.emplace_back(plan->partition_name(i));
    runnable.hardware_watchdog = plan->header().on_panic == ::plan::OnPanic::reboot;
    const build::AssumedMachine machine =
        build::assume_machine(summary.table, summary.shapes(), summary.header.total_size);
    if (!machine.bound)
        throw diagnostic::fail("E0311",
                               "the plan does not fit the machine: " + build::describe(machine.issue))
            .help("give the machine more memory or CPUs in the manifest");
    runnable.cpus = machine.cpus;
    runnable.memory = machine.memory;
}

int run(const Options& options, Report& report) {
    const run::Qemu qemu = run::find_qemu();
    Runnable appliance = runnable(options, report);
    size_machine(appliance);
    if (!options.exit_code_from.empty() && std::find(appliance.partitions.begin(), appliance.partitions.end(),
                                                     options.exit_code_from) == appliance.partitions.end())
        throw diagnostic::fail("E0103", "there is no partition '" + options.exit_code_from + "'");

    const run::ConsoleOptions shown = console_options(options, report, appliance.partitions.size());
    run::Outlet output(1, "stdout"), errors(2, "stderr");
    run::Outlet& consoles = report.json() ? errors : output;
    run::Console console([&](std::string_view text) { consoles.write(text); },
                         [&](std::string_view text) { errors.write(text); }, appliance.partitions, shown);
    const bool say_hypervisor = options.verbose || (shown.prefix && !options.quiet);
    std::optional<AuditFile> audit;
    if (!options.audit.empty())
        audit.emplace(options.audit);
    run::Listener listener;
    listener.output = [&](std::size_t partition, std::string_view bytes) { console.write(partition, bytes); };
    if (say_hypervisor) {
        listener.log = [&](std::string_view line) { console.hypervisor_line(line); };
    }
    listener.audit = [&](std::string_view record) {
        if (audit)
            audit->write(record);
        if (options.verbose || (say_hypervisor && worth_saying(record)))
            console.hypervisor_line("audit " + std::string(record.substr(0, record.find(" hash="))));
    };
    run::Session session(appliance.partitions, std::move(listener));
    run::RunOptions run_options;
    run_options.qemu = {appliance.elf,    appliance.bundle, options.cpu,           appliance.cpus,
                        appliance.memory, options.icount,   options.qemu_arguments};
    if (appliance.hardware_watchdog)
        run_options.qemu.extra.insert(run_options.qemu.extra.begin(),
                                      {"-device", "i6300esb", "-action", "watchdog=reset"});
    run_options.time_out = options.time_out;
    run_options.log = options.log;
    run_options.exit_code_from = options.exit_code_from;
    run_options.outlets = {&output, &errors};
    const auto began = std::chrono::steady_clock::now();
    const run::Outcome outcome = run::boot(qemu, run_options, session);
    const RunFacts facts{session, outcome, appliance.bundle, std::chrono::steady_clock::now() - began};
    console.flush();
    output.finish();
    errors.finish();
    if (outcome.failure)
        report.failure(*outcome.failure);
    if (!options.quiet && session.boot()) // else none was ever started
        say_partitions(session, report);
    report.data(run_json(facts));
    if (!options.junit.empty())
        write_junit(options.junit, facts);
    return outcome.exit_code;
}

} // namespace cli
