// SPDX-License-Identifier: Apache-2.0
// poll, select and relatives on a CPU of the host: what they take apart of their arguments, time, and what a signal leaves of them.
#include "partitions/unikernel/fs/files/eventfd.hpp"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/sched/test_memory.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/syscalls/waiting.hpp"

#include <utility>

namespace {

using namespace uk;
using namespace uk::sched;
using namespace uk::sched::test;

struct PollRecord {
    std::int32_t descriptor;
    std::int16_t events, found;
};
struct Time {
    std::int64_t seconds, part;
};
constexpr std::int16_t in = 1;
constexpr std::uint64_t nowhere = 0x500000;

struct Polling : WithMemory {
    int event = -1;

    Polling() {
        files.files.references = 1;
        machine.process.files = Ref<fs::FileTable>{&files.files};
        auto at = files.tree.make_anonymous(0600);
        auto made = fs::make_eventfd(std::move(at).value(), 0, false, 0);
        const auto added = files.files.add(std::move(made).value(), false);
        event = *added;
    }
    ~Polling() override { machine.process.files = {}; }
    template <typename T> void put(std::uint64_t at, const T& value) {
        ASSERT_TRUE(mm::write_user(mm::UserAddress{at}, value).ok());
    }
    template <typename T> T get(std::uint64_t at) { return *mm::read_user<T>(mm::UserAddress{at}); }
    static long done(const SyscallResult& result) {
        return result.ok() ? static_cast<long>(*result) : -static_cast<long>(result.error());
    }
    static long failure(Errno error) { return -static_cast<long>(error); }
    // A thread that lets the body look for a signal that is gone again.
    void interrupt_for_nothing(std::uint64_t after) {
        machine.start([this, after] {
            (void)uk::sched::sleep(machine.now + after);
            machine.body.ending = true;
            interrupt_sleep(machine.body);
        });
    }
};

TEST_F(Polling, AnInterruptedPollGoesOnToItsDeadline) {
    const std::uint64_t start = machine.now;
    interrupt_for_nothing(100 * ms);
    EXPECT_EQ(done(sys_poll({{memory, 0, 300}})), failure(Errno::restart_block));
    machine.body.ending = false;
    EXPECT_LT(machine.now, start + 200 * ms);
    const signal::Restart restart = std::exchange(machine.body.restart, {});
    ASSERT_NE(restart.function, nullptr);
    EXPECT_EQ(done(restart.function(restart)), 0);
    EXPECT_NEAR(static_cast<double>(machine.now), static_cast<double>(start + 300 * ms), 1e6);
    join();
}

TEST_F(Polling, AnInterruptedSelectIsMadeAgainWithTheRest) {
    put(memory, Time{0, 300'000});
    interrupt_for_nothing(100 * ms);
    EXPECT_EQ(done(sys_select({{0, 0, 0, 0, memory}})), failure(Errno::restart_without_handler));
    EXPECT_NEAR(static_cast<double>(get<Time>(memory).part), 200'000, 1000);
    machine.body.ending = false;
    join();
    EXPECT_EQ(done(sys_select({{0, 0, 0, 0, memory}})), 0);
}

TEST_F(Polling, AMaskIsKeptForTheHandlerOrComesBack) {
    put(memory, Time{0, 50'000'000});
    put<std::uint64_t>(memory + 64, ~std::uint64_t{0});
    machine.body.blocked = 5;
    EXPECT_EQ(done(sys_ppoll({{memory, 0, memory, memory + 64, 8}})), 0);
    EXPECT_EQ(machine.body.blocked, 5u);
    EXPECT_FALSE(machine.body.restore_blocked);
    put(memory, Time{0, 50'000'000});
    interrupt_for_nothing(10 * ms);
    EXPECT_EQ(done(sys_ppoll({{memory, 0, memory, memory + 64, 8}})),
              failure(Errno::restart_without_handler));
    EXPECT_TRUE(machine.body.restore_blocked);
    EXPECT_EQ(machine.body.saved_blocked, 5u);
    machine.body.ending = false;
    EXPECT_EQ(done(sys_ppoll({{memory, 0, 0, memory + 64, 4}})), failure(Errno::inval));
    join();
}

TEST_F(Polling, TellsWhatIsReady) {
    put(memory, PollRecord{event, in, 7});
    put(memory + 8, PollRecord{-1, in, 7});
    put(memory + 16, PollRecord{99, in, 7});
    EXPECT_EQ(done(sys_poll({{memory, 2, 0}})), 0);
    EXPECT_EQ(get<PollRecord>(memory).found, 0);
    EXPECT_EQ(done(sys_poll({{memory, 3, 0}})), 1);
    EXPECT_EQ(get<PollRecord>(memory + 16).found, 0x20) << "POLLNVAL";
    machine.start([this] { EXPECT_EQ(files.write(event, std::string("\1\0\0\0\0\0\0\0", 8)), 8); });
    EXPECT_EQ(done(sys_poll({{memory, 2, 1000}})), 1);
    EXPECT_EQ(get<PollRecord>(memory).found, in);
    EXPECT_EQ(get<PollRecord>(memory + 8).found, 0);
    join();
}

TEST_F(Polling, RefusesWhatItCannotTakeApart) {
    EXPECT_EQ(done(sys_poll({{nowhere, 1, 0}})), failure(Errno::fault));
    EXPECT_EQ(done(sys_poll({{memory, 5000, 0}})), failure(Errno::inval)) << "more than RLIMIT_NOFILE";
    EXPECT_EQ(done(sys_select({{~std::uint64_t{0}, 0, 0, 0, 0}})), failure(Errno::inval));
    EXPECT_EQ(done(sys_select({{8, nowhere, 0, 0, 0}})), failure(Errno::fault));
    put<std::uint64_t>(memory, std::uint64_t{1} << 40);
    EXPECT_EQ(done(sys_select({{64, memory, 0, 0, 0}})), failure(Errno::badf));
    for (const Time bad : {Time{-1, 0}, Time{0, -1}, Time{0, 1'000'000'000}}) {
        put(memory, bad);
        EXPECT_EQ(done(sys_ppoll({{memory, 0, memory, 0, 0}})), failure(Errno::inval));
    }
    put(memory, Time{0, 2'000'000}); // select takes more than a second of microseconds
    EXPECT_EQ(done(sys_select({{0, 0, 0, 0, memory}})), 0);
    fs::host::state().allocations_left = 0;
    EXPECT_EQ(done(sys_poll({{memory, 1, 0}})), failure(Errno::nomem));
    fs::host::state().allocations_left = -1;
}

TEST_F(Polling, TakesTimesApart) {
    EXPECT_EQ(deadline_in_milliseconds(-5), never);
    EXPECT_EQ(deadline_in_milliseconds(0), 0u);
    EXPECT_EQ(deadline_in_milliseconds(7), machine.now + 7 * ms);
    EXPECT_EQ(*deadline_of(mm::UserAddress{0}, 1'000'000'000), never);
    put(memory, Time{0, 0});
    EXPECT_EQ(*deadline_of(mm::UserAddress{memory}, 1'000'000'000), 0u);
    put(memory, Time{INT64_MAX, 999'999'999});
    EXPECT_GT(*deadline_of(mm::UserAddress{memory}, 1'000'000'000), machine.now + 1'000'000'000'000);
    EXPECT_FALSE(deadline_of(mm::UserAddress{nowhere}, 1'000'000'000).ok());
}

} // namespace
