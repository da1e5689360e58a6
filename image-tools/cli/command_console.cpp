// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/command_console.cpp - console: a real machine's serial line, or a recording of one, shown as `run` shows
// an emulated one.
#include "image-tools/cli/appliance_run.hpp"
#include "image-tools/cli/commands.hpp"
#include "image-tools/cli/run_report.hpp"
#include "image-tools/cli/viewer.hpp"
#include "image-tools/files/range.hpp"
#include "image-tools/run/process.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

namespace cli {
namespace {

// The line or the recording; a terminal device is set to what the hypervisor sends, 115200 8n1, and set back at the end.
class LineSource {
public:
    explicit LineSource(const std::string& name)
        : name_(name), descriptor_(::open(name.c_str(), O_RDONLY | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)) {
        if (descriptor_ < 0)
            throw diagnostic::fail_system("E0601", "cannot read " + name, errno);
        device_ = ::tcgetattr(descriptor_, &before_) == 0;
        if (!device_)
            return;
        termios raw = before_;
        ::cfmakeraw(&raw);
        raw.c_cflag |= CLOCAL | CREAD;
        ::cfsetspeed(&raw, B115200);
        if (::tcsetattr(descriptor_, TCSANOW, &raw) != 0)
            throw diagnostic::fail_system("E0603", "cannot set " + name + " to 115200 8n1", errno);
    }
    LineSource(const LineSource&) = delete;
    LineSource& operator=(const LineSource&) = delete;
    ~LineSource() {
        if (device_)
            ::tcsetattr(descriptor_, TCSANOW, &before_);
        ::close(descriptor_);
    }
    [[nodiscard]] int descriptor() const { return descriptor_; }
    // What is there, at most `to`; nothing at the end of the recording.
    [[nodiscard]] std::span<const std::uint8_t> read(std::span<std::uint8_t> to, bool& end) const {
        const ssize_t got = ::read(descriptor_, to.data(), to.size());
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            throw diagnostic::fail_system("E0601", "cannot read " + name_, errno);
        end = got == 0;
        return to.first(got > 0 ? static_cast<std::size_t>(got) : 0);
    }

private:
    std::string name_;
    int descriptor_;
    bool device_ = false;
    termios before_{};
};

// Until the machine's end, the recording's end, a signal or the time-out; 0, or the exit code that stopped it.
int follow(const LineSource& line, const Common& common, run::Session& session,
           const std::vector<run::Outlet*>& outlets) {
    const run::SignalWatch signals;
    const auto start = std::chrono::steady_clock::now();
    std::array<std::uint8_t, 16384> buffer{};
    bool end = false;
    while (!end && !session.end()) {
        int left = -1;
        if (common.time_out) {
            const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(
                std::chrono::steady_clock::now() - start);
            if (passed >= *common.time_out)
                return static_cast<int>(diagnostic::ExitCode::time_out);
            left = static_cast<int>((*common.time_out - passed).count()) + 1;
        }
        std::array<pollfd, 2> on{{{signals.descriptor(), POLLIN, 0}, {line.descriptor(), POLLIN, 0}}};
        if (::poll(on.data(), on.size(), left) < 0)
            continue;
        if (on[0].revents != 0)
            if (const int signal = signals.take(); signal != 0)
                return 128 + signal;
        if (on[1].revents != 0)
            session.feed(line.read(buffer, end));
        for (run::Outlet* outlet : outlets)
            outlet->finish();
    }
    return 0;
}

struct ConsoleCommandOptions {
    std::string line, bundle;
    ViewOptions view;
};

int console(const ConsoleCommandOptions& options, const Common& common, Report& report) {
    Runnable appliance;
    appliance.bundle = options.bundle;
    size_machine(appliance);
    const LineSource line(options.line);
    Viewer viewer(options.view, common, report, appliance.partitions);
    run::Session session(appliance.partitions, viewer.listener());
    const auto began = std::chrono::steady_clock::now();
    run::Outcome outcome;
    outcome.exit_code = follow(line, common, session, viewer.outlets());
    if (outcome.exit_code == 0) {
        run::RunOptions judged;
        judged.exit_code_from = options.view.exit_code_from;
        judged.services = appliance.services;
        outcome = run::judge(session, judged, run::no_status, {});
    }
    viewer.finish(session, outcome);
    for (const std::string& fault : session.faults())
        report.note("note: " + fault);
    report.data(run_json({session, outcome, appliance.bundle, std::chrono::steady_clock::now() - began}));
    return outcome.exit_code;
}

} // namespace

void declare_console(Command& root) {
    root.add<ConsoleCommandOptions>(
        "console", "Show a real machine's serial line, or a recording of one",
        "caisson console /dev/ttyUSB0 --bundle gateway.bundle",
        [](Command& command, ConsoleCommandOptions& options) {
            command.argument(options.line, value::line, "the device, or a file that run --log wrote",
                             Command::Must::yes);
            command.option("--bundle", options.bundle, value::bundle, "what the machine runs");
            command.required("--bundle");
            options.view.declare(command);
        },
        console);
}

} // namespace cli
