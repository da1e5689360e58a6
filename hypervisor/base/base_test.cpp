// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/base/address.hpp"
#include "hypervisor/base/field.hpp"
#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/base/result.hpp"
#include "hypervisor/base/text.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <utility>

namespace {

enum class Error { first, second };

base::Result<int, Error> half(int value) {
    if (value % 2 != 0)
        return base::Failure{Error::second};
    return value / 2;
}

base::Result<int, Error> quarter(int value) {
    const int once = CAISSON_TRY(half(value));
    return CAISSON_TRY(half(once));
}

TEST(Result, TryPassesValuesAndErrors) {
    EXPECT_EQ(quarter(8).value(), 2);
    EXPECT_EQ(quarter(6).error(), Error::second);
    EXPECT_DEATH((void)quarter(6).value(), "_M_is_engaged");
    EXPECT_DEATH((void)quarter(8).error(), "error of a value");
}

TEST(Result, OwnsItsValue) {
    base::Result<std::shared_ptr<int>, Error> result{std::make_shared<int>(7)};
    auto copy = result;
    EXPECT_EQ(copy.value().use_count(), 2);
}

TEST(Address, PlusRefusesToWrap) {
    EXPECT_EQ(base::PhysAddr{8}.plus(8)->value(), 16u);
    EXPECT_FALSE(base::PhysAddr{~0ull}.plus(1).has_value());
    EXPECT_FALSE(base::PhysAddr{2}.plus(~0ull).has_value());
    EXPECT_EQ(base::PhysAddr{2}.plus(0)->value(), 2u);
    EXPECT_FALSE(base::round_up(~0ull, 4096).has_value());
    EXPECT_EQ(base::round_up(0, 4096), 0u);
    EXPECT_EQ(base::round_up(4096, 4096), 4096u);
    EXPECT_EQ(base::round_up(4097, 4096), 8192u);
}

TEST(Field, GetsAndSets) {
    using Middle = base::Field<std::uint64_t, 12, 40>;
    static_assert(Middle::mask == 0x000ffffffffff000);
    static_assert(Middle::get(Middle::set(~0ull, 5)) == 5);
    using Whole = base::Field<std::uint32_t, 0, 32>;
    static_assert(Whole::mask == 0xffffffff);
}

TEST(FixedVector, KeepsItsCapacity) {
    base::FixedVector<int, 3> items;
    EXPECT_TRUE(items.push_back(1));
    EXPECT_TRUE(items.push_back(3));
    EXPECT_TRUE(items.insert(1, 2));
    EXPECT_FALSE(items.push_back(4));
    items.erase(0);
    EXPECT_EQ(items[0], 2);
    EXPECT_EQ(items[1], 3);
    EXPECT_DEATH((void)items[2], "__idx < size");
    EXPECT_DEATH((void)std::as_const(items)[2], "__idx < size");
    EXPECT_DEATH(items.erase(2), "erase past the end");
    EXPECT_DEATH((void)items.insert(3, 0), "insert past the end");
}

TEST(Text, FormatsAndTruncates) {
    base::Text<64> text;
    text << "a" << ' ' << -5 << ' ' << base::hex(0xbeef) << ' ' << std::uint64_t{18446744073709551615u};
    EXPECT_EQ(text.view(), "a -5 0xbeef 18446744073709551615");
    text.clear();
    text << base::hex(0) << ' ' << std::numeric_limits<std::int64_t>::min() << ' ' << std::uint8_t{200};
    EXPECT_EQ(text.view(), "0x0 -9223372036854775808 200");
    text.shorten(3);
    EXPECT_EQ(text.view(), "0x0");
    EXPECT_FALSE(text.truncated());
    base::Text<3> small;
    small << "abcd";
    EXPECT_EQ(small.view(), "abc");
    EXPECT_TRUE(small.truncated());
}

} // namespace
