// SPDX-License-Identifier: Apache-2.0
// Address spaces: single behaviours, and random operations against a model of pages that knows nothing of
// ranges, tables or frames.
#include "partitions/unikernel/mm/space_fixture.hpp"

#include <array>
#include <memory>
#include <random>

namespace {

using namespace uk::mm::test;

TEST_F(SpaceTest, MemoryIsZeroThenWhatIsWritten) {
    ASSERT_TRUE(map(0, 4, rw).ok());
    EXPECT_EQ(get(at(2) + 5), 0);
    EXPECT_EQ(put(at(2) + 5, 7), Fault::resolved);
    EXPECT_EQ(get(at(2) + 5), 7);
    EXPECT_EQ(get(at(4)), -static_cast<int>(Fault::unmapped));
    EXPECT_EQ(space->resident_pages(), 1u);
    ASSERT_TRUE(space->discard(at(0), 4 * page).ok());
    EXPECT_EQ(get(at(2) + 5), 0);
}

TEST_F(SpaceTest, APageWithoutRightsIsNotPresent) {
    ASSERT_TRUE(map(0, 2, rw).ok());
    ASSERT_EQ(put(at(0), 1), Fault::resolved);
    ASSERT_TRUE(space->protect(at(0), 2 * page, none).ok());
    EXPECT_FALSE(mm::host::look(*space, at(0)).present); // for the kernel's copies neither
    EXPECT_EQ(get(at(0)), -static_cast<int>(Fault::denied));
    ASSERT_TRUE(space->protect(at(0), 2 * page, rw).ok());
    EXPECT_EQ(get(at(0)), 1);
}

TEST_F(SpaceTest, DiscardKeepsSharedMemory) {
    fs::Node shared{2};
    ASSERT_TRUE(map(0, 2, rw, &shared, true).ok());
    ASSERT_EQ(put(at(1), 9), Fault::resolved);
    ASSERT_TRUE(space->discard(at(0), 2 * page).ok());
    EXPECT_EQ(space->resident_pages(), 0u);
    EXPECT_EQ(get(at(1)), 9);
    space.reset();
}

TEST_F(SpaceTest, AHoleShowsWhatIsWrittenLater) {
    fs::Node file{3};
    ASSERT_TRUE(map(0, 3, rw, &file).ok());
    ASSERT_TRUE(map(8, 3, r, &file, true).ok());
    EXPECT_EQ(get(at(1)) + get(at(9)), 0);
    file.write(1, 5);
    EXPECT_EQ(get(at(1)), 5);
    EXPECT_EQ(get(at(9)), 5);
    ASSERT_EQ(put(at(1), 6), Fault::resolved);
    file.write(1, 7);
    EXPECT_EQ(get(at(1)), 6); // a private copy
    EXPECT_EQ(get(at(9)), 7);
    file.cut(1);
    EXPECT_EQ(get(at(1)), -static_cast<int>(Fault::past_end)); // even that
    space.reset();
}

TEST_F(SpaceTest, AStackGrowsToItsLimitAndKeepsItsDistance) {
    MapRequest request;
    request.address = at(1000);
    request.bytes = page;
    request.protection = rw;
    request.fixed = request.grows_down = true;
    ASSERT_TRUE(space->map(request).ok());
    space->limits.stack = 500 * page;
    EXPECT_EQ(put(at(900), 1), Fault::resolved);
    EXPECT_EQ(put(at(500), 1), Fault::unmapped);
    ASSERT_TRUE(map(600, 1, rw).ok());
    EXPECT_EQ(put(at(700), 1), Fault::unmapped); // less than 256 pages to a neighbour
    ASSERT_TRUE(space->protect(at(600), page, none).ok());
    EXPECT_EQ(put(at(700), 1), Fault::resolved); // a guard page is none
    EXPECT_EQ(space->ranges().find(at(700))->start, at(700));
    EXPECT_EQ(space->protect(at(1000), page, r, true).ok(), true);
    EXPECT_EQ(put(at(700), 1), Fault::denied);
}

TEST_F(SpaceTest, ProtectStopsAtAHole) {
    ASSERT_TRUE(map(0, 2, rw).ok());
    ASSERT_TRUE(map(3, 2, rw).ok());
    EXPECT_EQ(space->protect(at(0), 5 * page, r).error(), Errno::nomem);
    EXPECT_EQ(space->ranges().find(at(0))->protection, r);
    EXPECT_EQ(space->ranges().find(at(3))->protection, rw);
    EXPECT_EQ(space->protect(at(2), page, r).error(), Errno::nomem);
}

TEST_F(SpaceTest, ProtectRefusesToWriteASharedFileThatIsOnlyRead) {
    fs::Node file{4};
    MapRequest request;
    request.address = at(2);
    request.bytes = 2 * page;
    request.protection = r;
    request.fixed = request.shared = true;
    request.node = &file;
    ASSERT_TRUE(map(0, 2, r).ok());
    ASSERT_TRUE(space->map(request).ok());
    EXPECT_EQ(space->protect(at(0), 4 * page, rw).error(), Errno::acces);
    EXPECT_EQ(space->ranges().find(at(0))->protection, rw); // what lies before it is changed
    EXPECT_EQ(space->ranges().find(at(2))->protection, r);
    space.reset();
}

TEST_F(SpaceTest, LimitsHold) {
    ASSERT_TRUE(map(0, 8, rw).ok());
    space->limits.data = 10 * page;
    EXPECT_EQ(map(20, 4, rw).error(), Errno::nomem);
    EXPECT_TRUE(map(20, 4, r).ok());
    EXPECT_EQ(space->protect(at(20), 4 * page, rw).error(), Errno::nomem);
    space->limits.total = 13 * page;
    EXPECT_EQ(map(40, 4, r).error(), Errno::nomem);
    EXPECT_TRUE(map(20, 4, r).ok()); // in place of as much
    EXPECT_EQ(space->remap({at(0), 8 * page, 12 * page}).error(), Errno::nomem);
    space->limits.locked = 3 * page;
    MapRequest request;
    request.address = at(30);
    request.bytes = page;
    request.fixed = request.locked = true;
    request.protection = r;
    EXPECT_TRUE(space->map(request).ok());
    request.bytes = 4 * page;
    EXPECT_EQ(space->map(request).error(), Errno::again);
    EXPECT_EQ(space->discard(at(30), page).error(), Errno::inval);
    EXPECT_TRUE(space->set_locked(at(30), at(31), false).ok());
    EXPECT_EQ(space->set_locked(at(30), at(33), true).error(), Errno::nomem);
    EXPECT_EQ(space->ranges().locked(), page);
}

TEST_F(SpaceTest, BreakMovesAndGivesBack) {
    space->break_start = space->break_end = at(0);
    EXPECT_EQ(space->set_break(at(3) + 5), at(3) + 5);
    EXPECT_EQ(put(at(3), 1), Fault::resolved);
    EXPECT_EQ(space->set_break(at(1)), at(1));
    EXPECT_EQ(put(at(3), 1), Fault::unmapped);
    EXPECT_EQ(space->set_break(at(0) - 1), at(1));
    ASSERT_TRUE(map(6, 1, r).ok());
    EXPECT_EQ(space->set_break(at(8)), at(1));
    space->limits.data = 2 * page;
    EXPECT_EQ(space->set_break(at(4)), at(1));
}

TEST_F(SpaceTest, UnmappingWhatIsHugeAndEmptyCostsNothing) {
    ASSERT_TRUE(map(0, 1, rw).ok());
    ASSERT_EQ(put(at(0), 1), Fault::resolved);
    MapRequest request;
    request.address = 0x100000000000;
    request.bytes = std::uint64_t{1} << 45;
    request.protection = rw;
    request.fixed = true;
    for (int i = 0; i < 20000; ++i) {
        ASSERT_TRUE(space->map(request).ok());
        ASSERT_TRUE(space->unmap(request.address, request.bytes).ok());
    }
    EXPECT_EQ(space->table_pages(), 3u);
    EXPECT_EQ(get(at(0)), 1);
}

TEST_F(SpaceTest, TablesGoWithTheRangesThatNeededThem) {
    for (std::uint64_t i = 0; i < 8; ++i) {
        MapRequest request;
        request.address = (i + 1) << 39;
        request.bytes = page;
        request.protection = rw;
        request.fixed = true;
        ASSERT_TRUE(space->map(request).ok());
        ASSERT_EQ(put(request.address, 1), Fault::resolved);
    }
    EXPECT_EQ(space->table_pages(), 24u);
    ASSERT_TRUE(space->unmap(std::uint64_t{3} << 39, page).ok());
    EXPECT_EQ(space->table_pages(), 21u);
    ASSERT_TRUE(space->unmap(0x10000, 0x7fffffff0000 - 0x10000).ok());
    EXPECT_EQ(space->table_pages(), 0u);
    EXPECT_EQ(mm::frame_counts().free + 1, mm::frame_counts().total); // the top level
}

TEST_F(SpaceTest, OneFrameManyTimes) {
    fs::Node file{1};
    for (std::uint64_t i = 0; i < 65530; ++i) {
        ASSERT_TRUE(map(i * 2, 1, rw, &file, true).ok()) << i;
        if (i % 64 == 0) {
            ASSERT_EQ(get(at(i * 2)), 0);
        }
    }
    EXPECT_EQ(map(65530 * 2, 1, rw, &file, true).error(), Errno::nomem);
    EXPECT_EQ(file.references, 65530);
    space.reset();
    EXPECT_EQ(file.references, 0);
}

TEST_F(SpaceTest, ACopiedPageIsForgottenAlone) {
    fs::Node file{4};
    for (std::uint64_t i = 0; i < 4; ++i)
        file.pages[i].image = mm::host::image_page(3);
    ASSERT_TRUE(map(0, 4, rw, &file).ok());
    for (std::uint64_t i = 0; i < 4; ++i)
        ASSERT_EQ(get(at(i)), 3);
    const auto before = mm::host::full_flushes();
    ASSERT_EQ(put(at(1), 8), Fault::resolved);
    EXPECT_EQ(mm::host::full_flushes(), before);
    EXPECT_EQ(get(at(1)), 8);
    EXPECT_EQ(get(at(2)), 3);
    space.reset();
}

TEST_F(SpaceTest, MovesKeepContentsAndTheOldPlaceGoes) {
    ASSERT_TRUE(map(0, 4, rw).ok());
    ASSERT_EQ(put(at(1), 5), Fault::resolved);
    ASSERT_TRUE(map(4, 1, r).ok());
    mm::RemapRequest request{at(0), 4 * page, 8 * page};
    EXPECT_EQ(space->remap(request).error(), Errno::nomem);
    request.may_move = true;
    const auto moved = space->remap(request);
    ASSERT_TRUE(moved.ok());
    EXPECT_EQ(get(*moved + page), 5);
    EXPECT_EQ(get(*moved + 7 * page), 0);
    EXPECT_EQ(get(at(1)), -static_cast<int>(Fault::unmapped));
    mm::RemapRequest keep{*moved, 2 * page, 2 * page, 0, true, false, true};
    const auto second = space->remap(keep);
    ASSERT_TRUE(second.ok());
    EXPECT_EQ(get(*second + page), 5);
    EXPECT_EQ(get(*moved + page), 0); // still mapped, empty
    mm::RemapRequest over{*second, 2 * page, 2 * page, at(4), true, true, false};
    ASSERT_EQ(space->remap(over).value(), at(4));
    EXPECT_EQ(get(at(5)), 5);
    over = {at(4), 2 * page, 2 * page, at(5), true, true, false};
    EXPECT_EQ(space->remap(over).error(), Errno::inval); // onto itself
}

TEST_F(SpaceTest, OldSizeZeroShowsSharedMemoryAgain) {
    fs::Node shared{2};
    ASSERT_TRUE(map(0, 2, rw, &shared, true).ok());
    ASSERT_EQ(put(at(0), 4), Fault::resolved);
    mm::RemapRequest request{at(0), 0, 2 * page};
    request.may_move = true;
    const auto again = space->remap(request);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(get(*again), 4);
    ASSERT_EQ(put(*again, 6), Fault::resolved);
    EXPECT_EQ(get(at(0)), 6);
    ASSERT_TRUE(map(8, 1, rw).ok());
    request.start = at(8);
    EXPECT_EQ(space->remap(request).error(), Errno::inval);
    space.reset();
}

// ---- Random operations against a model.

struct ModelPage {
    bool mapped = false;
    std::uint8_t protection = 0;
    int file = -1; // index, -1: anonymous
    bool shared = false;
    std::uint64_t file_page = 0;
    bool copied = false; // a private value of its own
    std::uint8_t value = 0;
};

class Model : public SpaceTest {
public:
    Model(std::uint64_t frames, unsigned seed) : SpaceTest(frames), random_(seed) {
        for (auto& file : files_)
            file = std::make_unique<fs::Node>(16);
        for (std::uint64_t i = 0; i < 12; ++i)
            files_[1]->pages[i].image = mm::host::image_page(static_cast<std::uint8_t>(i + 1));
    }
    void TestBody() override {}

