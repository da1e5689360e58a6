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
    void look() {
        const On on{second};
        mm::look_at_generation();
    }
    machine::Cpu second{};
};

TEST_F(FlushTest, AnotherCpuForgetsOnItsWay) {
    ASSERT_TRUE(space->unmap(at(0), page).ok());
    EXPECT_EQ(mm::host::stale_translations(), 0U) << "who changed it forgot at once";
    EXPECT_EQ(stale(), 1U) << "the other has not come by";
    const std::uint64_t before = mm::host::full_flushes();
    look();
    EXPECT_EQ(stale(), 0U);
    EXPECT_EQ(mm::host::full_flushes(), before + 1);
    look();
    EXPECT_EQ(mm::host::full_flushes(), before + 1) << "once is enough";
}

TEST_F(FlushTest, RightsThatWereTakenAreForgotten) {
    ASSERT_TRUE(space->protect(at(0), page, r).ok());
    EXPECT_EQ(stale(), 1U);
    look();
    EXPECT_EQ(stale(), 0U);
}

TEST_F(FlushTest, ForkAndTheCopyAfterItAreTwoChanges) {
    AddressSpace child;
    ASSERT_TRUE(child.create().ok());
    ASSERT_TRUE(child.copy_from(*space, [] {}).ok());
    EXPECT_EQ(stale(), 1U);
    look();
    EXPECT_EQ(stale(), 0U);
    {
        const On on{second};
        EXPECT_EQ(get(at(0)), 2); // remembers the frame that is the child's from now on
    }
    ASSERT_EQ(put(at(0), 3), Fault::resolved);
    EXPECT_EQ(stale(), 1U);
    look();
    EXPECT_EQ(stale(), 0U);
    const On on{second};
    EXPECT_EQ(get(at(0)), 3);
}

TEST_F(FlushTest, NewPagesAreNothingToForget) {
    const std::uint64_t before = mm::host::full_flushes();
    for (std::uint64_t i = 1; i < 40; ++i)
        ASSERT_EQ(put(at(i), 1), Fault::resolved);
    look();
    EXPECT_EQ(mm::host::full_flushes(), before);
}

TEST_F(FlushTest, ItsOwnChangesDoNotMakeACpuForgetAll) {
    for (std::uint64_t i = 0; i < 20; ++i)
        ASSERT_EQ(put(at(i), 1), Fault::resolved);
    const std::uint64_t before = mm::host::full_flushes();
    ASSERT_TRUE(space->protect(at(0), 20 * page, r).ok());
    mm::look_at_generation();
    EXPECT_EQ(mm::host::full_flushes(), before);
    EXPECT_EQ(mm::host::stale_translations(), 0U);
}

} // namespace
