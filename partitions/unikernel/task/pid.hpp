// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/task/pid.hpp - the numbers of threads, processes, groups and sessions: one space, as on Linux.
//
// A number is taken as long as anybody holds its Pid: the thread or process it names, every member of the group or session it
// leads, every descriptor of the process. So a number never comes to mean something else under somebody who still uses it.
// Pure (heap only).
#pragma once

#include "partitions/unikernel/base/errno.hpp"
#include "partitions/unikernel/base/ref.hpp"
#include "partitions/unikernel/base/wait_queue.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace uk {

struct Process;
struct Thread;
class PidTable;

struct Pid {
    int id = 0;
    std::uint32_t references = 0;
    Thread* thread = nullptr;   // that runs under this number
    Process* process = nullptr; // that has this number, also when it has ended and nobody has waited for it
    WaitQueue on_end;           // of the process: pidfd
    PidTable* table = nullptr;
    Pid* next = nullptr; // in its bucket
};

void retain(Pid& pid);
void release(Pid& pid);

class PidTable {
public:
    // Numbers go round from `reserved` on when `most` has been given (kernel.pid_max).
    static constexpr int most = 32768, reserved = 300;

    PidTable() = default;
    PidTable(const PidTable&) = delete;
    PidTable& operator=(const PidTable&) = delete;

    // The next free number. again: all are taken; nomem.
    [[nodiscard]] Result<Ref<Pid>> make();
    [[nodiscard]] Pid* find(int id) const; // or nullptr
    [[nodiscard]] int last() const { return last_; }
    [[nodiscard]] std::size_t count() const { return count_; }

private:
    friend void release(Pid& pid);
    static constexpr std::size_t bucket_count = 256;
    [[nodiscard]] static std::size_t bucket_of(int id) { return static_cast<unsigned>(id) % bucket_count; }
    void remove(Pid& pid);

    std::array<Pid*, bucket_count> buckets_{};
    int last_ = 0;
    std::size_t count_ = 0;
};

} // namespace uk