    void step() {
        const std::uint64_t first = pick(window_pages);
        const std::uint64_t count = std::min(1 + pick(8), window_pages - first);
        const std::uint8_t protection = std::array<std::uint8_t, 4>{none, r, rw, rw}[pick(4)];
        switch (pick(11)) {
        case 0:
            enter(first, count, protection, -1, false);
            break;
        case 1:
            enter(first, count, protection, static_cast<int>(pick(2)), false);
            break;
        case 2:
            enter(first, count, protection, static_cast<int>(pick(2)), true);
            break;
        case 3:
            if (allowed(space->unmap(at(first), count * page)))
                for (std::uint64_t i = first; i < first + count; ++i)
                    pages_[i] = {};
            break;
        case 4:
            protect(first, count, protection);
            break;
        case 5:
            discard(first, count);
            break;
        case 6:
        case 7:
            for (std::uint64_t i = first; i < first + count; ++i)
                write(i, static_cast<std::uint8_t>(pick(255) + 1));
            break;
        case 8:
            write_file(pick(2), pick(16), static_cast<std::uint8_t>(pick(255) + 1));
            break;
        case 9:
            if (pick(4) == 0)
                cut_file(pick(2), pick(17));
            break;
        default:
            move(first, count, pick(window_pages));
            break;
        }
        check();
    }

