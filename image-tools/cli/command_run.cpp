// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_run.cpp - run: builds when given a manifest, boots QEMU, gives the partition's status.
#include "image-tools/run/machine.hpp"

#include "hypervisor/core/plan/bound_plan.hpp"
#include "hypervisor/core/plan/plan.hpp"
#include "image-tools/build/build.hpp"
#include "image-tools/bundle/verify.hpp"
#include "image-tools/cli/appliance_run.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/cli/judging.hpp"
#include "image-tools/cli/run_report.hpp"
#include "image-tools/cli/viewer.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/files/digest.hpp"
#include "image-tools/journal/line.hpp"
#include "image-tools/policy/recorded.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

namespace cli {

void ApplianceOptions::declare(Command& command) {
    command.argument(file, value::file, "a manifest (- reads stdin) or a bundle (default: ./appliance.yaml)");
    command.option("--elf", elf, value::file, "the loader ELF of a bundle (default: beside it)");
}

void QemuOptions::declare(Command& command) {
    command.option("--cpu", cpu, value::model, "QEMU's CPU model");
    command.option("--qemu-arg", arguments, value::argument, "a further argument for QEMU (repeat)");
}

namespace {

std::string dotted(std::uint32_t address) {
    return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 0xFF, address >> 8 & 0xFF,
                       address & 0xFF);
}

} // namespace

std::vector<run::NetworkCard> cards_of(const manifest::Manifest& manifest) {
    std::vector<run::NetworkCard> out;
    for (const manifest::Partition& partition : manifest.partitions) {
        if (!partition.has_card())
            continue;
        run::NetworkCard card;
        if (const manifest::Outside& outside = *partition.outside; !outside.leased) {
            const std::uint32_t mask = ~std::uint32_t{0} << (32 - outside.prefix);
            card.subnet = dotted(outside.address & mask) + "/" + std::to_string(outside.prefix);
            card.gateway = outside.gateway ? dotted(outside.gateway->value) : "";
            card.address = dotted(outside.address);
        }
        for (const manifest::Partition& one : manifest.partitions)
            if (&one == &partition || (partition.is_uplink && one.is_behind_uplink()))
                for (const manifest::PublishedPort& port : one.published)
                    card.forwards.push_back({port.udp, port.outside, 0, one.name, port.inside});
        out.push_back(std::move(card));
    }
    return out;
}

namespace {

// Into the cache, for this machine.
Runnable built(manifest::Manifest manifest, const std::filesystem::path& file, const Common& common,
               Report& report) {
    Runnable out;
    manifest.machine.behaviour.set(plan::flag_serial_stop, true); // a signal to the tool reaches the programs
    out.cards = cards_of(manifest);
    out.held.emplace(file == "-" ? std::string(manifest.source.text())
                                 : std::filesystem::absolute(file).lexically_normal().string());
    build::BuildOptions build;
    build.policy = judge_first(manifest, {}, {}, image_options(common, manifest.source.file()), report);
    build.for_here = true;
    report.steps(step_count(manifest, true));
    build.bundle = out.held->path() / (manifest.name + ".bundle");
    build.observer = observer(report);
    build.images = image_options(common, manifest.source.file());
    const build::BuildResult result = build::build(manifest, bundle::Library::find(), build);
    say_warnings(result, report);
    out.bundle = result.bundle;
    out.elf = result.elf;
    prune_cache(default_cache_limit);
    out.manifest = std::move(manifest);
    return out;
}

} // namespace

Runnable runnable(const ApplianceOptions& options, const Common& common, Report& report, bool record_calls,
                  const std::vector<std::string>& ports) {
    Runnable out;
    if (!options.file.empty() && options.file != "-" && bundle::is_bundle(options.file)) {
        if (record_calls)
            throw diagnostic::fail("E0101",
                                   "--record-syscalls needs a manifest: a bundle's policy is signed with it")
                .help("name the appliance.yaml that the bundle was built from");
        if (!ports.empty())
            throw diagnostic::fail("E0101", "-p needs a manifest: what a bundle publishes is signed with it")
                .help("name the appliance.yaml that the bundle was built from");
        out.bundle = options.file;
        out.elf = options.elf.empty() ? std::filesystem::path(out.bundle).replace_extension(".elf")
                                      : std::filesystem::path(options.elf);
        if (!std::filesystem::exists(out.elf))
            throw diagnostic::fail("E0601", "the bundle's loader " + out.elf.string() + " does not exist")
                .help("caisson build writes it beside the bundle; or name it with --elf FILE");
        (void)bundle::keys_of(files::read_file(out.elf, bundle::largest_elf));
        return out;
    }
    const std::filesystem::path file = manifest_file(options.file, common);
    manifest::Manifest manifest = manifest::load(file, ports);
    for (manifest::Partition& partition : manifest.partitions)
        partition.record_calls = record_calls && partition.image.has_value();
    return built(std::move(manifest), file, common, report);
}

Runnable runnable_with_tests(const std::string& name, const Common& common, Report& report) {
    if (!name.empty() && name != "-" && bundle::is_bundle(name))
        throw diagnostic::fail("E0101", "test needs a manifest: its tests are not in the bundle")
            .help("name the appliance.yaml that the bundle was built from");
    const std::filesystem::path file = manifest_file(name, common);
    manifest::Manifest manifest = manifest::load(file);
    if (manifest.tests.empty())
        throw diagnostic::fail("E0310", manifest.source.file() + " has no 'tests'")
            .help("add for example: tests: [{partition: " + manifest.partitions.front().name +
                  ", log: ready}]");
    return built(std::move(manifest), file, common, report);
}

