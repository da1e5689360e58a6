// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/memory/runs.cpp
#include "hypervisor/core/memory/runs.hpp"

#include "hypervisor/base/address.hpp"

#include <algorithm>

namespace memory {
namespace {

constexpr std::uint64_t page_mask = base::page_size - 1;

std::uint64_t end_of(std::uint64_t base, std::uint64_t bytes) {
    std::uint64_t end = 0;
    return __builtin_add_overflow(base, bytes, &end) ? address_limit : std::min(end, address_limit);
}

} // namespace

bool Runs::add(std::uint64_t base, std::uint64_t bytes) {
    std::uint64_t start = (std::min(base, address_limit) + page_mask) & ~page_mask;
    std::uint64_t end = end_of(base, bytes) & ~page_mask;
    if (start >= end)
        return true;
    std::size_t first = 0;
    while (first < runs_.size() && runs_[first].end() < start)
        ++first;
    std::size_t last = first; // [first, last) touch it and become one with it
    for (; last < runs_.size() && runs_[last].base <= end; ++last) {
        start = std::min(start, runs_[last].base);
        end = std::max(end, runs_[last].end());
    }
    if (first == last)
        return runs_.insert(first, {start, end - start});
    runs_[first] = {start, end - start};
    while (--last > first)
        runs_.erase(last);
    return true;
}

bool Runs::remove(std::uint64_t base, std::uint64_t bytes) {
    const std::uint64_t start = base & ~page_mask, end = (end_of(base, bytes) + page_mask) & ~page_mask;
    for (std::size_t i = 0; bytes != 0 && i < runs_.size();) {
        const Run run = runs_[i];
        const Run after{end, run.end() - end};
        if (run.end() <= start || end <= run.base) {
            ++i;
        } else if (start <= run.base && run.end() <= end) {
            runs_.erase(i);
        } else if (start <= run.base) {
            runs_[i++] = after;
        } else { // one that is cut in two is the only one that is touched
            if (end < run.end() && !runs_.insert(i + 1, after))
                return false;
            runs_[i++].bytes = start - run.base;
        }
    }
    return true;
}

bool Runs::contains(std::uint64_t base, std::uint64_t bytes) const {
    return std::ranges::any_of(runs_, [=](const Run& run) {
        return base >= run.base && base < run.end() && bytes <= run.end() - base;
    });
}

std::optional<Run> Runs::find(std::uint64_t bytes, std::uint64_t alignment, std::uint64_t from) const {
    for (const Run& run : runs_) {
        const std::uint64_t start = base::round_up(std::max(run.base, from), alignment).value_or(run.end());
        if (start < run.end() && run.end() - start >= bytes)
            return Run{start, bytes};
    }
    return std::nullopt;
}

std::optional<Run> Runs::longest(std::uint64_t alignment) const {
    std::optional<Run> found;
    for (const Run& run : runs_) {
        const std::uint64_t end = base::round_down(run.end(), alignment);
        const std::uint64_t start = base::round_up(run.base, alignment).value_or(end);
        if (start < end && end - start > (found ? found->bytes : 0))
            found = Run{start, end - start};
    }
    return found;
}

std::uint64_t Runs::bytes() const {
    std::uint64_t sum = 0;
    for (const Run& run : runs_)
        sum += run.bytes;
    return sum;
}

base::Status<Error> normalize(std::span<const Range> entries, Runs& usable) {
    static_assert(max_firmware_entries <= Runs::capacity, "each entry makes one run more at most");
    usable.clear();
    if (entries.size() > max_firmware_entries)
        return base::Failure{Error::too_many_entries};
    for (const Kind turn : {Kind::usable, Kind::reserved})
        for (const Range& entry : entries)
            if (entry.kind == turn)
                base::expects(turn == Kind::usable ? usable.add(entry.base, entry.bytes)
                                                   : usable.remove(entry.base, entry.bytes),
                              "memory map: room for every entry");
    return usable.view().empty() ? base::Status<Error>{base::Failure{Error::no_usable_memory}}
                                 : base::success;
}

const char* describe(Error error) {
    return error == Error::too_many_entries ? "the firmware's memory map has too many entries"
                                            : "the firmware's memory map names no usable memory";
}

} // namespace memory
