// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/epoll.cpp - watches and what they report.
#include "partitions/unikernel/fs/files/epoll.hpp"

#include "partitions/unikernel/mm/heap.hpp"

namespace uk::fs {

namespace {

constexpr std::uint32_t always_reported = ready::error | ready::hang_up;

// Every watch of every set: closing a file asks here, and few programs have many.
Watch* all_watches = nullptr;

Watch* find_watch(const EpollSet& set, const File& file, int descriptor) {
    for (Watch* watch = set.watches; watch != nullptr; watch = watch->next)
        if (watch->file == &file && watch->descriptor == descriptor)
            return watch;
    return nullptr;
}

std::uint32_t report_of(const Watch& watch) {
    if (!watch.armed && (watch.events & epoll_flag::one_shot) != 0)
        return 0;
    const WaitPoint* point = wait_point(*watch.file);
    const bool edge = (watch.events & epoll_flag::edge) != 0;
    if (edge && !watch.armed && point != nullptr && point->generation == watch.seen)
        return 0;
    return readiness(*watch.file) & (watch.events | always_reported);
}

void unlink_watch(Watch& watch) {
    Watch** link = &watch.set->watches;
    while (*link != &watch)
        link = &(*link)->next;
    *link = watch.next;
    link = &all_watches;
    while (*link != &watch)
        link = &(*link)->next_of_all;
    *link = watch.next_of_all;
    mm::destroy(&watch);
}

void arm(Watch& watch, std::uint32_t events, std::uint64_t data) {
    watch.events = events;
    watch.data = data;
    watch.armed = true;
}

} // namespace

EpollSet::~EpollSet() {
    while (watches != nullptr)
        unlink_watch(*watches);
}

Status add_watch(EpollSet& set, File& file, int descriptor, std::uint32_t events, std::uint64_t data) {
    if (file.kind == FileKind::epoll)
        return base::Failure{file.epoll == &set ? Errno::inval : Errno::loop};
    if (wait_point(file) == nullptr && file.kind != FileKind::console)
        return base::Failure{Errno::perm};
    if (find_watch(set, file, descriptor) != nullptr)
        return base::Failure{Errno::exist};
    Watch* watch = mm::make<Watch>();
    if (watch == nullptr)
        return base::Failure{Errno::nomem};
    watch->file = &file;
    watch->descriptor = descriptor;
    watch->set = &set;
    arm(*watch, events, data);
    watch->next = set.watches;
    set.watches = watch;
    watch->next_of_all = all_watches;
    all_watches = watch;
    seam::wake(set.changed);
    return base::success;
}

Status change_watch(EpollSet& set, File& file, int descriptor, std::uint32_t events, std::uint64_t data) {
    Watch* watch = find_watch(set, file, descriptor);
    if (watch == nullptr)
        return base::Failure{Errno::noent};
    arm(*watch, events, data);
    seam::wake(set.changed);
    return base::success;
}

Status remove_watch(EpollSet& set, File& file, int descriptor) {
    Watch* watch = find_watch(set, file, descriptor);
    if (watch == nullptr)
        return base::Failure{Errno::noent};
    unlink_watch(*watch);
    return base::success;
}

void forget_watched(const File& file) {
    for (Watch* watch = all_watches; watch != nullptr;) {
        Watch* next = watch->next_of_all;
        if (watch->file == &file)
            unlink_watch(*watch);
        watch = next;
    }
}

std::size_t collect(EpollSet& set, std::span<Report> reports) {
    std::size_t count = 0;
    // Each watch once; those reported go to the end, so that none starves behind a short list.
    Watch* reported = nullptr;
    Watch** reported_last = &reported;
    for (Watch** link = &set.watches; *link != nullptr && count < reports.size();) {
        Watch& watch = **link;
        const std::uint32_t events = report_of(watch);
        if (events == 0) {
            link = &watch.next;
            continue;
        }
        reports[count++] = {events, watch.data};
        if (const WaitPoint* point = wait_point(*watch.file))
            watch.seen = point->generation;
        watch.armed = (watch.events & (epoll_flag::edge | epoll_flag::one_shot)) == 0;
        *link = watch.next;
        watch.next = nullptr;
        *reported_last = &watch;
        reported_last = &watch.next;
    }
    Watch** last = &set.watches;
    while (*last != nullptr)
        last = &(*last)->next;
    *last = reported;
    return count;
}

bool has_ready(const EpollSet& set) {
    for (const Watch* watch = set.watches; watch != nullptr; watch = watch->next)
        if (report_of(*watch) != 0)
            return true;
    return false;
}

} // namespace uk::fs
