// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/pci/isolation.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

using pci::Function;
using pci::Kind;

Function endpoint(unsigned bus, unsigned device, unsigned function = 0) {
    Function out;
    out.requester = static_cast<pci::Requester>(bus << 8 | device << 3 | function);
    out.kind = Kind::endpoint;
    return out;
}
Function above(Kind kind, pci::Requester at, unsigned secondary, unsigned subordinate, bool acs) {
    Function out;
    out.requester = at;
    out.kind = kind;
    out.secondary = static_cast<std::uint8_t>(secondary);
    out.subordinate = static_cast<std::uint8_t>(subordinate);
    out.access_control = acs ? 0x148 : 0;
    return out;
}

TEST(Isolation, EndpointsOfTheRootAreApartUnlessTheyAreOneDevice) {
    std::vector<Function> all{endpoint(0, 3), endpoint(0, 4), endpoint(0, 5, 0), endpoint(0, 5, 1)};
    all[2].multi_function = all[3].multi_function = true;
    EXPECT_TRUE(isolated(all, all[0], all[1]));
    EXPECT_TRUE(isolated(all, all[0], all[2]));
    EXPECT_FALSE(isolated(all, all[2], all[3]));
    all[2].access_control = 0x100;
    EXPECT_FALSE(isolated(all, all[2], all[3])) << "the other one has no ACS";
    all[3].access_control = 0x100;
    EXPECT_TRUE(isolated(all, all[2], all[3]));
}

TEST(Isolation, EveryPortOnTheWayMustSendUpwards) {
    std::vector<Function> all{above(Kind::port, 0x08, 1, 3, true),
                              above(Kind::port, 0x10, 4, 4, true),
                              above(Kind::port, 0x108, 2, 2, true),
                              endpoint(2, 0),
                              endpoint(4, 0),
                              endpoint(0, 9)};
    EXPECT_TRUE(isolated(all, all[3], all[4]));
    EXPECT_TRUE(isolated(all, all[3], all[5]));
    for (const std::size_t port : {0u, 1u, 2u}) {
        auto weaker = all;
        weaker[port].access_control = 0;
        EXPECT_FALSE(isolated(weaker, weaker[3], weaker[4])) << port;
        EXPECT_EQ(isolated(weaker, weaker[3], weaker[5]), port == 1) << port;
        EXPECT_EQ(isolated(weaker, weaker[5], weaker[3]), port == 1) << port;
    }
}

TEST(Isolation, ConventionalPciHasItsBridgesRequester) {
    const std::vector<Function> all{above(Kind::port, 0x08, 1, 2, true),
                                    above(Kind::bridge, 0x100, 2, 2, false), endpoint(2, 0), endpoint(1, 1)};
    EXPECT_TRUE(shares_requester(all, all[2]));
    EXPECT_FALSE(shares_requester(all, all[3]));
}

TEST(Isolation, ABridgeThatFirmwareLeftAloneLeadsNowhere) {
    const std::vector<Function> all{above(Kind::bridge, 0x08, 0, 0, false), endpoint(0, 2)};
    EXPECT_FALSE(shares_requester(all, all[1]));
}

} // namespace
