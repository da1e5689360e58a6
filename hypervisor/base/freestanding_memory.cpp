// SPDX-License-Identifier: Apache-2.0
// hypervisor/base/freestanding_memory.cpp - the memory functions the compiler may call, strlen, popcount, and the
// hooks of libstdc++'s assertions and the stack protector. Linked only into freestanding images.
//
// `rep movsb/stosb` are left to the microcode (ERMS); the copy direction flag is always clear in our code.
#include "hypervisor/base/fail.hpp"

#include <cstddef>
#include <cstdint>

extern "C" {

void* memcpy(void* to, const void* from, std::size_t bytes) {
    void* result = to;
    std::size_t words = bytes / 8;
    std::size_t rest = bytes % 8;
    // SAFETY: the caller owns both ranges; only the named registers and memory change.
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
    return result;
}

void* memmove(void* to, const void* from, std::size_t bytes) {
    const auto target = reinterpret_cast<std::uintptr_t>(to);
    const auto source = reinterpret_cast<std::uintptr_t>(from);
    if (target - source >= bytes)
        return memcpy(to, from, bytes);
    auto* t = static_cast<unsigned char*>(to);
    const auto* s = static_cast<const unsigned char*>(from);
    while (bytes-- > 0)
        t[bytes] = s[bytes];
    return to;
}

void* memset(void* to, int value, std::size_t bytes) {
    void* result = to;
    const std::uint64_t pattern = 0x0101010101010101u * static_cast<unsigned char>(value);
    std::size_t words = bytes / 8;
    std::size_t rest = bytes % 8;
    // SAFETY: the caller owns the range; only the named registers and memory change.
    asm volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(pattern) : "memory");
    asm volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(pattern) : "memory");
    return result;
}

int memcmp(const void* left, const void* right, std::size_t bytes) {
    const auto* a = static_cast<const unsigned char*>(left);
    const auto* b = static_cast<const unsigned char*>(right);
    for (std::size_t i = 0; i < bytes; ++i)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

const void* memchr(const void* text, int c, std::size_t bytes) {
    const auto* p = static_cast<const unsigned char*>(text);
    for (std::size_t i = 0; i < bytes; ++i)
        if (p[i] == static_cast<unsigned char>(c))
            return p + i;
    return nullptr;
}

std::size_t strlen(const char* text) {
    std::size_t n = 0;
    while (text[n] != '\0')
        ++n;
    return n;
}

// What std::popcount becomes where POPCNT may not be used.
int __popcountdi2(unsigned long word) {
    int count = 0;
    for (; word != 0; word &= word - 1)
        ++count;
    return count;
}

// Set to a random value by each image's start code before the first protected function returns.
std::uintptr_t __stack_chk_guard = 0x595e9fbd94fda766;

[[noreturn]] void __stack_chk_fail() {
    base::fail("stack protector: a return address was overwritten", "", 0);
}

[[noreturn]] void __cxa_pure_virtual() {
    base::fail("pure virtual call", "", 0);
}
}

namespace std {
void __glibcxx_assert_fail(const char* file, int line, const char*, const char* condition) noexcept {
    base::fail(condition != nullptr ? condition : "a check of the C++ library", file,
               static_cast<unsigned>(line));
}
// What g++ 13 and later let a noexcept library function call.
void terminate() noexcept {
    base::fail("std::terminate", "", 0);
}
} // namespace std
