// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/helper.cpp - running a credential helper: a name on its stdin, JSON on its stdout.
//
// Spec: docker-credential-helpers, "get".
#include "image-tools/oci/strict_json.hpp"
#include "image-tools/registry/credentials.hpp"
#include "image-tools/registry/failure.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace registry {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t most_output = 256 << 10;

struct Descriptor {
    int value = -1;
    ~Descriptor() { close(); }
    void close() {
        if (value >= 0)
            ::close(std::exchange(value, -1));
    }
};

struct Pipe {
    Descriptor read, write;
    Pipe() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0)
            throw diagnostic::fail_system("E0603", "cannot make a pipe", errno);
        read.value = ends[0];
        write.value = ends[1];
    }
};

int milliseconds_to(Clock::time_point end) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
    return left < 0 ? 0 : static_cast<int>(left) + 1;
}

// What it writes until it closes its stdout; nothing: not in time, or too much.
std::optional<std::string> read_all(int from, Clock::time_point end) {
    std::string out;
    std::array<char, 4096> buffer{};
    for (;;) {
        pollfd entry{from, POLLIN, 0};
        const int ready = ::poll(&entry, 1, milliseconds_to(end));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0)
            return std::nullopt;
        const ssize_t got = ::read(from, buffer.data(), buffer.size());
        if (got <= 0)
            return out;
        out.append(buffer.data(), static_cast<std::size_t>(got));
        if (out.size() > most_output)
            return std::nullopt;
    }
}

// Its status; nothing where it goes on beyond the limit and was ended.
std::optional<int> status_of(pid_t child, Clock::time_point end) {
    int status = 0;
    for (;;) {
        const pid_t ended = ::waitpid(child, &status, WNOHANG);
        if (ended == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
        if (Clock::now() >= end) {
            ::kill(-child, SIGKILL); // with what it started
            ::waitpid(child, &status, 0);
            return std::nullopt;
        }
        ::poll(nullptr, 0, 5);
    }
}

pid_t start(const std::string& program, int input, int output) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_adddup2(&actions, input, 0);
    ::posix_spawn_file_actions_adddup2(&actions, output, 1);
    sigset_t pipe_signal;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes, &pipe_signal);
    ::posix_spawnattr_setpgroup(&attributes, 0);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
    std::string verb = "get", name = program;
    std::array<char*, 3> arguments{name.data(), verb.data(), nullptr};
    pid_t child = -1;
    const int error =
        ::posix_spawnp(&child, program.c_str(), &actions, &attributes, arguments.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0)
        throw diagnostic::fail_system(Fault::helper, "cannot run " + program, error)
            .help("install it, or take it out of docker's config.json");
    return child;
}

} // namespace

std::optional<Login> ask_helper(const std::string& name, const std::string& server,
                                std::chrono::milliseconds limit) {
    const std::string program = "docker-credential-" + name;
    const Clock::time_point end = Clock::now() + limit;
    Pipe input, output;
    // A name of a few bytes fits into any pipe, and while its reading end is open here no helper can end too soon for it.
    static_cast<void>(::write(input.write.value, server.data(), server.size()));
    const pid_t child = start(program, input.read.value, output.write.value);
    input.read.close();
    input.write.close();
    output.write.close();
    const auto text = read_all(output.read.value, end);
    // What it left running holds the pipe. It has not been waited for yet, so the group is still its own.
    if (!text)
        ::kill(-child, SIGKILL);
    const auto status = status_of(child, text ? end : Clock::now());
    if (!text || !status)
        throw diagnostic::fail(Fault::helper, program + " has not answered within " +
                                                  std::to_string(limit.count() / 1000) + " s, or too much")
            .help("run it by hand: echo " + server + " | " + program + " get");
    if (*status != 0)
        return std::nullopt; // by its protocol: it does not know that registry
    const auto wrong = [&] {
        return diagnostic::fail(Fault::helper, program + " does not answer with Username and Secret");
    };
    try {
        const oci::JsonDocument document(*text, program, {});
        const oci::JsonObject object = document.top();
        Login login{object.required_text("Username"), object.required_text("Secret"), {}, program};
        if (login.user == "<token>")
            login.identity_token = std::exchange(login.password, {});
        return login;
    } catch (const diagnostic::Failure&) {
        throw wrong();
    }
}

} // namespace registry
