// SPDX-License-Identifier: Apache-2.0
// partitions/init/init.cpp - PID 1 of a container with `init: true` or `health`: it starts the container's program, hands every
// signal on to it, waits for whoever has lost its parent, looks after the program's health, and ends as the program ended. No C
// library; Linux x86-64 system calls.
//
// The tool puts it into the startup record (partitions/abi/startup.h), the unikernel starts it with the program's words
// behind its own name, or behind what it is to look after (watch.hpp).
#include "partitions/init/watch.hpp"

#include "partitions/init/calls.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace {

using namespace init;

constexpr long interrupted = -4, timed_out = -11, no_entry = -2, not_a_directory = -20, not_allowed = -13,
               would_not_run = -8;
constexpr int status_not_found = 127, status_not_executable = 126, signalled = 128;
constexpr unsigned sigill = 4, sigtrap = 5, sigabrt = 6, sigbus = 7, sigfpe = 8, sigkill = 9, sigsegv = 11,
                   sigchld = 17, sigsys = 31;

constexpr std::uint64_t bit(unsigned signal) {
    return std::uint64_t{1} << (signal - 1);
}
// Faults of its own it does not hand on.
constexpr std::uint64_t handed_on =
    ~(bit(sigill) | bit(sigtrap) | bit(sigabrt) | bit(sigbus) | bit(sigfpe) | bit(sigsegv) | bit(sigsys));

std::size_t length_of(const char* text) {
    std::size_t length = 0;
    while (text[length] != '\0')
        ++length;
    return length;
}

void say(const char* text) {
    call(Call::write, 2, address(text), static_cast<long>(length_of(text)));
}

[[noreturn]] void refuse(const char* name, const char* reason, int status) {
    say("exec: \"");
    say(name);
    say("\": ");
    say(reason);
    say("\n");
    end(status);
}

const char* path_of(char** environment) {
    for (; *environment != nullptr; ++environment) {
        const char* text = *environment;
        const char* name = "PATH=";
        while (*name != '\0' && *text == *name)
            ++text, ++name;
        if (*name == '\0')
            return text;
    }
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

bool is_absent(long error) {
    return error == no_entry || error == not_a_directory;
}

// Along PATH, as the kernel looks for an entrypoint: what may not be run counts only where nothing else is found.
long run_found(char** words, char** environment) {
    bool denied = false;
    for (const char* rest = path_of(environment);; ++rest) {
        std::array<char, 4096> path;
        std::size_t length = 0;
        const auto append = [&](char c) {
            if (length + 1 < path.size())
                path[length++] = c;
        };
        for (; *rest != ':' && *rest != '\0'; ++rest)
            append(*rest);
        append(length == 0 ? '.' : '/');
        if (path[0] == '.' && length == 1)
            append('/');
        for (const char* c = words[0]; *c != '\0'; ++c)
            append(*c);
        path[length] = '\0';
        const long error = call(Call::execve, address(path.data()), address(words), address(environment));
        denied = denied || error == not_allowed;
        if (!is_absent(error) && error != not_allowed)
            return error;
        if (*rest == '\0')
            return denied ? not_allowed : no_entry;
    }
}

} // namespace

[[noreturn]] void init::run(char** words, char** environment) {
    bool path = false;
    for (const char* c = words[0]; *c != '\0'; ++c)
        path = path || *c == '/';
    const long error = path ? call(Call::execve, address(words[0]), address(words), address(environment))
                            : run_found(words, environment);
    if (is_absent(error))
        refuse(words[0], path ? "no such file or directory" : "executable file not found in $PATH",
               status_not_found);
    refuse(words[0],
           error == not_allowed     ? "permission denied"
           : error == would_not_run ? "exec format error"
                                    : "cannot be started",
           status_not_executable);
}

namespace {

// Waits for all who have ended; ends with the program's status once that is among them.
void reap(long program, Watch& watch) {
    int status = 0, ended = -1;
    constexpr int no_hang = 1;
    for (long pid = 0; (pid = call(Call::wait4, -1, address(&status), no_hang, 0)) > 0;)
        if (pid == program)
            ended = (status & 0x7F) != 0 ? signalled + (status & 0x7F) : status >> 8 & 0xFF;
        else
            watch.take_end(pid, status);
    if (ended >= 0)
        end(watch.gave_up() ? signalled + static_cast<int>(sigkill) : ended);
}

} // namespace

extern "C" [[noreturn, gnu::used]] void begin(long* stack) {
    const long count = stack[0];
    char** words = reinterpret_cast<char**>(stack + 1);
    char** environment = words + count + 1;
    constexpr int block = 0, set_mask = 2;
    std::uint64_t before = 0;
    const std::uint64_t waited_for = handed_on;
    call(Call::rt_sigprocmask, block, address(&waited_for), address(&before), sizeof before);
    Watch watch(words + 1, environment, before);
    char** const command = watch.command();
    const long program = call(Call::clone, sigchld);
    if (program == 0) {
        call(Call::setpgid, 0, 0);
        call(Call::rt_sigprocmask, set_mask, address(&before), 0, sizeof before);
        run(command, environment);
    }
    if (program < 0)
        refuse(command[0], "cannot be started", status_not_executable);
    for (;;) {
        Time left{};
        const bool limited = watch.act(program, left);
        const long signal = call(Call::rt_sigtimedwait, address(&waited_for), 0, limited ? address(&left) : 0,
                                 sizeof waited_for);
        if (signal == sigchld)
            reap(program, watch);
        else if (signal > 0)
            call(Call::kill, program, signal);
        else if (signal != interrupted && signal != timed_out)
            end(status_not_executable);
    }
}

// The kernel gives the words on the stack, which is aligned; a call pushes 8 bytes.
asm(".globl _start\n_start:\n\txorl %ebp, %ebp\n\tmovq %rsp, %rdi\n\tandq $-16, %rsp\n\tcall begin\n");
