// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/memory/ledger.cpp
#include "hypervisor/core/memory/ledger.hpp"

#include "hypervisor/base/address.hpp"

#include <algorithm>

namespace memory {

namespace {

bool whole_pages(std::uint64_t base, std::uint64_t bytes) {
    return base % base::page_size == 0 && bytes % base::page_size == 0 && bytes != 0 &&
           base < address_limit && bytes <= address_limit - base;
}

} // namespace

std::size_t Ledger::first_ending_after(std::uint64_t address) const {
    const auto* found = std::partition_point(
        grants_.begin(), grants_.end(), [address](const Grant& grant) { return grant.end() <= address; });
    return static_cast<std::size_t>(found - grants_.begin());
}

base::Status<Error> Ledger::grant(std::uint64_t base, std::uint64_t bytes, Owner owner) {
    if (sealed_)
        return base::Failure{Error::sealed};
    if (!whole_pages(base, bytes))
        return base::Failure{Error::misaligned};
    const std::size_t at = first_ending_after(base);
    if (at < grants_.size() && grants_[at].base < base + bytes)
        return base::Failure{Error::overlap};
    const bool joins_before = at > 0 && grants_[at - 1].end() == base && grants_[at - 1].owner == owner;
    const bool joins_after =
        at < grants_.size() && grants_[at].base == base + bytes && grants_[at].owner == owner;
    if (joins_before && joins_after) {
        grants_[at - 1].bytes += bytes + grants_[at].bytes;
        grants_.erase(at);
    } else if (joins_before) {
        grants_[at - 1].bytes += bytes;
    } else if (joins_after) {
        grants_[at].base = base;
        grants_[at].bytes += bytes;
    } else if (!grants_.insert(at, {base, bytes, owner})) {
        return base::Failure{Error::too_many_grants};
    }
    return base::success;
}

base::Status<Error> Ledger::grant_rest(std::uint64_t base, std::uint64_t bytes, Owner owner) {
    std::uint64_t end = 0;
    if (bytes == 0 || base >= address_limit || __builtin_add_overflow(base, bytes, &end) ||
        end > address_limit)
        return base::Failure{Error::misaligned};
    std::uint64_t at = base::round_down(base, base::page_size);
    end = (end + base::page_size - 1) & ~(base::page_size - 1);
    while (at < end) {
        const Grant* owned = next(at);
        const std::uint64_t free_end = owned == nullptr ? end : std::clamp(owned->base, at, end);
        const std::uint64_t after = owned == nullptr ? end : owned->end();
        if (free_end > at)
            CAISSON_TRY(grant(at, free_end - at, owner));
        at = after;
    }
    return base::success;
}

std::optional<Owner> Ledger::owner_of(std::uint64_t address) const {
    const Grant* grant = next(address);
    if (grant == nullptr || grant->base > address)
        return std::nullopt;
    return grant->owner;
}

bool Ledger::owns(Owner owner, std::uint64_t base, std::uint64_t bytes) const {
    if (base >= address_limit || bytes > address_limit - base)
        return false;
    // Touching grants of one owner are joined, so the range lies in one grant or is not all his.
    const Grant* grant = next(base);
    return grant != nullptr && grant->base <= base && grant->owner == owner && base + bytes <= grant->end();
}

std::uint64_t Ledger::bytes_of(Owner owner) const {
    std::uint64_t sum = 0;
    for (const Grant& grant : grants_)
        if (grant.owner == owner)
            sum += grant.bytes;
    return sum;
}

const Grant* Ledger::next(std::uint64_t address) const {
    const std::size_t at = first_ending_after(address);
    return at < grants_.size() ? &grants_[at] : nullptr;
}

void Ledger::clear() {
    grants_.clear();
    sealed_ = false;
}

} // namespace memory
