// SPDX-License-Identifier: Apache-2.0
// Children by fork: what each sees, and that every frame comes back.
#include "partitions/unikernel/mm/space_fixture.hpp"

#include <array>
#include <memory>
#include <random>
#include <vector>

namespace {

using namespace uk::mm::test;

// A child of `parent` by fork, in force while it lives.
struct Child {
    explicit Child(AddressSpace& parent) {
        EXPECT_TRUE(space.create().ok());
        status = space.copy_from(parent, [] {});
    }
    int get(std::uint64_t address) {
        std::uint8_t value = 0;
        space.activate();
        const Fault fault = mm::host::read(space, address, value);
        return fault == Fault::resolved ? value : -static_cast<int>(fault);
    }
    Fault put(std::uint64_t address, std::uint8_t value) {
        space.activate();
        return mm::host::write(space, address, value);
    }
    AddressSpace space;
    Status status = base::success;
};

TEST_F(SpaceTest, AChildHasACopyAndWritesItsOwn) {
    ASSERT_TRUE(map(0, 4, rw).ok());
    ASSERT_EQ(put(at(0), 1), Fault::resolved);
    ASSERT_EQ(put(at(1), 2), Fault::resolved);
    const auto before = mm::frame_counts().free;
    {
        Child child{*space};
        ASSERT_TRUE(child.status.ok());
        EXPECT_EQ(before - mm::frame_counts().free, 4u); // the tables; no page is copied
        EXPECT_EQ(child.space.resident_pages(), 2u);
        EXPECT_EQ(child.get(at(0)), 1);
        ASSERT_EQ(child.put(at(0), 9), Fault::resolved);
        EXPECT_EQ(child.get(at(0)), 9);
        space->activate();
        EXPECT_EQ(get(at(0)), 1);
        ASSERT_EQ(put(at(1), 8), Fault::resolved);
        EXPECT_EQ(child.get(at(1)), 2);
        EXPECT_EQ(child.get(at(2)), 0); // never touched by either
        space->activate();
    }
    EXPECT_EQ(mm::frame_counts().free, before);
    // Alone again: the next write copies nothing.
    ASSERT_EQ(put(at(0), 5), Fault::resolved);
    EXPECT_EQ(mm::frame_counts().free, before);
    EXPECT_EQ(get(at(0)), 5);
    EXPECT_EQ(mm::host::stale_translations(), 0u);
}

TEST_F(SpaceTest, TheParentForgetsThatItCouldWrite) {
    ASSERT_TRUE(map(0, 2, rw).ok());
    ASSERT_EQ(put(at(0), 1), Fault::resolved);
    ASSERT_EQ(put(at(0), 2), Fault::resolved); // the CPU remembers a page that can be written
    Child child{*space};
    EXPECT_FALSE(mm::host::look(*space, at(0)).writable);
    ASSERT_EQ(put(at(0), 3), Fault::resolved);
    EXPECT_EQ(child.get(at(0)), 2);
    space->activate();
}

TEST_F(SpaceTest, SharedMemoryStaysShared) {
    fs::Node shared{2}, file{2};
    file.write(0, 4);
    ASSERT_TRUE(map(0, 2, rw, &shared, true).ok());
    ASSERT_TRUE(map(4, 2, rw, &file).ok());
    ASSERT_EQ(put(at(0), 7), Fault::resolved);
    EXPECT_EQ(get(at(4)), 4);
    {
        Child child{*space};
        EXPECT_EQ(child.get(at(0)), 7);
        ASSERT_EQ(child.put(at(0), 8), Fault::resolved);
        ASSERT_EQ(child.put(at(1), 9), Fault::resolved);
        ASSERT_EQ(child.put(at(4), 5), Fault::resolved); // a private copy of the file's page
        space->activate();
        EXPECT_EQ(get(at(0)), 8);
        EXPECT_EQ(get(at(1)), 9);
        EXPECT_EQ(get(at(4)), 4);
    }
    EXPECT_EQ(file.value(0), 4);
    ASSERT_TRUE(space->unmap(at(0), 8 * page).ok());
}

TEST_F(SpaceTest, WhatIsNotForked) {
    ASSERT_TRUE(map(0, 6, rw).ok());
    for (unsigned i = 0; i < 6; ++i)
        ASSERT_EQ(put(at(i), 1), Fault::resolved);
    ASSERT_TRUE(space->set_on_fork(at(1), at(2), mm::OnFork::leave_out).ok());
    ASSERT_TRUE(space->set_on_fork(at(3), at(4), mm::OnFork::wipe).ok());
    ASSERT_TRUE(space->set_locked(at(5), at(6), true).ok());
    Child child{*space};
    EXPECT_EQ(child.get(at(0)), 1);
    EXPECT_EQ(child.get(at(1)), -static_cast<int>(Fault::unmapped));
    EXPECT_EQ(child.get(at(3)), 0);
    EXPECT_EQ(child.get(at(5)), 1);
    EXPECT_EQ(child.space.ranges().locked(), 0u);
    EXPECT_TRUE(child.space.ranges().sound());
    space->activate();
}

struct FewFramesToFork : SpaceTest {
    FewFramesToFork() : SpaceTest(40) {}
};

TEST_F(FewFramesToFork, AForkThatFailsLeavesNothing) {
    ASSERT_TRUE(map(0, 8, rw).ok());
    for (unsigned i = 0; i < 8; ++i)
        ASSERT_EQ(put(at(i), 3), Fault::resolved);
    std::vector<mm::PhysAddr> taken;
    while (mm::frame_counts().free > 3) // a root and two of the three tables
        taken.push_back(*mm::allocate_frame(mm::Fill::none));
    const auto before = mm::frame_counts().free;
    {
        Child child{*space};
        EXPECT_EQ(child.status.error(), Errno::nomem);
        EXPECT_EQ(child.space.resident_pages(), 0u);
    }
    EXPECT_EQ(mm::frame_counts().free, before);
    for (const mm::PhysAddr frame : taken)
        mm::release_frame(frame);
    for (unsigned i = 0; i < 8; ++i) {
        EXPECT_EQ(get(at(i)), 3);
        EXPECT_EQ(put(at(i), 4), Fault::resolved);
    }
}

// Generations of children that come and go in any order, each against a model of its own: whatever one writes, the others keep
// what they had, and at the end every frame is back.
TEST_F(SpaceTest, RandomFamilies) {
    constexpr std::uint64_t pages = 12;
    ASSERT_TRUE(map(0, pages, rw).ok());
    const auto before = mm::frame_counts().free;
    struct Member {
        std::unique_ptr<AddressSpace> space;
        std::array<std::uint8_t, pages> model{};
    };
    std::vector<Member> family;
    Member first;
    first.space = std::move(space);
    family.push_back(std::move(first));
    std::mt19937 random{7};
    for (unsigned step = 0; step < 20'000; ++step) {
        const std::size_t who = random() % family.size();
        Member& member = family[who];
        const std::uint64_t where = random() % pages;
        switch (random() % 8) {
        case 0: {
            if (family.size() > 6)
                break;
            Member child;
            child.space = std::make_unique<AddressSpace>();
            ASSERT_TRUE(child.space->create().ok());
            member.space->activate();
            ASSERT_TRUE(child.space->copy_from(*member.space, [] {}).ok());
            child.model = member.model;
            family.push_back(std::move(child));
            break;
        }
        case 1:
            if (family.size() > 1)
                family.erase(family.begin() + static_cast<std::ptrdiff_t>(who));
            break;
        case 2:
            member.space->activate();
            ASSERT_TRUE(member.space->discard(at(where), page).ok());
            member.model[where] = 0;
            break;
        default: {
            member.space->activate();
            std::uint8_t seen = 0;
            ASSERT_EQ(mm::host::read(*member.space, at(where), seen), Fault::resolved);
            ASSERT_EQ(seen, member.model[where]) << "step " << step;
            const auto value = static_cast<std::uint8_t>(random());
            ASSERT_EQ(mm::host::write(*member.space, at(where), value), Fault::resolved);
            member.model[where] = value;
            break;
        }
        }
    }
    family.resize(1);
    space = std::move(family[0].space);
    space->activate();
    ASSERT_TRUE(space->discard(at(0), pages * page).ok());
    EXPECT_GE(mm::frame_counts().free + 3, before); // its own tables
    EXPECT_EQ(mm::host::stale_translations(), 0u);
}

} // namespace
