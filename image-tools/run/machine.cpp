// SPDX-License-Identifier: Apache-2.0
// image-tools/run/machine.cpp - one boot of an appliance under QEMU.
#include "image-tools/run/machine.hpp"

#include "image-tools/run/process.hpp"
#include "partitions/abi/console.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <poll.h>
#include <unistd.h>

namespace run {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds grace{3000}; // from the last record to the end of the process
constexpr std::size_t most_errors = 65536;
constexpr int status_refused = 2 * static_cast<int>(CAISSON_DEBUG_EXIT_REFUSED) + 1;
constexpr int status_panic = 2 * static_cast<int>(CAISSON_DEBUG_EXIT_PANIC) + 1;

// What is readable now; false at the end of the stream.
bool drain(int descriptor, std::vector<std::uint8_t>& out) {
    out.resize(65536);
    ssize_t got = 0;
    do
        got = ::read(descriptor, out.data(), out.size());
    while (got < 0 && errno == EINTR);
    out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return got > 0;
}

std::string without_line_end(std::string text) {
    while (text.ends_with('\n') || text.ends_with('\r'))
        text.pop_back();
    return text;
}

std::vector<std::string> last_lines(const Session& session, const std::string& qemu_errors) {
    constexpr std::size_t shown = 12;
    std::vector<std::string> out;
    const auto& log = session.log();
    for (std::size_t i = log.size() - std::min(log.size(), shown); i < log.size(); ++i)
        out.push_back("hv | " + log[i]);
    std::string rest = session.seen_frame() ? std::string() : session.noise();
    rest = rest.substr(rest.size() - std::min<std::size_t>(rest.size(), 1000));
    if (!rest.empty())
        out.push_back("serial line: " + without_line_end(std::move(rest)));
    if (!qemu_errors.empty())
        out.push_back("QEMU: " + without_line_end(qemu_errors.substr(0, 1000)));
    return out;
}

diagnostic::Diagnostic failed(const Session& session, const std::string& errors, const char* code,
                              std::string message, std::string help = {}) {
    return {code, diagnostic::ExitCode::run_failed, std::move(message),
            {},   last_lines(session, errors),      std::move(help)};
}

// Why the machine itself failed; nothing: it did not.
std::optional<diagnostic::Diagnostic> machine_failure(const Session& session, int status,
                                                      const std::string& errors) {
    if (errors.find("Bad icount read") != std::string::npos)
        return failed(session, errors, "E0904",
                      "QEMU stopped with \"Bad icount read\": it cannot run this under --icount",
                      "a guest read its timer's current count; run without --icount");
    const std::string reason = session.end() ? session.end()->reason : std::string();
    if (reason == "refused" || status == status_refused)
        return failed(session, errors, "E0501", "the loader refused the bundle",
                      "caisson verify says more; bundle and loader ELF must be of one build");
    if (reason == "panic" || status == status_panic)
        return failed(session, errors, "E0902", "the hypervisor gave up",
                      "this is a bug in Caisson: please report it with --log FILE");
    if (!session.seen_frame())
        return failed(session, errors, "E0901",
                      "the machine said nothing before it ended (QEMU status " + std::to_string(status) +
                          ")");
    if (!session.faults().empty())
        return failed(session, errors, "E0903", session.faults().front());
    for (const PartitionResult& partition : session.partitions())
        if (partition.final() == nullptr)
            return failed(session, errors, "E0901",
                          "there is no record of how '" + partition.name + "' ended (QEMU status " +
                              std::to_string(status) + ")");
    return std::nullopt;
}

class Loop {
public:
    Loop(Process& process, const RunOptions& options, Session& session)
        : process_(process), options_(options), session_(session), start_(Clock::now()) {
        if (options.log.empty())
            return;
        log_.open(options.log, std::ios::binary | std::ios::trunc);
        if (!log_)
            throw diagnostic::Failure({"E0602",
                                       diagnostic::ExitCode::io,
                                       "cannot write " + options.log.string() + ": " + std::strerror(errno),
                                       {},
                                       {},
                                       {}});
    }

