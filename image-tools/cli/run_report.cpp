// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/run_report.cpp - a run's results for programs.
#include "image-tools/cli/run_report.hpp"

#include "image-tools/files/atomic_file.hpp"
#include "image-tools/journal/line.hpp"
#include "image-tools/run/junit.hpp"

#include <fmt/format.h>

namespace cli {
namespace {

// Records as objects, as `--audit` writes them; what is no record as the text that came.
Json audit_json(const run::Session& session) {
    Json out = Json::array();
    for (const std::string& payload : session.audit()) {
        const auto record = journal::from_payload(payload);
        out.push_back(record ? Json::parse(journal::to_line(*record), nullptr, false) : Json(payload));
    }
    return out;
}

Json ending_json(const run::Ending& ending) {
    return {
        {"generation", ending.generation}, {"status", ending.status},   {"reason", ending.reason},
        {"detail", ending.detail},         {"exits", ending.exits},     {"refusals", ending.refusals},
        {"dropped", ending.dropped},       {"started", ending.started}, {"firstOutput", ending.first_output},
        {"ended", ending.ended},           {"last", ending.last}};
}

} // namespace

Json run_json(const RunFacts& facts) {
    const run::Session& session = facts.session;
    const run::Outcome& outcome = facts.outcome;
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
        item["health"] = partition.health.empty() ? Json() : Json(partition.health);
        item["status"] = partition.final() != nullptr ? Json(partition.final()->status) : Json();
        items.push_back(std::move(item));
    }
    Json out{{"schema", "caisson.run/1"},         {"exit", outcome.exit_code},
             {"qemuStatus", outcome.qemu_status}, {"bundle", facts.bundle.string()},
             {"seconds", facts.took.count()},     {"items", items}};
    out["audit"] = audit_json(session);
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

void write_junit(const std::string& file, const RunFacts& facts) {
    std::vector<run::JunitCase> cases;
    const auto& failure = facts.outcome.failure;
    cases.push_back({"machine", failure ? failure->code + ": " + failure->message : std::string()});
    for (const run::PartitionResult& partition : facts.session.partitions()) {
        const run::Ending* const last = partition.final();
        std::string why;
        if (last == nullptr)
            why = "no record of how it ended";
        else if (last->status != 0)
            why = fmt::format("status {} ({}{})", last->status, last->reason,
                              last->detail == "none" ? "" : ": " + last->detail);
        cases.push_back({partition.name, std::move(why)});
    }
    files::AtomicFile out{std::filesystem::path(file)};
    out.write(files::bytes_of(run::junit("caisson.run", facts.took.count(), cases)));
    out.commit();
}

} // namespace cli
