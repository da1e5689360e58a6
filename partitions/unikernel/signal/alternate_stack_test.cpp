// SPDX-License-Identifier: Apache-2.0
#include "partitions/unikernel/signal/alternate_stack.hpp"

#include <gtest/gtest.h>

namespace {

using namespace uk;
using namespace uk::signal;

constexpr std::uint64_t base_address = 0x10000, bytes = 0x4000;

TEST(AlternateStack, IsInUseBetweenItsEnds) {
    const AlternateStack stack{base_address, bytes, 0};
    EXPECT_FALSE(on_alternate(stack, base_address));
    EXPECT_TRUE(on_alternate(stack, base_address + 1));
    EXPECT_TRUE(on_alternate(stack, base_address + bytes));
    EXPECT_FALSE(on_alternate(stack, base_address + bytes + 1));
    EXPECT_FALSE(on_alternate({base_address, bytes, stack_flag::autodisarm}, base_address + 8));
    EXPECT_FALSE(on_alternate({}, base_address));
    EXPECT_EQ(describe(stack, base_address + 8).flags, stack_flag::on);
    EXPECT_EQ(describe(stack, 8).flags, 0u);
    EXPECT_EQ(describe({}, 8).flags, stack_flag::disabled);
}

TEST(AlternateStack, TakesWhatLinuxTakes) {
    AlternateStack stack;
    EXPECT_EQ(change_alternate(stack, {base_address, 0, 0, 2047}, 8).error(), Errno::nomem);
    EXPECT_EQ(change_alternate(stack, {base_address, 99, 0, bytes}, 8).error(), Errno::inval);
    EXPECT_EQ(
        change_alternate(stack, {base_address, stack_flag::on | stack_flag::disabled, 0, bytes}, 8).error(),
        Errno::inval);
    EXPECT_EQ(stack.flags, stack_flag::disabled);
    ASSERT_TRUE(change_alternate(stack, {base_address, stack_flag::on, 0, 2048}, 8).ok());
    EXPECT_EQ(stack.flags, 0u);
    EXPECT_EQ(stack.bytes, 2048u);
    EXPECT_EQ(change_alternate(stack, {base_address, 0, 0, bytes}, base_address + 8).error(), Errno::perm);
    ASSERT_TRUE(change_alternate(stack, {base_address, stack_flag::autodisarm, 0, bytes}, 8).ok());
    EXPECT_EQ(stack.flags, stack_flag::autodisarm);
    ASSERT_TRUE(
        change_alternate(stack, {base_address, stack_flag::disabled, 0, bytes}, base_address + 8).ok());
    EXPECT_EQ(stack.base, 0u);
    EXPECT_EQ(stack.bytes, 0u);
}

} // namespace
