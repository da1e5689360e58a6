// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/proc/synthetic_table.hpp - which entries /proc and /sys have, and what each shows.
#pragma once

#include "partitions/unikernel/fs/seam.hpp"

#include <cstdint>
#include <string_view>

namespace uk::fs::seam {

// Processes and threads, and the most there may be; from above, as fs/seam.hpp.
[[nodiscard]] std::uint64_t tasks();
[[nodiscard]] std::uint64_t task_limit();

// What /sys/class/net shows of the interface of the card, or of the wires, where the kernel has a network (CAISSON_NETWORK).
enum class InterfaceText : std::uint8_t {
    hardware,
    mtu,
    index,
    flags,
    state,
    carrier,
    type,
    received_bytes, // from here on in `statistics`
    received_packets,
    received_errors,
    received_dropped,
    sent_bytes,
    sent_packets,
    sent_errors,
    sent_dropped,
};
[[nodiscard]] bool has_interface(bool card);
void interface_text(bool card, InterfaceText which, TextSink& out); // a line; there must be one

} // namespace uk::fs::seam

namespace uk::fs::synthetic {

enum class Kind : std::uint8_t {
    directory,
    processes,        // /proc: fixed names and one directory a process
    threads,          // /proc/PID/task
    descriptors,      // /proc/PID/fd
    text,             // `text` as it stands
    kernel,           // ProcText `which`
    made,             // text by `make`
    link,             // symlink with `text` as target
    direct_link,      // leads to a node: /proc/PID/exe
    descriptor,       // /proc/PID/fd/N
    descriptor_infos, // /proc/PID/fdinfo
    descriptor_info,  // /proc/PID/fdinfo/N
    memory,           // /proc/PID/mem
    self,             // /proc/self
    thread_self,      // /proc/thread-self
};

using Make = void (*)(int process, TextSink& out);

union Content {
    constexpr Content(const char* shown) : text(shown) {}
    constexpr Content(Make how) : make(how) {}
    const char* text; // text, link
    Make make;        // made
};

struct Entry {
    std::uint16_t parent = 0;
    Kind kind = Kind::directory;
    ProcText which = ProcText::maps;
    std::uint16_t permissions = 0444;
    const char* name = "";
    Content content = "";
};

// Entry 0 is nothing; a Node's identity holds the index.
[[nodiscard]] std::span<const Entry> table();

inline constexpr std::uint16_t proc_root = 1, sys_root = 2, process_directory = 3, thread_directory = 4,
                               descriptor_entry = 5, executable_link = 6, working_link = 7, root_link = 8,
                               descriptor_info_entry = 26;

} // namespace uk::fs::synthetic
