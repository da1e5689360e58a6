// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/msr.cpp - the allow-list of MSRs and the bitmaps made from it.
#include "hypervisor/core/vcpu/msr.hpp"
#include "hypervisor/core/vcpu/build.hpp"

#include "hypervisor/core/vcpu/lapic.hpp"

#include <algorithm>

namespace vcpu {
namespace {

// An MSR range with the accesses that do not exit (also shown in docs/abi.md).
struct PassThrough {
    std::uint32_t first, last;
    bool read, write;
};
// Switched with the guest by VMLOAD/VMSAVE (or the VMCS) or, on a dedicated CPU, by the restart table alone.
constexpr std::array<PassThrough, 4> list{{
    {0x174, 0x176, true, true},           // SYSENTER_CS, _ESP, _EIP
    {0xC0000081, 0xC0000084, true, true}, // STAR, LSTAR, CSTAR, SFMASK
    {0xC0000100, 0xC0000102, true, true}, // FS base, GS base, kernel GS base
    {msr::tsc_aux, msr::tsc_aux, true, false},
}};

constexpr std::uint32_t window = 0x2000; // MSRs in each half of the maps
constexpr std::uint32_t high_base = 0xC0000000;

// The bitmaps cover [0, 2000h) and [C0000000h, C0002000h); the list lies inside.
static_assert(std::ranges::all_of(list, [](const PassThrough& entry) {
    return entry.first <= entry.last &&
           (entry.last < window || (entry.first >= high_base && entry.last < high_base + window));
}));

// Nothing passes but the lists. `bit_of(high, offset, write)`: the bit of a register in the vendor's map.
template <typename BitOf>
void build(std::span<std::uint8_t> map, bool tsc_deadline, bool x2apic, BitOf bit_of) {
    std::ranges::fill(map, std::uint8_t{0xFF});
    const auto pass = [&](std::uint32_t index, bool write) {
        const bool high = index >= high_base;
        const std::uint32_t bit = bit_of(high ? 1u : 0u, high ? index - high_base : index, write ? 1u : 0u);
        map[bit / 8] = static_cast<std::uint8_t>(map[bit / 8] & ~(1u << bit % 8));
    };
    const LapicBackend backend = x2apic ? LapicBackend::physical : LapicBackend::forwarded;
    for (const bool write : {false, true}) {
        for (const PassThrough& entry : list)
            for (std::uint32_t index = entry.first; index <= entry.last; ++index)
                if (write ? entry.write : entry.read)
                    pass(index, write);
        for (std::uint32_t index = lapic_first; index <= lapic_last; ++index)
            if (lapic_passes(backend, index, write))
                pass(index, write);
        if (tsc_deadline)
            pass(msr::tsc_deadline, write);
    }
}

} // namespace

void build_svm_msrpm(std::span<std::uint8_t, msrpm_bytes> map, bool tsc_deadline, bool x2apic) {
    build(map, tsc_deadline, x2apic, [](std::uint32_t high, std::uint32_t offset, std::uint32_t write) {
        return (high * window + offset) * 2 + write;
    });
}

void build_vmx_bitmap(std::span<std::uint8_t, msr_bitmap_bytes> map, bool tsc_deadline, bool x2apic) {
    build(map, tsc_deadline, x2apic, [](std::uint32_t high, std::uint32_t offset, std::uint32_t write) {
        return (write * 2 + high) * window + offset;
    });
}

} // namespace vcpu
