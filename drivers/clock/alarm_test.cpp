// SPDX-License-Identifier: Apache-2.0
#include "drivers/clock/counters.hpp"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace {

struct FakeDevice {
    struct State {
        std::map<std::uint32_t, std::uint32_t> words;
        std::uint32_t counter = 0, step = 1; // the counter runs by `step` at each look
        std::vector<std::pair<std::uint32_t, std::uint32_t>> written;
    };
    State* state;
    std::uint32_t read32(std::uint32_t offset) const {
        if (offset == 0xf0)
            return state->counter += state->step;
        return state->words[offset];
    }
    std::uint64_t read64(std::uint32_t offset) const {
        return state->words[offset] | std::uint64_t{state->words[offset + 4]} << 32;
    }
    void write32(std::uint32_t offset, std::uint32_t value) const {
        state->words[offset] = value;
        state->written.push_back({offset, value});
    }
    void write64(std::uint32_t, std::uint64_t) const {}
};
using Alarm = drivers::HpetCounter<FakeDevice>;

FakeDevice::State hpet_state() {
    FakeDevice::State state;
    state.words[4] = 10'000'000;   // femtoseconds: 100 MHz
    state.words[0x104] = 0xff0104; // pins 2, 8, 16-23
    state.words[0x10] = 3;         // running, legacy routes
    return state;
}

TEST(HpetAlarm, RoutedToItsFirstPin) {
    FakeDevice::State state = hpet_state();
    const Alarm hpet{FakeDevice{&state}};
    ASSERT_EQ(hpet.pin(), 8u);
    hpet.start(8);
    EXPECT_EQ(state.words[0x10], 1u);
    EXPECT_EQ(state.words[0x100], 8u << 9 | 1u << 8); // no interrupt yet
    hpet.set(1'000'000);
    EXPECT_EQ(state.words[0x100] & 4, 4u);
    EXPECT_EQ(state.words[0x108], 100'001u);
    hpet.cancel();
    EXPECT_EQ(state.words[0x100] & 4, 0u);
}

TEST(HpetAlarm, NothingToReachOrToCount) {
    FakeDevice::State state = hpet_state();
    state.words[0x104] = 7;
    EXPECT_FALSE(Alarm{FakeDevice{&state}}.pin().has_value());
    state = hpet_state();
    state.words[4] = 0;
    EXPECT_FALSE(Alarm{FakeDevice{&state}}.pin().has_value());
    state.words[4] = 100'000'001;
    EXPECT_FALSE(Alarm{FakeDevice{&state}}.pin().has_value());
}

TEST(HpetAlarm, LongWaitsComeEarlyAndPastOnesAreSetAgain) {
    FakeDevice::State state = hpet_state();
    const Alarm hpet{FakeDevice{&state}};
    hpet.set(UINT64_MAX);
    EXPECT_EQ(state.words[0x108], 100'000'001u); // a second
    state.counter = 0;
    state.step = 1000; // slower to write than to pass
    hpet.set(0);
    EXPECT_GT(static_cast<std::int32_t>(state.words[0x108] - state.counter), 0);
}

struct FakePorts {
    std::vector<std::pair<std::uint16_t, std::uint8_t>>* written;
    std::uint8_t in8(std::uint16_t) { return 0; }
    std::uint16_t in16(std::uint16_t) { return 0; }
    std::uint32_t in32(std::uint16_t) { return 0; }
    void out8(std::uint16_t port, std::uint8_t value) { written->push_back({port, value}); }
    void out16(std::uint16_t, std::uint16_t) {}
    void out32(std::uint16_t, std::uint32_t) {}
};

TEST(PitAlarm, OneShot) {
    std::vector<std::pair<std::uint16_t, std::uint8_t>> written;
    drivers::Pit{FakePorts{&written}}.set(1'000'000);
    EXPECT_EQ(written, (decltype(written){{0x43, 0x30}, {0x40, 1193 & 0xff}, {0x40, 1193 >> 8}}));
    written.clear();
    drivers::Pit{FakePorts{&written}}.set(UINT64_MAX);
    EXPECT_EQ(written[1].second | written[2].second << 8, 59659);
}

TEST(IoApic, OnePin) {
    FakeDevice::State state;
    drivers::route(FakeDevice{&state}, 2, std::uint64_t{7} << 56 | 0x400);
    EXPECT_EQ(state.written,
              (decltype(state.written){{0, 0x15}, {0x10, 7u << 24}, {0, 0x14}, {0x10, 0x400}}));
}

} // namespace