    void finish() {
        space.reset();
        for (auto& file : files_) {
            EXPECT_EQ(file->references, 0);
            EXPECT_TRUE(file->mappings.empty());
            file.reset();
        }
        EXPECT_LE(mm::frame_counts().total - mm::frame_counts().free, 1u); // the page of zeros
        EXPECT_EQ(mm::host::heap_objects(), 0u);
    }

private:
    std::uint64_t pick(std::uint64_t count) { return random_() % count; }

    // An operation may fail for want of memory, and then changed nothing.
    template <typename T> bool allowed(const T& result) {
        if (!result.ok()) {
            EXPECT_EQ(result.error(), Errno::nomem);
        }
        return result.ok();
    }

    void enter(std::uint64_t first, std::uint64_t count, std::uint8_t protection, int file, bool shared) {
        const std::uint64_t file_page = pick(12);
        fs::Node* node = file < 0 ? nullptr : files_[static_cast<std::size_t>(file)].get();
        if (!allowed(map(first, count, protection, node, shared, file_page)))
            return;
        for (std::uint64_t i = 0; i < count; ++i)
            pages_[first + i] = {true, protection, file, shared, file_page + i, false, 0};
    }

    void protect(std::uint64_t first, std::uint64_t count, std::uint8_t protection) {
        const Status done = space->protect(at(first), count * page, protection);
        std::uint64_t covered = 0;
        while (covered < count && pages_[first + covered].mapped)
            ++covered;
        if (done.ok() || covered < count) {
            EXPECT_EQ(done.ok(), covered == count);
        }
        // Short of memory nothing is changed; at a hole what lies before it is.
        for (std::uint64_t i = first; !done.ok() && i < first + covered; ++i)
            if (space->ranges().find(at(i))->protection != protection)
                return;
        for (std::uint64_t i = first; i < first + covered; ++i)
            pages_[i].protection = protection;
    }

