// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_test.cpp - test: boots a manifest under QEMU and goes through its `tests`.
#include "image-tools/cli/appliance_run.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/cli/run_report.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/journal/line.hpp"
#include "image-tools/run/junit.hpp"
#include "image-tools/run/machine.hpp"
#include "image-tools/trial/trial.hpp"

#include <chrono>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <system_error>

namespace cli {
namespace {

struct TestCommandOptions {
    std::string file;
    QemuOptions qemu;
    std::string junit, logs = "test-logs";
};

// What partitions printed last: shown with a failure, and kept.
class Printed {
public:
    void take(const std::string& name, std::string_view bytes) {
        constexpr std::size_t most = std::size_t{4} << 20;
        std::string& text = texts_[name];
        text += bytes;
        if (text.size() > 2 * most)
            text.erase(0, text.size() - most);
    }
    [[nodiscard]] const std::map<std::string, std::string>& all() const { return texts_; }
    [[nodiscard]] std::string_view last_of(const std::string& name) const {
        constexpr std::size_t most = 4096;
        const auto found = texts_.find(name);
        if (found == texts_.end())
            return {};
        const std::string_view text = found->second;
        return text.substr(text.size() - std::min(text.size(), most));
    }

private:
    std::map<std::string, std::string> texts_;
};

void write_file(const std::filesystem::path& file, std::string_view text) {
    files::AtomicFile out{file};
    out.write(files::bytes_of(text));
    out.commit();
}

class Tester {
public:
    Tester(const TestCommandOptions& options, const Common& common, Report& report)
        : options_(options), common_(common), report_(report),
          appliance_(runnable_with_tests(options.file, common, report)) {
        size_machine(appliance_);
        place_ports();
        serial_line_ = appliance_.held->path() / "serial.log";
    }

    int run() {
        trial::Trial trial(appliance_.manifest->tests,
                           [this](const std::string& partition, std::uint16_t port) {
                               return reached_.at({partition, port});
                           });
        run::Session session(appliance_.partitions, listener(trial));
        const auto began = std::chrono::steady_clock::now();
        const auto since = [began] {
            return std::chrono::duration_cast<trial::Time>(std::chrono::steady_clock::now() - began);
        };
        run::RunOptions run_options = machine();
        bool decided = false; // then the machine is ended in the middle of its work, and is not judged
        run_options.enough = [&](const run::Session& now) {
            decided = trial.step(since(), now);
            say_new(trial);
            return decided;
        };
        const run::Outcome outcome = run::boot(run::find_qemu(), run_options, session);
        trial.step(since(), session, true);
        say_new(trial);
        finish(trial, session, since());
        if (!decided && outcome.failure)
            report_.failure(*outcome.failure);
        if (!decided && (outcome.failure || outcome.stopped))
            return outcome.exit_code;
        return static_cast<int>(trial.failures() == 0 ? diagnostic::ExitCode::done
                                                      : diagnostic::ExitCode::answer_is_no);
    }

private:
    // Ports of this computer that are free, whatever the manifest publishes: tests of several appliances run beside each other.
    void place_ports() {
        for (run::NetworkCard& card : appliance_.cards)
            for (run::NetworkCard::Forward& forward : card.forwards) {
                forward.here = trial::free_port();
                if (!forward.udp)
                    reached_[{forward.partition, forward.inside}] = forward.here;
            }
    }

    run::RunOptions machine() {
        run::RunOptions out;
        out.qemu = {appliance_.elf,         appliance_.bundle, options_.qemu.cpu,
                    appliance_.cpus,        appliance_.memory, false,
                    options_.qemu.arguments};
        out.qemu.cards = appliance_.cards;
        if (appliance_.hardware_watchdog)
            out.qemu.extra.insert(out.qemu.extra.begin(),
                                  {"-device", "i6300esb", "-action", "watchdog=reset"});
        out.time_out = common_.time_out;
        out.log = serial_line_;
        out.serial_stop = appliance_.serial_stop;
        out.services = appliance_.services;
        out.look_again = std::chrono::milliseconds(20);
        return out;
    }

