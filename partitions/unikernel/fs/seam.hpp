// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/seam.hpp - what the file systems need of the kernel (link-time seams).
//
// The unikernel implements these over its heap, frames, clock, console and processes; tests link
// host_seam.cpp. Invariant: none of them calls back into the file systems, except what writes to a TextSink.
#pragma once

#include "partitions/unikernel/base/wait_queue.hpp"
#include "partitions/unikernel/fs/types.hpp"
#include "partitions/unikernel/machine/clock.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace uk::fs {

class FileTable;
struct Node;

// A growing text, on the heap. What did not fit in memory is left out and remembered.
class TextSink {
public:
    TextSink() = default;
    TextSink(const TextSink&) = delete;
    TextSink& operator=(const TextSink&) = delete;
    TextSink(TextSink&& other) noexcept;
    TextSink& operator=(TextSink&& other) noexcept;
    ~TextSink();

    TextSink& operator<<(std::string_view text);
    TextSink& operator<<(char c) { return *this << std::string_view{&c, 1}; }
    TextSink& operator<<(std::uint64_t value);
    // Right-aligned decimal, or hexadecimal with at least `width` digits.
    void padded(std::uint64_t value, unsigned width);
    void hexadecimal(std::uint64_t value, unsigned width = 1);
    [[nodiscard]] std::string_view view() const { return {data_, size_}; }
    [[nodiscard]] bool complete() const { return !lost_; }

private:
    char* data_ = nullptr;
    std::size_t size_ = 0, capacity_ = 0;
    bool lost_ = false;
};

// Entries of /proc whose text comes from the kernel. `process` is meant where the entry lies under /proc/PID.
enum class ProcText : std::uint8_t {
    maps,
    smaps,
    stat,
    statm,
    status,
    command_line,
    environment,
    limits,
    auxiliary_vector,
    command_name, // of a process
    memory_info,
    cpu_info,
    system_stat,
    uptime,
    load_average,
    version, // of the system
    smaps_summary,
    input_output,
    out_of_memory_adjustment,
    net_tcp,
    net_tcp6,
    net_udp,
    net_udp6,
    net_local,   // unix
    net_sockets, // sockstat
    net_devices, // these three where the kernel has a network (CAISSON_NETWORK)
    net_routes,
    net_addresses6,
    interrupts,
};

// Who is signalled for a file's news, with the rights of who said so (fcntl(2), F_SETOWN_EX).
struct FileOwner {
    static constexpr std::uint32_t thread = 0, process = 1, group = 2;
    std::uint32_t kind = thread;
    int id = 0; // 0: nobody
    std::uint32_t real_user = 0, effective_user = 0;
};
struct FileSignal {
    int number; // 0: SIGIO without the rest
    int code;
    std::uint64_t band;
    int descriptor;
};

namespace seam {

void random(std::span<std::byte> out);

// RLIMIT_FSIZE of who writes, and the signal for going beyond it.
[[nodiscard]] std::uint64_t file_size_limit();
void signal_file_size();

// Between two pieces of a long operation, where nothing is half done: others may have the kernel.
void preemption_point();

// Pages [first, end) of the file lie elsewhere now (copied up) or are gone (it became shorter): mm::forget_pages.
void forget_mapped_pages(Node& node, std::uint64_t first, std::uint64_t end, bool copies_too);

// Sessions and groups of processes, for terminals. Numbers; 0 belongs to no process.
[[nodiscard]] int current_session();
[[nodiscard]] int current_group();
[[nodiscard]] bool leads_session();
[[nodiscard]] int session_of_group(int group); // 0: there is no such group
void signal_group(int group, int number);
void signal_process(int process, int number);
[[nodiscard]] bool owner_exists(const FileOwner& owner);
void signal_owner(const FileOwner& owner, const FileSignal& what);
// May the caller use its terminal so? `number`: what its group is sent where it is not in the foreground (SIGTTIN,
// SIGTTOU). Then restart_sys, or io where that would change nothing.
[[nodiscard]] Status may_use_terminal(int session, int foreground, int number);

// Processes, for /proc. 0: none.
[[nodiscard]] int current_process();
[[nodiscard]] int current_thread();
[[nodiscard]] int next_process(int after);
[[nodiscard]] int next_thread(int process, int after);
[[nodiscard]] FileTable* files_of(int process);
[[nodiscard]] const Credentials* credentials_of(int process);
[[nodiscard]] Node* executable_of(int process);        // or nullptr
[[nodiscard]] Node* working_directory_of(int process); // or nullptr
// The memory of a process, of which it says where: bytes copied, less where a page cannot be had.
[[nodiscard]] std::size_t read_memory_of(int process, std::uint64_t address, std::span<std::byte> to);
[[nodiscard]] std::size_t write_memory_of(int process, std::uint64_t address,
                                          std::span<const std::byte> from);
void proc_text(ProcText which, int process, int thread, TextSink& out);
// What is written to such a file. inval: nothing it takes.
[[nodiscard]] Status proc_write(ProcText which, int process, int thread, std::string_view text);
[[nodiscard]] std::string_view hostname();
[[nodiscard]] unsigned cpu_count();
[[nodiscard]] std::uint64_t memory_bytes();

} // namespace seam
} // namespace uk::fs
