// SPDX-License-Identifier: Apache-2.0
// hypervisor/base/address.hpp - addresses that cannot be mixed up.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

namespace base {

inline constexpr std::uint64_t page_size = 4096;
inline constexpr std::uint64_t large_page_size = std::uint64_t{2} << 20;
inline constexpr std::uint64_t huge_page_size = std::uint64_t{1} << 30;

template <typename Tag> class Address {
public:
    constexpr Address() = default;
    constexpr explicit Address(std::uint64_t value) : value_(value) {}
    [[nodiscard]] constexpr std::uint64_t value() const { return value_; }
    constexpr auto operator<=>(const Address&) const = default;

    // Address + bytes, or nothing where it would wrap.
    [[nodiscard]] constexpr std::optional<Address> plus(std::uint64_t bytes) const {
        const Address sum{value_ + bytes};
        return sum < *this ? std::nullopt : std::optional{sum};
    }
    [[nodiscard]] constexpr bool is_aligned(std::uint64_t alignment) const {
        return (value_ & (alignment - 1)) == 0;
    }

private:
    std::uint64_t value_ = 0;
};

using PhysAddr = Address<struct PhysTag>;           // host-physical
using GuestPhysAddr = Address<struct GuestPhysTag>; // second-stage input
using VirtAddr = Address<struct VirtTag>;

// Rounds to a power-of-two alignment. round_up gives nothing where it would wrap.
constexpr std::uint64_t round_down(std::uint64_t value, std::uint64_t alignment) {
    return value & ~(alignment - 1);
}
constexpr std::optional<std::uint64_t> round_up(std::uint64_t value, std::uint64_t alignment) {
    const std::uint64_t rounded = round_down(value + (alignment - 1), alignment);
    return rounded >= value ? std::optional{rounded} : std::nullopt;
}

} // namespace base
