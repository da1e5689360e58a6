// SPDX-License-Identifier: Apache-2.0
#include "partitions/unikernel/base/capabilities.hpp"

#include <gtest/gtest.h>

namespace {

using namespace uk;
using namespace uk::capability;
constexpr UserIds root{0, 0, 0}, user{1000, 1000, 1000};

struct CapabilitiesTest : testing::Test {
    Capabilities mine;
    CapabilitiesTest() { mine.begin(true); }
};

TEST_F(CapabilitiesTest, GoWithTheUser) {
    mine.user_changed(root, user);
    EXPECT_EQ(mine.permitted | mine.effective, 0u);
    EXPECT_FALSE(mine.can(capability::kill));
}

TEST_F(CapabilitiesTest, AreKeptWhenAskedAndRaisedAgain) { // what setpriv does
    mine.secure_bits = secure::keep;
    mine.user_changed(root, user);
    EXPECT_EQ(mine.effective, 0u);
    EXPECT_EQ(mine.permitted, all);
    ASSERT_TRUE(mine.set(all, all, 0));
    EXPECT_TRUE(mine.can(capability::kill));
    ASSERT_TRUE(mine.set(capability::kill, capability::kill, 0));
    EXPECT_FALSE(mine.set(all, all, 0));
}

TEST_F(CapabilitiesTest, AreOutOfForceForAnotherEffectiveUser) {
    const UserIds dressed{0, 1000, 0};
    mine.user_changed(root, dressed);
    EXPECT_EQ(mine.effective, 0u);
    EXPECT_EQ(mine.permitted, all);
    mine.user_changed(dressed, root);
    EXPECT_EQ(mine.effective, all);
}

TEST_F(CapabilitiesTest, AProgramOfRootHasWhatIsNotBarred) {
    mine.bounding = all & ~administer;
    EXPECT_TRUE(mine.program_begins(root, false, {}));
    EXPECT_FALSE(mine.can(administer));
    EXPECT_TRUE(mine.can(capability::kill));
    EXPECT_TRUE(mine.program_begins({0, 1000, 1000}, false, {}));
    EXPECT_EQ(mine.effective, 0u);
    EXPECT_EQ(mine.permitted, mine.bounding);
    EXPECT_TRUE(mine.program_begins(user, false, {}));
    EXPECT_EQ(mine.permitted, 0u);
    EXPECT_TRUE(mine.program_begins({1000, 0, 0}, true, {})); // set-user-ID root
    EXPECT_TRUE(mine.can(capability::kill));
}

TEST_F(CapabilitiesTest, AmbientOnesStay) {
    ASSERT_TRUE(mine.set(all, all, capability::kill));
    mine.ambient = capability::kill;
    mine.secure_bits = secure::keep;
    mine.user_changed(root, {1000, 1000, 0});
    EXPECT_TRUE(mine.program_begins({1000, 1000, 0}, false, {}));
    EXPECT_EQ(mine.effective, capability::kill);
    EXPECT_EQ(mine.permitted, capability::kill);
    EXPECT_TRUE(mine.program_begins(user, true, {}));
    EXPECT_EQ(mine.effective, 0u);
}

// What a file brings: within the bounding set, out of what is inherited, and all at once where it says so.
TEST_F(CapabilitiesTest, OfAFile) {
    mine.user_changed(root, user);
    EXPECT_TRUE(mine.program_begins(user, false, {true, true, set_user | capability::kill, 0}));
    EXPECT_EQ(mine.effective, set_user | capability::kill);
    EXPECT_TRUE(mine.program_begins(user, false, {true, false, set_user, 0}));
    EXPECT_EQ(mine.permitted, set_user);
    EXPECT_EQ(mine.effective, 0u);
    mine.inheritable = priority;
    EXPECT_TRUE(mine.program_begins(user, false, {true, true, 0, priority | administer}));
    EXPECT_EQ(mine.effective, priority);
    mine.bounding = all & ~set_user;
    EXPECT_FALSE(mine.program_begins(user, false, {true, true, set_user, 0}));
    EXPECT_TRUE(mine.program_begins(user, false, {true, false, set_user, 0}));
    EXPECT_EQ(mine.permitted, 0u);
    // A set-user-ID program of root's with capabilities has just these.
    EXPECT_TRUE(mine.program_begins({1000, 0, 0}, true, {true, true, capability::kill, 0}));
    EXPECT_EQ(mine.permitted, capability::kill);
}

TEST_F(CapabilitiesTest, SecureBits) {
    EXPECT_FALSE(mine.set_secure_bits(0x100));
    EXPECT_TRUE(mine.set_secure_bits(secure::no_root | secure::no_root << 1));
    EXPECT_FALSE(mine.set_secure_bits(secure::no_root << 1)); // the bit is locked
    EXPECT_FALSE(mine.set_secure_bits(secure::no_root));      // and so is its lock
    EXPECT_TRUE(mine.program_begins(root, false, {}));
    EXPECT_EQ(mine.permitted, 0u);
    EXPECT_FALSE(mine.set_secure_bits(secure::no_root | secure::no_root << 1)); // needs CAP_SETPCAP
    mine.begin(true);
    EXPECT_TRUE(mine.set_secure_bits(secure::no_root | secure::no_root << 1 | secure::no_fixup));
    mine.user_changed(root, user);
    EXPECT_EQ(mine.effective, all);
}

TEST_F(CapabilitiesTest, UserForFiles) {
    mine.file_user_changed(0, 1000);
    EXPECT_FALSE(mine.can(override_modes));
    EXPECT_TRUE(mine.can(capability::kill));
    mine.file_user_changed(1000, 0);
    EXPECT_EQ(mine.effective, all);
    mine.become_real(1000);
    EXPECT_EQ(mine.effective, 0u);
    mine.become_real(0);
    EXPECT_EQ(mine.effective, all);
}

} // namespace
