// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/policy/filter_test.cpp - what a filter may be, and what it says.
#include "partitions/unikernel/policy/filter.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace uk::policy {
namespace {

using Program = std::vector<Instruction>;

constexpr std::uint16_t load = 0x20, load_immediate = 0x00, load_memory = 0x60, store = 0x02, jump = 0x05,
                        jump_equal = 0x15, jump_greater = 0x25, jump_any = 0x45, returns = 0x06,
                        return_a = 0x16, add_k = 0x04, divide_x = 0x3C, divide_k = 0x34, left_k = 0x64,
                        to_x = 0x07, load_length = 0x80;

std::uint32_t result(const Program& program, const CallData& data = {}) {
    EXPECT_TRUE(check(program).ok());
    return run(program, data);
}

TEST(Filter, APolicyOfTwoCalls) {
    const Program program{{load, 0, 0, 4},
                          {jump_equal, 1, 0, architecture_x86_64},
                          {returns, 0, 0, action::kill_process},
                          {load, 0, 0, 0},
                          {jump_equal, 0, 3, 16}, // ioctl
                          {load, 0, 0, 24},       // its second argument, the lower half
                          {jump_equal, 0, 1, 0x5413},
                          {returns, 0, 0, action::allow},
                          {returns, 0, 0, action::error | 1}};
    CallData data{16, architecture_x86_64, 0, {1, 0x5413}};
    EXPECT_EQ(result(program, data), action::allow);
    data.arguments[1] = 0x5401;
    EXPECT_EQ(result(program, data), action::error | 1);
    data.number = 2;
    EXPECT_EQ(result(program, data), action::error | 1);
    data.architecture = 0x40000003; // i386
    EXPECT_EQ(result(program, data), action::kill_process);
    EXPECT_FALSE(always_allows(program, 16)); // its arguments say
    EXPECT_FALSE(always_allows(program, 2));
    const Program all_but_one{{load, 0, 0, 0},
                              {jump_equal, 0, 1, 59},
                              {returns, 0, 0, action::error | 13},
                              {returns, 0, 0, action::allow}};
    EXPECT_TRUE(always_allows(all_but_one, 0));
    EXPECT_FALSE(always_allows(all_but_one, 59));
}

TEST(Filter, Arithmetic) {
    EXPECT_EQ(result({{load_immediate, 0, 0, 7}, {add_k, 0, 0, 0xFFFFFFFF}, {return_a, 0, 0, 0}}), 6u);
    EXPECT_EQ(result({{load_immediate, 0, 0, 7},
                      {to_x, 0, 0, 0},
                      {load_immediate, 0, 0, 100},
                      {divide_x, 0, 0, 0},
                      {return_a, 0, 0, 0}}),
              14u);
    EXPECT_EQ(result({{load_immediate, 0, 0, 5}, {divide_x, 0, 0, 0}, {return_a, 0, 0, 0}}),
              0u); // by zero: the end
    EXPECT_EQ(result({{load_immediate, 0, 0, 1}, {left_k, 0, 0, 31}, {return_a, 0, 0, 0}}), 0x80000000u);
    EXPECT_EQ(result({{load_immediate, 0, 0, 9},
                      {store, 0, 0, 15},
                      {load_immediate, 0, 0, 1},
                      {load_memory, 0, 0, 15},
                      {return_a, 0, 0, 0}}),
              9u);
    EXPECT_EQ(result({{load_length, 0, 0, 0}, {return_a, 0, 0, 0}}), 64u);
    EXPECT_EQ(
        result({{load_immediate, 0, 0, 6}, {jump_any, 0, 1, 4}, {returns, 0, 0, 1}, {returns, 0, 0, 2}}), 1u);
    EXPECT_EQ(result({{load_immediate, 0, 0, 0x80000000},
                      {jump_greater, 0, 1, 1},
                      {returns, 0, 0, 1},
                      {returns, 0, 0, 2}}),
              1u);
}

TEST(Filter, WhatIsNoFilter) {
    const auto refused = [](const Program& program) { return !check(program).ok(); };
    const Instruction end{returns, 0, 0, 0};
    EXPECT_TRUE(refused({}));
    EXPECT_TRUE(refused(Program(most_instructions + 1, end)));
    EXPECT_FALSE(refused(Program(most_instructions, end)));
    EXPECT_TRUE(refused({{load_immediate, 0, 0, 1}})); // no end
    EXPECT_TRUE(refused({{load, 0, 0, 2}, end}));      // not aligned
    EXPECT_TRUE(refused({{load, 0, 0, 64}, end}));     // behind the data
    EXPECT_TRUE(refused({{0x28, 0, 0, 0}, end}));      // a half word
    EXPECT_TRUE(refused({{0x40, 0, 0, 0}, end}));      // indirect
    EXPECT_TRUE(refused({{jump, 0, 0, 1}, end}));      // behind the end
    EXPECT_TRUE(refused({{jump, 0, 0, 0xFFFFFFFF}, end}));
    EXPECT_TRUE(refused({{jump_equal, 1, 0, 0}, end}));
    EXPECT_TRUE(refused({{jump_equal, 0, 1, 0}, end}));
    EXPECT_FALSE(refused({{jump_equal, 0, 0, 0}, end}));
    EXPECT_TRUE(refused({{divide_k, 0, 0, 0}, end}));
    EXPECT_TRUE(refused({{left_k, 0, 0, 32}, end}));
    EXPECT_TRUE(refused({{store, 0, 0, 16}, end}));
    EXPECT_TRUE(refused({{0x94, 0, 0, 3}, end})); // modulo
    EXPECT_TRUE(refused({{0xFFFF, 0, 0, 0}, end}));
    EXPECT_TRUE(refused({{load_memory, 0, 0, 3}, end})); // never written
    // Written on one of two ways only.
    EXPECT_TRUE(refused({{jump_equal, 1, 0, 0}, {store, 0, 0, 3}, {load_memory, 0, 0, 3}, end}));
    EXPECT_FALSE(
        refused({{store, 0, 0, 3}, {jump_equal, 1, 0, 0}, {store, 0, 0, 3}, {load_memory, 0, 0, 3}, end}));
}

TEST(Filter, TheStricterActionCounts) {
    EXPECT_EQ(stricter(action::allow, action::error | 5), action::error | 5);
    EXPECT_EQ(stricter(action::kill_process, action::kill_thread), action::kill_process);
    EXPECT_EQ(stricter(action::trap, action::error), action::trap);
    EXPECT_EQ(stricter(action::error | 1, action::error | 2), action::error | 1); // the newer filter's
}

} // namespace
} // namespace uk::policy