    // 0: the output ended by itself; else the exit code that stopped it.
    int run(const SignalWatch& signals) {
        bool output_open = true, errors_open = true;
        while (output_open) {
            std::array<pollfd, 3> wait{{{process_.output(), POLLIN, 0},
                                        {signals.descriptor(), POLLIN, 0},
                                        {errors_open ? process_.errors() : -1, POLLIN, 0}}};
            const int ready = ::poll(wait.data(), wait.size(), time_left());
            if (ready < 0 && errno != EINTR)
                return static_cast<int>(diagnostic::ExitCode::run_failed);
            if (wait[1].revents != 0)
                if (const int signal = signals.take(); signal != 0)
                    return 128 + signal;
            if ((wait[2].revents & (POLLIN | POLLHUP)) != 0)
                errors_open = take_errors();
            if ((wait[0].revents & (POLLIN | POLLHUP)) != 0)
                output_open = take_output();
            if (over(options_.time_out, start_))
                return static_cast<int>(diagnostic::ExitCode::time_out);
            if ((ended_ && Clock::now() - *ended_ > grace) || (options_.enough && options_.enough(session_)))
                return 0;
        }
        while (errors_open)
            errors_open = take_errors();
        return 0;
    }
    [[nodiscard]] const std::string& errors() const { return errors_; }

private:
    bool take_output() {
        const bool open = drain(process_.output(), buffer_);
        if (log_.is_open())
            log_.write(static_cast<const char*>(static_cast<const void*>(buffer_.data())),
                       static_cast<std::streamsize>(buffer_.size()));
        session_.feed(buffer_);
        if (session_.end() && !ended_)
            ended_ = Clock::now();
        return open;
    }
    bool take_errors() {
        const bool open = drain(process_.errors(), buffer_);
        if (errors_.size() < most_errors)
            errors_.append(buffer_.begin(), buffer_.end());
        return open;
    }
    static bool over(std::optional<std::chrono::milliseconds> limit, Clock::time_point since) {
        return limit && Clock::now() - since >= *limit;
    }
    [[nodiscard]] int time_left() const {
        const auto until = [](Clock::time_point point) {
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(point - Clock::now()).count();
            return static_cast<int>(std::clamp<std::int64_t>(left + 1, 0, 1 << 30));
        };
        int out = -1;
        if (options_.time_out)
            out = until(start_ + *options_.time_out);
        if (ended_)
            out = std::min(out < 0 ? 1 << 30 : out, until(*ended_ + grace));
        return out;
    }

    Process& process_;
    const RunOptions& options_;
    Session& session_;
    Clock::time_point start_;
    std::optional<Clock::time_point> ended_;
    std::ofstream log_;
    std::string errors_;
    std::vector<std::uint8_t> buffer_;
};

} // namespace

Outcome judge(const Session& session, const RunOptions& options, int qemu_status, std::string qemu_errors) {
    Outcome out;
    out.qemu_status = qemu_status;
    out.failure = machine_failure(session, qemu_status, qemu_errors);
    out.qemu_errors = std::move(qemu_errors);
    if (out.failure) {
        out.exit_code = static_cast<int>(diagnostic::ExitCode::run_failed);
        return out;
    }
    const auto& partitions = session.partitions();
    out.exit_code = 0;
    for (const PartitionResult& partition : partitions) {
        const auto status = static_cast<int>(partition.final()->status);
        if (partitions.size() == 1 || partition.name == options.exit_code_from) {
            out.exit_code = status;
            return out;
        }
        if (status != 0 && options.exit_code_from.empty())
            out.exit_code = 1;
    }
    return out;
}

Outcome boot(const Qemu& qemu, const RunOptions& options, Session& session) {
    const SignalWatch signals;
    Process process = Process::start(command_line(qemu, options.qemu));
    Loop loop(process, options, session);
    const int stopped = loop.run(signals);
    if (stopped != 0)
        process.kill(SIGKILL);
    const bool over = session.end() || (options.enough && options.enough(session));
    const int status = process.wait(over ? std::chrono::milliseconds(500) : grace);
    if (stopped == 0)
        return judge(session, options, status, loop.errors());
    Outcome out;
    out.exit_code = stopped;
    out.qemu_status = status;
    out.qemu_errors = loop.errors();
    if (stopped == static_cast<int>(diagnostic::ExitCode::time_out))
        out.failure =
            diagnostic::Diagnostic{"E0905",
                                   diagnostic::ExitCode::time_out,
                                   "stopped after " + std::to_string(options.time_out->count() / 1000) +
                                       " s: the appliance had not ended",
                                   {},
                                   {},
                                   "raise --timeout, or leave it out to run without a limit"};
    return out;
}

} // namespace run