    void discard(std::uint64_t first, std::uint64_t count) {
        bool covered = true;
        for (std::uint64_t i = first; i < first + count; ++i) {
            covered = covered && pages_[i].mapped;
            if (pages_[i].shared)
                continue;
            pages_[i].copied = false;
            pages_[i].value = 0;
        }
        EXPECT_EQ(space->discard(at(first), count * page).ok(), covered);
    }

    // What an access must give.
    Fault expected(const ModelPage& model, bool writing) {
        if (!model.mapped)
            return Fault::unmapped;
        if (writing ? (model.protection & mm::protection::write) == 0 : model.protection == 0)
            return Fault::denied;
        if (model.file >= 0 && !model.copied &&
            model.file_page >= files_[static_cast<std::size_t>(model.file)]->pages.size())
            return Fault::past_end;
        return Fault::resolved;
    }

    std::uint8_t content(const ModelPage& model) {
        if (model.copied || model.file < 0)
            return model.value;
        return files_[static_cast<std::size_t>(model.file)]->value(model.file_page);
    }

    void write(std::uint64_t index, std::uint8_t value) {
        ModelPage& model = pages_[index];
        const Fault fault = mm::host::fill(*space, at(index), value); // so that one value is the page
        if (fault == Fault::out_of_memory)
            return;
        ASSERT_EQ(fault, expected(model, true));
        if (fault != Fault::resolved)
            return;
        if (model.shared)
            return; // the file has it
        model.copied = true;
        model.value = value;
    }

