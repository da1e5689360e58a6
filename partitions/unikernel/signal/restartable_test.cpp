// SPDX-License-Identifier: Apache-2.0
// Restartable sequences of a thread of the host: its memory is an array, faults are counted.
#include "partitions/unikernel/signal/restartable.hpp"

#include "partitions/unikernel/mm/host_heap.hpp"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/signal/signals.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace {
constexpr std::uint64_t low = 0x1000;
std::array<std::byte, 0x3000> memory;
unsigned faults = 0;

std::byte* place(std::uint64_t at, std::size_t bytes) {
    return at >= low && at + bytes <= low + memory.size() ? &memory[at - low] : nullptr;
}
} // namespace

namespace uk {

Status mm::copy_out(UserAddress to, const void* from, std::size_t bytes) {
    std::byte* at = place(to.value(), bytes);
    if (at == nullptr)
        return base::Failure{Errno::fault};
    std::memcpy(at, from, bytes);
    return base::success;
}
Status mm::copy_in(void* to, UserAddress from, std::size_t bytes) {
    const std::byte* at = place(from.value(), bytes);
    if (at == nullptr)
        return base::Failure{Errno::fault};
    std::memcpy(to, at, bytes);
    return base::success;
}
void signal::force_fault(const Information& information) {
    EXPECT_EQ(information.number, signal::segv);
    ++faults;
}

namespace {

constexpr std::uint32_t sign = 0x53053053;
constexpr std::uint64_t own = 0x1100, sequence = 0x1200, start = 0x2000, end = 0x2010, restart = 0x2100;

struct Restartable : testing::Test {
    Restartable() {
        memory.fill(std::byte{0});
        faults = 0;
        machine::this_cpu().thread = &thread;
        put(restart - 4, sign);
        name(start, end - start, restart);
        put<std::uint64_t>(own + 8, sequence);
        thread.cpu = 3;
        frame.rip = start + 4;
    }
    ~Restartable() override { machine::this_cpu().thread = nullptr; }
    template <typename T> static void put(std::uint64_t at, T value) {
        EXPECT_TRUE(mm::write_user(mm::UserAddress{at}, value).ok());
    }
    template <typename T> static T get(std::uint64_t at) { return *mm::read_user<T>(mm::UserAddress{at}); }
    static void name(std::uint64_t from, std::uint64_t bytes, std::uint64_t anew) {
        put<std::uint64_t>(sequence + 8, from);
        put(sequence + 16, bytes);
        put(sequence + 24, anew);
    }
    static Errno ask(std::uint64_t at, std::uint32_t bytes, std::uint32_t flags, std::uint32_t signature) {
        const Status status = signal::register_restartable(at, bytes, flags, signature);
        return status.ok() ? Errno{} : status.error();
    }
    void settle() { signal::settle_restartable(thread, frame); }
    Thread thread;
    TrapFrame frame{};
};

TEST_F(Restartable, TellsTheCpuAndBeginsASequenceAnew) {
    EXPECT_EQ(ask(own, 32, 0, sign), Errno{});
    EXPECT_TRUE(thread.restart_due);
    settle();
    EXPECT_FALSE(thread.restart_due);
    EXPECT_EQ(get<std::uint32_t>(own), 3U);
    EXPECT_EQ(get<std::uint32_t>(own + 4), 3U);
    EXPECT_EQ(frame.rip, restart);
    EXPECT_EQ(get<std::uint64_t>(own + 8), 0U);
    EXPECT_EQ(faults, 0U);
}

TEST_F(Restartable, OutsideOfTheSequenceItIsOnlyForgotten) {
    EXPECT_EQ(ask(own, 32, 0, sign), Errno{});
    for (const std::uint64_t rip : {start - 1, end}) {
        put<std::uint64_t>(own + 8, sequence);
        frame.rip = rip;
        settle();
        EXPECT_EQ(frame.rip, rip);
        EXPECT_EQ(get<std::uint64_t>(own + 8), 0U);
    }
    EXPECT_EQ(faults, 0U);
}

TEST_F(Restartable, WhatIsWrongIsAFault) {
    EXPECT_EQ(ask(own, 32, 0, sign), Errno{});
    const auto fails = [this] {
        const unsigned before = faults;
        settle();
        EXPECT_EQ(frame.rip, start + 4);
        return faults == before + 1;
    };
    name(start, end - start, start + 8); // into itself
    EXPECT_TRUE(fails());
    name(start, ~std::uint64_t{0}, restart);
    EXPECT_TRUE(fails());
    name(start, mm::user_end, restart);
    EXPECT_TRUE(fails());
    name(start, end - start, mm::user_end);
    EXPECT_TRUE(fails());
    name(start, end - start, restart + 64); // another signature
    EXPECT_TRUE(fails());
    name(start, end - start, restart);
    put(sequence, std::uint32_t{1}); // another version
    EXPECT_TRUE(fails());
    put(sequence, std::uint32_t{0});
    put(own + 16, std::uint32_t{1}); // flags that are no more
    EXPECT_TRUE(fails());
    put(own + 16, std::uint32_t{0});
    put<std::uint64_t>(own + 8, 16); // nothing is there
    EXPECT_TRUE(fails());
    put<std::uint64_t>(own + 8, sequence);
    settle();
    EXPECT_EQ(frame.rip, restart);
}

TEST_F(Restartable, RefusesAsLinuxDoes) {
    EXPECT_EQ(ask(own, 32, 1, sign), Errno::inval);
    EXPECT_EQ(ask(own, 32, 2, sign), Errno::inval);
    EXPECT_EQ(ask(own, 31, 0, sign), Errno::inval);
    EXPECT_EQ(ask(own + 8, 32, 0, sign), Errno::inval);
    EXPECT_EQ(ask(0, 32, 0, sign), Errno::inval);
    EXPECT_EQ(ask(0x800000000000, 32, 0, sign), Errno::fault);
    EXPECT_EQ(ask(own, 32, 0, sign), Errno{});
    EXPECT_EQ(ask(own, 32, 0, sign), Errno::busy);
    EXPECT_EQ(ask(own, 32, 0, sign + 1), Errno::perm);
    EXPECT_EQ(ask(own + 32, 32, 0, sign), Errno::inval);
    EXPECT_EQ(ask(own, 32, 1, sign + 1), Errno::perm);
    EXPECT_EQ(ask(own, 32, 1, sign), Errno{});
    EXPECT_EQ(get<std::uint32_t>(own + 4), ~std::uint32_t{0});
    EXPECT_EQ(thread.restartable, 0U);
}

} // namespace
} // namespace uk
