// SPDX-License-Identifier: Apache-2.0
// image-tools/run/machine.cpp - one boot of an appliance under QEMU.
#include "image-tools/run/machine.hpp"

#include "image-tools/files/range.hpp"
#include "image-tools/run/process.hpp"
#include "image-tools/run/serial_line.hpp"
#include "partitions/abi/console.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <poll.h>
#include <unistd.h>

namespace run {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds grace{3000}; // from the last record to the end of the process
constexpr std::chrono::milliseconds ask_again{250};
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

// Whatever the reason is, `run` itself failed.
diagnostic::Diagnostic failed(const Session& session, const std::string& errors, diagnostic::Code code,
                              std::string message, std::string help = {}) {
    diagnostic::Diagnostic out = diagnostic::fail(code, std::move(message))
                                     .notes(last_lines(session, errors))
                                     .help(std::move(help))
                                     .diagnostic();
    out.exit = diagnostic::ExitCode::run_failed;
    return out;
}

std::string of_qemu(int status) {
    return status == no_status ? "" : " (QEMU status " + std::to_string(status) + ")";
}

// Why the machine itself failed; nothing: it did not.
std::optional<diagnostic::Diagnostic> machine_failure(const Session& session, int status,
                                                      const std::string& errors) {
    if (errors.find("Bad icount read") != std::string::npos)
        return failed(session, errors, "E0904",
                      "QEMU stopped with \"Bad icount read\": it cannot run this under --icount",
                      "a guest read its timer's current count; run without --icount");
    const std::string reason = session.end() ? session.end()->reason : std::string();
    // The hypervisor's last line says what it refused: the bundle, or the machine it was started on.
    const bool of_bundle = session.log().empty() || session.log().back().starts_with("bundle refused");
    if ((reason == "refused" || status == status_refused) && !of_bundle)
        return failed(session, errors, "E0902",
                      "the hypervisor cannot run on this machine: " + session.log().back(),
                      "under QEMU leave out --cpu: the default, max,+svm, has all that is needed");
    if (reason == "refused" || status == status_refused)
        return failed(session, errors, "E0501", "the loader refused the bundle",
                      "caisson verify says more; bundle and loader ELF must be of one build");
    if (reason == "panic" || status == status_panic)
        return failed(session, errors, "E0902", "the hypervisor gave up",
                      "this is a bug in Caisson: please report it with --log FILE");
    if (!session.seen_frame())
        return failed(session, errors, "E0901", "the machine said nothing before it ended" + of_qemu(status));
    if (!session.faults().empty())
        return failed(session, errors, "E0903", session.faults().front());
    for (const PartitionResult& partition : session.partitions())
        if (partition.final() == nullptr)
            return failed(session, errors, "E0901",
                          "there is no record of how '" + partition.name + "' ended" + of_qemu(status));
    return std::nullopt;
}

// The raw serial line as a file.
class LogFile {
public:
    explicit LogFile(const std::filesystem::path& file) : name_(file.string()) {
        if (name_.empty())
            return;
        descriptor_ = ::open(name_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (descriptor_ < 0)
            throw diagnostic::fail_system("E0602", "cannot write " + name_, errno);
    }
    LogFile(const LogFile&) = delete;
    LogFile& operator=(const LogFile&) = delete;
    ~LogFile() {
        if (descriptor_ >= 0)
            ::close(descriptor_);
    }
    void write(std::span<const std::uint8_t> bytes) const {
        if (descriptor_ >= 0)
            files::write_all(descriptor_, bytes, name_);
    }

private:
    std::string name_;
    int descriptor_ = -1;
};

class Loop {
public:
    Loop(Process& process, SerialLine& line, const RunOptions& options, Session& session)
        : process_(process), line_(line), options_(options), session_(session), start_(Clock::now()),
          log_(options.log), buffer_(65536) {}

    // Until the machine has ended and all it said is read; 0, or the exit code that stopped it.
    int run(const SignalWatch& signals) {
        for (;;) {
            take_output();
            if (gone_ && line_.waiting() == 0)
                break;
            pause_when_crowded();
            const int signal = wait(signals);
            if (signal != 0 && (stopped_ != 0 || !options_.serial_stop))
                stop(stopped_ != 0 ? stopped_ : 128 + signal);
            else if (signal != 0)
                ask_to_end(128 + signal);
            if (asked_ && !session_.stopping() && over(ask_again, *asked_))
                type_stop();
            if (stopped_ == 0 && over(options_.time_out, start_))
                stop(static_cast<int>(diagnostic::ExitCode::time_out));
            if (ended_ && Clock::now() - *ended_ > grace)
                process_.kill(SIGKILL);
            if (options_.enough && options_.enough(session_))
                return 0;
        }
        while (errors_open_)
            errors_open_ = take_errors();
        return stopped_;
    }
    [[nodiscard]] const std::string& errors() const { return errors_; }

private:
    void stop(int exit_code) {
        stopped_ = exit_code;
        process_.kill(SIGKILL);
    }
    void ask_to_end(int exit_code) {
        stopped_ = exit_code;
        if (options_.asked_to_end)
            options_.asked_to_end();
        type_stop();
    }
    // Repeated until it was heard: a machine that only starts does not listen yet.
    void type_stop() {
        process_.type(CAISSON_STOP_BYTE);
        asked_ = Clock::now();
    }

