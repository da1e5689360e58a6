// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/host_seam.hpp - the seams of the file systems on the host, for tests: what tests can set and see.
#pragma once

#include "partitions/unikernel/fs/context.hpp"
#include "partitions/unikernel/fs/files/file_table.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace uk::fs::host {

// One process with number 1 and one thread.
struct Process {
    FileTable* files = nullptr;
    const Context* context = nullptr;
    Node* executable = nullptr;
};

struct State {
    Process process;
    Timestamp now = 1'700'000'000'000'000'000;
    std::string console, errors;        // by stream
    std::uint64_t frames = 0;           // in use
    std::uint64_t heap_objects = 0;     // in use
    std::int64_t allocations_left = -1; // of heap and frames together; -1: no end
    std::uint64_t forgotten_pages = 0;
    std::function<void()> between; // two pieces of a long operation
    std::uint64_t file_size_limit = ~std::uint64_t{0};
    unsigned file_size_signals = 0;
    int session = 0, group = 1, foreground_signals = 0;
    std::string signalled; // "group:number "
    std::string written;   // to a file of /proc, or to memory
};

// The process has memory below this: each byte is the lowest of its address.
inline constexpr std::uint64_t memory_end = 10'000;

[[nodiscard]] State& state();

} // namespace uk::fs::host