    void write_file(std::uint64_t file, std::uint64_t where, std::uint8_t value) {
        fs::Node& node = *files_[file];
        if (where < node.pages.size() && mm::frame_counts().free > 8)
            node.write(where, value);
    }

    void cut_file(std::uint64_t file, std::uint64_t pages) {
        files_[file]->cut(pages);
        for (ModelPage& model : pages_)
            if (model.file == static_cast<int>(file) && model.file_page >= pages && model.copied)
                model.copied = false;
    }

    void move(std::uint64_t from, std::uint64_t count, std::uint64_t to) {
        if (to + count > window_pages)
            return;
        const mm::RemapRequest request{at(from), count * page, count * page, at(to), true, true, false};
        const mm::Vma* vma = space->ranges().find(at(from));
        const bool whole = vma != nullptr && vma->end >= at(from + count);
        const bool apart = from + count <= to || to + count <= from;
        const auto moved = space->remap(request);
        if (!moved.ok()) {
            if (whole && apart) {
                EXPECT_EQ(moved.error(), Errno::nomem);
            }
            // As on Linux the target may be unmapped by then.
            if (vma != nullptr && apart && space->ranges().is_free(at(to), at(to + count)))
                for (std::uint64_t i = 0; i < count; ++i)
                    pages_[to + i] = {};
            return;
        }
        EXPECT_TRUE(whole && apart);
        for (std::uint64_t i = 0; i < count; ++i) {
            pages_[to + i] = pages_[from + i];
            pages_[from + i] = {};
        }
    }

    void check() {
        ASSERT_TRUE(space->ranges().sound());
        ASSERT_EQ(mm::host::stale_translations(), 0u);
        for (std::uint64_t i = 0; i < window_pages; ++i) {
            std::uint8_t value = 0;
            const Fault fault = mm::host::read(*space, at(i) + pick(page), value);
            if (fault == Fault::out_of_memory)
                continue;
            ASSERT_EQ(fault, expected(pages_[i], false)) << i;
            if (fault == Fault::resolved) {
                ASSERT_EQ(value, content(pages_[i])) << i;
            }
        }
        std::uint64_t resident = 0;
        for (const mm::Vma& vma : space->ranges())
            resident += space->resident_in(vma);
        ASSERT_EQ(resident, space->resident_pages());
        ASSERT_EQ(mm::host::stale_translations(), 0u);
    }

    std::mt19937 random_;
    std::array<std::unique_ptr<fs::Node>, 2> files_;
    std::array<ModelPage, window_pages> pages_{};
};

TEST(SpaceModel, RandomOperationsAgree) {
    for (unsigned seed = 1; seed <= 12 && !::testing::Test::HasFailure(); ++seed) {
        SCOPED_TRACE(seed);
        Model model{4096, seed};
        for (int step = 0; step < 300 && !::testing::Test::HasFailure(); ++step) {
            SCOPED_TRACE(step);
            model.step();
        }
        model.finish();
    }
}

// Down to the last page: everything either happens or leaves things as they were.
TEST(SpaceModel, RandomOperationsAgreeWithLittleMemory) {
    for (std::uint64_t frames = 16; frames < 100 && !::testing::Test::HasFailure(); frames += 3) {
        SCOPED_TRACE(frames);
        Model model{frames, static_cast<unsigned>(frames)};
        mm::host::limit_heap(frames / 4);
        for (int step = 0; step < 150 && !::testing::Test::HasFailure(); ++step) {
            SCOPED_TRACE(step);
            model.step();
        }
        model.finish();
    }
}

} // namespace
