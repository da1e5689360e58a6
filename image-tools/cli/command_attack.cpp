// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_attack.cpp - attack: hostile guests beside the user's own partitions.
#include "image-tools/attack/attack.hpp"

#include "image-tools/attack/junit.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>

namespace cli {
namespace {

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

} // namespace

int attack(const Options& options, Report& report) {
    attack::Options wanted;
    wanted.classes = options.classes;
    wanted.seed = options.seed;
    wanted.steps = options.steps;
    wanted.cpu = options.cpu;
    wanted.qemu_arguments = options.qemu_arguments;
    wanted.log = options.log;
    if (options.time_out)
        wanted.time_out = *options.time_out;
    attack::Result result;
    if (!options.replay.empty()) {
        result = attack::replay(options.replay, options.replay_partitions, wanted);
    } else {
        const manifest::Manifest manifest = manifest::load(manifest_file(options));
        report.steps(step_count(manifest, true));
        wanted.observer = {report.progress(),
                           [&report](std::string_view name, const std::string& detail, double seconds) {
                               report.step(name, detail, seconds);
                           }};
        result = attack::run(manifest, wanted);
    }
    if (!options.junit.empty()) {
        const std::string xml = attack::junit(result.items);
        files::AtomicFile file(options.junit);
        const std::vector<std::uint8_t> bytes(xml.begin(), xml.end());
        file.write(bytes);
        file.commit(0644);
    }
    print_table(result, options.verbose, report);
    const auto failed = std::count_if(result.items.begin(), result.items.end(),
                                      [](const attack::Item& item) { return !item.passed; });
    if (options.seed)
        report.line(fmt::format("{} random steps in {} lives", result.random_steps, result.lives + 1));
    report.line(fmt::format(
        "{} of {} contained; the neighbour's {} reports: no exit, no strange interrupt, its own at "
        "most {} turns late",
        result.items.size() - static_cast<std::size_t>(failed), result.items.size(), result.witness_reports,
        result.latest));
    report.data({{"schema", "caisson.attack/1"}, {"items", items_json(result.items)}});
    return failed == 0 && !result.items.empty() ? 0 : 1;
}

} // namespace cli
