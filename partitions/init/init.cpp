// SPDX-License-Identifier: Apache-2.0
// partitions/init/init.cpp - PID 1 of a container with `init: true`: it starts the container's program, hands every signal on
// to it, waits for whoever has lost its parent, and ends as the program ended. No C library; Linux x86-64 system calls.
//
// The tool puts it into the startup record (partitions/abi/boot_page.h), the unikernel starts it with the program's words
// behind its own name.
#include <array>
#include <cstddef>
#include <cstdint>

namespace {

enum class Call : long {
    write = 1,
    rt_sigprocmask = 14,
    clone = 56,
    execve = 59,
    exit = 60,
    wait4 = 61,
    kill = 62,
    setpgid = 109,
    rt_sigtimedwait = 128,
};
constexpr long interrupted = -4, no_entry = -2, not_a_directory = -20, not_allowed = -13, would_not_run = -8;
constexpr int status_not_found = 127, status_not_executable = 126, signalled = 128;
constexpr unsigned sigill = 4, sigtrap = 5, sigabrt = 6, sigbus = 7, sigfpe = 8, sigsegv = 11, sigchld = 17,
                   sigsys = 31;

long call(Call number, long a = 0, long b = 0, long c = 0, long d = 0) {
    long result = 0;
    register long fourth asm("r10") = d;
    register long fifth asm("r8") = 0;
    // SAFETY: a system call changes what the ABI says: rax, rcx, r11, and memory that its arguments name.
    asm volatile("syscall"
                 : "=a"(result)
                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth)
                 : "rcx", "r11", "memory");
    return result;
}

template <typename T> long address(T* pointer) {
    return reinterpret_cast<long>(pointer);
}

constexpr std::uint64_t bit(unsigned signal) {
    return std::uint64_t{1} << (signal - 1);
}
// Faults of its own it does not hand on.
constexpr std::uint64_t handed_on =
    ~(bit(sigill) | bit(sigtrap) | bit(sigabrt) | bit(sigbus) | bit(sigfpe) | bit(sigsegv) | bit(sigsys));

[[noreturn]] void end(int status) {
    for (;;)
        call(Call::exit, status);
}

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

[[noreturn]] void run(char** words, char** environment) {
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

// Waits for all who have ended; ends with the program's status once that is among them.
void reap(long program) {
    int status = 0, ended = -1;
    constexpr int no_hang = 1;
    for (long pid = 0; (pid = call(Call::wait4, -1, address(&status), no_hang, 0)) > 0;)
        if (pid == program)
            ended = (status & 0x7F) != 0 ? signalled + (status & 0x7F) : status >> 8 & 0xFF;
    if (ended >= 0)
        end(ended);
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
    const long program = call(Call::clone, sigchld);
    if (program == 0) {
        call(Call::setpgid, 0, 0);
        call(Call::rt_sigprocmask, set_mask, address(&before), 0, sizeof before);
        run(words + 1, environment);
    }
    if (program < 0)
        refuse(words[1], "cannot be started", status_not_executable);
    for (;;) {
        const long signal = call(Call::rt_sigtimedwait, address(&waited_for), 0, 0, sizeof waited_for);
        if (signal == sigchld)
            reap(program);
        else if (signal > 0)
            call(Call::kill, program, signal);
        else if (signal != interrupted)
            end(status_not_executable);
    }
}

// The kernel gives the words on the stack, which is aligned; a call pushes 8 bytes.
asm(".globl _start\n_start:\n\txorl %ebp, %ebp\n\tmovq %rsp, %rdi\n\tandq $-16, %rsp\n\tcall begin\n");