void size_machine(Runnable& runnable) {
    const bundle::FileSource source(runnable.bundle);
    const bundle::BundleSummary summary = bundle::summarize(source.source(), runnable.bundle.string());
    const auto plan = ::plan::Plan::parse(summary.table);
    if (!plan)
        throw diagnostic::fail("E0419",
                               runnable.bundle.string() + ": " + ::plan::describe(plan.error().error));
    for (std::uint32_t i = 0; i < plan->partition_count(); ++i) {
        runnable.partitions.emplace_back(plan->partition_name(i));
        if (plan->partition(i).behaviour.has(::plan::flag_service))
            runnable.services.emplace_back(plan->partition_name(i));
    }
    runnable.serial_stop = plan->header().behaviour.has(::plan::flag_serial_stop);
    runnable.hardware_watchdog = plan->header().behaviour.on_panic == ::plan::OnPanic::reboot;
    const build::AssumedMachine machine =
        build::assume_machine(summary.table, summary.shapes(), summary.header.total_size);
    if (!machine.bound)
        throw diagnostic::fail("E0311",
                               "the plan does not fit the machine: " + build::describe(machine.issue))
            .help("give the machine more memory or CPUs in the manifest");
    runnable.cpus = machine.cpus;
    runnable.memory = machine.memory;
}

bool QemuOptions::has_own_devices() const {
    return std::ranges::any_of(arguments,
                               [](const std::string& one) { return one.find("iommu") != std::string::npos; });
}

namespace {

struct RunCommandOptions {
    ApplianceOptions appliance;
    ViewOptions view;
    QemuOptions qemu;
    bool icount = false;
    std::string log, junit, record_calls;
    std::vector<std::string> ports;
};

// What was called, by all containers together, as a profile.
void write_profile(const std::string& file, const run::Session& session, Report& report) {
    policy::Recorded recorded;
    for (const std::string& payload : session.audit())
        if (const auto record = journal::from_payload(payload); record && record->event == "note")
            recorded.take(record->value("text"));
    files::AtomicFile out{std::filesystem::path(file)};
    out.write(files::bytes_of(recorded.json()));
    out.commit();
    report.note(fmt::format("{}: {} system calls", file, recorded.size()));
}

int run(const RunCommandOptions& options, const Common& common, Report& report) {
    const run::Qemu qemu = run::find_qemu();
    Runnable appliance =
        runnable(options.appliance, common, report, !options.record_calls.empty(), options.ports);
    size_machine(appliance);
    const std::string& status_of = options.view.exit_code_from;
    if (!status_of.empty() &&
        std::ranges::find(appliance.partitions, status_of) == appliance.partitions.end())
        throw diagnostic::fail("E0103", "there is no partition '" + status_of + "'");

    Viewer viewer(options.view, common, report, appliance.partitions);
    run::Session session(appliance.partitions, viewer.listener());
    run::RunOptions run_options;
    run_options.qemu = {appliance.elf,    appliance.bundle, options.qemu.cpu,      appliance.cpus,
                        appliance.memory, options.icount,   options.qemu.arguments};
    if (!options.qemu.has_own_devices())
        run_options.qemu.cards = appliance.cards;
    if (appliance.hardware_watchdog)
        run_options.qemu.extra.insert(run_options.qemu.extra.begin(),
                                      {"-device", "i6300esb", "-action", "watchdog=reset"});
    run_options.time_out = common.time_out;
    run_options.log = options.log;
    run_options.exit_code_from = status_of;
    run_options.services = appliance.services;
    run_options.outlets = viewer.outlets();
    run_options.serial_stop = appliance.serial_stop;
    run_options.asked_to_end = [&viewer] { viewer.say_stopping(); };
    const auto began = std::chrono::steady_clock::now();
    const run::Outcome outcome = run::boot(qemu, run_options, session);
    const RunFacts facts{session, outcome, appliance.bundle, std::chrono::steady_clock::now() - began};
    viewer.finish(session, outcome);
    report.data(run_json(facts));
    if (!options.junit.empty())
        write_junit(options.junit, facts);
    if (!options.record_calls.empty())
        write_profile(options.record_calls, session, report);
    return outcome.exit_code;
}

} // namespace

void declare_run(Command& root) {
    root.add<RunCommandOptions>(
        "run", "Boot under QEMU; the exit code is the partition's",
        "caisson run --timeout 2m --audit run.jsonl",
        [](Command& command, RunCommandOptions& options) {
            options.appliance.declare(command);
            options.view.declare(command);
            command.flag("--merge", options.view.merge,
                         "standard error of the programs to standard output too");
            command.option(
                "-p,--publish", options.ports, value::port,
                "publish a port for this run: 8080:80/tcp of the one container, or NAME=8080:80 (repeat)");
            options.qemu.declare(command);
            command.flag("--icount", options.icount, "count instructions as time: every run the same");
            command.option("--log", options.log, value::file, "keep the raw serial line");
            command.option("--record-syscalls", options.record_calls, value::file,
                           "write a profile of the system calls that were made (security.syscalls)");
            command.option("--junit", options.junit, value::file, "also write the results as JUnit's XML");
        },
        run);
}

} // namespace cli
