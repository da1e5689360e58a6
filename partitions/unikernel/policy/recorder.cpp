// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/policy/recorder.cpp - see recorder.hpp.
#include "partitions/unikernel/policy/recorder.hpp"

#include "hypervisor/base/text.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/policy/chain.hpp"

#include <array>

namespace uk::policy {

namespace {

constexpr std::uint64_t pause = 1'000'000'000;
std::array<std::uint64_t, Chain::calls / 64> seen{};
bool news = false;
std::uint64_t told_at = 0;

void tell() {
    // From the last word with a bit on, the highest first: a number in hexadecimal.
    std::size_t words = seen.size();
    while (words > 1 && seen[words - 1] == 0)
        --words;
    base::Text<200> text;
    text << "syscalls:";
    for (std::size_t i = words; i-- > 0;)
        for (unsigned shift = 64; shift != 0;) {
            shift -= 4;
            text << "0123456789abcdef"[seen[i] >> shift & 0xF];
        }
    audit(text.view());
    news = false;
    told_at = monotonic_ns();
}

} // namespace

void record_call(std::uint64_t number) {
    if (number >= Chain::calls)
        return;
    const std::uint64_t bit = std::uint64_t{1} << number % 64;
    news = news || (seen[number / 64] & bit) == 0;
    seen[number / 64] |= bit;
    if (news && (told_at == 0 || monotonic_ns() - told_at >= pause))
        tell();
}

void end_record() {
    if (news)
        tell();
}

} // namespace uk::policy
