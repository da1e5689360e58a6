// SPDX-License-Identifier: Apache-2.0
// qemu-tests/guests/keeper.cpp - computes over its memory until it is asked to end (boot_page.h), and reports whether the sum
// of its memory ever changed and how often it left guest mode meanwhile. Status: 0 never and not once.
#include "partitions/adversary/runtime/guest.hpp"

namespace {

constexpr std::uint64_t first = 2u << 20; // above its own image and tables

std::uint64_t exits() {
    return static_cast<std::uint64_t>(guest::call(CAISSON_CALL_COUNTER, CAISSON_COUNTER_EXITS).value);
}
volatile std::uint64_t* word(std::uint64_t address) {
    // SAFETY: identity-mapped RAM of this guest that nothing else uses.
    return reinterpret_cast<volatile std::uint64_t*>(address);
}
bool asked_to_end() {
    return const_cast<const volatile unsigned long long&>(guest::boot_page().stop_request) != 0;
}
std::uint64_t sum_of_memory(std::uint64_t end) {
    std::uint64_t sum = 1;
    for (std::uint64_t at = first; at < end; at += 8)
        sum = (sum ^ *word(at)) * 0x100000001b3;
    return sum;
}

} // namespace

void guest_main() {
    const std::uint64_t end = guest::boot_page().memory_bytes;
    for (std::uint64_t at = first; at < end; at += 8)
        *word(at) = at * 0x9e3779b97f4a7c15 + 1;
    const std::uint64_t expected = sum_of_memory(end);
    std::uint64_t changed = 0;
    const std::uint64_t before = exits();
    while (!asked_to_end())
        changed += sum_of_memory(end) != expected;
    const std::uint64_t left = exits() - before - 1; // the question itself is one
    base::Text<96> text;
    text << "keeper: exits=" << left << " changed=" << changed << '\n';
    guest::print(text);
    guest::exit(left == 0 && changed == 0 ? 0 : 1);
}
