// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/pipe.hpp - the bytes between the two ends of a pipe, and event counters.
#pragma once

#include "partitions/unikernel/fs/files/transfer.hpp"
#include "partitions/unikernel/fs/seam.hpp"
#include "partitions/unikernel/mm/frames.hpp"

#include <array>

namespace uk::fs {

// A ring of up to 64 KiB; frames are taken as bytes come and given back as they go.
class Pipe {
public:
    static constexpr std::uint64_t capacity = 65536;
    static constexpr std::uint64_t atomic_bytes = 4096; // PIPE_BUF

    Pipe() = default;
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe();

    // again: nothing there yet. 0: nothing there and nobody writes.
    [[nodiscard]] Result<std::uint64_t> read(Destination& to);
    // Errors: pipe (nobody reads), again (no room; small writes are all or nothing), nomem.
    [[nodiscard]] Result<std::uint64_t> write(Origin& from);
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] std::uint32_t readiness(bool reader, bool writer) const;
    void open_end(bool reader, bool writer);
    void close_end(bool reader, bool writer);

    unsigned readers = 0, writers = 0;
    // So many times an end was opened: a fifo's open waits until this moves.
    std::uint32_t reader_opens = 0, writer_opens = 0;
    WaitPoint changed;

private:
    static constexpr std::uint64_t slots = capacity / page_bytes;
    [[nodiscard]] std::byte* page_for(std::uint64_t position);

    std::array<mm::PhysAddr, slots> frames_{}; // address 0: none
    std::uint64_t start_ = 0; // position of the first byte, counted from the pipe's beginning
    std::uint64_t bytes_ = 0;
};

// eventfd(2).
struct EventCounter {
    std::uint64_t value = 0;
    bool semaphore = false;
    WaitPoint changed;
};

} // namespace uk::fs
