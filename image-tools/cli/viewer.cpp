// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/viewer.cpp - a machine's serial line for people.
#include "image-tools/cli/viewer.hpp"

#include "image-tools/channel/record_reader.hpp"
#include "image-tools/journal/line.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace cli {
namespace {

// State, last end and restarts of every partition, for people. One that ran alone and ended well is not spoken of.
void say_partitions(const run::Session& session, const Report& report) {
    const auto& partitions = session.partitions();
    for (const run::PartitionResult& partition : partitions) {
        if (partitions.size() == 1 && partition.state() == "stopped" && partition.restarts() == 0)
            continue;
        const std::string_view still = partition.final() == nullptr ? "still " : "";
        std::string text = fmt::format("'{}' {}{}", partition.name, still, partition.state());
        if (!partition.endings.empty()) {
            const run::Ending& ending = partition.endings.back();
            text += fmt::format("{}, status {} ({}{})", partition.final() != nullptr ? "" : ", before that",
                                ending.status, ending.reason,
                                ending.detail == "none" ? "" : ": " + ending.detail);
        }
        if (!partition.health.empty())
            text += ", " + partition.health;
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

// Two descriptors of one open terminal, file or pipe.
bool same_file(int one, int other) {
    struct stat first {
    }, second{};
    return ::fstat(one, &first) == 0 && ::fstat(other, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

run::ConsoleOptions console_options(const ViewOptions& options, const Report& report,
                                    std::size_t partitions) {
    run::ConsoleOptions out;
    const bool terminal = !report.json() && ::isatty(1) == 1;
    out.prefix =
        options.prefix == When::always || (options.prefix == When::automatic && (partitions > 1 || terminal));
    out.colour = report.json() ? report.colour_on_stderr() : report.colour_on_stdout();
    out.raw = options.raw;
    out.merge = options.merge;
    return out;
}

} // namespace

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

void ViewOptions::declare(Command& command) {
    command.choice("--prefix", prefix, when_words, "prefix lines with the partition's name");
    command.flag("--raw", raw, "let escape sequences of consoles through");
    command.option("--audit", audit, value::file, "write the audit log, a line of JSON a record");
    command.option("--exit-code-from", exit_code_from, value::partition, "give that partition's status");
}

Viewer::Viewer(const ViewOptions& options, const Common& common, const Report& report,
               const std::vector<std::string>& partitions)
    : common_(common), report_(report), shown_(console_options(options, report, partitions.size())),
      errors_(same_file(1, 2) ? output_ : own_errors_),
      console_([this](std::string_view text) { (report_.json() ? errors_ : output_).write(text); },
               [this](std::string_view text) { errors_.write(text); }, partitions, shown_) {
    if (!options.audit.empty())
        audit_ = std::make_unique<AuditFile>(options.audit);
}

Viewer::~Viewer() = default;

run::Listener Viewer::listener() {
    const bool say_hypervisor = common_.verbose || (shown_.prefix && !common_.quiet);
    run::Listener out;
    out.output = [this](std::size_t partition, std::string_view bytes, unsigned stream) {
        console_.write(partition, bytes, stream);
    };
    if (say_hypervisor)
        out.log = [this](std::string_view line) { console_.hypervisor_line(line); };
    out.audit = [this, say_hypervisor](std::string_view record) {
        if (audit_)
            audit_->write(record);
        if (common_.verbose || (say_hypervisor && worth_saying(record)))
            console_.hypervisor_line("audit " + std::string(record.substr(0, record.find(" hash="))));
    };
    return out;
}

void Viewer::say_stopping() {
    if (!common_.quiet)
        errors_.write("stopping: each partition gets its stop signal; interrupt again to end at once\n");
}

void Viewer::finish(const run::Session& session, const run::Outcome& outcome) {
    console_.flush();
    output_.finish();
    errors_.finish();
    if (outcome.failure)
        report_.failure(*outcome.failure);
    if (!common_.quiet && session.boot()) // else none was ever started
        say_partitions(session, report_);
}

} // namespace cli
