// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_run.cpp - run: builds when given a manifest, boots QEMU, gives the partition's status.
#include "image-tools/run/machine.hpp"

#include "hypervisor/core/plan/bound_plan.hpp"
#include "hypervisor/core/plan/plan.hpp"
#include "image-tools/build/build.hpp"
#include "image-tools/bundle/verify.hpp"
#include "image-tools/cli/appliance_run.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/cli/run_report.hpp"
#include "image-tools/cli/viewer.hpp"
#include "image-tools/files/digest.hpp"

#include <algorithm>
#include <chrono>

namespace cli {

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

    Viewer viewer(options, report, appliance.partitions);
    run::Session session(appliance.partitions, viewer.listener());
    run::RunOptions run_options;
    run_options.qemu = {appliance.elf,    appliance.bundle, options.cpu,           appliance.cpus,
                        appliance.memory, options.icount,   options.qemu_arguments};
    if (appliance.hardware_watchdog)
        run_options.qemu.extra.insert(run_options.qemu.extra.begin(),
                                      {"-device", "i6300esb", "-action", "watchdog=reset"});
    run_options.time_out = options.time_out;
    run_options.log = options.log;
    run_options.exit_code_from = options.exit_code_from;
    run_options.outlets = viewer.outlets();
    const auto began = std::chrono::steady_clock::now();
    const run::Outcome outcome = run::boot(qemu, run_options, session);
    const RunFacts facts{session, outcome, appliance.bundle, std::chrono::steady_clock::now() - began};
    viewer.finish(session, outcome);
    report.data(run_json(facts));
    if (!options.junit.empty())
        write_junit(options.junit, facts);
    return outcome.exit_code;
}

} // namespace cli
