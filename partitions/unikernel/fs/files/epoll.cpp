// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/epoll.cpp - watches, ready lists and nesting.
#include "partitions/unikernel/fs/files/epoll.hpp"

#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>

namespace uk::fs {

namespace {

constexpr std::uint32_t in_events = ready::in | ready::in_normal;
constexpr std::uint32_t always_reported = ready::error | ready::hang_up;
constexpr std::uint32_t private_bits =
    epoll_flag::edge | epoll_flag::one_shot | epoll_flag::wake_up | epoll_flag::exclusive;
constexpr unsigned most_nests = 4; // sets in a row

} // namespace

struct EpollSet;

struct Watch : Waiter {
    Watch() : Waiter(&happened, Stay::until_removed) {}
    static void happened(Waiter& waiter, std::uint32_t events);

    // What it reports: nothing once a one-shot has fired.
    [[nodiscard]] std::uint32_t asked() const {
        return spent ? 0 : (wanted & ~private_bits) | always_reported;
    }

    File* file = nullptr; // not referenced: forget_watches() takes the watch out
    EpollSet* set = nullptr;
    int descriptor = -1;
    std::uint32_t wanted = 0;
    std::uint64_t data = 0;
    bool spent = false;
    bool on_ready_list = false;
    Watch* next_of_set = nullptr;
    Watch* previous_of_set = nullptr;
    Watch* next_of_file = nullptr;
    Watch* next_ready = nullptr;
    Watch* previous_ready = nullptr;
};

struct EpollSet {
    File* file = nullptr; // its own
    Watch* watches = nullptr;
    Watch* first_ready = nullptr;
    Watch* last_ready = nullptr;
    WaitQueue changed;
    // Of the search for circles.
    std::uint64_t searched = 0;
    unsigned depth = 0;
};

namespace {

EpollSet& set_of(const File& file) {
    return *static_cast<EpollSet*>(file.state);
}

void put_last(Watch& watch) {
    if (watch.on_ready_list)
        return;
    EpollSet& set = *watch.set;
    watch.on_ready_list = true;
    watch.next_ready = nullptr;
    watch.previous_ready = set.last_ready;
    (set.last_ready != nullptr ? set.last_ready->next_ready : set.first_ready) = &watch;
    set.last_ready = &watch;
}

void take_off(Watch& watch) {
    if (!watch.on_ready_list)
        return;
    EpollSet& set = *watch.set;
    watch.on_ready_list = false;
    (watch.previous_ready != nullptr ? watch.previous_ready->next_ready : set.first_ready) = watch.next_ready;
    (watch.next_ready != nullptr ? watch.next_ready->previous_ready : set.last_ready) = watch.previous_ready;
}

std::uint32_t report_of(const Watch& watch) {
    return watch.asked() == 0 ? 0 : readiness(*watch.file) & watch.asked();
}

Watch* find_watch(const EpollSet& set, const File& file, int descriptor) {
    for (Watch* watch = file.watches; watch != nullptr; watch = watch->next_of_file)
        if (watch->set == &set && watch->descriptor == descriptor)
            return watch;
    return nullptr;
}

void end_watch(Watch& watch) {
    take_off(watch);
    (watch.previous_of_set != nullptr ? watch.previous_of_set->next_of_set : watch.set->watches) =
        watch.next_of_set;
    if (watch.next_of_set != nullptr)
        watch.next_of_set->previous_of_set = watch.previous_of_set;
    Watch** link = &watch.file->watches;
    while (*link != &watch)
        link = &(*link)->next_of_file;
    *link = watch.next_of_file;
    mm::destroy(&watch); // and it leaves the file's queue
}

// Begins to watch with new events: what is there already counts as having happened.
void begin(Watch& watch, std::uint32_t events, std::uint64_t data) {
    watch.wanted = events;
    watch.data = data;
    watch.spent = false;
    watch.events = watch.asked();
    if (report_of(watch) != 0) {
        put_last(watch);
        watch.set->changed.wake(in_events);
    }
}

std::uint64_t search = 0;

// How many sets are nested below `set`; more than most_nests: too many, or `sought` is among them.
unsigned depth_below(EpollSet& set, const EpollSet& sought, unsigned level) {
    if (set.searched == search)
        return set.depth;
    set.searched = search;
    unsigned deepest = 0;
    for (const Watch* watch = set.watches; watch != nullptr && deepest <= most_nests;
         watch = watch->next_of_set) {
        if (!watch->file->is(epoll_file))
            continue;
        EpollSet& nested = set_of(*watch->file);
        deepest = &nested == &sought || level > most_nests
                      ? most_nests + 1
                      : std::max(deepest, depth_below(nested, sought, level + 1) + 1);
    }
    return set.depth = deepest;
}

unsigned depth_above(EpollSet& set, unsigned level) {
    if (set.searched == search)
        return set.depth;
    set.searched = search;
    unsigned deepest = 0;
    for (const Watch* watch = set.file->watches; watch != nullptr && deepest <= most_nests;
         watch = watch->next_of_file)
        deepest =
            level > most_nests ? most_nests + 1 : std::max(deepest, depth_above(*watch->set, level + 1) + 1);
    return set.depth = deepest;
}

bool nests_too_deep(EpollSet& outer, EpollSet& inner) {
    ++search;
    const unsigned below = depth_below(inner, outer, 0);
    if (below > most_nests)
        return true;
    ++search;
    return below + 1 + depth_above(outer, 0) > most_nests;
}

std::uint32_t epoll_readiness(File& file) {
    EpollSet& set = set_of(file);
    for (Watch* watch = set.first_ready; watch != nullptr;) {
        Watch* const next = watch->next_ready;
        if (report_of(*watch) != 0)
            return in_events;
        take_off(*watch); // it was, and is no longer
        watch = next;
    }
    return 0;
}

WaitQueue& epoll_queue(File& file) {
    return set_of(file).changed;
}

void release_epoll(File& file) {
    EpollSet& set = set_of(file);
    while (set.watches != nullptr)
        end_watch(*set.watches);
    mm::destroy(&set);
}

} // namespace

const FileOperations epoll_file{.readiness = epoll_readiness,
                                .wait = epoll_queue,
                                .release = release_epoll,
                                .positions = Positions::zero};

void Watch::happened(Waiter& waiter, std::uint32_t) {
    auto& watch = static_cast<Watch&>(waiter);
    put_last(watch);
    watch.set->changed.wake(in_events);
}

Result<Ref<File>> make_epoll(Ref<Node> node) {
    node->target = "anon_inode:[eventpoll]";
    auto* set = mm::make<EpollSet>();
    if (set == nullptr)
        return base::Failure{Errno::nomem};
    auto file = make_file(std::move(node), epoll_file, open_flag::read_write);
    if (!file.ok()) {
        mm::destroy(set);
        return file;
    }
    set->file = file->get();
    (*file)->state = set;
    return file;
}

Status add_watch(File& set_file, File& file, int descriptor, std::uint32_t events, std::uint64_t data) {
    constexpr std::uint32_t with_exclusive = ready::in | ready::out | ready::error | ready::hang_up |
                                             epoll_flag::wake_up | epoll_flag::edge | epoll_flag::exclusive;
    if (file.operations->readiness == nullptr)
        return base::Failure{Errno::perm};
    EpollSet& set = set_of(set_file);
    if (&file == &set_file)
        return base::Failure{Errno::inval};
    if ((events & epoll_flag::exclusive) != 0 && (file.is(epoll_file) || (events & ~with_exclusive) != 0))
        return base::Failure{Errno::inval};
    if (file.is(epoll_file) && nests_too_deep(set, set_of(file)))
        return base::Failure{Errno::loop};
    if (find_watch(set, file, descriptor) != nullptr)
        return base::Failure{Errno::exist};
    auto* watch = mm::make<Watch>();
    if (watch == nullptr)
        return base::Failure{Errno::nomem};
    watch->file = &file;
    watch->descriptor = descriptor;
    watch->set = &set;
    watch->next_of_set = set.watches;
    if (set.watches != nullptr)
        set.watches->previous_of_set = watch;
    set.watches = watch;
    watch->next_of_file = file.watches;
    file.watches = watch;
    if (WaitQueue* queue = wait_queue(file))
        queue->add(*watch);
    begin(*watch, events, data);
    return base::success;
}

Status change_watch(File& set_file, File& file, int descriptor, std::uint32_t events, std::uint64_t data) {
    Watch* watch = find_watch(set_of(set_file), file, descriptor);
    if ((events & epoll_flag::exclusive) != 0)
        return base::Failure{Errno::inval};
    if (watch == nullptr)
        return base::Failure{Errno::noent};
    if ((watch->wanted & epoll_flag::exclusive) != 0)
        return base::Failure{Errno::inval};
    begin(*watch, events, data);
    return base::success;
}

Status remove_watch(File& set_file, File& file, int descriptor) {
    if (file.operations->readiness == nullptr)
        return base::Failure{Errno::perm};
    Watch* watch = find_watch(set_of(set_file), file, descriptor);
    if (watch == nullptr)
        return base::Failure{Errno::noent};
    end_watch(*watch);
    return base::success;
}

void forget_watches(File& file) {
    while (file.watches != nullptr)
        end_watch(*file.watches);
}

Result<std::size_t> collect(File& set_file, std::size_t most, TakeReport take, std::uint64_t where) {
    EpollSet& set = set_of(set_file);
    std::size_t count = 0;
    // Each of those here now once. A level stays on the list, behind the others, so that none starves.
    Watch* const last = set.last_ready;
    for (Watch* watch = set.first_ready; watch != nullptr && count < most;) {
        const std::uint32_t events = report_of(*watch);
        if (events != 0 && !take(where, count, {events, watch->data})) {
            if (count == 0)
                return base::Failure{Errno::fault};
            break;
        }
        Watch* const next = watch == last ? nullptr : watch->next_ready;
        take_off(*watch);
        if (events != 0) {
            ++count;
            if ((watch->wanted & epoll_flag::one_shot) != 0) {
                watch->spent = true;
                watch->events = 0;
            } else if ((watch->wanted & epoll_flag::edge) == 0) {
                put_last(*watch);
            }
        }
        watch = next;
    }
    return count;
}

} // namespace uk::fs
