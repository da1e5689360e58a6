// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/paging/format.hpp - entry layouts of the table kinds: nested (AMD), extended (Intel), host.
//
// Pure. Spec: AMD APM vol. 2 5.3, 5.6, 15.25.5 (the nested walk is a user access: U must be 1); Intel SDM
// vol. 3 28.3.2.
#pragma once

#include "hypervisor/base/address.hpp"
#include "hypervisor/base/weakness.hpp"

#include <concepts>
#include <cstdint>

namespace paging {

enum class Cache : std::uint8_t { write_back, uncached };

// Reading is always allowed; these come on top.
struct Access {
    bool write = false;
    bool execute = false;
    Cache cache = Cache::write_back;
    bool operator==(const Access&) const = default;
};
inline constexpr Access read_only{};
inline constexpr Access read_write{.write = true};
inline constexpr Access read_execute{.execute = true};
inline constexpr Access read_write_execute{.write = true, .execute = true};
inline constexpr Access device{.write = true, .cache = Cache::uncached};

template <typename F>
concept TableFormat = requires(std::uint64_t entry, unsigned level, base::PhysAddr address, Access access) {
    { F::allows(access) } -> std::same_as<bool>;
    { F::table(address) } -> std::same_as<std::uint64_t>;
    { F::leaf(address, level, access) } -> std::same_as<std::uint64_t>;
    { F::present(entry) } -> std::same_as<bool>;
    { F::is_leaf(entry, level) } -> std::same_as<bool>;
    { F::address(entry) } -> std::same_as<base::PhysAddr>;
    { F::access(entry) } -> std::same_as<Access>;
};

inline constexpr std::uint64_t address_mask = 0x000FFFFFFFFFF000;
inline constexpr std::uint64_t bit_large = 1u << 7;

// The x86 layout that nested and host tables share. UserBit: what every entry carries.
template <std::uint64_t UserBit, bool WriteXorExecute> struct X86Format {
    static constexpr std::uint64_t bit_present = 1u << 0;
    static constexpr std::uint64_t bit_write = 1u << 1;
    static constexpr std::uint64_t bit_write_through = 1u << 3;
    static constexpr std::uint64_t bit_cache_disable = 1u << 4;
    static constexpr std::uint64_t bit_no_execute = std::uint64_t{1} << 63;

    static constexpr bool allows(Access access) {
        return !(WriteXorExecute && access.write && access.execute) ||
               base::weak(base::Weakness::code_on_stack);
    }
    static constexpr std::uint64_t table(base::PhysAddr address) {
        return (address.value() & address_mask) | bit_present | bit_write | UserBit;
    }
    static constexpr std::uint64_t leaf(base::PhysAddr address, unsigned level, Access access) {
        return (address.value() & address_mask) | bit_present | UserBit | (access.write ? bit_write : 0) |
               (access.execute ? 0 : bit_no_execute) |
               (access.cache == Cache::uncached ? bit_write_through | bit_cache_disable : 0) |
               (level > 0 ? bit_large : 0);
    }
    static constexpr bool present(std::uint64_t entry) { return (entry & bit_present) != 0; }
    static constexpr bool is_leaf(std::uint64_t entry, unsigned level) {
        return level == 0 || (entry & bit_large) != 0;
    }
    static constexpr base::PhysAddr address(std::uint64_t entry) {
        return base::PhysAddr{entry & address_mask};
    }
    static constexpr Access access(std::uint64_t entry) {
        return {.write = (entry & bit_write) != 0,
                .execute = (entry & bit_no_execute) == 0,
                .cache = (entry & bit_cache_disable) != 0 ? Cache::uncached : Cache::write_back};
    }
};

using NestedFormat = X86Format<1u << 2, false>; // NPT: U = 1 in every entry
using HostFormat = X86Format<0, true>;          // supervisor, never global, never writable and executable

// EPT: rights in bits 0-2, memory type in 3-5, ignore-PAT in 6 so that a guest cannot weaken RAM's caching.
struct ExtendedFormat {
    static constexpr std::uint64_t rights = 7;
    static constexpr std::uint64_t type_write_back = 6u << 3 | 1u << 6;
    static constexpr std::uint64_t type_mask = 7u << 3;

    static constexpr bool allows(Access) { return true; }
    static constexpr std::uint64_t table(base::PhysAddr address) {
        return (address.value() & address_mask) | rights;
    }
    static constexpr std::uint64_t leaf(base::PhysAddr address, unsigned level, Access access) {
        return (address.value() & address_mask) | 1u | (access.write ? 2u : 0u) | (access.execute ? 4u : 0u) |
               (access.cache == Cache::write_back ? type_write_back : 1u << 6) | (level > 0 ? bit_large : 0);
    }
    static constexpr bool present(std::uint64_t entry) { return (entry & rights) != 0; }
    static constexpr bool is_leaf(std::uint64_t entry, unsigned level) {
        return level == 0 || (entry & bit_large) != 0;
    }
    static constexpr base::PhysAddr address(std::uint64_t entry) {
        return base::PhysAddr{entry & address_mask};
    }
    static constexpr Access access(std::uint64_t entry) {
        return {.write = (entry & 2) != 0,
                .execute = (entry & 4) != 0,
                .cache = (entry & type_mask) == 0 ? Cache::uncached : Cache::write_back};
    }
};

} // namespace paging
