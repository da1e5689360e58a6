// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/memory/ledger.hpp - who owns which frames.
//
// Pure. Invariants: grants are page aligned, ascending and disjoint; a frame has at most one owner; once
// sealed nothing changes any more. Everything the ledger does not name is nobody's.
#pragma once

#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/base/result.hpp"
#include "hypervisor/core/memory/map.hpp"

#include <cstdint>
#include <optional>

namespace memory {

struct Owner {
    enum class Kind : std::uint8_t {
        hypervisor, // its image, page tables, pools
        firmware,   // what bind was told never to use (below 1 MiB, start record)
        bundle,     // the verified file, kept as the pristine copy
        partition,
    };
    Kind kind;
    std::uint32_t partition = 0; // of Kind::partition

    constexpr bool operator==(const Owner&) const = default;
    [[nodiscard]] static constexpr Owner of_partition(std::uint32_t index) {
        return {Kind::partition, index};
    }
};

struct Grant {
    std::uint64_t base;
    std::uint64_t bytes;
    Owner owner;
    [[nodiscard]] constexpr std::uint64_t end() const { return base + bytes; }
};

class Ledger {
public:
    static constexpr std::size_t max_grants = 640;

    // Gives [base, base + bytes) to `owner`. Errors: sealed, misaligned (or empty, or wrapping), overlap,
    // too_many_grants. Touching grants of one owner are joined.
    [[nodiscard]] base::Status<Error> grant(std::uint64_t base, std::uint64_t bytes, Owner owner);
    // Gives what is nobody's yet inside the (page-rounded) range to `owner`; what has an owner keeps it.
    [[nodiscard]] base::Status<Error> grant_rest(std::uint64_t base, std::uint64_t bytes, Owner owner);

    [[nodiscard]] std::optional<Owner> owner_of(std::uint64_t address) const;
    // Whether all of [base, base + bytes) is that owner's.
    [[nodiscard]] bool owns(Owner owner, std::uint64_t base, std::uint64_t bytes) const;
    [[nodiscard]] std::uint64_t bytes_of(Owner owner) const;
    // The first grant that ends after `address`.
    [[nodiscard]] const Grant* next(std::uint64_t address) const;
    [[nodiscard]] std::span<const Grant> grants() const { return grants_.view(); }

    void seal() { sealed_ = true; }
    [[nodiscard]] bool sealed() const { return sealed_; }
    void clear();

private:
    [[nodiscard]] std::size_t first_ending_after(std::uint64_t address) const;

    base::FixedVector<Grant, max_grants> grants_;
    bool sealed_ = false;
};

} // namespace memory
