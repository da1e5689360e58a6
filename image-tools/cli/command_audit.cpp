// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_audit.cpp - audit show, audit verify: the log that `run --audit` wrote.
//
// Trust: the file may be anything; what is shown of it cannot drive the terminal.
#include "hypervisor/core/audit/seal.hpp"
#include "image-tools/bundle/audit_key.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/diagnostic/neutral.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/journal/verifier.hpp"
#include "image-tools/journal/vmx_entry.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace cli {
namespace {

constexpr std::uint64_t largest_log = std::uint64_t{1} << 30;

template <typename Use> void each_line(const std::string& text, Use use) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        use(std::string_view(text).substr(at, end - at));
        at = end + 1;
    }
}

Json record_json(const journal::Record& record) {
    return Json::parse(journal::to_line(record));
}

std::string details(const journal::Record& record) {
    std::string out;
    for (const auto& [key, value] : record.pairs)
        if (key != "partition")
            out += (out.empty() ? "" : " ") + key + "=" + value;
    if (const auto state = vmx_entry::parse(record.value("vmcs")))
        out += fmt::format(" (VM entry refused: {})", vmx_entry::failed_check(*state));
    return out;
}

// Seconds since the log's first record.
std::string time_text(const journal::Record& record, std::uint64_t from, std::uint64_t frequency) {
    if (frequency == 0 || record.time < from)
        return std::to_string(record.time);
    return fmt::format("{:.6f}", static_cast<double>(record.time - from) / static_cast<double>(frequency));
}

std::string short_hex(std::span<const std::uint8_t> bytes) {
    return files::hex(bytes.first(8));
}

Json boot_json(const journal::Boot& boot) {
    return {{"name", boot.name},
            {"version", boot.version},
            {"bundle", boot.bundle},
            {"nonce", boot.nonce},
            {"line", boot.first_line},
            {"records", boot.records},
            {"lost", boot.lost},
            {"closed", boot.closed},
            {"reason", boot.reason},
            {"sealed", boot.sealed},
            {"anchored", boot.anchored},
            {"first", files::hex(boot.first)},
            {"last", files::hex(boot.last)}};
}

journal::Unseal unseal_with(const std::string& file) {
    if (file.empty())
        return {};
    return [key = std::make_shared<bundle::AuditKey>(bundle::AuditKey::load(file))](
               const audit::Key& sealed, const audit::Key& operator_key) -> std::optional<audit::Key> {
        if (operator_key != key->public_key())
            return std::nullopt;
        return audit::first_key(key->shared_with(sealed), sealed, operator_key);
    };
}

std::string finding_text(const journal::Finding& finding) {
    return fmt::format("record {} (line {}) {}", finding.record, finding.line, finding.what);
}

void say_boot(const journal::Boot& boot, bool with_key, const Report& report) {
    report.line(fmt::format("{} {}  bundle {}  boot {}", diagnostic::neutral(boot.name),
                            diagnostic::neutral(boot.version), boot.bundle.substr(0, 16), boot.nonce));
    report.line(fmt::format("  {} records, first {}, last {}, closed: {}", boot.records,
                            short_hex(boot.first), short_hex(boot.last), boot.closed ? boot.reason : "no"));
    if (boot.lost != 0)
        report.line(
            fmt::format("  {} records found no room when they were made and were not kept", boot.lost));
    if (boot.anchored)
        report.line("  anchored: every MAC fits the key");
    else if (boot.sealed && !with_key)
        report.line("  unanchored: its MACs were not checked; give the operator's private key with --key");
    else
        report.line("  unanchored: without an audit key, whoever can write the file could have made it");
}

struct ShowOptions {
    std::string file;
};

struct LogOptions {
    std::string file;
    std::string key;
};

