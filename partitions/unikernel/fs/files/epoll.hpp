// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/epoll.hpp - a set of watched files, with level- and edge-triggered and one-shot reports.
//
// A wait looks at every watched file: right for tens of descriptors, not for thousands. An edge is a wake of the
// file's wait point since the last report. Watches end when their file is closed for the last time.
#pragma once

#include "partitions/unikernel/fs/files/file.hpp"

namespace uk::fs {

namespace epoll_flag {
inline constexpr std::uint32_t edge = 1u << 31;
inline constexpr std::uint32_t one_shot = 1u << 30;
} // namespace epoll_flag

struct Watch {
    File* file = nullptr; // not referenced: forget_watched() takes it out
    int descriptor = -1;
    std::uint32_t events = 0;
    std::uint64_t data = 0;
    std::uint32_t seen = 0; // generation of the wait point at the last report
    bool armed = true;      // an edge not reported yet, or a one-shot not fired
    EpollSet* set = nullptr;
    Watch* next = nullptr;        // of the set
    Watch* next_of_all = nullptr; // of every set, for forget_watched
};

struct EpollSet {
    EpollSet() = default;
    EpollSet(const EpollSet&) = delete;
    EpollSet& operator=(const EpollSet&) = delete;
    ~EpollSet();

    Watch* watches = nullptr;
    WaitPoint changed;
};

// Errors: exist, noent, nomem, perm (a file that is always ready), loop (a set of sets), inval.
[[nodiscard]] Status add_watch(EpollSet& set, File& file, int descriptor, std::uint32_t events,
                               std::uint64_t data);
[[nodiscard]] Status change_watch(EpollSet& set, File& file, int descriptor, std::uint32_t events,
                                  std::uint64_t data);
[[nodiscard]] Status remove_watch(EpollSet& set, File& file, int descriptor);
void forget_watched(const File& file);

struct Report {
    std::uint32_t events;
    std::uint64_t data;
};
// What is ready now, at most reports.size(); reported edges and one-shots are spent.
[[nodiscard]] std::size_t collect(EpollSet& set, std::span<Report> reports);
[[nodiscard]] bool has_ready(const EpollSet& set);

} // namespace uk::fs
