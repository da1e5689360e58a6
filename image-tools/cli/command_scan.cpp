// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_scan.cpp - scan: known weaknesses of the packages in a bundle, from OSV records on this machine.
//
// Spec: SARIF 2.1.0.
#include "image-tools/build/build.hpp"
#include "image-tools/cli/boot_file.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/diagnostic/neutral.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/oci/image_loader.hpp"
#include "image-tools/run/junit.hpp"
#include "image-tools/sbom/bundle_bill.hpp"
#include "image-tools/scan/match.hpp"

#include <array>
#include <ctime>
#include <fmt/format.h>

namespace cli {
namespace {

using scan::Severity;
constexpr std::array<std::pair<const char*, Severity>, 5> severity_words{{{"any", Severity::unknown},
                                                                          {"low", Severity::low},
                                                                          {"medium", Severity::medium},
                                                                          {"high", Severity::high},
                                                                          {"critical", Severity::critical}}};
constexpr std::uint64_t largest_vex = 16 << 20;

struct ScanOptions {
    std::string file, database, partition, sarif, junit;
    std::vector<std::string> vex;
    Severity fail_on = Severity::unknown;
};

void write_text(const std::string& file, const std::string& text) {
    files::AtomicFile out(file);
    out.write(files::bytes_of(text));
    out.commit();
}

// Whether it makes the scan fail. What nobody graded may be anything.
bool is_counted(const scan::Finding& finding, Severity fail_on) {
    return finding.cleared.empty() && (finding.severity >= fail_on || finding.severity == Severity::unknown);
}

std::string finding_text(const scan::Finding& finding) {
    return fmt::format("{} {} {} ({}){}{}", finding.id, finding.package, finding.version,
                       scan::word(finding.severity),
                       finding.fixed.empty() ? "" : ", fixed in " + finding.fixed,
                       finding.cleared.empty() ? "" : ", cleared: " + finding.cleared);
}

// Days since the newest record was changed.
std::string age_of(const scan::Advisories& advisories) {
    const auto newest = oci::parse_rfc3339(advisories.newest());
    if (!newest)
        return "of unknown age";
    const std::int64_t now = build::source_date_epoch().value_or(std::time(nullptr));
    return fmt::format("newest of {}, {} days ago", diagnostic::neutral(advisories.newest().substr(0, 10)),
                       std::max<std::int64_t>(0, (now - *newest) / 86400));
}

std::string sarif(const std::vector<scan::Finding>& findings, Severity fail_on) {
    Json rules = Json::array(), results = Json::array();
    std::map<std::string, std::size_t> known;
    for (const scan::Finding& finding : findings) {
        const auto [at, is_new] = known.try_emplace(finding.id, rules.size());
        if (is_new)
            rules.push_back(
                {{"id", finding.id},
                 {"shortDescription", {{"text", finding.summary.empty() ? finding.id : finding.summary}}}});
        Json result{{"ruleId", finding.id},
                    {"ruleIndex", at->second},
                    {"level", finding.severity >= Severity::high ? "error" : "warning"},
                    {"message", {{"text", finding_text(finding)}}},
                    {"locations",
                     {{{"physicalLocation", {{"artifactLocation", {{"uri", finding.place}}}}},
                       {"logicalLocations",
                        {{{"name", finding.partition}, {"fullyQualifiedName", finding.purl}}}}}}}};
        if (!is_counted(finding, fail_on) && !finding.cleared.empty())
            result["suppressions"] = {{{"kind", "external"}, {"justification", finding.cleared}}};
        results.push_back(std::move(result));
    }
    const Json out{
        {"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
        {"version", "2.1.0"},
        {"runs",
         {{{"tool", {{"driver", {{"name", "caisson"}, {"version", bundle::build_id()}, {"rules", rules}}}}},
           {"results", results}}}}};
    return out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string junit(const std::vector<scan::Finding>& findings, Severity fail_on) {
    std::vector<run::JunitCase> cases;
    for (const scan::Finding& finding : findings)
        cases.push_back({finding.partition + ": " + finding.package + " " + finding.id,
                         is_counted(finding, fail_on) ? finding_text(finding) : std::string()});
    if (cases.empty())
        cases.push_back({"nothing found", {}});
    return run::junit("caisson scan", 0, cases);
}

void say_database(const scan::Advisories& advisories, const scan::Result& result, Report& report) {
    constexpr std::size_t most_shown = 5;
    report.note(fmt::format("database: {} records, {}", advisories.size(), age_of(advisories)));
    for (std::size_t i = 0; i < std::min(most_shown, advisories.unreadable().size()); ++i)
        report.warning(diagnostic::neutral("not read: " + advisories.unreadable()[i]));
    if (advisories.unreadable().size() > most_shown)
        report.warning(fmt::format("not read: {} more", advisories.unreadable().size() - most_shown));
    for (const std::string& ecosystem : advisories.unordered())
        report.note(diagnostic::neutral(ecosystem +
                                        ": its versions are not ordered here; only lists of versions count"));
    for (const std::string& blind : result.blind)
        report.warning(diagnostic::neutral(blind));
}

int scan_bundle(const ScanOptions& options, const Common&, Report& report) {
    const BootFile file = open_medium(options.file);
    file.expect_bundle();
    const bundle::FileSource source(file.bundle());
    const sbom::Bill bill =
        sbom::bill_of(file.bundle(), bundle::summarize(source.source(), options.file), options.partition);
    const scan::Advisories advisories = scan::Advisories::load(options.database);
    scan::Vex vex;
    for (const std::string& name : options.vex)
        vex.add(files::read_file(name, largest_vex), name);
    const scan::Result result = scan::match(bill, advisories, vex);
    say_database(advisories, result, report);
    Json items = Json::array();
    std::size_t failing = 0;
    for (const scan::Finding& finding : result.findings) {
        failing += is_counted(finding, options.fail_on) ? 1 : 0;
        report.line(diagnostic::neutral(finding.partition + ": " + finding_text(finding)));
        items.push_back({{"partition", finding.partition},
                         {"id", finding.id},
                         {"aliases", finding.aliases},
                         {"severity", scan::word(finding.severity)},
                         {"package", finding.package},
                         {"version", finding.version},
                         {"purl", finding.purl},
                         {"foundIn", finding.place},
                         {"fixed", finding.fixed},
                         {"cleared", finding.cleared},
                         {"summary", finding.summary}});
    }
    report.line(fmt::format("{} found, {} count", result.findings.size(), failing));
    if (!options.sarif.empty())
        write_text(options.sarif, sarif(result.findings, options.fail_on));
    if (!options.junit.empty())
        write_text(options.junit, junit(result.findings, options.fail_on));
    report.data({{"schema", "caisson.scan/1"},
                 {"database",
                  {{"records", advisories.size()},
                   {"newest", advisories.newest()},
                   {"notRead", advisories.unreadable()}}},
                 {"notKnown", result.blind},
                 {"counting", failing},
                 {"items", items}});
    return failing == 0 ? 0 : static_cast<int>(diagnostic::ExitCode::answer_is_no);
}

} // namespace

void declare_scan(Command& root) {
    root.add<ScanOptions>(
        "scan",
        "Look for known weaknesses of a bundle's packages in OSV records on this machine (exit 1 where some "
        "count)",
        "caisson scan gateway.bundle --db osv --fail-on high --vex ours.vex.json",
        [](Command& command, ScanOptions& options) {
            command.bundle(options.file, value::bundle);
            command.option("--db", options.database, value::folder,
                           "the folder of OSV records, one .json each");
            command.required("--db");
            command.option("--partition", options.partition, value::partition, "that one alone");
            command.choice("--fail-on", options.fail_on, severity_words,
                           "count those of that severity and above, and those of none (default: any)");
            command.option("--vex", options.vex, value::file, "OpenVEX statements of what does not count");
            command.option("--sarif", options.sarif, value::file, "write the findings as SARIF 2.1.0");
            command.option("--junit", options.junit, value::file, "write them as JUnit's XML");
        },
        scan_bundle);
}

} // namespace cli
