// SPDX-License-Identifier: Apache-2.0
// qemu-tests/guests/race.cpp - two CPUs of a partition that get in each other's way: both add to two counters, without LOCK
// and with it, and make exits meanwhile. Updates of the first are lost where the CPUs overlap; of the second, never.
#include "partitions/adversary/runtime/guest.hpp"

#include <atomic>

namespace {

constexpr std::uint64_t adds = 20'000;
constexpr unsigned most_rounds = 2'000;
volatile std::uint64_t plain;
std::atomic<std::uint64_t> locked;
std::atomic<std::uint64_t> arrived;
std::atomic<bool> other_runs, over;

void meet(std::uint64_t all) {
    arrived.fetch_add(1);
    while (arrived < all)
        cpu::pause();
}

// One round of one CPU; the hypercalls are exits that race with the other CPU's. An emulator that runs its CPUs in turns
// changes between them at branches and at PAUSE only: without the two between load and store nothing would ever be lost.
void add_all() {
    for (std::uint64_t i = 0; i < adds; ++i) {
        const bool sometimes = i % 1024 == 0;
        const std::uint64_t seen = plain;
        if (sometimes)
            cpu::pause();
        plain = seen + 1;
        locked.fetch_add(1);
        if (sometimes)
            (void)guest::call(CAISSON_CALL_VERSION);
    }
}

void other() {
    other_runs = true;
    for (std::uint64_t round = 0;; ++round) {
        meet(4 * round + 2);
        if (over)
            break;
        add_all();
        meet(4 * round + 4);
    }
    for (;;)
        cpu::halt();
}

} // namespace

void guest_main() {
    guest::start_cpu(1, other);
    while (!other_runs)
        cpu::pause();
    std::uint64_t rounds = 0;
    while (rounds < most_rounds && plain == 2 * adds * rounds) {
        meet(4 * rounds + 2);
        add_all();
        meet(4 * rounds + 4);
        ++rounds;
    }
    over = true;
    const std::uint64_t all = 2 * adds * rounds;
    base::Text<128> text;
    text << "race: with lock lost=" << all - locked << ", without "
         << (plain < all ? "lost some" : "lost none") << '\n';
    guest::print(text);
    guest::exit(locked == all && plain < all ? 0 : 1);
}
