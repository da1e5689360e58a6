// SPDX-License-Identifier: Apache-2.0
// What handlers take apart of their arguments, on the host: structures in user memory, sizes, flags, and what of them is refused.
#include "partitions/abi/startup.h"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/sched/test_memory.hpp"
#include "partitions/unikernel/syscalls/host_seam.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

#include <array>
#include <vector>

namespace {

using namespace uk;
using namespace uk::sched;
using namespace uk::sched::test;
using uk::host::handed;

constexpr std::uint64_t nowhere = 0x500000, half = memory + 2048;
constexpr double ticks = 10; // of the timer, which is set in them

struct Decoding : WithMemory {
    Decoding() {
        handed() = {};
        machine.process.files = Ref<fs::FileTable>{&table};
        machine.process.actions = Ref<signal::ActionTable>{&actions};
        auto root = fs::Tree::current().context(fs::Credentials{}, "/");
        machine.process.context = std::move(root).value();
        files.run_as(0, 0);
    }
    ~Decoding() override {
        table.close_all();
        machine.process.context = {};
        (void)machine.process.files.leak();
        (void)machine.process.actions.leak();
        while (machine.process.posix_timers != nullptr)
            (void)sys_timer_delete({{static_cast<std::uint64_t>(machine.process.posix_timers->id)}});
    }
    template <typename T> void put(std::uint64_t at, const T& value) {
        ASSERT_TRUE(mm::write_user(mm::UserAddress{at}, value).ok());
    }
    template <typename T> T get(std::uint64_t at) { return *mm::read_user<T>(mm::UserAddress{at}); }
    static long done(const SyscallResult& result) {
        return result.ok() ? static_cast<long>(*result) : -static_cast<long>(result.error());
    }
    static long no(Errno error) { return -static_cast<long>(error); }
    fs::FileTable table;
    signal::ActionTable actions;
};

// ---- clone3

using CloneArguments = std::array<std::uint64_t, 11>;
enum CloneField {
    flags_,
    pidfd_,
    child_,
    parent_,
    signal_,
    stack_,
    stack_bytes_,
    tls_,
    set_tid_,
    set_tids_,
    cgroup_
};

struct DecodingClone : Decoding {
    long clone3(const CloneArguments& given, std::uint64_t bytes = sizeof(CloneArguments)) {
        put(memory, given);
        return done(sys_clone3({{memory, bytes}}));
    }
    static CloneArguments with(CloneField field, std::uint64_t value) {
        CloneArguments given{};
        given[signal_] = 17;
        given[field] = value;
        return given;
    }
};

TEST_F(DecodingClone, Clone3HandsOnWhatItWasGiven) {
    CloneArguments given{0x00003d0f00, 1, 0x2222, 0x3333, 0, 0x10000, 0x800, 0x7777, 0, 0, 0};
    EXPECT_EQ(clone3(given), 1);
    const process::CloneRequest& request = handed().clone;
    EXPECT_EQ(request.flags, 0x3d0f00u);
    EXPECT_EQ(request.stack, 0x10800u) << "the stack's end";
    EXPECT_EQ(request.child_tid, 0x2222u);
    EXPECT_EQ(request.parent_tid, 0x3333u);
    EXPECT_EQ(request.pidfd, 1u);
    EXPECT_EQ(request.tls, 0x7777u);
    EXPECT_EQ(request.exit_signal, 0);
    EXPECT_EQ(clone3(with(signal_, 64)), 2);
    EXPECT_EQ(handed().clone.exit_signal, 64);
}

TEST_F(DecodingClone, Clone3sSizes) {
    EXPECT_EQ(clone3(with(signal_, 17), 63), no(Errno::inval));
    EXPECT_EQ(clone3(with(signal_, 17), 64), 1) << "the first version of the structure";
    EXPECT_EQ(clone3(with(set_tid_, 5), 64), 2) << "what lies behind its end is not looked at";
    EXPECT_EQ(clone3(with(signal_, 17), 88 + 8), 3) << "a later kernel's fields, zero";
    put(memory + 88, std::uint64_t{1});
    EXPECT_EQ(done(sys_clone3({{memory, 96}})), no(Errno::too_big));
    EXPECT_EQ(done(sys_clone3({{memory, 4097}})), no(Errno::too_big));
    EXPECT_EQ(done(sys_clone3({{nowhere, 88}})), no(Errno::fault));
    EXPECT_EQ(done(sys_clone3({{memory + page - 80, 88}})), no(Errno::fault)) << "across the end";
}

TEST_F(DecodingClone, Clone3Refuses) {
    const struct {
        CloneField field;
        std::uint64_t value;
        Errno error;
    } refused[] = {
        {signal_, 65, Errno::inval},        {flags_, 0x11, Errno::inval},
        {flags_, 0x400000, Errno::inval},   {flags_, std::uint64_t{1} << 34, Errno::inval},
        {stack_, 4096, Errno::inval},       {stack_bytes_, 4096, Errno::inval},
        {set_tid_, memory, Errno::inval},   {set_tids_, 1, Errno::inval},
        {flags_, 0x10000, Errno::inval}, // a thread with an exit signal
        {flags_, 0x8000, Errno::inval},     {flags_, 0x80, Errno::perm},
        {flags_, 0x200000000, Errno::badf},
    };
    for (const auto& one : refused)
        EXPECT_EQ(clone3(with(one.field, one.value)), no(one.error)) << one.field << ' ' << one.value;
    CloneArguments given = with(set_tid_, memory);
    given[set_tids_] = 1;
    EXPECT_EQ(clone3(given), no(Errno::perm));
    EXPECT_EQ(handed().clones, 0u);
}

TEST_F(DecodingClone, ClonesFlagsAndSignalShareAWord) {
    EXPECT_EQ(done(sys_clone({{0x1200000 | 17, 0, 0x10, 0x20, 0x30}})), 1);
    EXPECT_EQ(handed().clone.flags, 0x1200000u);
    EXPECT_EQ(handed().clone.exit_signal, 17);
    EXPECT_EQ(handed().clone.parent_tid, 0x10u);
    EXPECT_EQ(handed().clone.child_tid, 0x20u);
    EXPECT_EQ(handed().clone.tls, 0x30u);
    EXPECT_EQ(done(sys_clone({{0x101000, 0, 0x10}})), no(Errno::inval)) << "one place for two numbers";
    EXPECT_EQ(done(sys_vfork({})), 2);
    EXPECT_EQ(handed().clone.flags, 0x4100u);
}

// ---- Signals and timers

TEST_F(Decoding, Actions) {
    put(memory, signal::Action{0x4242, 0x10000004, 0x5151, ~std::uint64_t{0}});
    EXPECT_EQ(done(sys_rt_sigaction({{10, memory, half, 8}})), 0);
    EXPECT_EQ(handed().action_number, 10);
    EXPECT_EQ(handed().action.handler, 0x4242u);
    EXPECT_EQ(handed().action.flags, 0x10000004u);
    EXPECT_EQ(handed().action.restorer, 0x5151u);
    EXPECT_EQ(handed().action.mask, ~signal::unblockable) << "nobody blocks SIGKILL and SIGSTOP";
    EXPECT_EQ(get<signal::Action>(half).handler, signal::handler_default);
    for (const std::uint64_t number : {0, 65, 9, 19})
        EXPECT_EQ(done(sys_rt_sigaction({{number, memory, 0, 8}})), no(Errno::inval)) << number;
    EXPECT_EQ(done(sys_rt_sigaction({{9, 0, half, 8}})), 0) << "to ask is allowed";
    EXPECT_EQ(done(sys_rt_sigaction({{10, memory, 0, 4}})), no(Errno::inval));
    EXPECT_EQ(done(sys_rt_sigaction({{10, nowhere, 0, 8}})), no(Errno::fault));
}

TEST_F(Decoding, Masks) {
    put(memory, std::uint64_t{0x0F});
    EXPECT_EQ(done(sys_rt_sigprocmask({{0, memory, half, 8}})), 0);
    EXPECT_EQ(get<std::uint64_t>(half), 0u);
    EXPECT_EQ(machine.body.blocked, 0x0Fu);
    put(memory, std::uint64_t{0x03});
    EXPECT_EQ(done(sys_rt_sigprocmask({{1, memory, 0, 8}})), 0);
    EXPECT_EQ(machine.body.blocked, 0x0Cu);
    put(memory, ~std::uint64_t{0});
    EXPECT_EQ(done(sys_rt_sigprocmask({{2, memory, 0, 8}})), 0);
    EXPECT_EQ(machine.body.blocked, ~signal::unblockable);
    EXPECT_EQ(done(sys_rt_sigprocmask({{3, memory, 0, 8}})), no(Errno::inval));
    EXPECT_EQ(done(sys_rt_sigprocmask({{77, 0, half, 8}})), 0) << "without a set the first is not looked at";
    EXPECT_EQ(done(sys_rt_sigprocmask({{0, memory, 0, 16}})), no(Errno::inval));
    machine.body.blocked = 0;
}

struct Event { // struct sigevent
    std::uint64_t value;
    std::int32_t number, notify, thread, padding;
    std::array<std::uint64_t, 5> rest;
};

TEST_F(Decoding, EventsOfTimers) {
    machine.process.limits[static_cast<unsigned>(Resource::pending_signals)].soft = 100;
    put(memory, Event{0xABCDEF, 34, 0, 0, 0, {}});
    EXPECT_EQ(done(sys_timer_create({{1, memory, half}})), 0);
    EXPECT_EQ(handed().clock, signal::TimerClock::monotonic);
    EXPECT_EQ(handed().information.number, 34);
    EXPECT_EQ(handed().information.value, 0xABCDEFu);
    EXPECT_EQ(handed().thread, 0);
    EXPECT_EQ(get<std::int32_t>(half), 0);
    EXPECT_EQ(done(sys_timer_create({{0, 0, half}})), 0) << "none given: SIGALRM and the timer's number";
    EXPECT_EQ(handed().information.number, 14);
    EXPECT_EQ(handed().information.value, 1u);
    put(memory, Event{7, 99, 1, 0, 0, {}});
    EXPECT_EQ(done(sys_timer_create({{2, memory, half}})), 0) << "SIGEV_NONE: no number is looked at";
    EXPECT_EQ(handed().information.number, 0);
    put(memory, Event{7, 10, 4, 1, 0, {}});
    EXPECT_EQ(done(sys_timer_create({{1, memory, half}})), 0);
    EXPECT_EQ(handed().thread, 1);
    const struct {
        Event event;
        std::uint64_t clock;
        Errno error;
    } refused[] = {
        {{0, 0, 0, 0, 0, {}}, 1, Errno::inval},   {{0, 65, 0, 0, 0, {}}, 1, Errno::inval},
        {{0, 10, 3, 0, 0, {}}, 1, Errno::inval},  {{0, 10, 4, 99, 0, {}}, 1, Errno::inval},
        {{0, 10, 0, 0, 0, {}}, 99, Errno::inval}, {{0, 10, 0, 0, 0, {}}, 4, Errno::opnotsupp},
    };
    for (const auto& one : refused) {
        put(memory, one.event);
        EXPECT_EQ(done(sys_timer_create({{one.clock, memory, half}})), no(one.error));
    }
    EXPECT_EQ(done(sys_timer_create({{1, nowhere, half}})), no(Errno::fault));
    put(memory, Event{7, 10, 0, 0, 0, {}});
    EXPECT_EQ(done(sys_timer_create({{1, memory, nowhere}})), no(Errno::fault));
}

TEST_F(Decoding, TimesOfTimers) {
    machine.process.limits[static_cast<unsigned>(Resource::pending_signals)].soft = 100;
    EXPECT_EQ(done(sys_timer_create({{1, 0, half}})), 0);
    const auto settime = [this](std::array<std::int64_t, 4> spec, std::uint64_t flags) {
        put(memory, spec);
        return done(sys_timer_settime({{0, flags, memory, 0}}));
    };
    EXPECT_EQ(settime({1, 5, 2, 7}, 1), 0);
    EXPECT_EQ(handed().expiry, 2'000'000'007u);
    EXPECT_EQ(handed().interval, 1'000'000'005u);
    EXPECT_EQ(settime({0, 0, 2, 0}, 0), 0);
    EXPECT_EQ(handed().expiry, machine.now + 2'000'000'000) << "from now on";
    EXPECT_EQ(settime({0, 0, 0, 0}, 0), 0);
    EXPECT_EQ(handed().expiry, 0u) << "stopped";
    EXPECT_EQ(settime({0, 0, INT64_MAX, 0}, 0), 0);
    EXPECT_EQ(handed().expiry, never);
    EXPECT_EQ(settime({0, 0, 1, 1'000'000'000}, 0), no(Errno::inval));
    EXPECT_EQ(settime({0, -1, 1, 0}, 0), no(Errno::inval));
    EXPECT_EQ(settime({0, 0, -1, 0}, 0), no(Errno::inval));
    EXPECT_EQ(done(sys_timer_settime({{5, 0, memory, 0}})), no(Errno::inval));
}

// ---- Vectors and messages

TEST_F(Decoding, Vectors) {
    std::vector<files::Segment> segments(20, {half, 3});
    const auto read = [&](std::uint64_t count) {
        for (std::size_t i = 0; i < segments.size(); ++i)
            put(memory + i * sizeof(files::Segment), segments[i]);
        files::UserBuffers buffers;
        const Status status = buffers.read_vector(mm::UserAddress{memory}, count);
        return status.ok() ? static_cast<long>(buffers.bytes()) : -static_cast<long>(status.error());
    };
    EXPECT_EQ(read(0), 0);
    EXPECT_EQ(read(3), 9);
    EXPECT_EQ(read(20), 60) << "more than lie on the stack";
    EXPECT_EQ(read(1025), no(Errno::inval));
    EXPECT_EQ(read(1000), no(Errno::fault)) << "the page ends";
    segments[1].bytes = std::uint64_t{1} << 63;
    EXPECT_EQ(read(2), no(Errno::inval));
    segments[1].bytes = std::uint64_t{1} << 40;
    EXPECT_EQ(read(3), 0x7ffff000) << "one call moves no more";
}

TEST_F(Decoding, BytesGoWhereTheVectorSays) {
    put(memory, std::array<files::Segment, 3>{{{half, 2}, {nowhere, 0}, {half + 100, 3}}});
    files::UserBuffers buffers;
    ASSERT_TRUE(buffers.read_vector(mm::UserAddress{memory}, 3).ok());
    fs::Destination to = buffers.destination();
    ASSERT_TRUE(to.put(std::as_bytes(std::span{"abcde", 5})).ok());
    EXPECT_EQ((get<std::array<char, 2>>(half)), (std::array<char, 2>{'a', 'b'}));
    EXPECT_EQ((get<std::array<char, 3>>(half + 100)), (std::array<char, 3>{'c', 'd', 'e'}));
    put(memory, std::array<files::Segment, 2>{{{half, 2}, {nowhere, 5}}});
    files::UserBuffers bad;
    ASSERT_TRUE(bad.read_vector(mm::UserAddress{memory}, 2).ok());
    fs::Destination partly = bad.destination();
    EXPECT_EQ(partly.put(std::as_bytes(std::span{"abcde", 5})).error(), Errno::fault);
    EXPECT_EQ(partly.done(), 2u) << "what could go went";
}

struct Message { // struct msghdr
    std::uint64_t name;
    std::int32_t name_bytes;
    std::uint32_t pad;
    std::uint64_t segments, segment_count, control, control_bytes;
    std::uint32_t flags, pad2;
};

struct DecodingMessages : Decoding {
    DecodingMessages() {
        EXPECT_EQ(done(sys_socketpair({{1, 5, 0, memory}})), 0); // AF_UNIX, SOCK_SEQPACKET
        one = get<std::int32_t>(memory);
        two = get<std::int32_t>(memory + 4);
    }
    long send(const Message& message) {
        put(half, message);
        return done(sys_sendmsg({{static_cast<std::uint64_t>(one), half, 0x40}})); // MSG_DONTWAIT
    }
    long receive(const Message& message, std::uint64_t flags = 0x40) {
        put(half, message);
        return done(sys_recvmsg({{static_cast<std::uint64_t>(two), half, flags}}));
    }
    int one = -1, two = -1;
    static constexpr std::uint64_t vector = memory + 512, text = memory + 1024, control = memory + 1536;
};

TEST_F(DecodingMessages, CarryAVectorAndDescriptors) {
    put(vector, std::array<files::Segment, 2>{{{text, 3}, {text + 10, 2}}});
    put(text, std::array<char, 3>{'a', 'b', 'c'});
    put(text + 10, std::array<char, 2>{'d', 'e'});
    struct {
        std::uint64_t bytes;
        std::int32_t level, type, descriptor, pad;
    } const rights{20, 1, 1, one, 0};
    put(control, rights);
    EXPECT_EQ(send({0, 0, 0, vector, 2, control, 24, 0, 0}), 5);
    put(vector, files::Segment{text + 100, 16});
    EXPECT_EQ(receive({0, 0, 0, vector, 1, control + 100, 64, 0, 0}), 5);
    EXPECT_EQ((get<std::array<char, 5>>(text + 100)), (std::array<char, 5>{'a', 'b', 'c', 'd', 'e'}));
    const auto got = get<std::remove_const_t<decltype(rights)>>(control + 100);
    EXPECT_EQ(got.bytes, 20u);
    EXPECT_EQ(got.type, 1);
    EXPECT_EQ(table.get(got.descriptor).value().get(), table.get(one).value().get());
    EXPECT_EQ(get<Message>(half).control_bytes, 24u) << "with its padding";
    EXPECT_EQ(get<Message>(half).flags & 8u, 0u);
}

TEST_F(DecodingMessages, WithoutRoomForDescriptorsTheyAreCutOff) {
    put(vector, files::Segment{text, 1});
    struct {
        std::uint64_t bytes;
        std::int32_t level, type, descriptor, pad;
    } const rights{20, 1, 1, one, 0};
    put(control, rights);
    const int before = table.next(0) == -1 ? 0 : table.next(two + 1);
    EXPECT_EQ(send({0, 0, 0, vector, 1, control, 24, 0, 0}), 1);
    EXPECT_EQ(receive({0, 0, 0, vector, 1, 0, 0, 0, 0}), 1);
    EXPECT_EQ(get<Message>(half).flags & 8u, 8u) << "MSG_CTRUNC";
    EXPECT_EQ(table.next(two + 1), before) << "and none was opened";
}

TEST_F(DecodingMessages, Refuse) {
    put(vector, files::Segment{text, 1});
    EXPECT_EQ(send({0, 0, 0, vector, 1025, 0, 0, 0, 0}), no(Errno::msgsize));
    EXPECT_EQ(send({0, -1, 0, vector, 1, 0, 0, 0, 0}), no(Errno::inval));
    EXPECT_EQ(send({0, 0, 0, vector, 1, control, 20481, 0, 0}), no(Errno::nobufs));
    EXPECT_EQ(send({0, 0, 0, nowhere, 1, 0, 0, 0, 0}), no(Errno::fault));
    EXPECT_EQ(send({0, 0, 0, vector, 1, nowhere, 24, 0, 0}), no(Errno::fault));
    const auto with_control = [this](std::uint64_t bytes, std::int32_t level, std::int32_t type,
                                     std::int32_t first) {
        struct {
            std::uint64_t bytes;
            std::int32_t level, type, first, pad;
        } const item{bytes, level, type, first, 0};
        put(control, item);
        return send({0, 0, 0, vector, 1, control, 24, 0, 0});
    };
    EXPECT_EQ(with_control(20, 1, 1, 99), no(Errno::badf));
    EXPECT_EQ(with_control(20, 1, 77, 0), no(Errno::inval));
    EXPECT_EQ(with_control(8, 1, 1, 0), no(Errno::inval)) << "shorter than its own header";
    EXPECT_EQ(with_control(25, 1, 1, 0), no(Errno::inval)) << "longer than what was given";
    EXPECT_EQ(with_control(20, 1, 2, 0), no(Errno::inval)) << "credentials are twelve bytes";
    EXPECT_EQ(receive({0, 0, 0, vector, 1025, 0, 0, 0, 0}), no(Errno::msgsize));
    EXPECT_EQ(receive({0, -1, 0, vector, 1, 0, 0, 0, 0}), no(Errno::inval));
    EXPECT_EQ(receive({0, 0, 0, vector, 1, 0, 0, 0, 0}), no(Errno::again)) << "nothing of all that was sent";
    EXPECT_EQ(done(sys_sendmsg({{static_cast<std::uint64_t>(one), nowhere, 0}})), no(Errno::fault));
    EXPECT_EQ(done(sys_sendmsg({{99, half, 0}})), no(Errno::badf));
}

// ---- futex

TEST_F(Decoding, FutexOperations) {
    constexpr std::uint64_t wake_op = 5, compare_requeue = 4, private_flag = 128;
    const auto encode = [](std::uint32_t op, std::uint32_t compare, std::uint32_t operand,
                           std::uint32_t against) {
        return std::uint64_t{op << 28 | compare << 24 | (operand & 0xFFF) << 12 | (against & 0xFFF)};
    };
    const auto change = [&](std::uint32_t before, std::uint64_t encoded) {
        put(memory + 4, before);
        EXPECT_EQ(done(sys_futex({{memory, wake_op | private_flag, 1, 1, memory + 4, encoded}})), 0);
        return get<std::uint32_t>(memory + 4);
    };
    EXPECT_EQ(change(7, encode(0, 0, 5, 0)), 5u);
    EXPECT_EQ(change(7, encode(1, 0, 5, 0)), 12u);
    EXPECT_EQ(change(7, encode(1, 0, 0xFFF, 0)), 6u) << "the operand has a sign";
    EXPECT_EQ(change(8, encode(2, 0, 5, 0)), 13u);
    EXPECT_EQ(change(7, encode(3, 0, 5, 0)), 2u);
    EXPECT_EQ(change(7, encode(4, 0, 5, 0)), 2u);
    EXPECT_EQ(change(0, encode(8 + 2, 0, 4, 0)), 16u) << "FUTEX_OP_OPARG_SHIFT";
    EXPECT_EQ(done(sys_futex({{memory, wake_op, 1, 1, memory + 4, encode(5, 0, 0, 0)}})), no(Errno::nosys));
    EXPECT_EQ(done(sys_futex({{memory, wake_op, 1, 1, memory + 4, encode(0, 6, 0, 0)}})), no(Errno::nosys));
    EXPECT_EQ(done(sys_futex({{memory, wake_op, 1, 1, nowhere, encode(0, 0, 0, 0)}})), no(Errno::fault));
    put(memory, std::uint32_t{3});
    EXPECT_EQ(done(sys_futex({{memory, compare_requeue, 1, 1, memory + 4, 4}})), no(Errno::again));
    EXPECT_EQ(done(sys_futex({{memory, compare_requeue, 1, 1, memory + 4, 3}})), 0);
    EXPECT_EQ(done(sys_futex({{memory, compare_requeue, ~0u, 1, memory + 4, 3}})), no(Errno::inval));
    EXPECT_EQ(done(sys_futex({{memory, 99, 0, 0, 0, 0}})), no(Errno::nosys));
    EXPECT_EQ(done(sys_futex({{memory + 1, 0, 0, 0, 0, 0}})), no(Errno::inval)) << "a word is aligned";
    EXPECT_EQ(done(sys_futex({{memory, 9, 3, 0, 0, 0}})), no(Errno::inval)) << "no bits";
}

TEST_F(Decoding, FutexTimeouts) {
    put(memory, std::uint32_t{3});
    put(half, std::array<std::int64_t, 2>{0, 5'000'000});
    EXPECT_EQ(done(sys_futex({{memory, 128, 2, half, 0, 0}})), no(Errno::again)) << "another value";
    const std::uint64_t start = machine.now;
    EXPECT_EQ(done(sys_futex({{memory, 128, 3, half, 0, 0}})), no(Errno::timedout));
    EXPECT_NEAR(machine.now, start + 5'000'000, ticks) << "FUTEX_WAIT's is from now on";
    const std::uint64_t moment = machine.now + 70'000;
    put(half, std::array<std::int64_t, 2>{0, static_cast<std::int64_t>(moment)});
    EXPECT_EQ(done(sys_futex({{memory, 128 + 9, 3, half, 0, ~0u}})), no(Errno::timedout));
    EXPECT_NEAR(machine.now, moment, ticks) << "WAIT_BITSET's is a moment";
    put(half, std::array<std::int64_t, 2>{0, 1'000'000'000});
    EXPECT_EQ(done(sys_futex({{memory, 128, 3, half, 0, 0}})), no(Errno::inval));
    EXPECT_EQ(done(sys_futex({{memory, 128, 3, nowhere, 0, 0}})), no(Errno::fault));
}

struct WaitWord { // struct futex_waitv
    std::uint64_t value, address;
    std::uint32_t flags, reserved;
};

TEST_F(Decoding, FutexVectors) {
    const auto waitv = [this](std::vector<WaitWord> words, std::uint64_t flags = 0) {
        for (std::size_t i = 0; i < words.size(); ++i)
            put(half + i * sizeof(WaitWord), words[i]);
        return done(sys_futex_waitv({{half, words.size(), flags, 0, 1}}));
    };
    put(memory, std::uint32_t{3});
    EXPECT_EQ(waitv({{4, memory, 2, 0}}), no(Errno::again));
    EXPECT_EQ(waitv({{3, memory, 1, 0}}), no(Errno::inval)) << "of another size";
    EXPECT_EQ(waitv({{3, memory, 2, 1}}), no(Errno::inval));
    EXPECT_EQ(waitv({{3, memory, 2, 0}}, 1), no(Errno::inval));
    EXPECT_EQ(waitv({}), no(Errno::inval));
    EXPECT_EQ(waitv({{3, memory, 2, 0}, {3, nowhere, 2, 0}}), no(Errno::fault));
    EXPECT_EQ(done(sys_futex_waitv({{half, 129, 0, 0, 1}})), no(Errno::inval));
}

// ---- epoll

struct [[gnu::packed]] EpollEvent {
    std::uint32_t events;
    std::uint64_t data;
};

TEST_F(Decoding, Epoll) {
    EXPECT_EQ(done(sys_epoll_create({{0}})), no(Errno::inval));
    EXPECT_EQ(done(sys_epoll_create1({{1}})), no(Errno::inval));
    const long set = done(sys_epoll_create1({{02000000}}));
    ASSERT_GE(set, 0);
    EXPECT_TRUE(table.close_on_exec(static_cast<int>(set)).value());
    ASSERT_EQ(done(sys_socketpair({{1, 1, 0, memory}})), 0);
    const auto one = get<std::uint32_t>(memory), two = get<std::uint32_t>(memory + 4);
    const auto on = static_cast<std::uint64_t>(set);
    put(half, EpollEvent{4, 0x1122334455667788});
    EXPECT_EQ(done(sys_epoll_ctl({{on, 1, one, half}})), 0);
    EXPECT_EQ(done(sys_epoll_ctl({{on, 1, one, half}})), no(Errno::exist));
    EXPECT_EQ(done(sys_epoll_ctl({{on, 3, two, half}})), no(Errno::noent));
    EXPECT_EQ(done(sys_epoll_ctl({{on, 4, one, half}})), no(Errno::inval));
    EXPECT_EQ(done(sys_epoll_ctl({{on, 1, on, half}})), no(Errno::inval)) << "itself";
    EXPECT_EQ(done(sys_epoll_ctl({{one, 1, two, half}})), no(Errno::inval)) << "no set";
    EXPECT_EQ(done(sys_epoll_ctl({{on, 1, 99, half}})), no(Errno::badf));
    EXPECT_EQ(done(sys_epoll_ctl({{on, 1, two, nowhere}})), no(Errno::fault));
    EXPECT_EQ(done(sys_epoll_wait({{on, half, 4, 0}})), 1);
    const auto event = get<EpollEvent>(half);
    EXPECT_EQ(std::uint32_t{event.events}, 4u);
    EXPECT_EQ(std::uint64_t{event.data}, 0x1122334455667788u) << "twelve bytes, not sixteen";
    EXPECT_EQ(done(sys_epoll_wait({{on, half, 0, 0}})), no(Errno::inval));
    EXPECT_EQ(done(sys_epoll_wait({{one, half, 4, 0}})), no(Errno::inval));
    EXPECT_EQ(done(sys_epoll_wait({{on, nowhere, 4, 0}})), no(Errno::fault));
    EXPECT_EQ(done(sys_epoll_pwait({{on, half, 4, 0, memory, 4}})), no(Errno::inval)) << "no set of signals";
    EXPECT_EQ(done(sys_epoll_ctl({{on, 2, one, nowhere}})), 0) << "to remove needs no event";
    const std::uint64_t start = machine.now;
    put(memory, std::array<std::int64_t, 2>{0, 3'000'000});
    EXPECT_EQ(done(sys_epoll_pwait2({{on, half, 4, memory, 0, 8}})), 0);
    EXPECT_NEAR(machine.now, start + 3'000'000, ticks);
}

// ---- statx

TEST_F(Decoding, Statx) {
    ASSERT_EQ(files.put("/tmp-file", "12345"), 5);
    put(memory, std::array<char, 10>{'/', 't', 'm', 'p', '-', 'f', 'i', 'l', 'e', 0});
    const auto here = static_cast<std::uint64_t>(-100);
    EXPECT_EQ(done(sys_statx({{here, memory, 0, 0x7FF, half}})), 0);
    EXPECT_EQ(get<std::uint32_t>(half) & 0x7FFu, 0x7FFu);
    EXPECT_EQ(get<std::uint16_t>(half + 0x1C), 0100644);
    EXPECT_EQ(get<std::uint64_t>(half + 0x28), 5u);
    EXPECT_EQ(get<std::int64_t>(half + 0x70), 1'700'000'000) << "modified";
    for (const std::uint64_t flags : {std::uint64_t{0x6000}, std::uint64_t{1}, std::uint64_t{0x200000}})
        EXPECT_EQ(done(sys_statx({{here, memory, flags, 0x7FF, half}})), no(Errno::inval)) << flags;
    EXPECT_EQ(done(sys_statx({{here, memory, 0, 0x80000000, half}})), no(Errno::inval));
    EXPECT_EQ(done(sys_statx({{here, memory, 0x4000, 0, half}})), 0) << "AT_STATX_DONT_SYNC";
    EXPECT_EQ(done(sys_statx({{here, nowhere, 0, 0, half}})), no(Errno::fault));
    EXPECT_EQ(done(sys_statx({{here, memory, 0, 0, nowhere}})), no(Errno::fault));
    EXPECT_EQ(done(sys_statx({{here, 0, 0x1000, 0, half}})), 0) << "AT_EMPTY_PATH and no path";
    EXPECT_EQ(get<std::uint16_t>(half + 0x1C) & 0170000, 0040000);
    put(memory, std::array<char, 2>{'x', 0});
    EXPECT_EQ(done(sys_statx({{99, memory, 0, 0, half}})), no(Errno::badf));
}

// ---- Memory

TEST_F(Decoding, MapFlags) {
    machine.process.space->mmap_top = 0x7f0000000000;
    constexpr std::uint64_t private_anonymous = 0x22, rw = 3;
    const auto map = [](std::uint64_t address, std::uint64_t bytes, std::uint64_t flags,
                        std::uint64_t descriptor = ~0ul, std::uint64_t offset = 0) {
        return done(sys_mmap({{address, bytes, rw, flags, descriptor, offset}}));
    };
    const long at = map(0, 5000, private_anonymous);
    ASSERT_GT(at, 0);
    const mm::Vma* vma = machine.process.space->ranges().find(static_cast<std::uint64_t>(at));
    ASSERT_NE(vma, nullptr);
    EXPECT_EQ(vma->bytes(), 8192u);
    EXPECT_EQ(vma->protection, rw);
    EXPECT_FALSE(vma->shared);
    EXPECT_EQ(map(0x600000, 4096, private_anonymous | 0x10), 0x600000);
    EXPECT_EQ(map(0x600000, 4096, private_anonymous | 0x100000), no(Errno::exist));
    EXPECT_EQ(map(0x600001, 4096, private_anonymous | 0x10), no(Errno::inval));
    EXPECT_EQ(map(0, 4096, private_anonymous | 0x10), no(Errno::perm));
    EXPECT_EQ(map(0, 0, private_anonymous), no(Errno::inval));
    EXPECT_EQ(map(0, 4096, private_anonymous, ~0ul, 1), no(Errno::inval));
    EXPECT_EQ(map(0, 4096, 0x20), no(Errno::inval)) << "neither shared nor private";
    EXPECT_EQ(map(0, 4096, 0x24), no(Errno::inval));
    EXPECT_EQ(map(0, 4096, 0x23), no(Errno::inval)) << "to validate needs a file";
    EXPECT_EQ(map(0, 4096, private_anonymous | 0x40000), no(Errno::nomem)) << "huge pages";
    EXPECT_EQ(map(0, 4096, 0x121), no(Errno::inval)) << "shared does not grow down";
    EXPECT_EQ(map(0, ~0ul - 4096, private_anonymous), no(Errno::nomem));
    EXPECT_EQ(map(0, 4096, 2, 99), no(Errno::badf));
    const auto file = static_cast<std::uint64_t>(*table.add(
        fs::open(files.context, files.here(), "/m", fs::open_flag::read_write | fs::open_flag::create, 0644)
            .value(),
        false));
    EXPECT_EQ(map(0, 4096, 2, file, ~0ul << 12), no(Errno::overflow));
    EXPECT_EQ(map(0, 4096, 0x200003, file), no(Errno::opnotsupp))
        << "MAP_SHARED_VALIDATE and an unknown flag";
    const long shared = map(0, 4096, 1, file, 8192);
    ASSERT_GT(shared, 0);
    vma = machine.process.space->ranges().find(static_cast<std::uint64_t>(shared));
    EXPECT_TRUE(vma->shared && vma->shared_writable);
    EXPECT_EQ(vma->offset, 8192u);
    EXPECT_FALSE(machine.process.space->ranges_held);
}

TEST_F(Decoding, MremapFlags) {
    const auto remap = [](std::uint64_t old_bytes, std::uint64_t new_bytes, std::uint64_t flags) {
        return done(sys_mremap({{memory, old_bytes, new_bytes, flags, 0x700000}}));
    };
    EXPECT_EQ(remap(page, page, 8), no(Errno::inval));
    EXPECT_EQ(remap(page, page, 2), no(Errno::inval)) << "fixed without may-move";
    EXPECT_EQ(remap(page, 2 * page, 5), no(Errno::inval)) << "DONTUNMAP keeps the size";
    EXPECT_EQ(remap(page, 0, 1), no(Errno::inval));
    put(memory, std::uint32_t{42});
    EXPECT_EQ(remap(page, page, 3), 0x700000);
    EXPECT_EQ(get<std::uint32_t>(0x700000), 42u);
}

// ---- prctl

TEST_F(Decoding, WhatTheFirstProcessTells) {
    constexpr std::uint64_t tells = CAISSON_PRCTL_TELL;
    current_process().id = 1;
    EXPECT_EQ(done(sys_prctl({{tells, CAISSON_TELL_HEALTH, CAISSON_HEALTH_HEALTHY}})), no(Errno::inval))
        << "not ours";
    first_process_tells = true;
    EXPECT_EQ(done(sys_prctl({{tells, CAISSON_TELL_HEALTH, CAISSON_HEALTH_HEALTHY}})), 0);
    EXPECT_EQ(done(sys_prctl({{tells, CAISSON_TELL_PROBE, 2, 111}})), 0);
    EXPECT_EQ(done(sys_prctl({{tells, CAISSON_TELL_HEALTH, CAISSON_HEALTH_UNHEALTHY + 1}})),
              no(Errno::inval));
    EXPECT_EQ(done(sys_prctl({{tells, CAISSON_TELL_PROBE + 1, 0}})), no(Errno::inval));
    handed().audit_is_full = true;
    EXPECT_EQ(done(sys_prctl({{tells, CAISSON_TELL_PROBE, 0, 0}})), no(Errno::again));
    current_process().id = 2;
    EXPECT_EQ(done(sys_prctl({{tells, CAISSON_TELL_PROBE, 0, 0}})), no(Errno::inval)) << "another process";
    EXPECT_EQ(handed().audited, "health=healthy probe=2:111 ");
    first_process_tells = false;
}

TEST_F(Decoding, Prctl) {
    constexpr std::uint64_t set_name = 15, get_name = 16, set_dumpable = 4, get_dumpable = 3, set_death = 1,
                            no_new = 38, get_no_new = 39, seccomp = 22, filter = 2, strict = 1;
    put(memory, std::array<char, 20>{'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n',
                                     'o', 'p', 'q', 0});
    EXPECT_EQ(done(sys_prctl({{set_name, memory}})), 0);
    EXPECT_EQ(done(sys_prctl({{get_name, half}})), 0);
    EXPECT_EQ((get<std::array<char, 16>>(half))[14], 'o');
    EXPECT_EQ((get<std::array<char, 16>>(half))[15], '\0') << "fifteen letters";
    EXPECT_EQ(done(sys_prctl({{set_name, nowhere}})), no(Errno::fault));
    EXPECT_EQ(done(sys_prctl({{set_dumpable, 2}})), no(Errno::inval));
    EXPECT_EQ(done(sys_prctl({{set_dumpable, 0}})), 0);
    EXPECT_EQ(done(sys_prctl({{get_dumpable}})), 0);
    EXPECT_EQ(done(sys_prctl({{set_death, 65}})), no(Errno::inval));
    EXPECT_EQ(done(sys_prctl({{no_new, 1, 0, 0, 1}})), no(Errno::inval)) << "the rest is zero";
    EXPECT_EQ(done(sys_prctl({{0x43535453, 0, 1}})), no(Errno::inval)) << "only our own PID 1 tells";
    EXPECT_EQ(done(sys_prctl({{no_new, 2}})), no(Errno::inval));
    EXPECT_EQ(done(sys_prctl({{get_no_new}})), 0);
    EXPECT_EQ(done(sys_prctl({{no_new, 1}})), 0);
    EXPECT_EQ(done(sys_prctl({{get_no_new}})), 1);
    EXPECT_EQ(done(sys_prctl({{seccomp, strict}})), 0);
    EXPECT_EQ(done(sys_prctl({{seccomp, filter, memory}})), 0);
    EXPECT_EQ(handed().seccomp, "strict filter 0 ");
    EXPECT_EQ(done(sys_prctl({{seccomp, 3}})), no(Errno::inval));
    EXPECT_EQ(done(sys_prctl({{9999}})), no(Errno::inval));
    EXPECT_EQ(done(sys_arch_prctl({{0x1002, std::uint64_t{1} << 47}})), no(Errno::perm));
    EXPECT_EQ(done(sys_arch_prctl({{0x1002, 0x1234}})), 0);
    EXPECT_EQ(machine.fs_base, 0x1234u);
    EXPECT_EQ(done(sys_arch_prctl({{0x1003, half}})), 0);
    EXPECT_EQ(get<std::uint64_t>(half), 0x1234u);
    EXPECT_EQ(done(sys_arch_prctl({{0x1000, 0}})), no(Errno::inval));
}

} // namespace
