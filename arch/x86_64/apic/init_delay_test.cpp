// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/apic/init_delay.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string_view>

namespace {

unsigned delay(std::string_view vendor, std::uint32_t signature) {
    std::uint32_t ebx = 0; // the first four letters of the name
    std::memcpy(&ebx, vendor.data(), sizeof ebx);
    return boot::milliseconds_after_init(ebx, signature);
}

// Signatures as CPUID 1 says them: stepping, model, family, extended model, extended family.
TEST(InitDelay, ModernFamiliesNeedNone) {
    EXPECT_EQ(delay("GenuineIntel", 0x000306C3), 0u); // Haswell
    EXPECT_EQ(delay("GenuineIntel", 0x000806F8), 0u); // Sapphire Rapids
    EXPECT_EQ(delay("GenuineIntel", 0x000006F6), 0u); // Core 2
    EXPECT_EQ(delay("AuthenticAMD", 0x00000F48), 0u); // K8
    EXPECT_EQ(delay("AuthenticAMD", 0x00100F43), 0u); // family 10h
    EXPECT_EQ(delay("AuthenticAMD", 0x00800F12), 0u); // Zen
    EXPECT_EQ(delay("AuthenticAMD", 0x00A20F12), 0u); // Zen 3
    EXPECT_EQ(delay("HygonGenuine", 0x00900F01), 0u); // Dhyana
}

TEST(InitDelay, AllOthersGetTenMilliseconds) {
    EXPECT_EQ(delay("GenuineIntel", 0x00000F43), 10u); // Pentium 4, family 15 as AMD's are
    EXPECT_EQ(delay("GenuineIntel", 0x00000543), 10u); // Pentium
    EXPECT_EQ(delay("AuthenticAMD", 0x00000681), 10u); // K7, family 6 as Intel's are
    EXPECT_EQ(delay("CentaurHauls", 0x000006F2), 10u); // VIA
    EXPECT_EQ(delay("  Shanghai  ", 0x000307B0), 10u); // Zhaoxin
    EXPECT_EQ(delay("TCGTCGTCGTCG", 0x00000F00), 10u);
    EXPECT_EQ(delay("GenuineIntel", 0x00000000), 10u);
}

} // namespace
