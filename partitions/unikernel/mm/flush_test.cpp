// SPDX-License-Identifier: Apache-2.0
// What a CPU forgets: its own changes at once, those of another when it comes into the kernel or leaves it.
#include "partitions/unikernel/mm/flush.hpp"
#include "partitions/unikernel/mm/space_fixture.hpp"

namespace {

using namespace uk::mm::test;

// Runs on the CPU while it lives.
struct On {
    explicit On(machine::Cpu& cpu) : before(machine::host_cpu) { machine::host_cpu = &cpu; }
    On(const On&) = delete;
    On& operator=(const On&) = delete;
    ~On() { machine::host_cpu = before; }
    machine::Cpu* before;
};

struct FlushTest : SpaceTest {
    // Page 0 is in the memory of both CPUs, and can be written.
    FlushTest() {
        EXPECT_TRUE(map(0, 40, rw).ok());
        EXPECT_EQ(put(at(0), 1), Fault::resolved);
        const On on{second};
        space->activate();
        EXPECT_EQ(put(at(0), 2), Fault::resolved);
        EXPECT_EQ(stale(), 0U);
    }
    ~FlushTest() override {
        const On on{second};
        mm::leave_spaces();
    }
    // Of the second CPU.
    std::uint64_t stale() {
        const On on{second};
        return mm::host::stale_translations();
    }
    void call() { // of a program on the second CPU
        const On on{second};
        mm::enter_kernel();
        mm::leave_kernel();
    }
    machine::Cpu second{};
};

TEST_F(FlushTest, AnotherCpuForgetsOnItsWay) {
    ASSERT_TRUE(space->unmap(at(0), page).ok());
    EXPECT_EQ(mm::host::stale_translations(), 0U) << "who changed it forgot at once";
    EXPECT_EQ(stale(), 1U) << "the other has not come by";
    const std::uint64_t before = mm::host::full_flushes();
    call();
    EXPECT_EQ(stale(), 0U);
    EXPECT_EQ(mm::host::full_flushes(), before + 1);
    call();
    EXPECT_EQ(mm::host::full_flushes(), before + 1) << "once is enough";
}

TEST_F(FlushTest, RightsThatWereTakenAreForgotten) {
    ASSERT_TRUE(space->protect(at(0), page, r).ok());
    EXPECT_EQ(stale(), 1U);
    call();
    EXPECT_EQ(stale(), 0U);
}

TEST_F(FlushTest, ForkAndTheCopyAfterItAreTwoChanges) {
    AddressSpace child;
    ASSERT_TRUE(child.create().ok());
    ASSERT_TRUE(child.copy_from(*space, [] {}).ok());
    EXPECT_EQ(stale(), 1U);
    call();
    EXPECT_EQ(stale(), 0U);
    {
        const On on{second};
        EXPECT_EQ(get(at(0)), 2); // remembers the frame that is the child's from now on
    }
    ASSERT_EQ(put(at(0), 3), Fault::resolved);
    EXPECT_EQ(stale(), 1U);
    call();
    EXPECT_EQ(stale(), 0U);
    const On on{second};
    EXPECT_EQ(get(at(0)), 3);
}

TEST_F(FlushTest, NewPagesAreNothingToForget) {
    const std::uint64_t before = mm::host::full_flushes();
    for (std::uint64_t i = 1; i < 40; ++i)
        ASSERT_EQ(put(at(i), 1), Fault::resolved);
    call();
    EXPECT_EQ(mm::host::full_flushes(), before);
}

TEST_F(FlushTest, ItsOwnChangesDoNotMakeACpuForgetAll) {
    for (std::uint64_t i = 0; i < 20; ++i)
        ASSERT_EQ(put(at(i), 1), Fault::resolved);
    const std::uint64_t before = mm::host::full_flushes();
    ASSERT_TRUE(space->protect(at(0), 20 * page, r).ok());
    mm::enter_kernel();
    EXPECT_EQ(mm::host::full_flushes(), before);
    EXPECT_EQ(mm::host::stale_translations(), 0U);
    mm::leave_kernel();
    EXPECT_EQ(mm::host::full_flushes(), before);
}

TEST_F(FlushTest, WhoeverComesInHasForgottenBeforeItTouchesMemory) {
    ASSERT_TRUE(space->unmap(at(0), page).ok());
    {
        const On on{second};
        mm::enter_kernel();
    }
    EXPECT_EQ(stale(), 0U);
    ASSERT_TRUE(space->unmap(at(0), 40 * page).ok());
    const On on{second};
    mm::leave_kernel();
}

TEST_F(FlushTest, WhoStoodStillForgetsWhatOthersChangedMeanwhile) {
    const On on{second};
    mm::enter_kernel();
    mm::let_others_in(machine::Mode::kernel, [this] {
        EXPECT_EQ(second.mode, machine::Mode::kernel);
        EXPECT_FALSE(machine::kernel_lock.is_held());
        const On first{machine::first_host_cpu};
        ASSERT_TRUE(space->unmap(at(0), page).ok());
    });
    EXPECT_EQ(mm::host::stale_translations(), 0U);
    EXPECT_TRUE(machine::kernel_lock.is_held());
    mm::leave_kernel();
    EXPECT_EQ(second.mode, machine::Mode::user);
}

TEST_F(FlushTest, ACpuOnTheKernelsTablesHasNothingToForget) {
    const On on{second};
    mm::enter_kernel();
    mm::leave_spaces();
    const std::uint64_t before = mm::host::full_flushes();
    mm::let_others_in(machine::Mode::idle, [this] {
        EXPECT_EQ(second.mode, machine::Mode::idle);
        const On first{machine::first_host_cpu};
        ASSERT_TRUE(space->unmap(at(0), page).ok());
    });
    EXPECT_EQ(mm::host::full_flushes(), before);
    space->activate();
    EXPECT_EQ(mm::host::stale_translations(), 0U);
    mm::leave_kernel();
    EXPECT_EQ(mm::host::full_flushes(), before) << "what was seen is told by whoever goes there";
}

// Both run, and the second answers when it is interrupted in a program.
struct TwoCpusTest : FlushTest {
    TwoCpusTest() {
        machine::cpus = {&machine::first_host_cpu, &second};
        machine::cpu_count = 2;
        second.number = 1;
        second.mode = machine::Mode::user;
        mm::host::interrupted = [this](machine::Cpu& cpu, unsigned vector) {
            EXPECT_EQ(&cpu, &second);
            EXPECT_EQ(vector, machine::flush_vector);
            EXPECT_TRUE(machine::kernel_lock.is_held());
            ++interrupts;
            const On on{cpu};
            mm::answer_flush();
        };
        machine::kernel_lock.take();
    }
    ~TwoCpusTest() override {
        machine::kernel_lock.drop();
        machine::cpu_count = 0;
    }
    unsigned interrupts = 0;
};

TEST_F(TwoCpusTest, ACpuInAProgramIsInterruptedOnceACall) {
    ASSERT_TRUE(space->unmap(at(0), 40 * page).ok()); // pages, and the table that showed them
    EXPECT_EQ(stale(), 0U);
    EXPECT_EQ(interrupts, 1U);
    EXPECT_EQ(second.interrupts[static_cast<unsigned>(machine::Interrupt::flush)], 1U);
}

TEST_F(TwoCpusTest, ACopyThatIsNoLongerSharedIsForgottenThereToo) {
    AddressSpace child;
    ASSERT_TRUE(child.create().ok());
    ASSERT_TRUE(child.copy_from(*space, [] {}).ok());
    EXPECT_EQ(stale(), 0U);
    EXPECT_EQ(interrupts, 1U);
    ASSERT_EQ(put(at(0), 3), Fault::resolved);
    EXPECT_EQ(stale(), 0U);
    EXPECT_EQ(interrupts, 2U);
}

TEST_F(TwoCpusTest, ACpuInTheKernelIsLeftAlone) {
    second.mode = machine::Mode::kernel;
    ASSERT_TRUE(space->protect(at(0), page, r).ok());
    EXPECT_EQ(interrupts, 0U);
}

TEST_F(TwoCpusTest, ACpuInAnotherSpaceIsLeftAlone) {
    AddressSpace other;
    ASSERT_TRUE(other.create().ok());
    {
        const On on{second};
        other.activate();
    }
    ASSERT_TRUE(space->unmap(at(0), 40 * page).ok());
    EXPECT_EQ(interrupts, 0U);
    const On on{second};
    mm::leave_spaces();
}

TEST_F(TwoCpusTest, NewPagesInterruptNobody) {
    for (std::uint64_t i = 1; i < 40; ++i)
        ASSERT_EQ(put(at(i), 1), Fault::resolved);
    EXPECT_EQ(interrupts, 0U);
}

TEST_F(TwoCpusTest, AccessesAreOrderedByOneInterrupt) {
    mm::order_accesses(*space);
    EXPECT_EQ(interrupts, 1U);
}

TEST_F(TwoCpusTest, APageThatAnotherCpuMadePresentIsNoFault) {
    ASSERT_TRUE(map(50, 1, rw).ok());
    ASSERT_EQ(put(at(50), 1), Fault::resolved);
    ASSERT_EQ(space->handle_fault(at(50), mm::Access::write), Fault::resolved);
    EXPECT_EQ(interrupts, 0U);
    EXPECT_EQ(get(at(50)), 1);
}

} // namespace
