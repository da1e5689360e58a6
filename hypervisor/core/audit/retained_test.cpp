// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/audit/start_retained.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace {

// A machine's memory and its caches: what a reset leaves is what was flushed.
struct Machine {
    alignas(64) std::array<std::byte, 64 + 100> cached{}, memory{};
    std::uint64_t flushes = 0;
    std::uint64_t reset_at = ~std::uint64_t{0}; // nothing reaches memory after so many flushes
};
Machine* machine = nullptr;

struct Flush {
    void operator()(const void* byte) const {
        if (machine->flushes++ >= machine->reset_at)
            return;
        const auto at =
            static_cast<std::size_t>(static_cast<const std::byte*>(byte) - machine->cached.data());
        const std::size_t line = at / 64 * 64;
        std::memcpy(machine->memory.data() + line, machine->cached.data() + line,
                    std::min<std::size_t>(64, machine->cached.size() - line));
    }
};

audit::RetainedLog<Flush> begun() {
    audit::RetainedLog<Flush> log;
    auto& head = *static_cast<audit::RetainedHead*>(static_cast<void*>(machine->cached.data()));
    head = audit::new_head(machine->cached);
    Flush{}(&head);
    log.head = &head;
    log.ring = std::span{machine->cached}.subspan(sizeof head);
    return log;
}
std::string text_of(std::span<const std::byte> bytes) {
    std::string out;
    for (const std::byte byte : bytes)
        out += static_cast<char>(byte);
    return out;
}
std::optional<std::string> kept() {
    const auto found = audit::find_retained(machine->memory);
    if (!found)
        return std::nullopt;
    return text_of(found->older) + text_of(found->newer);
}
std::string said(std::size_t bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes; ++i)
        out += static_cast<char>('a' + i % 23);
    return out;
}

TEST(Retained, TheLastBytesAreThereWhenTheMachineIsResetAtAnyStore) {
    for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{99}, std::size_t{100},
                                    std::size_t{101}, std::size_t{1234}}) {
        for (std::uint64_t reset = 1; reset <= 1 + 2 * bytes; ++reset) {
            Machine one;
            machine = &one;
            one.reset_at = reset;
            auto log = begun();
            const std::string all = said(bytes);
            for (const char c : all)
                log.put(static_cast<std::uint8_t>(c));
            const auto found = kept();
            ASSERT_TRUE(found);
            // What the head counted; beside that only the byte that was about to be counted can have changed: the oldest.
            const std::size_t counted = (reset - 1) / 2;
            std::string expected = all.substr(counted - std::min<std::size_t>(counted, 100),
                                              std::min<std::size_t>(counted, 100));
            if (reset % 2 == 0 && counted >= 100)
                expected[0] = all[counted];
            EXPECT_EQ(*found, expected) << bytes << ' ' << reset;
        }
    }
}

TEST(Retained, AnythingElseInThatMemoryIsNone) {
    Machine one;
    machine = &one;
    EXPECT_FALSE(kept());
    auto log = begun();
    log.put('x');
    EXPECT_EQ(kept(), "x");
    for (std::size_t bit = 0; bit < 8 * offsetof(audit::RetainedHead, written); ++bit) {
        one.memory[bit / 8] ^= std::byte{1} << bit % 8;
        EXPECT_FALSE(kept()) << bit;
        one.memory[bit / 8] ^= std::byte{1} << bit % 8;
    }
    EXPECT_FALSE(audit::find_retained(std::span<const std::byte>{one.memory}.first(120)))
        << "of another size";
    // A count that is damaged, or that somebody made up, leads nowhere else.
    for (int bit = 0; bit < 64; ++bit) {
        const std::uint64_t written = std::uint64_t{1} << bit;
        std::memcpy(one.memory.data() + offsetof(audit::RetainedHead, written), &written, sizeof written);
        ASSERT_TRUE(kept());
        EXPECT_LE(kept()->size(), 100u);
    }
}

TEST(Retained, WithoutARegionNothingIsKept) {
    audit::RetainedLog<Flush> log;
    log.put('x'); // touches nothing: there is no machine
    Machine one;
    machine = &one;
    log.put('x');
    EXPECT_FALSE(kept());
}

} // namespace
