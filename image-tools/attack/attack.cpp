// SPDX-License-Identifier: Apache-2.0
// image-tools/attack/attack.cpp - an appliance with the adversary in it.
#include "image-tools/attack/attack.hpp"

#include "image-tools/bundle/signing_key.hpp"
#include "image-tools/bundle/verify.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <algorithm>
#include <array>

namespace attack {
namespace {

constexpr std::uint64_t partition_memory = std::uint64_t{4} << 20;
constexpr std::uint32_t hostile_cpus = 2, witness_cpus = 1;
// For the two, their tables and their share of the hypervisor.
constexpr std::uint64_t more_memory = std::uint64_t{32} << 20;
constexpr std::uint64_t largest_log = std::uint64_t{256} << 20;

std::string command_line(const Options& options) {
    if (options.seed)
        return "random seed=" + std::to_string(*options.seed);
    std::string out = "attack";
    for (std::size_t i = 0; i < options.classes.size(); ++i)
        out += (i == 0 ? " " : ",") + options.classes[i];
    return out;
}

manifest::Partition partition(std::string_view name, std::uint32_t cpus, std::string words,
                              const std::filesystem::path& adversary, const manifest::Spot& spot) {
    manifest::Partition out;
    out.name = name;
    out.spot = out.cpus_spot = out.memory_spot = spot;
    out.kernel = manifest::Located<std::string>{adversary.string(), spot};
    out.command_line = std::move(words);
    out.cpus = cpus;
    out.memory = partition_memory;
    return out;
}

Result collect(Judge& judge, const run::Session& session, const std::string& failure,
               const Options& options) {
    Result out;
    if (options.seed)
        out.items.push_back(judge.random_item(failure, *options.seed, options.steps));
    else
        out.items = judge.items(failure);
    out.witness_reports = judge.witness_reports();
    out.latest = judge.latest();
    out.random_steps = judge.random_steps();
    for (const run::PartitionResult& partition : session.partitions())
        if (partition.name == hostile_name)
            out.generations = partition.endings.size();
    return out;
}

std::size_t place_of(const std::vector<std::string>& names, std::string_view name) {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
        throw diagnostic::fail("E0103", "there is no partition '" + std::string(name) + "'")
            .help("a recorded run must be of an appliance with the adversary in it");
    return static_cast<std::size_t>(found - names.begin());
}

// The class "dma" needs one; a machine that the user gives an IOMMU keeps it as it is.
bool wants_device(const Options& options) {
    const bool class_wanted =
        options.classes.empty() || std::ranges::find(options.classes, "dma") != options.classes.end();
    const bool has_iommu = std::ranges::any_of(options.qemu_arguments, [](const std::string& word) {
        return word.find("iommu") != std::string::npos;
    });
    return !options.seed && class_wanted && !has_iommu;
}

// An NVMe controller and three network cards on one wire, behind VT-d, and the adversary owns them. `cards`: how many the appliance has
// besides, which are igbs in every second slot from 2 on (run::command_line()); this one's virtual functions take slots 1c and 1d.
void give_devices(manifest::Manifest& manifest, std::size_t cards, std::vector<std::string>& arguments) {
    struct Given {
        const char* name;
        std::uint16_t vendor, device;
        const char* model;
    };
    constexpr std::array given{
        Given{"pci:1b36:0010", 0x1b36, 0x0010, "nvme,addr=b,serial=adversary"},
        Given{"pci:8086:10d3", 0x8086, 0x10d3, "e1000e,addr=d,netdev=wire1"},
        Given{"pci:8086:10c9", 0x8086, 0x10c9, "igb,addr=c,netdev=wire2"},
        Given{"pci:1af4:1041", 0x1af4, 0x1041,
              "virtio-net-pci,addr=f,disable-legacy=on,iommu_platform=on,netdev=wire3"}};
    if (cards == 0)
        arguments.insert(arguments.end(), {"-device", "intel-iommu,intremap=on,eim=on"});
    for (std::size_t i = 0; i < given.size(); ++i) {
        if (i != 0)
            arguments.insert(arguments.end(), {"-netdev", "hubport,hubid=0,id=wire" + std::to_string(i)});
        arguments.insert(arguments.end(), {"-device", given[i].model});
        const auto place = static_cast<std::uint32_t>(given[i].device == 0x10c9 ? cards : 0);
        for (manifest::Partition& one : manifest.partitions)
            if (one.name == hostile_name)
                one.devices.push_back(
                    {given[i].name, one.spot, given[i].vendor, given[i].device, place, false, false});
    }
}

} // namespace

manifest::Manifest with_adversary(manifest::Manifest manifest, const std::filesystem::path& adversary,
                                  const std::filesystem::path& key, const Options& options) {
    const manifest::Spot spot = manifest.partitions.front().spot;
    for (const manifest::Partition& own : manifest.partitions)
        if (own.name == hostile_name || own.name == witness_name)
            throw diagnostic::fail("E0309", "'" + own.name + "' is the name of a partition that attack adds")
                .help("choose another name");
    manifest::Partition hostile =
        partition(hostile_name, hostile_cpus, command_line(options), adversary, spot);
    hostile.behaviour.restart = plan::Restart::on_failure;
    hostile.behaviour.restart_delay_ms =
        0; // a generation runs a few cases: the back-off is not what is tried
    manifest.partitions.push_back(std::move(hostile));
    manifest.partitions.push_back(partition(witness_name, witness_cpus, "witness", adversary, spot));
    // A wire to a partition of the appliance's own, and one that goes one way only, to the witness.
    const auto name = [&spot](std::string_view text) {
        return manifest::Located<std::string>{std::string(text), spot};
    };
    manifest.network.allow.push_back(
        {name(hostile_name), name(manifest.partitions.front().name), false, false, spot});
    manifest.network.allow.push_back({name(hostile_name), name(witness_name), true, true, spot});
    if (manifest.machine.cpus > 0)
        manifest.machine.cpus += hostile_cpus + witness_cpus;
    if (manifest.machine.memory > 0)
        manifest.machine.memory += more_memory;
    manifest.signing.key = manifest::Located<std::string>{key.string(), spot};
    manifest.signing.trusted.clear();
    return manifest;
}

Result run(const manifest::Manifest& user, const Options& options) {
    const run::Qemu qemu = run::find_qemu();
    const bundle::Library library = bundle::Library::find();
    (void)library.elf("adversary.elf"); // of this build
    const build::WorkFolder work(std::filesystem::temp_directory_path());
    const std::filesystem::path key = work.path() / "throw-away.key";
    bundle::SigningKey::generate().save(key, {});
    manifest::Manifest manifest =
        with_adversary(user, std::filesystem::absolute(library.file("adversary.elf")), key, options);
    std::vector<std::string> arguments = options.qemu_arguments;
    if (wants_device(options))
        give_devices(manifest, options.cards.size(), arguments);

    build::BuildOptions build;
    build.bundle = work.path() / "attack.bundle";
    build.observer = options.observer;
    build.images = options.images;
    const build::BuildResult built = build::build(manifest, library, build);

    const bundle::FileSource source(built.bundle);
    const bundle::BundleSummary summary = bundle::summarize(source.source(), built.bundle.string());
    const build::AssumedMachine machine =
        build::assume_machine(summary.table, summary.shapes(), summary.header.total_size);
    if (!machine.bound)
        throw diagnostic::Failure(build::diagnose(manifest, machine.issue));
    std::vector<std::string> names;
    for (const manifest::Partition& one : manifest.partitions)
        names.push_back(one.name);
    Judge judge(place_of(names, hostile_name), place_of(names, witness_name));
    run::Session session(names, judge.listener());
    judge.watch(session);

    run::RunOptions boot;
    boot.qemu = {built.elf, built.bundle, options.cpu, machine.cpus, machine.memory, false, arguments};
    boot.qemu.cards = options.cards;
    boot.time_out = options.time_out;
    boot.log = options.log;
    const std::uint64_t steps = options.seed ? options.steps : 0;
    boot.enough = [&](const run::Session&) { return judge.enough(steps); };
    const run::Outcome outcome = run::boot(qemu, boot, session);
    // Partitions that still run when it is enough have no last record; whatever else fails is a verdict.
    const bool complete = judge.enough(steps);
    const std::string failure = complete || !outcome.failure ? std::string() : outcome.failure->message;
    return collect(judge, session, failure, options);
}

Result replay(const std::filesystem::path& log, const std::vector<std::string>& partitions,
              const Options& options) {
    Judge judge(place_of(partitions, hostile_name), place_of(partitions, witness_name));
    run::Session session(partitions, judge.listener());
    judge.watch(session);
    const std::string bytes = files::read_file(log, largest_log);
    std::vector<std::uint8_t> all(bytes.begin(), bytes.end());
    session.feed(all);
    const bool panicked = session.end() && session.end()->reason == "panic";
    return collect(judge, session, panicked ? "the hypervisor gave up" : "", options);
}

} // namespace attack
