// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/eventfd.cpp - a counter that is read and written as eight bytes.
#include "partitions/unikernel/fs/files/eventfd.hpp"

#include "partitions/unikernel/mm/heap.hpp"

#include <cstring>

namespace uk::fs {

namespace {

constexpr std::uint64_t most = ~std::uint64_t{0} - 1;
constexpr std::uint32_t in_events = ready::in | ready::in_normal, out_events = ready::out | ready::out_normal;

struct Counter {
    std::uint64_t value = 0;
    bool semaphore = false;
    WaitQueue changed;
};

Counter& counter_of(File& file) {
    return *static_cast<Counter*>(file.state);
}

Result<std::uint64_t> read(File& file, std::uint64_t, Destination& to) {
    Counter& counter = counter_of(file);
    if (to.left() < sizeof(counter.value))
        return base::Failure{Errno::inval};
    if (counter.value == 0)
        return base::Failure{Errno::again};
    const std::uint64_t given = counter.semaphore ? 1 : counter.value;
    std::byte bytes[sizeof(given)];
    std::memcpy(bytes, &given, sizeof(given));
    counter.value -= given; // gone even if it cannot be stored, as on Linux
    counter.changed.wake(out_events);
    CAISSON_TRY(to.put(bytes));
    return std::uint64_t{sizeof(given)};
}

Result<std::uint64_t> write(File& file, std::uint64_t, Origin& from) {
    Counter& counter = counter_of(file);
    std::uint64_t added = 0;
    if (from.left() != sizeof(added))
        return base::Failure{Errno::inval};
    std::byte bytes[sizeof(added)];
    const std::uint64_t before = from.done();
    CAISSON_TRY(from.take(bytes));
    std::memcpy(&added, bytes, sizeof(added));
    if (added > most)
        return base::Failure{Errno::inval};
    if (added > most - counter.value) {
        from.back_to(before); // a waiting write comes again
        return base::Failure{Errno::again};
    }
    counter.value += added;
    counter.changed.wake(in_events);
    return std::uint64_t{sizeof(added)};
}

std::uint32_t readiness_of(File& file) {
    const Counter& counter = counter_of(file);
    return (counter.value > 0 ? in_events : 0) | (counter.value < most ? out_events : 0);
}

WaitQueue& queue_of(File& file) {
    return counter_of(file).changed;
}

void tell_count(File& file, TextSink& out) {
    out << "eventfd-count: ";
    TextSink digits;
    digits.hexadecimal(counter_of(file).value);
    for (std::size_t i = digits.view().size(); i < 16; ++i)
        out << ' ';
    out << digits.view() << '\n';
}

void end(File& file) {
    mm::destroy(&counter_of(file));
}

const FileOperations eventfd_file{.read = read,
                                  .write = write,
                                  .readiness = readiness_of,
                                  .wait = queue_of,
                                  .information = tell_count,
                                  .release = end,
                                  .positions = Positions::zero};

} // namespace

Result<Ref<File>> make_eventfd(Ref<Node> node, std::uint64_t value, bool semaphore, std::uint32_t flags) {
    node->target = "anon_inode:[eventfd]";
    auto* counter = mm::make<Counter>();
    if (counter == nullptr)
        return base::Failure{Errno::nomem};
    counter->value = value;
    counter->semaphore = semaphore;
    auto file = make_file(std::move(node), eventfd_file, flags | open_flag::read_write);
    if (file.ok())
        (*file)->state = counter;
    else
        mm::destroy(counter);
    return file;
}

} // namespace uk::fs
