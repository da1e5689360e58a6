// SPDX-License-Identifier: Apache-2.0
// image-tools/run/process.cpp - child processes by fork and exec.
#include "image-tools/run/process.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace run {
namespace {

using Clock = std::chrono::steady_clock;
using Pipe = std::array<int, 2>;

[[noreturn]] void system_error(const char* what, int error) {
    throw diagnostic::fail("E0603", std::string("cannot ") + what + ": " + std::strerror(error));
}

Pipe make_pipe() {
    Pipe pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0)
        system_error("make a pipe", errno);
    return pipe;
}

void close_one(int descriptor) {
    if (descriptor >= 0)
        ::close(descriptor);
}

void close_pipe(const Pipe& pipe) {
    close_one(pipe[0]);
    close_one(pipe[1]);
}

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(char* const* arguments, int input, int output, int errors, int report, int parent) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
        ::_exit(127);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL); // the tool ignores it
    if (input < 0)
        input = ::open("/dev/null", O_RDONLY);
    int error = 0;
    if (input < 0 || ::dup2(input, 0) < 0 || ::dup2(output, 1) < 0 || ::dup2(errors, 2) < 0)
        error = errno;
    else {
        ::execvp(arguments[0], arguments);
        error = errno;
    }
    const ssize_t ignored = ::write(report, &error, sizeof error);
    static_cast<void>(ignored);
    ::_exit(127);
}

int status_of(int raw) {
    return WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
}

} // namespace

Process Process::start(const std::vector<std::string>& arguments, int given, bool with_input) {
    std::vector<std::string> copy = arguments;
    std::vector<char*> pointers;
    for (std::string& argument : copy)
        pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    const Pipe input = with_input ? make_pipe() : Pipe{-1, -1};
    const Pipe output = given < 0 ? make_pipe() : Pipe{-1, -1};
    const Pipe errors = make_pipe(), report = make_pipe();
    const int parent = ::getpid();
    const int pid = ::fork();
    if (pid == 0)
        become(pointers.data(), input[0], given < 0 ? output[1] : given, errors[1], report[1], parent);
    ::close(report[1]);
    int error = pid < 0 ? errno : 0;
    if (pid > 0) {
        ssize_t got = 0;
        do
            got = ::read(report[0], &error, sizeof error);
        while (got < 0 && errno == EINTR);
    }
    ::close(report[0]);
    if (error != 0) {
        if (pid > 0)
            ::waitpid(pid, nullptr, 0);
        close_pipe(input);
        close_pipe(output);
        close_pipe(errors);
        throw diagnostic::fail("E0702", "cannot run " + arguments.front() + ": " + std::strerror(error));
    }
    close_one(input[0]);
    if (with_input)
        ::fcntl(input[1], F_SETFL, O_NONBLOCK);
    close_one(output[1]);
    ::close(errors[1]);
    Process process;
    process.pid_ = pid;
    process.input_ = input[1];
    process.output_ = output[0];
    process.errors_ = errors[0];
    process.ended_ = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (process.ended_ < 0)
        system_error("watch a process", errno);
    return process;
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)), errors_(std::exchange(other.errors_, -1)),
      ended_(std::exchange(other.ended_, -1)) {}

Process::~Process() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    close_one(input_);
    close_one(output_);
    close_one(errors_);
    close_one(ended_);
}

void Process::kill(int signal) const {
    if (pid_ > 0)
        ::kill(pid_, signal);
}

void Process::type(char byte) const {
    if (input_ < 0)
        return;
    const ssize_t ignored = ::write(input_, &byte, 1); // it has gone, or has not read the last one
    static_cast<void>(ignored);
}

int Process::wait(std::chrono::milliseconds limit) {
    const Clock::time_point end = Clock::now() + limit;
    int raw = 0;
    for (;;) {
        const int got = ::waitpid(pid_, &raw, WNOHANG);
        if (got == pid_)
            break;
        if (got < 0 && errno != EINTR)
            system_error("wait for a process", errno);
        if (Clock::now() >= end)
            kill(SIGKILL);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    pid_ = -1;
    return status_of(raw);
}

std::optional<std::string> output_of(const std::vector<std::string>& arguments, std::size_t limit,
                                     std::chrono::milliseconds time) {
    try {
        Process process = Process::start(arguments);
        std::string text;
        const Clock::time_point end = Clock::now() + time;
        for (;;) {
            pollfd wait{process.output(), POLLIN, 0};
            const auto left =
                std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
            if (left <= 0 || text.size() > limit || ::poll(&wait, 1, static_cast<int>(left)) <= 0)
                return std::nullopt;
            std::array<char, 4096> buffer{};
            const ssize_t got = ::read(process.output(), buffer.data(), buffer.size());
            if (got <= 0)
                break;
            text.append(buffer.data(), static_cast<std::size_t>(got));
        }
        return process.wait(time) == 0 ? std::optional(text) : std::nullopt;
    } catch (const diagnostic::Failure&) {
        return std::nullopt;
    }
}

SignalWatch::SignalWatch() {
    sigset_t watched;
    ::sigemptyset(&watched);
    for (int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction action {};
        ::sigaction(signal, nullptr, &action);
        if (action.sa_handler != SIG_IGN) // ignored (nohup): stays so
            ::sigaddset(&watched, signal);
    }
    ::sigprocmask(SIG_BLOCK, &watched, &before_);
    descriptor_ = ::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    if (descriptor_ < 0)
        system_error("watch signals", errno);
}

SignalWatch::~SignalWatch() {
    ::close(descriptor_);
    ::sigprocmask(SIG_SETMASK, &before_, nullptr);
}

int SignalWatch::take() const {
    signalfd_siginfo info{};
    return ::read(descriptor_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)
               ? static_cast<int>(info.ssi_signo)
               : 0;
}

} // namespace run
