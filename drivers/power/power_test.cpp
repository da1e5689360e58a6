// SPDX-License-Identifier: Apache-2.0
#include "drivers/power/fw_cfg.hpp"
#include "drivers/power/power.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace {

struct Machine {
    const char* signature = "QEMU";
    unsigned at = 0;
    std::vector<std::pair<std::uint16_t, std::uint32_t>> writes;
};

struct FakePorts {
    Machine* machine;
    std::uint8_t in8(std::uint16_t port) {
        return port == 0x511 ? static_cast<std::uint8_t>(machine->signature[machine->at++]) : 0xff;
    }
    std::uint16_t in16(std::uint16_t) { return 0x1c01; }
    std::uint32_t in32(std::uint16_t) { return 0xffffffff; }
    void out8(std::uint16_t port, std::uint8_t value) { machine->writes.push_back({port, value}); }
    void out16(std::uint16_t port, std::uint16_t value) { machine->writes.push_back({port, value}); }
    void out32(std::uint16_t port, std::uint32_t value) { machine->writes.push_back({port, value}); }
};

TEST(Power, KnowsQemuByItsSignatureOnly) {
    Machine qemu;
    EXPECT_TRUE(drivers::is_qemu(FakePorts{&qemu}));
    Machine other;
    other.signature = "QEMV";
    EXPECT_FALSE(drivers::is_qemu(FakePorts{&other}));
}

TEST(Power, SoftOffKeepsTheOtherControlBits) {
    Machine machine;
    drivers::Power{FakePorts{&machine}}.soft_off(0x604, 5);
    ASSERT_EQ(machine.writes.size(), 1u);
    EXPECT_EQ(machine.writes[0],
              (std::pair<std::uint16_t, std::uint32_t>{0x604, 0x0001 | 5 << 10 | 1 << 13}));
}

TEST(Power, ResetTriesBothWays) {
    Machine machine;
    drivers::Power{FakePorts{&machine}}.reset(std::uint16_t{0xcf9}, 0x0f);
    EXPECT_EQ(machine.writes.size(), 3u);
    EXPECT_EQ(machine.writes.back(), (std::pair<std::uint16_t, std::uint32_t>{0xcf9, 0x06}));
}

} // namespace
