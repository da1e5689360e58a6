// SPDX-License-Identifier: Apache-2.0
// Address spaces and frames: what is refused, and with which error.
#include "partitions/unikernel/base/ref.hpp"
#include "partitions/unikernel/mm/host_seam.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

namespace {

using namespace uk;
using mm::AddressSpace;
using mm::Fault;
using mm::MapRequest;
using mm::RemapRequest;
constexpr std::uint64_t page = 4096, base_address = 0x10000000;
constexpr std::uint8_t r = mm::protection::read, rw = r | mm::protection::write,
                       rx = r | mm::protection::execute;

struct SpaceErrors : ::testing::Test {
    SpaceErrors() {
        mm::host::make_arena(256);
        space = Ref<AddressSpace>{AddressSpace::make()};
        space->mmap_top = base_address + 1000 * page;
        space->activate();
    }
    static MapRequest request(std::uint64_t address, std::uint64_t bytes, std::uint8_t protection = rw) {
        MapRequest out;
        out.address = address;
        out.bytes = bytes;
        out.protection = protection;
        out.fixed = true;
        return out;
    }
    Errno map_error(const MapRequest& wanted) { return space->map(wanted).error(); }
    Errno remap_error(const RemapRequest& wanted) { return space->remap(wanted).error(); }
    // Frames until there is none.
    static std::vector<mm::PhysAddr> take_all() {
        std::vector<mm::PhysAddr> all;
        while (const auto frame = mm::allocate_frame(mm::Fill::none))
            all.push_back(*frame);
        return all;
    }
    Ref<AddressSpace> space;
};

TEST_F(SpaceErrors, OfMap) {
    EXPECT_EQ(map_error(request(base_address, 0)), Errno::inval);
    EXPECT_EQ(map_error(request(base_address, ~std::uint64_t{0})), Errno::nomem);
    EXPECT_EQ(map_error(request(base_address, std::uint64_t{1} << 47)), Errno::nomem);
    EXPECT_EQ(map_error(request(base_address + 1, page)), Errno::inval);
    EXPECT_EQ(map_error(request(0x1000, page)), Errno::perm);
    EXPECT_EQ(map_error(request(mm::user_end, page)), Errno::nomem);
    EXPECT_EQ(map_error(request(mm::user_end - page, 2 * page)), Errno::nomem);
    ASSERT_TRUE(space->map(request(base_address, 2 * page)).ok());
    MapRequest once = request(base_address + page, 2 * page);
    once.no_replace = true;
    EXPECT_EQ(map_error(once), Errno::exist);
    once.address = base_address + 2 * page;
    EXPECT_TRUE(space->map(once).ok());
    MapRequest anywhere = request(0, 2 * page);
    anywhere.fixed = false;
    EXPECT_EQ(space->map(anywhere).value(), space->mmap_top - 2 * page);
    anywhere.address = base_address + 20 * page + 5; // a hint that is free
    EXPECT_EQ(space->map(anywhere).value(), base_address + 20 * page);
    EXPECT_EQ(space->map(anywhere).value(), space->mmap_top - 4 * page);
    anywhere.bytes = 0x20000000; // only above
    EXPECT_GT(space->map(anywhere).value(), space->mmap_top);
    anywhere.bytes = mm::user_end - 0x100000;
    EXPECT_EQ(map_error(anywhere), Errno::nomem);
}

TEST_F(SpaceErrors, OfUnmapProtectAndDiscard) {
    EXPECT_EQ(space->unmap(base_address + 1, page).error(), Errno::inval);
    EXPECT_EQ(space->unmap(base_address, 0).error(), Errno::inval);
    EXPECT_EQ(space->unmap(mm::user_end, page).error(), Errno::inval);
    EXPECT_TRUE(space->unmap(base_address, page).ok());
    EXPECT_EQ(space->protect(base_address + 1, page, r).error(), Errno::inval);
    EXPECT_EQ(space->protect(mm::user_end, page, r).error(), Errno::nomem);
    EXPECT_TRUE(space->protect(base_address, 0, r).ok());
    EXPECT_EQ(space->protect(base_address, page, r, true).error(), Errno::nomem);
    ASSERT_TRUE(space->map(request(base_address, 2 * page)).ok());
    EXPECT_EQ(space->protect(base_address, page, r, true).error(), Errno::inval); // not one that grows
    EXPECT_EQ(space->discard(base_address + 1, page).error(), Errno::inval);
    EXPECT_EQ(space->discard(mm::user_end, page).error(), Errno::inval);
    EXPECT_EQ(space->discard(base_address, 3 * page).error(), Errno::nomem);
    MapRequest kernel = request(base_address + 8 * page, page, rx);
    kernel.kind = mm::VmaKind::vdso;
    ASSERT_TRUE(space->map(kernel).ok());
    const auto frame = mm::allocate_frame(mm::Fill::zero);
    EXPECT_TRUE(space->show_kernel_page(kernel.address, *frame, rx));
    EXPECT_EQ(space->discard(kernel.address, page).error(), Errno::inval);
    EXPECT_TRUE(space->protect(base_address, page, rx).ok());
    EXPECT_TRUE(space->is_resident(kernel.address));
    EXPECT_FALSE(space->is_resident(base_address));
    EXPECT_EQ(remap_error({kernel.address, page, page, 0, true, false, true}), Errno::inval);
    EXPECT_EQ(mm::frame_users(*frame), 1u); // the kernel's own
}

TEST_F(SpaceErrors, OfRemap) {
    ASSERT_TRUE(space->map(request(base_address, 4 * page)).ok());
    EXPECT_EQ(remap_error({base_address + 1, page, page}), Errno::inval);
    EXPECT_EQ(remap_error({base_address, page, 0}), Errno::inval);
    EXPECT_EQ(remap_error({base_address, ~std::uint64_t{0}, page}), Errno::inval);
    EXPECT_EQ(remap_error({base_address, page, ~std::uint64_t{0}}), Errno::inval);
    EXPECT_EQ(remap_error({base_address, page, std::uint64_t{1} << 47}), Errno::inval);
    EXPECT_EQ(remap_error({base_address + 90 * page, page, page}), Errno::fault);
    EXPECT_EQ(remap_error({base_address, mm::user_end, page}), Errno::fault);
    EXPECT_EQ(remap_error({base_address, 5 * page, 6 * page}), Errno::fault);
    RemapRequest fixed{base_address, page, page, base_address + 10 * page + 1, true, true, false};
    EXPECT_EQ(remap_error(fixed), Errno::inval);
    fixed.target = 0x1000;
    EXPECT_EQ(remap_error(fixed), Errno::perm);
    fixed.target = mm::user_end;
    EXPECT_EQ(remap_error(fixed), Errno::inval);
    fixed.target = base_address + 10 * page;
    fixed.old_bytes = 3 * page; // shorter at the target: the rest goes
    EXPECT_EQ(space->remap(fixed).value(), fixed.target);
    EXPECT_TRUE(space->ranges().is_free(base_address, base_address + 3 * page));
    EXPECT_EQ(space->remap({base_address + 3 * page, page, 2 * page}).value(), base_address + 3 * page);
    EXPECT_EQ(space->remap({base_address + 3 * page, 2 * page, page}).value(), base_address + 3 * page);
    space->limits.total = space->ranges().total(); // MREMAP_DONTUNMAP takes as much again
    EXPECT_EQ(remap_error({fixed.target, page, page, 0, true, false, true}), Errno::nomem);
}

TEST_F(SpaceErrors, LockedMemory) {
    space->lock_future = true;
    space->limits.locked = 3 * page;
    ASSERT_TRUE(space->map(request(base_address, 2 * page)).ok());
    EXPECT_EQ(space->resident_pages(), 2u); // present at once
    EXPECT_EQ(map_error(request(base_address + 8 * page, 2 * page)), Errno::again);
    EXPECT_EQ(remap_error({base_address, 2 * page, 5 * page}), Errno::again);
    EXPECT_EQ(space->remap({base_address, 2 * page, 3 * page}).value(), base_address);
    EXPECT_EQ(space->resident_pages(), 3u);
    EXPECT_EQ(space->discard(base_address, page).error(), Errno::inval);
    EXPECT_TRUE(space->discard(base_address, page, true).ok());
    EXPECT_EQ(space->resident_pages(), 2u);
    space->lock_future = false;
    ASSERT_TRUE(space->map(request(base_address + 3 * page, page, r)).ok());
    space->limits.locked = 20 * page;
    const auto moved = space->remap({base_address, 3 * page, 6 * page, 0, true});
    ASSERT_TRUE(moved.ok());
    EXPECT_EQ(space->resident_in(*space->ranges().find(*moved)), 6u);
    MapRequest populated = request(base_address + 40 * page, 2 * page, r);
    populated.populate = true;
    ASSERT_TRUE(space->map(populated).ok());
    EXPECT_EQ(space->resident_in(*space->ranges().find(populated.address)), 2u);
}

TEST_F(SpaceErrors, ExecutionAndFilesThatAreOnlyRead) {
    EXPECT_EQ(space->handle_fault(mm::user_end, mm::Access::read), Fault::unmapped);
    EXPECT_EQ(space->handle_fault(base_address, mm::Access::execute), Fault::unmapped);
    ASSERT_TRUE(space->map(request(base_address, page)).ok());
    EXPECT_EQ(space->handle_fault(base_address, mm::Access::execute), Fault::resolved) << "it may be read";
    EXPECT_TRUE(space->is_resident(base_address));
    EXPECT_EQ(space->handle_fault(base_address, mm::Access::execute), Fault::denied);
    EXPECT_EQ(space->handle_fault(base_address, mm::Access::write), Fault::resolved);
    ASSERT_TRUE(space->protect(base_address, page, rx).ok());
    EXPECT_EQ(space->handle_fault(base_address, mm::Access::execute), Fault::resolved);
    EXPECT_EQ(space->populate(base_address, base_address + 2 * page, mm::Access::read), Fault::unmapped);

    fs::Node file{20};
    for (std::uint64_t i = 0; i < 20; ++i)
        file.pages[i].image = mm::host::image_page(static_cast<std::uint8_t>(i + 1));
    MapRequest shared = request(base_address + 32 * page, 8 * page, r);
    shared.shared = true;
    shared.node = &file;
    ASSERT_TRUE(space->map(shared).ok());
    MapRequest copy = request(base_address + 64 * page, 8 * page);
    copy.node = &file;
    copy.offset = 2 * page;
    ASSERT_TRUE(space->map(copy).ok());
    std::uint8_t value = 0;
    EXPECT_EQ(mm::host::read(*space, shared.address + page, value), Fault::resolved);
    EXPECT_EQ(value, 2);
    EXPECT_EQ(mm::host::write(*space, copy.address + page, 99), Fault::resolved); // never read before
    EXPECT_EQ(mm::host::read(*space, copy.address, value), Fault::resolved);
    EXPECT_EQ(value, 3);
    file.write(0, 44); // not shown by the copy
    EXPECT_EQ(mm::host::read(*space, shared.address, value), Fault::resolved);
    EXPECT_EQ(value, 44);
    space = {};
    EXPECT_EQ(file.references, 0);
}

TEST_F(SpaceErrors, TheKernelReadsAndWrites) {
    ASSERT_TRUE(space->map(request(base_address, 2 * page)).ok());
    ASSERT_TRUE(space->map(request(base_address + 2 * page, page, r)).ok());
    std::array<char, 100> out{}, in{};
    std::memset(out.data(), 'x', out.size());
    EXPECT_TRUE(space->write_memory(base_address + page - 50, out.data(), out.size()).ok());
    EXPECT_TRUE(space->read_memory(base_address + page - 50, in.data(), in.size()));
    EXPECT_EQ(in, out);
    EXPECT_FALSE(space->read_memory(base_address + 2 * page - 50, in.data(), in.size()));
    EXPECT_EQ(space->write_memory(base_address + 2 * page - 50, out.data(), out.size()).error(),
              Errno::fault);
}

TEST_F(SpaceErrors, OutOfMemory) {
    fs::Node hole{1}, image{1};
    image.pages[0].image = mm::host::image_page(5);
    ASSERT_TRUE(space->map(request(base_address, 4 * page)).ok());
    MapRequest file = request(base_address + 8 * page, page);
    file.node = &hole;
    ASSERT_TRUE(space->map(file).ok());
    file.address = base_address + 9 * page;
    file.node = &image;
    ASSERT_TRUE(space->map(file).ok());
    MapRequest shared = request(base_address + 10 * page, page);
    shared.node = &hole;
    shared.shared = shared.shared_writable = true;
    ASSERT_TRUE(space->map(shared).ok());
    auto all = take_all();
    EXPECT_EQ(space->handle_fault(base_address, mm::Access::write), Fault::out_of_memory); // tables
    EXPECT_FALSE(space->show_kernel_page(std::uint64_t{1} << 40, all[0], r));
    for (int i = 0; i < 3; ++i) {
        mm::release_frame(all.back());
        all.pop_back();
    }
    EXPECT_EQ(space->handle_fault(base_address, mm::Access::write), Fault::out_of_memory); // the page
    EXPECT_EQ(space->handle_fault(base_address + 8 * page, mm::Access::read), Fault::out_of_memory);
    EXPECT_EQ(space->handle_fault(base_address + 8 * page, mm::Access::write), Fault::out_of_memory);
    EXPECT_EQ(space->handle_fault(base_address + 9 * page, mm::Access::write), Fault::out_of_memory);
    EXPECT_EQ(space->handle_fault(base_address + 10 * page, mm::Access::write), Fault::out_of_memory);
    EXPECT_EQ(space->handle_fault(base_address + 9 * page, mm::Access::read), Fault::resolved); // in place
    EXPECT_EQ(space->handle_fault(base_address + 9 * page, mm::Access::write), Fault::out_of_memory);
    EXPECT_EQ(AddressSpace::make(), nullptr);
    mm::host::limit_heap(0);
    EXPECT_EQ(AddressSpace::make(), nullptr);
    mm::host::limit_heap(~std::uint64_t{0});
    // A move whose new tables do not come leaves everything where it is.
    mm::release_frame(all.back());
    all.pop_back();
    EXPECT_EQ(space->handle_fault(base_address, mm::Access::write), Fault::resolved);
    EXPECT_EQ(remap_error({base_address, 4 * page, 4 * page, std::uint64_t{1} << 40, true, true, false}),
              Errno::nomem);
    EXPECT_TRUE(space->is_resident(base_address));
    EXPECT_EQ(space->table_pages(), 3u);
    for (const mm::PhysAddr frame : all)
        mm::release_frame(frame);
    space = {};
}

TEST(Frames, RunsComeFromTheTopAndOnlyWhereThereIsOne) {
    mm::host::make_arena(200);
    const auto run = mm::allocate_frames(100, mm::Fill::zero);
    ASSERT_TRUE(run.has_value());
    EXPECT_EQ(run->value() / page, 101u);
    EXPECT_EQ(mm::frame_data(*run)[100 * page - 1], std::byte{0});
    EXPECT_EQ(mm::allocate_frames(1, mm::Fill::none)->value(), page);
    EXPECT_FALSE(mm::allocate_frames(100, mm::Fill::none).has_value());
    EXPECT_TRUE(mm::allocate_frames(99, mm::Fill::none).has_value());
    EXPECT_FALSE(mm::allocate_frames(2, mm::Fill::none).has_value());
    EXPECT_FALSE(mm::allocate_frame(mm::Fill::none).has_value());
    EXPECT_FALSE(mm::zero_frame().has_value());
    mm::release_frame(*run);
    EXPECT_EQ(mm::allocate_frame(mm::Fill::none)->value(), run->value());
    mm::retain_frame(*run);
    EXPECT_EQ(mm::frame_users(*run), 2u);
    mm::release_frame(*run);
    mm::release_frame(*run);
    EXPECT_EQ(mm::frame_counts().free, 1u);
    EXPECT_EQ(mm::frame_of(mm::frame_data(*run) + 17), *run);
}

} // namespace
