// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/proc/cpu_text.cpp - see cpu_text.hpp. Spec: CPUID, AMD APM vol. 3 appendix
// E.
#include "partitions/unikernel/proc/cpu_text.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "partitions/unikernel/machine/clock.hpp"

#include <array>
#include <cstring>

namespace uk::proc {

namespace {

struct Flag {
    std::uint8_t bit;
    std::string_view name;
};
constexpr Flag leaf1_edx[] = {{0, "fpu"},  {4, "tsc"},   {5, "msr"},   {6, "pae"},
                              {8, "cx8"},  {9, "apic"},  {15, "cmov"}, {19, "clflush"},
                              {23, "mmx"}, {24, "fxsr"}, {25, "sse"},  {26, "sse2"}};
constexpr Flag leaf1_ecx[] = {{0, "pni"},     {1, "pclmulqdq"}, {9, "ssse3"},  {12, "fma"},    {13, "cx16"},
                              {19, "sse4_1"}, {20, "sse4_2"},   {22, "movbe"}, {23, "popcnt"}, {25, "aes"},
                              {26, "xsave"},  {28, "avx"},      {29, "f16c"},  {30, "rdrand"}};
constexpr Flag leaf7_ebx[] = {{3, "bmi1"},    {5, "avx2"}, {7, "smep"},  {8, "bmi2"},   {9, "erms"},
                              {18, "rdseed"}, {19, "adx"}, {20, "smap"}, {29, "sha_ni"}};

void put_flags(fs::TextSink& out, std::uint32_t word, std::span<const Flag> flags) {
    for (const Flag& flag : flags)
        if ((word >> flag.bit & 1) != 0)
            out << ' ' << flag.name;
}

} // namespace

namespace {

void put_cpu(fs::TextSink& out, std::uint64_t number, std::uint64_t count) {
    const cpu::CpuidResult leaf0 = cpu::cpuid(0), leaf1 = cpu::cpuid(1);
    const cpu::CpuidResult leaf7 = leaf0.eax >= 7 ? cpu::cpuid(7) : cpu::CpuidResult{};
    const std::array<std::uint32_t, 3> vendor{leaf0.ebx, leaf0.edx, leaf0.ecx};
    std::array<std::uint32_t, 12> brand{};
    for (std::uint32_t i = 0; i < 3; ++i) {
        const cpu::CpuidResult part = cpu::cpuid(0x80000002 + i);
        const std::array<std::uint32_t, 4> words{part.eax, part.ebx, part.ecx, part.edx};
        std::memcpy(&brand[i * 4], words.data(), sizeof(words));
    }
    std::array<char, 49> name{};
    std::memcpy(name.data(), brand.data(), sizeof(brand));
    const std::uint32_t family =
        (leaf1.eax >> 8 & 15) + ((leaf1.eax >> 8 & 15) == 15 ? leaf1.eax >> 20 & 255 : 0);
    const std::uint32_t model = (leaf1.eax >> 4 & 15) | (leaf1.eax >> 12 & 0xF0);
    out << "processor\t: " << number
        << "\nvendor_id\t: " << std::string_view{reinterpret_cast<const char*>(vendor.data()), 12}
        << "\ncpu family\t: " << std::uint64_t{family} << "\nmodel\t\t: " << std::uint64_t{model}
        << "\nmodel name\t: " << std::string_view{name.data()}
        << "\nstepping\t: " << std::uint64_t{leaf1.eax & 15} << "\ncpu MHz\t\t: " << tsc_hz() / 1'000'000
        << ".000\nphysical id\t: 0\nsiblings\t: " << count << "\ncore id\t\t: " << number
        << "\ncpu cores\t: " << count << "\nfpu\t\t: yes\nwp\t\t: yes\nflags\t\t:";
    put_flags(out, leaf1.edx, leaf1_edx);
    put_flags(out, leaf1.ecx, leaf1_ecx);
    put_flags(out, leaf7.ebx, leaf7_ebx);
    out << " lm syscall nx\nbogomips\t: " << tsc_hz() / 500'000 << ".00\n\n";
}

} // namespace

void put_cpu_information(fs::TextSink& out) {
    const unsigned count = fs::seam::cpu_count();
    for (unsigned number = 0; number < count; ++number)
        put_cpu(out, number, count);
}

} // namespace uk::proc
