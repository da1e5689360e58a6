// SPDX-License-Identifier: Apache-2.0
// Every interleaving of a change with CPUs that enter and leave guests, against a model of their translation caches.
#include "hypervisor/core/paging/live_table.hpp"

#include <gtest/gtest.h>

#include <type_traits>
#include <vector>

namespace {

using paging::CachedTable;
using paging::Flushed;
using paging::LiveTable;

static_assert(!std::is_default_constructible_v<Flushed> && !std::is_copy_constructible_v<Flushed> &&
                  !std::is_move_constructible_v<Flushed>,
              "nobody but CachedTable makes one, and nobody keeps one for later");

TEST(LiveTable, FlushesBeforeTheFirstEntryAfterAChangeAndAfterALife) {
    LiveTable table;
    table.adopt(base::PhysAddr{0x5000});
    CachedTable one, other;
    unsigned flushes = 0;
    const auto flush = [&] { ++flushes; };
    const auto enter = [&](CachedTable& cached) {
        [[maybe_unused]] const Flushed& proof = cached.up_to_date(table, flush);
    };
    enter(one);
    EXPECT_EQ(flushes, 1u);
    enter(one);
    EXPECT_EQ(flushes, 1u) << "nothing changed";
    enter(other);
    EXPECT_EQ(flushes, 2u) << "each CPU for itself";
    unsigned kicks = 0;
    table.change([](base::PhysAddr root) { EXPECT_EQ(root.value(), 0x5000u); }, [&] { ++kicks; });
    EXPECT_EQ(kicks, 1u);
    enter(one);
    enter(other);
    EXPECT_EQ(flushes, 4u);
    one.forget();
    enter(one);
    EXPECT_EQ(flushes, 5u);
}

// A CPU's steps, each one atomic for the model: read the version and flush if it differs; look for a kick, enter (caching
// what memory holds then) ; run (using the cache); leave when kicked.
struct ModelCpu {
    CachedTable cached;
    unsigned in_cache = 0; // 0: nothing; else the entry's value as cached
    enum { outside, proven, inside } where = outside;
    bool kicked = false;
};

struct Model {
    LiveTable table;
    unsigned memory = 1; // the one entry
    bool done = false;   // change() has returned: the old frame may have a new owner
    int changer = 0;     // steps of change(): 0 before, 1 stored, 2 counted and kicked
    std::vector<ModelCpu> cpus;
    bool flush_works = true;

    explicit Model(std::size_t count) : cpus(count) {}

    // False where the CPU cannot make that step now.
    void step_cpu(ModelCpu& cpu) {
        switch (cpu.where) {
        case ModelCpu::outside: {
            cpu.kicked = false;
            [[maybe_unused]] const Flushed& proof = cpu.cached.up_to_date(table, [&] {
                if (flush_works)
                    cpu.in_cache = 0;
            });
            cpu.where = ModelCpu::proven;
            break;
        }
        case ModelCpu::proven:
            if (cpu.kicked) {
                cpu.where = ModelCpu::outside;
                break;
            }
            if (cpu.in_cache == 0)
                cpu.in_cache = memory;
            cpu.where = ModelCpu::inside;
            break;
        case ModelCpu::inside:
            if (cpu.kicked)
                cpu.where = ModelCpu::outside;
            break;
        }
    }
    void step_changer() {
        if (changer == 0) {
            memory = 2;
            changer = 1;
        } else if (changer == 1) {
            table.change([](base::PhysAddr) {},
                         [&] {
                             for (ModelCpu& cpu : cpus)
                                 cpu.kicked = true;
                         });
            changer = 2;
        } else if (changer == 2) {
            for (const ModelCpu& cpu : cpus)
                if (cpu.kicked && cpu.where != ModelCpu::outside)
                    return; // still waiting for it
            done = true;
        }
    }
    [[nodiscard]] bool stale() const {
        for (const ModelCpu& cpu : cpus)
            if (done && cpu.where == ModelCpu::inside && cpu.in_cache == 1)
                return true;
        return false;
    }
};

// All schedules of `length` steps over the changer and two CPUs; whether one of them used a translation that is gone.
bool some_schedule_is_stale(bool flush_works) {
    constexpr unsigned length = 10, actors = 3;
    unsigned schedules = 1;
    for (unsigned i = 0; i < length; ++i)
        schedules *= actors;
    for (unsigned schedule = 0; schedule < schedules; ++schedule) {
        Model model{2};
        model.flush_works = flush_works;
        unsigned rest = schedule;
        for (unsigned i = 0; i < length; ++i, rest /= actors) {
            if (rest % actors == 0)
                model.step_changer();
            else
                model.step_cpu(model.cpus[rest % actors - 1]);
            if (model.stale())
                return true;
        }
    }
    return false;
}

TEST(LiveTable, NoScheduleUsesATranslationThatIsGone) {
    EXPECT_FALSE(some_schedule_is_stale(true));
    EXPECT_TRUE(some_schedule_is_stale(false)) << "the model would not notice a missing flush";
}

} // namespace
