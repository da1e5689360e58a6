// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/user.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"

#include <gtest/gtest.h>

namespace rootfs {
namespace {

constexpr std::string_view passwd =
    "root:x:0:0:root:/root:/bin/sh\nbroken line\nweb:x:33:33::/srv:/bin/false\n1001:x:5:6::/five:\n";
constexpr std::string_view group =
    "root:x:0:\nwww:x:33:\nlog:x:4:web,other\naudio:x:29:other,web\nnone:x:x:web\n";

User resolve(std::string_view text) {
    return resolve_user("img", text, passwd, group);
}

TEST(User, RootWhenNothingIsSaid) {
    const User user = resolve("");
    EXPECT_EQ(user.uid, 0u);
    EXPECT_EQ(user.home, "/root");
    EXPECT_EQ(user.name, "root");
}

TEST(User, NameBringsItsGroups) {
    const User user = resolve("web");
    EXPECT_EQ(user.uid, 33u);
    EXPECT_EQ(user.gid, 33u);
    EXPECT_EQ(user.groups, (std::vector<std::uint32_t>{4, 29}));
    EXPECT_EQ(user.home, "/srv");
}

TEST(User, NumberOfAKnownUserIsThatUser) {
    EXPECT_EQ(resolve("33").groups, (std::vector<std::uint32_t>{4, 29}));
}

TEST(User, UnknownNumberIsTaken) {
    const User user = resolve("5000");
    EXPECT_EQ(user.uid, 5000u);
    EXPECT_EQ(user.gid, 0u);
    EXPECT_EQ(user.home, "/");
}

TEST(User, ANameOfDigitsWinsOverTheNumber) {
    EXPECT_EQ(resolve("1001").uid, 5u);
}

TEST(User, AnExplicitGroupLeavesNoOthers) {
    EXPECT_EQ(resolve("web:log").gid, 4u);
    EXPECT_TRUE(resolve("web:log").groups.empty());
    EXPECT_EQ(resolve("web:77").gid, 77u);
    EXPECT_EQ(resolve(":log").uid, 0u);
}

TEST(User, RefusesWhatIsNotThere) {
    EXPECT_THROW(resolve("nobody"), diagnostic::Failure);
    EXPECT_THROW(resolve("web:nogroup"), diagnostic::Failure);
    EXPECT_THROW(resolve("2147483648"), diagnostic::Failure);
    EXPECT_THROW(resolve_user("img", "web", std::nullopt, std::nullopt), diagnostic::Failure);
    EXPECT_EQ(resolve_user("img", "7:8", std::nullopt, std::nullopt).gid, 8u);
}

} // namespace
} // namespace rootfs
