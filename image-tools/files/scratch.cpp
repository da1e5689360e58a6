// SPDX-License-Identifier: Apache-2.0
// image-tools/files/scratch.cpp - the list of what must go, and the handler that removes it.
#include "image-tools/files/scratch.hpp"

#include <array>
#include <atomic>
#include <climits>
#include <csignal>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace files {
namespace {

// Absolute paths at fixed places: what a signal handler may read.
struct Slot {
    std::atomic<bool> taken{false};
    std::atomic<bool> listed{false};
    std::array<char, PATH_MAX> path{};
};
std::array<Slot, 16> slots;

// Async-signal-safe calls only. The handler is reset on entry, so raising the signal again ends the tool by it.
void remove_and_end(int signal) {
    static char program[] = "rm", flags[] = "-rf", end_of_flags[] = "--";
    std::array<char*, slots.size() + 4> arguments{program, flags, end_of_flags};
    std::size_t count = 3;
    for (Slot& slot : slots)
        if (slot.listed)
            arguments[count++] = slot.path.data();
    if (const pid_t child = count > 3 ? ::_Fork() : -1; child == 0) {
        ::execvp(program, arguments.data());
        ::_exit(127);
    } else if (child > 0) {
        ::waitpid(child, nullptr, 0);
    }
    ::raise(signal);
}

void install_handlers() {
    static const bool once = [] {
        for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
            struct sigaction action {};
            ::sigaction(signal, nullptr, &action);
            if (action.sa_handler != SIG_DFL) // ignored (nohup): stays so
                continue;
            action.sa_handler = remove_and_end;
            action.sa_flags = static_cast<int>(SA_RESETHAND);
            ::sigaction(signal, &action, nullptr);
        }
        return true;
    }();
    static_cast<void>(once);
}

} // namespace

Scratch::Scratch(const std::filesystem::path& path) : path_(path), slot_(slots.size()) {
    install_handlers();
    const std::string text = std::filesystem::absolute(path).string();
    for (std::size_t i = 0; i < slots.size() && text.size() < PATH_MAX; ++i)
        if (!slots[i].taken.exchange(true)) {
            text.copy(slots[i].path.data(), text.size());
            slots[i].path[text.size()] = '\0';
            slots[i].listed = true;
            slot_ = i;
            return;
        }
}

void Scratch::keep() {
    path_.clear();
    if (slot_ < slots.size()) {
        slots[slot_].listed = false;
        slots[slot_].taken = false;
        slot_ = slots.size();
    }
}

Scratch::~Scratch() {
    std::error_code ignored;
    if (!path_.empty())
        std::filesystem::remove_all(path_, ignored);
    keep();
}

} // namespace files