    // Waits until there is something to do; the signal that came, or 0.
    int wait(const SignalWatch& signals) {
        const bool room = have_room();
        std::vector<pollfd> on{{signals.descriptor(), POLLIN, 0},
                               {gone_ ? -1 : process_.ended(), POLLIN, 0},
                               {errors_open_ ? process_.errors() : -1, POLLIN, 0},
                               {room ? line_.wake() : -1, POLLIN, 0}};
        for (const Outlet* outlet : options_.outlets)
            on.push_back({outlet->pending() ? outlet->descriptor() : -1, POLLOUT, 0});
        if (::poll(on.data(), on.size(), time_left(room)) < 0)
            return 0;
        if (on[1].revents != 0)
            gone_ = true;
        if (on[2].revents != 0)
            errors_open_ = take_errors();
        if (on[3].revents != 0)
            line_.woken();
        return on[0].revents != 0 ? signals.take() : 0;
    }

    [[nodiscard]] bool have_room() const {
        return std::none_of(options_.outlets.begin(), options_.outlets.end(),
                            [](const Outlet* outlet) { return outlet->full(); });
    }
    // What has come, as far as those who read along keep up.
    void take_output() {
        for (;;) {
            for (Outlet* outlet : options_.outlets)
                outlet->push();
            if (!have_room())
                return;
            const std::size_t got = line_.read(buffer_);
            if (got == 0)
                return;
            const std::span<const std::uint8_t> bytes = std::span(buffer_).first(got);
            log_.write(bytes);
            session_.feed(bytes);
            if (session_.end() && !ended_)
                ended_ = Clock::now();
        }
    }
    void pause_when_crowded() {
        const bool crowded = !gone_ && line_.crowded();
        if (crowded != paused_)
            process_.kill(crowded ? SIGSTOP : SIGCONT);
        paused_ = crowded;
    }
    bool take_errors() {
        std::vector<std::uint8_t> text;
        const bool open = drain(process_.errors(), text);
        if (errors_.size() < most_errors)
            errors_.append(text.begin(), text.end());
        return open;
    }
    static bool over(std::optional<std::chrono::milliseconds> limit, Clock::time_point since) {
        return limit && Clock::now() - since >= *limit;
    }
    [[nodiscard]] int time_left(bool room) const {
        constexpr int now_and_then = 20; // ms, where nothing tells that the line has more
        std::int64_t out = room && line_.wake() < 0 ? now_and_then : -1;
        const auto until = [&out](Clock::time_point point) {
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(point - Clock::now()).count();
            const auto time = std::clamp<std::int64_t>(left + 1, 0, 1 << 30);
            out = out < 0 ? time : std::min(out, time);
        };
        if (options_.time_out && stopped_ == 0)
            until(start_ + *options_.time_out);
        if (asked_ && !session_.stopping())
            until(*asked_ + ask_again);
        if (ended_ && !gone_)
            until(*ended_ + grace);
        if (options_.look_again)
            until(Clock::now() + *options_.look_again);
        return static_cast<int>(out);
    }

    Process& process_;
    SerialLine& line_;
    const RunOptions& options_;
    Session& session_;
    Clock::time_point start_;
    std::optional<Clock::time_point> ended_, asked_;
    LogFile log_;
    std::string errors_;
    std::vector<std::uint8_t> buffer_;
    bool errors_open_ = true, gone_ = false, paused_ = false;
    int stopped_ = 0;
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
    const auto is_service = [&options](const PartitionResult& partition) {
        return std::ranges::find(options.services, partition.name) != options.services.end();
    };
    const bool alone = std::ranges::count_if(partitions, std::not_fn(is_service)) == 1;
    out.exit_code = 0;
    for (const PartitionResult& partition : partitions) {
        const auto status = static_cast<int>(partition.final()->status);
        const bool service = is_service(partition);
        if (partition.name == options.exit_code_from ||
            (alone && !service && options.exit_code_from.empty())) {
            out.exit_code = status;
            return out;
        }
        if (status != 0 && !service && options.exit_code_from.empty())
            out.exit_code = 1;
    }
    return out;
}

Outcome boot(const Qemu& qemu, const RunOptions& options, Session& session) {
    const SignalWatch signals;
    SerialLine line;
    Process process = Process::start(command_line(qemu, options.qemu), line.writer(), options.serial_stop);
    Loop loop(process, line, options, session);
    const int stopped = loop.run(signals);
    const bool over = session.end() || (options.enough && options.enough(session));
    const int status = process.wait(over ? std::chrono::milliseconds(500) : grace);
    if (stopped == 0)
        return judge(session, options, status, loop.errors());
    Outcome out;
    out.stopped = true;
    out.exit_code = stopped;
    out.qemu_status = status;
    out.qemu_errors = loop.errors();
    if (session.end()) // it ended as it was asked to, unless something else ended it
        out.failure = machine_failure(session, status, out.qemu_errors);
    if (stopped == static_cast<int>(diagnostic::ExitCode::time_out))
        out.failure =
            diagnostic::fail("E0905", "stopped after " + std::to_string(options.time_out->count() / 1000) +
                                          " s: the appliance had not ended")
                .help("raise --timeout, or leave it out to run without a limit")
                .diagnostic();
    return out;
}

} // namespace run
