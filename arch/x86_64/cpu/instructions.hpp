// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/cpu/instructions.hpp - privileged and special instructions, one function each; used by loader, hypervisor
// and unikernel. Thin: no decisions here. The only inline assembly besides entry stubs and guest_state.
// Spec: AMD APM vol. 3; Intel SDM vol. 2.
#pragma once

#include <cstdint>

namespace cpu {

struct CpuidResult {
    std::uint32_t eax, ebx, ecx, edx;
};

// SAFETY (all of this file): each asm statement names every register and memory effect it has; callers run at
// CPL 0.

inline CpuidResult cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
    CpuidResult r{};
    asm volatile("cpuid"
                 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                 : "a"(leaf), "c"(subleaf)
                 : "memory");
    return r;
}

inline std::uint64_t rdtsc() {
    std::uint32_t low = 0, high = 0;
    asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return std::uint64_t{high} << 32 | low;
}

inline std::uint64_t rdmsr(std::uint32_t msr) {
    std::uint32_t low = 0, high = 0;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return std::uint64_t{high} << 32 | low;
}

inline void wrmsr(std::uint32_t msr, std::uint64_t value) {
    asm volatile("wrmsr"
                 :
                 : "c"(msr), "a"(static_cast<std::uint32_t>(value)),
                   "d"(static_cast<std::uint32_t>(value >> 32))
                 : "memory");
}

// The width of an access is that of the value.
template <typename Value> Value in(std::uint16_t port) {
    Value value = 0;
    asm volatile("in %w1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
template <typename Value> void out(std::uint16_t port, Value value) {
    asm volatile("out %0, %w1" : : "a"(value), "Nd"(port));
}

// Control registers 0, 2, 3 and 4.
template <unsigned Number> std::uint64_t read_cr() {
    std::uint64_t value = 0;
    asm volatile("mov %%cr%c1, %0" : "=r"(value) : "i"(Number) : "memory");
    return value;
}
template <unsigned Number> void write_cr(std::uint64_t value) {
    asm volatile("mov %0, %%cr%c1" : : "r"(value), "i"(Number) : "memory");
}
inline std::uint64_t read_dr6() {
    std::uint64_t value = 0;
    asm volatile("mov %%db6, %0" : "=r"(value) : : "memory");
    return value;
}
inline void write_dr6(std::uint64_t value) {
    asm volatile("mov %0, %%db6" : : "r"(value) : "memory");
}

inline void xsetbv(std::uint32_t index, std::uint64_t value) {
    asm volatile("xsetbv"
                 :
                 : "c"(index), "a"(static_cast<std::uint32_t>(value)),
                   "d"(static_cast<std::uint32_t>(value >> 32))
                 : "memory");
}

inline void invlpg(std::uint64_t address) {
    asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}
// The line of the cache with that byte is in memory afterwards.
struct FlushLine {
    void operator()(const void* byte) const { asm volatile("clflush (%0)" : : "r"(byte) : "memory"); }
};
inline void pause() {
    asm volatile("pause" : : : "memory");
}
inline void halt() {
    asm volatile("hlt" : : : "memory");
}
inline void interrupts_off() {
    asm volatile("cli" : : : "memory");
}
// Clears CPU buffers where microcode made it do so.
inline void verw() {
    constexpr std::uint16_t data = 0x10; // any writable segment
    asm volatile("verw %0" : : "m"(data) : "cc", "memory");
}

// A pseudo-descriptor for LGDT / LIDT.
struct [[gnu::packed]] DescriptorTable {
    std::uint16_t limit;
    std::uint64_t base;
};
inline void lidt(const DescriptorTable& table) {
    asm volatile("lidt %0" : : "m"(table) : "memory");
}

// RDRAND / RDSEED: false when the hardware had nothing to give this time.
inline bool rdrand(std::uint64_t& value) {
    bool good = false;
    asm volatile("rdrand %0" : "=r"(value), "=@ccc"(good));
    return good;
}
inline bool rdseed(std::uint64_t& value) {
    bool good = false;
    asm volatile("rdseed %0" : "=r"(value), "=@ccc"(good));
    return good;
}

} // namespace cpu
