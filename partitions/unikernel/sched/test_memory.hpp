// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/test_memory.hpp - a CPU of the host with a process that has memory of its own and memory that is shown at
// two addresses. Test code only.
#pragma once

#include "partitions/unikernel/fs/host_seam.hpp"
#include "partitions/unikernel/fs/test_tree.hpp"
#include "partitions/unikernel/sched/futex.hpp"
#include "partitions/unikernel/sched/host_seam.hpp"

#include <gtest/gtest.h>

#include <string>

namespace uk::sched::test {

inline constexpr std::uint64_t ms = 1'000'000, page = 4096;
inline constexpr std::uint64_t memory = 0x100000, shared_one = 0x200000, shared_two = 0x300000,
                               no_access = 0x400000;

struct WithMemory : testing::Test {
    fs::test::TestTree files{fs::TreeOptions{}};
    host::Machine machine;
    Ref<fs::Node> node;
    std::string order;

    WithMemory() {
        machine.process.space = Ref<mm::AddressSpace>{mm::AddressSpace::make()};
        machine.process.space->activate();
        auto made = files.tree.make_anonymous(fs::mode::regular | 0600);
        node = std::move(made).value();
        node->size = page;
        map(memory, mm::protection::read | mm::protection::write, false);
        map(no_access, 0, false);
        map(shared_one, mm::protection::read | mm::protection::write, true);
        map(shared_two, mm::protection::read | mm::protection::write, true);
    }
    ~WithMemory() override {
        machine.process.space = {};
        node = {};
    }
    void map(std::uint64_t at, std::uint8_t protection, bool shared) {
        mm::MapRequest request;
        request.address = at;
        request.bytes = page;
        request.protection = protection;
        request.fixed = true;
        request.shared = request.shared_writable = shared;
        request.node = shared ? node.get() : nullptr;
        ASSERT_TRUE(machine.process.space->map(request).ok());
    }
    void join() {
        while (machine.body.next_in_process != nullptr)
            yield();
    }
    static FutexWord word(std::uint64_t at, bool is_private = true) {
        return {mm::UserAddress{at}, is_private};
    }
    static int code(const Status& status) { return status.ok() ? 0 : static_cast<int>(status.error()); }
    // A thread that waits on a word which is 0, and says `name` when it is woken.
    void waiter(char name, FutexWord on, std::uint32_t bits = match_any) {
        machine.start([this, name, on, bits] {
            EXPECT_EQ(code(futex_wait(on, 0, bits, never)), 0);
            order += name;
        });
        yield();
    }
    unsigned wake(FutexWord on, unsigned count, std::uint32_t bits = match_any) {
        const auto woken = futex_wake(on, count, bits);
        EXPECT_TRUE(woken.ok());
        return woken.ok() ? *woken : 0;
    }
};

} // namespace uk::sched::test
