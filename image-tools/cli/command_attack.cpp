// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_attack.cpp - attack: hostile guests beside the user's own partitions.
#include "image-tools/attack/attack.hpp"

#include "image-tools/attack/junit.hpp"
#include "image-tools/cli/appliance_run.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace cli {
namespace {

struct AttackOptions {
    std::string file;
    std::vector<std::string> classes;
    std::optional<std::uint64_t> seed;
    std::uint64_t steps = 10'000;
    QemuOptions qemu;
    std::string log, junit, replay;
    std::vector<std::string> replay_partitions;

    void declare(Command& command) {
        declare_manifest_file(command, file);
        command.option("--class", classes, value::list, "only these classes of attacks (memory,ports,...)",
                       ',');
        command.option("--seed", seed, value::number, "a guest of random instructions and requests instead");
        command.option("--steps", steps, value::number, "how many random steps");
        qemu.declare(command);
        command.option("--log", log, value::file, "keep the raw serial line");
        command.option("--junit", junit, value::file, "also write the results as JUnit's XML");
        command.option("--replay", replay, value::log, "judge a serial line recorded elsewhere");
        command.option("--replay-partitions", replay_partitions, value::list,
                       "the partitions of that appliance, in the manifest's order", ',');
    }
};

Json items_json(const std::vector<attack::Item>& items) {
    Json out = Json::array();
    for (const attack::Item& item : items)
        out.push_back({{"name", item.name},
                       {"class", item.group},
                       {"vendor", item.vendor},
                       {"verdict", item.verdict},
                       {"expected", item.expected},
                       {"audit", item.audit},
                       {"passed", item.passed}});
    return out;
}

void print_table(const attack::Result& result, bool verbose, const Report& report) {
    struct Sum {
        unsigned cases = 0, passed = 0;
    };
    std::vector<std::pair<std::string, Sum>> classes;
    for (const attack::Item& item : result.items) {
        if (classes.empty() || classes.back().first != item.group)
            classes.push_back({item.group, {}});
        ++classes.back().second.cases;
        classes.back().second.passed += item.passed ? 1 : 0;
        if (verbose || !item.passed)
            report.line(fmt::format("{} {:<14} {:<32} {:<16} {:<28} {}", item.passed ? "ok    " : "FAILED",
                                    item.group, item.name, item.expected, item.audit,
                                    item.passed ? "" : item.verdict));
    }
    report.line(fmt::format("{:<14} {:>6} {:>7}", "class", "cases", "passed"));
    for (const auto& [name, sum] : classes)
        report.line(fmt::format("{:<14} {:>6} {:>7}", name, sum.cases, sum.passed));
}

int attack(const AttackOptions& options, const Common& common, Report& report) {
    attack::Options wanted;
    wanted.classes = options.classes;
    wanted.seed = options.seed;
    wanted.steps = options.steps;
    wanted.cpu = options.qemu.cpu;
    wanted.qemu_arguments = options.qemu.arguments;
    wanted.log = options.log;
    if (common.time_out)
        wanted.time_out = *common.time_out;
    attack::Result result;
    if (!options.replay.empty()) {
        result = attack::replay(options.replay, options.replay_partitions, wanted);
    } else {
        const manifest::Manifest manifest = manifest::load(manifest_file(options.file, common));
        report.steps(step_count(manifest, true));
        if (!options.qemu.has_own_devices())
            wanted.cards = cards_of(manifest);
        wanted.observer = observer(report);
        wanted.images = image_options(common, manifest.source.file());
        result = attack::run(manifest, wanted);
    }
    if (!options.junit.empty()) {
        const std::string xml = attack::junit(result.items);
        files::AtomicFile file(options.junit);
        const std::vector<std::uint8_t> bytes(xml.begin(), xml.end());
        file.write(bytes);
        file.commit(0644);
    }
    print_table(result, common.verbose, report);
    const auto failed = std::count_if(result.items.begin(), result.items.end(),
                                      [](const attack::Item& item) { return !item.passed; });
    if (options.seed)
        report.line(
            fmt::format("{} random steps in {} generations", result.random_steps, result.generations + 1));
    report.line(fmt::format(
        "{} of {} contained; the neighbour's {} reports: no exit, no strange interrupt, its own at "
        "most {} turns late",
        result.items.size() - static_cast<std::size_t>(failed), result.items.size(), result.witness_reports,
        result.latest));
    report.data({{"schema", "caisson.attack/1"}, {"items", items_json(result.items)}});
    return failed == 0 && !result.items.empty() ? 0 : 1;
}

} // namespace

void declare_attack(Command& root) {
    root.add<AttackOptions>(
        "attack", "Hostile guests beside the appliance under QEMU: is all refused?",
        "caisson attack --class memory,ports --junit attack.xml",
        [](Command& command, AttackOptions& options) { options.declare(command); }, attack);
}

} // namespace cli
