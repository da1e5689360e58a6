// SPDX-License-Identifier: Apache-2.0
#include "drivers/pci/system_errors.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

// A source stays pending until it is switched off; switched on again it can come again.
struct Port61 {
    struct State {
        std::uint8_t value;
        std::vector<std::uint8_t> written;
    };
    State* state;
    std::uint8_t in8(std::uint16_t port) { return port == 0x61 ? state->value : 0xff; }
    std::uint16_t in16(std::uint16_t) { return 0; }
    std::uint32_t in32(std::uint16_t) { return 0; }
    void out8(std::uint16_t, std::uint8_t value) {
        state->written.push_back(value);
        const unsigned cleared = ((value & 4) != 0 ? 0x80u : 0) | ((value & 8) != 0 ? 0x40u : 0);
        state->value = static_cast<std::uint8_t>((state->value & 0xf0 & ~cleared) | (value & 0x0f));
    }
    void out16(std::uint16_t, std::uint16_t) {}
    void out32(std::uint16_t, std::uint32_t) {}
};

TEST(SystemErrors, AreTakenOnceAndTheRestStays) {
    for (const unsigned pending : {0x80u, 0x40u, 0xc0u}) {
        Port61::State state{static_cast<std::uint8_t>(pending | 0x21), {}};
        const auto found = drivers::take_system_errors(Port61{&state});
        EXPECT_EQ(found.serr, (pending & 0x80) != 0);
        EXPECT_EQ(found.iochk, (pending & 0x40) != 0);
        EXPECT_EQ(state.value, 0x21) << "gate and refresh are as before, both sources are on";
        const auto again = drivers::take_system_errors(Port61{&state});
        EXPECT_FALSE(again.serr || again.iochk);
        EXPECT_EQ(state.written.size(), 2u);
    }
}

TEST(SystemErrors, NothingPendingOrNoPort) {
    for (const std::uint8_t value : {std::uint8_t{0x31}, std::uint8_t{0xff}}) {
        Port61::State state{value, {}};
        const auto found = drivers::take_system_errors(Port61{&state});
        EXPECT_FALSE(found.serr || found.iochk);
        EXPECT_TRUE(state.written.empty());
    }
}

} // namespace
