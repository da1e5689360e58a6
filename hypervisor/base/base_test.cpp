// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/base/address.hpp"
#include "hypervisor/base/field.hpp"
#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/base/result.hpp"
#include "hypervisor/base/text.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

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
    EXPECT_DEATH((void)quarter(6).value(), "value of an error");
}

TEST(Result, OwnsItsValue) {
    base::Result<std::shared_ptr<int>, Error> result{std::make_shared<int>(7)};
    auto copy = result;
    EXPECT_EQ(copy.value().use_count(), 2);
}

TEST(Address, PlusRefusesToWrap) {
    EXPECT_EQ(base::PhysAddr{8}.plus(8)->value(), 16u);
    EXPECT_FALSE(base::PhysAddr{~0ull}.plus(1).has_value());
    EXPECT_FALSE(base::round_up(~0ull, 4096).has_value());
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
    EXPECT_DEATH((void)items[2], "index");
}

TEST(Text, FormatsAndTruncates) {
    base::Text<64> text;
    text << "a" << ' ' << -5 << ' ' << base::hex(0xbeef) << ' ' << std::uint64_t{18446744073709551615u};
    EXPECT_EQ(text.view(), "a -5 0xbeef 18446744073709551615");
    base::Text<3> small;
    small << "abcd";
    EXPECT_EQ(small.view(), "abc");
    EXPECT_TRUE(small.truncated());
}

} // namespace