int show(const ShowOptions& options, const Common&, Report& report) {
    const std::string text = files::read_file(options.file, largest_log);
    using Row = std::array<std::string, 5>;
    std::vector<Row> rows{{"SEQ", "TIME", "KIND", "PARTITION", "DETAIL"}};
    Json items = Json::array();
    std::uint64_t from = 0, frequency = 0, number = 0;
    each_line(text, [&](std::string_view line) {
        ++number;
        const auto record = journal::from_line(line);
        if (!record) {
            report.warning(fmt::format("line {} is no record", number));
            return;
        }
        if (record->event == "boot") {
            from = record->time;
            frequency = std::strtoull(std::string(record->value("tsc_hz")).c_str(), nullptr, 10);
        }
        const std::string_view partition = record->value("partition");
        rows.push_back({std::to_string(record->seq), time_text(*record, from, frequency),
                        std::string(journal::kind_of(record->event)),
                        partition.empty() ? "-" : std::string(partition), details(*record)});
        items.push_back(record_json(*record));
    });
    std::array<std::size_t, 4> width{};
    for (const Row& row : rows)
        for (std::size_t i = 0; i < width.size(); ++i)
            width[i] = std::max(width[i], row[i].size());
    for (const Row& row : rows)
        report.line(fmt::format("{:>{}}  {:>{}}  {:<{}}  {:<{}}  {}", row[0], width[0], row[1], width[1],
                                row[2], width[2], row[3], width[3], row[4]));
    report.data({{"schema", "caisson.audit/1"}, {"verified", false}, {"items", items}});
    return 0;
}

int verify_log(const LogOptions& options, const Common&, Report& report) {
    journal::Verifier verifier(unseal_with(options.key));
    const std::string text = files::read_file(options.file, largest_log);
    each_line(text, [&](std::string_view line) { verifier.line(line); });
    verifier.end();
    Json items = Json::array(), boots = Json::array();
    bool truncated = false;
    for (const journal::Finding& finding : verifier.findings()) {
        truncated = truncated || finding.truncated;
        items.push_back({{"line", finding.line},
                         {"record", finding.record},
                         {"truncated", finding.truncated},
                         {"what", finding.what}});
    }
    std::uint64_t records = 0, lost = 0;
    for (const journal::Boot& boot : verifier.boots()) {
        boots.push_back(boot_json(boot));
        records += boot.records;
        lost += boot.lost;
    }
    const bool intact = verifier.findings().empty() && !verifier.other_key();
    const bool anchored =
        intact && !verifier.boots().empty() &&
        std::ranges::all_of(verifier.boots(), [](const auto& boot) { return boot.anchored; });
    report.data({{"schema", "caisson.audit-verify/1"},
                 {"intact", intact},
                 {"anchored", anchored},
                 {"truncated", truncated},
                 {"otherKey", verifier.other_key()},
                 {"records", records},
                 {"lost", lost},
                 {"boots", boots},
                 {"items", items}});
    if (intact) {
        for (const journal::Boot& boot : verifier.boots())
            say_boot(boot, !options.key.empty(), report);
        report.line(anchored ? "intact, anchored" : "intact, unanchored");
        return 0;
    }
    std::vector<std::string> notes;
    for (const journal::Finding& finding : verifier.findings())
        notes.push_back(finding_text(finding));
    const auto refuse = [&](const diagnostic::Failure& failure) {
        report.failure(failure.diagnostic());
        return static_cast<int>(failure.diagnostic().exit);
    };
    if (verifier.other_key())
        return refuse(
            diagnostic::fail("E0506", options.file + " is sealed to another key than " + options.key)
                .notes(std::move(notes))
                .help("the plan names the operator's key (caisson plan); without --key only the chain is "
                      "checked"));
    const std::string first = notes.front();
    notes.erase(notes.begin());
    const bool only_cut = truncated && notes.empty();
    return refuse(
        diagnostic::fail("E0505", options.file + ": " + first)
            .notes(std::move(notes))
            .help(only_cut
                      ? "what is there is as it was written; docs/audit.md says what a missing end can mean"
                      : "the first place named is where the file stops being what the hypervisor wrote"));
}

} // namespace

void declare_audit_commands(Command& root) {
    Command audit = root.group("audit", "Look at and verify audit logs (run --audit FILE)");
    audit.add<ShowOptions>(
        "show", "A table of the records (without verifying them)", "caisson audit show run.jsonl",
        [](Command& command, ShowOptions& options) {
            command.argument(options.file, value::log, "the log", Command::Must::yes);
        },
        show);
    audit.add<LogOptions>(
        "verify", "Find any record changed, removed or moved (exit 5)",
        "caisson audit verify --key audit.key run.jsonl",
        [](Command& command, LogOptions& options) {
            command.argument(options.file, value::log, "the log", Command::Must::yes);
            command.option("--key", options.key, value::file,
                           "the operator's private key: check the MACs, accept no log without them");
        },
        verify_log);
}

} // namespace cli
