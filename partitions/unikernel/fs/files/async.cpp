// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/async.cpp - see async.hpp.
#include "partitions/unikernel/fs/files/async.hpp"

#include "partitions/unikernel/mm/heap.hpp"

namespace uk::fs {

struct Async : Waiter {
    explicit Async(File& of) : Waiter(notify, Stay::until_removed), file(of) {}
    static void notify(Waiter& waiter, std::uint32_t events);

    File& file;
    FileOwner owner;
    int number = 0;
    int descriptor = 0;
};

namespace {

// What happened: si_code, and si_band, the events of poll(2) that it stands for.
struct News {
    int code;
    std::uint64_t band;
};

News news_of(std::uint32_t events) {
    if ((events & ready::priority) != 0)
        return {5, ready::priority | 0x80};
    if ((events & (ready::in | ready::out)) == ready::out)
        return {2, ready::out | ready::out_normal | 0x200};
    return {1, ready::in | ready::in_normal};
}

Result<Async*> async_of(File& file) {
    if (file.async == nullptr) {
        file.async = mm::make<Async>(file);
        if (file.async == nullptr)
            return base::Failure{Errno::nomem};
        if (WaitQueue* queue = wait_queue(file))
            queue->add(*file.async);
    }
    return file.async;
}

} // namespace

void Async::notify(Waiter& waiter, std::uint32_t events) {
    constexpr int sigurg = 23;
    const auto& async = static_cast<Async&>(waiter);
    if (async.owner.id == 0)
        return;
    const News news = news_of(events);
    if (events == (ready::priority | ready::in | ready::in_normal)) // of a socket, asked for or not
        seam::signal_owner(async.owner, {sigurg, 0, 0, 0});
    if ((async.file.flags & open_flag::async) != 0)
        seam::signal_owner(async.owner, {async.number, news.code, news.band, async.descriptor});
}

Status set_owner(File& file, FileOwner owner) {
    if (owner.kind > FileOwner::group)
        return base::Failure{Errno::inval};
    if (owner.id != 0 && !seam::owner_exists(owner))
        return base::Failure{Errno::srch};
    CAISSON_TRY(async_of(file))->owner = owner;
    return base::success;
}

FileOwner owner_of(const File& file) {
    FileOwner owner = file.async != nullptr ? file.async->owner : FileOwner{};
    if (!seam::owner_exists(owner))
        owner.id = 0;
    return owner;
}

Status set_signal(File& file, int number) {
    constexpr int most = 64;
    if (number < 0 || number > most)
        return base::Failure{Errno::inval};
    CAISSON_TRY(async_of(file))->number = number;
    return base::success;
}

int signal_of(const File& file) {
    return file.async != nullptr ? file.async->number : 0;
}

Status set_async(File& file, int descriptor, bool on) {
    if (on == ((file.flags & open_flag::async) != 0))
        return base::success;
    if (!file.operations->tells)
        return base::Failure{Errno::notty};
    if (on)
        CAISSON_TRY(async_of(file))->descriptor = descriptor;
    file.flags ^= open_flag::async;
    return base::success;
}

void forget_async(File& file) {
    if (file.async != nullptr)
        mm::destroy(file.async);
}

} // namespace uk::fs
