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
#include "image-tools/files/digest.hpp"
#include "image-tools/journal/line.hpp"
#include "image-tools/run/console.hpp"

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

std::filesystem::path cache_folder() {
    if (const char* chosen = std::getenv("CAISSON_CACHE"); chosen != nullptr && chosen[0] != '\0')
        return chosen;
    if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && cache[0] == '/')
        return std::filesystem::path(cache) / "caisson";
    if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/')
        return std::filesystem::path(home) / ".cache" / "caisson";
    throw diagnostic::Failure({"E0701",
                               diagnostic::ExitCode::environment,
                               "neither CAISSON_CACHE, XDG_CACHE_HOME nor HOME says where to build",
                               {},
                               {},
                               "set HOME, or build with: caisson build -o FILE, and run that"});
}

Json ending_json(const run::Ending& ending) {
    return {
        {"generation", ending.generation}, {"status", ending.status},   {"reason", ending.reason},
        {"detail", ending.detail},         {"exits", ending.exits},     {"refusals", ending.refusals},
        {"dropped", ending.dropped},       {"started", ending.started}, {"firstOutput", ending.first_output},
        {"ended", ending.ended},           {"last", ending.last}};
}

Json run_json(const run::Session& session, const run::Outcome& outcome) {
    Json items = Json::array();
    for (const run::PartitionResult& partition : session.partitions()) {
        Json endings = Json::array();
        for (const run::Ending& ending : partition.endings)
            endings.push_back(ending_json(ending));
        Json item{{"name", partition.name},
                  {"state", partition.state()},
                  {"restarts", partition.restarts()},
                  {"outputBytes", partition.output_bytes},
                  {"endings", endings}};
        item["status"] = partition.final() != nullptr ? Json(partition.final()->status) : Json();
        items.push_back(std::move(item));
    }
    Json out{{"schema", "caisson.run/1"},
             {"exit", outcome.exit_code},
             {"qemuStatus", outcome.qemu_status},
             {"items", items}};
    out["audit"] = session.audit();
    if (session.boot())
        out["boot"] = {{"entry", session.boot()->entry},
                       {"verified", session.boot()->verified},
                       {"ready", session.boot()->ready},
                       {"memoryHypervisor", session.boot()->memory_hypervisor},
                       {"memoryBundle", session.boot()->memory_bundle},
                       {"memoryPartitions", session.boot()->memory_partitions},
                       {"cpus", session.boot()->cpus},
                       {"build", session.boot()->build_id}};
    if (session.end())
        out["end"] = {{"reason", session.end()->reason}, {"action", session.end()->action}};
    if (outcome.failure)
        out["error"] = to_json(*outcome.failure);
    return out;
}

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
        throw diagnostic::Failure({"E0602",
                                   diagnostic::ExitCode::io,
                                   "cannot write " + name_ + ": " + std::strerror(errno),
                                   {},
                                   {},
                                   "--audit FILE must name a file that can be written"});
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
    if (!options.file.empty() && bundle::is_bundle(options.file)) {
        out.bundle = options.file;
        out.elf = options.elf.empty() ? std::filesystem::path(out.bundle).replace_extension(".elf")
                                      : std::filesystem::path(options.elf);
        if (!std::filesystem::exists(out.elf))
            throw diagnostic::Failure(
                {"E0601",
                 diagnostic::ExitCode::io,
                 "the bundle's loader " + out.elf.string() + " does not exist",
                 {},
                 {},
                 "caisson build writes it beside the bundle; or name it with --elf FILE"});
        (void)bundle::keys_of(files::read_file(out.elf, bundle::largest_elf));
        return out;
    }
    const std::filesystem::path file = manifest_file(options);
    const manifest::Manifest manifest = manifest::load(file);
    const std::string place = std::filesystem::absolute(file).lexically_normal().string();
    const std::filesystem::path folder =
        cache_folder() / "run" / files::sha256(std::string_view(place)).hex().substr(0, 16);
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error)
        throw diagnostic::Failure({"E0602",
                                   diagnostic::ExitCode::io,
                                   "cannot make " + folder.string() + ": " + error.message(),
                                   {},
                                   {},
                                   {}});
    report.steps(step_count(manifest, true));
    build::BuildOptions build;
    build.bundle = folder / (manifest.name + ".bundle");
    build.observer = {report.progress(), [&report](std::string_view name, const std::string& detail,
                                                   double seconds) { report.step(name, detail, seconds); }};
    const build::BuildResult result = build::build(manifest, bundle::Library::find(), build);
    for (const std::string& warning : result.warnings)
        report.warning(warning);
    out.bundle = result.bundle;
    out.elf = result.elf;
    return out;
}

void size_machine(Runnable& runnable) {
    const bundle::FileSource source(runnable.bundle);
    const bundle::BundleSummary summary = bundle::summarize(source.source(), runnable.bundle.string());
    const auto plan = ::plan::Plan::parse(summary.table);
    if (!plan)
        throw diagnostic::Failure({"E0419",
                                   diagnostic::ExitCode::input,
                                   runnable.bundle.string() + ": " + ::plan::describe(plan.error().error),
                                   {},
                                   {},
                                   {}});
    for (std::uint32_t i = 0; i < plan->partition_count(); ++i)
        runnable.partitions.emplace_back(plan->partition_name(i));
    runnable.hardware_watchdog = plan->header().on_panic == ::plan::OnPanic::reboot;
    const build::AssumedMachine machine =
        build::assume_machine(summary.table, summary.shapes(), summary.header.total_size);
    if (!machine.bound)
        throw diagnostic::Failure({"E0311",
                                   diagnostic::ExitCode::manifest,
                                   "the plan does not fit the machine: " + build::describe(machine.issue),
                                   {},
                                   {},
                                   "give the machine more memory or CPUs in the manifest"});
    runnable.cpus = machine.cpus;
    runnable.memory = machine.memory;
}

int run(const Options& options, Report& report) {
    const run::Qemu qemu = run::find_qemu();
    Runnable appliance = runnable(options, report);
    size_machine(appliance);
    if (!options.exit_code_from.empty() && std::find(appliance.partitions.begin(), appliance.partitions.end(),
                                                     options.exit_code_from) == appliance.partitions.end())
        throw diagnostic::Failure({"E0103",
                                   diagnostic::ExitCode::usage,
                                   "there is no partition '" + options.exit_code_from + "'",
                                   {},
                                   {},
                                   {}});

    const run::ConsoleOptions shown = console_options(options, report, appliance.partitions.size());
    run::Console console(report.json() ? stderr : stdout, appliance.partitions, shown);
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
    const run::Outcome outcome = run::boot(qemu, run_options, session);
    console.flush();
    if (outcome.failure)
        report.failure(*outcome.failure);
    if (!options.quiet && session.boot()) // else none was ever started
        say_partitions(session, report);
    report.data(run_json(session, outcome));
    return outcome.exit_code;
}

} // namespace cli