    run::Listener listener(trial::Trial& trial) {
        run::Listener out;
        out.output = [this, &trial](std::size_t partition, std::string_view bytes, unsigned stream) {
            trial.output(appliance_.partitions[partition], bytes, stream);
            printed_.take(appliance_.partitions[partition], bytes);
        };
        return out;
    }

    // As they are decided.
    void say_new(const trial::Trial& trial) {
        for (; said_ < trial.verdicts().size(); ++said_) {
            const trial::Verdict& one = trial.verdicts()[said_];
            const double took = std::chrono::duration<double>(one.took).count();
            if (one.failure.empty())
                report_.line(fmt::format("ok      {} ({:.1f} s)", one.name, took));
            else
                report_.line(fmt::format("FAILED  {}: {}", one.name, one.failure));
        }
    }

    void finish(const trial::Trial& trial, const run::Session& session, trial::Time took) {
        std::vector<run::JunitCase> cases;
        Json items = Json::array();
        for (const trial::Verdict& one : trial.verdicts()) {
            const double part = std::chrono::duration<double>(one.took).count();
            cases.push_back({one.name, one.failure, part, std::string(printed_.last_of(one.partition))});
            items.push_back({{"name", one.name},
                             {"partition", one.partition},
                             {"passed", one.failure.empty()},
                             {"failure", one.failure},
                             {"seconds", part}});
        }
        const double whole = std::chrono::duration<double>(took).count();
        if (!options_.junit.empty())
            write_file(options_.junit, run::junit("caisson.test", whole, cases));
        const std::size_t failures = trial.failures();
        Json out{{"schema", "caisson.test/1"}, {"seconds", whole}, {"items", items}};
        if (failures != 0) {
            keep_logs(session);
            out["logs"] = options_.logs;
        }
        report_.data(out);
        report_.line(fmt::format("{} of {} passed{}", cases.size() - failures, cases.size(),
                                 failures == 0 ? "" : "; logs are in " + options_.logs));
    }

    void keep_logs(const run::Session& session) const {
        const std::filesystem::path folder = options_.logs;
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        if (error)
            throw diagnostic::fail_system("E0602", "cannot make " + folder.string(), error.value());
        for (const std::string& name : appliance_.partitions)
            std::filesystem::remove(folder / (name + ".log"), error); // of a run before
        for (const auto& [name, text] : printed_.all())
            write_file(folder / (name + ".log"), text);
        std::string audit;
        for (const std::string& payload : session.audit()) {
            const auto record = journal::from_payload(payload);
            audit += (record ? journal::to_line(*record) : payload) + "\n";
        }
        write_file(folder / "audit.jsonl", audit);
        std::filesystem::copy_file(serial_line_, folder / "serial.log",
                                   std::filesystem::copy_options::overwrite_existing, error);
        if (error)
            throw diagnostic::fail_system("E0602", "cannot write " + (folder / "serial.log").string(),
                                          error.value());
    }

    const TestCommandOptions& options_;
    const Common& common_;
    Report& report_;
    Runnable appliance_;
    std::filesystem::path serial_line_;
    std::map<std::pair<std::string, std::uint16_t>, std::uint16_t> reached_;
    Printed printed_;
    std::size_t said_ = 0;
};

int test(const TestCommandOptions& options, const Common& common, Report& report) {
    return Tester(options, common, report).run();
}

} // namespace

void declare_test(Command& root) {
    root.add<TestCommandOptions>(
        "test", "Boot under QEMU and go through the manifest's tests (exit 1 when one fails)",
        "caisson test --junit results.xml",
        [](Command& command, TestCommandOptions& options) {
            declare_manifest_file(command, options.file);
            options.qemu.declare(command);
            command.option("--junit", options.junit, value::file, "also write the results as JUnit's XML");
            command.option("--logs", options.logs, value::folder,
                           "where output, audit log and serial line are kept when a test fails");
        },
        test);
}

} // namespace cli
