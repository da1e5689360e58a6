// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/msr.cpp - the allow-list of MSRs and the bitmaps made from it.
#include "hypervisor/core/vcpu/msr.hpp"

#include "hypervisor/core/vcpu/lapic.hpp"

#include "hypervisor/base/weakness.hpp"

#include <algorithm>

namespace vcpu {
namespace {

// An MSR range with the accesses that do not exit (also shown in docs/abi.md).
struct PassThrough {
    std::uint32_t first, last;
    bool read, write;
};
// Switched with the guest by VMLOAD/VMSAVE (or the VMCS) or, on a dedicated CPU, by the restart table alone.
constexpr std::array<PassThrough, 6> list{{
    {0x174, 0x176, true, true},           // SYSENTER_CS, _ESP, _EIP
    {0xC0000081, 0xC0000084, true, true}, // STAR, LSTAR, CSTAR, SFMASK
    {0xC0000100, 0xC0000101, true, true}, // FS base, GS base
    {0xC0000102, 0xC0000102, true, true}, // kernel GS base
    {msr::tsc_aux, msr::tsc_aux, true, false},
}};

constexpr std::uint32_t window = 0x2000; // MSRs a 2 KiB range describes
constexpr std::uint32_t high_base = 0xC0000000;

// The bitmaps cover [0, 2000h) and [C0000000h, C0002000h); the list lies inside.
static_assert(std::ranges::all_of(list, [](const PassThrough& entry) {
    return entry.first <= entry.last &&
           (entry.last < window || (entry.first >= high_base && entry.last < high_base + window));
}));

template <typename Visit> void for_each_register(bool tsc_deadline, bool x2apic, Visit visit) {
    for (const PassThrough& entry : list)
        for (std::uint32_t index = entry.first; index <= entry.last; ++index)
            visit(index, entry.read, entry.write);
    const LapicBackend backend = x2apic ? LapicBackend::physical : LapicBackend::forwarded;
    for (std::uint32_t index = lapic_first; index <= lapic_last; ++index)
        visit(index, lapic_passes(backend, index, false), lapic_passes(backend, index, true));
    if (tsc_deadline)
        visit(msr::tsc_deadline, true, true);
    if (base::weak(base::Weakness::open_msr))
        visit(0x2FFu, true, true); // MTRR_DEF_TYPE
    if (base::weak(base::Weakness::open_feature))
        visit(0x3Au, true, true);
}

void clear_bit(std::span<std::uint8_t> map, std::uint32_t bit) {
    map[bit / 8] = static_cast<std::uint8_t>(map[bit / 8] & ~(1u << (bit % 8)));
}

} // namespace

void build_svm_msrpm(std::span<std::uint8_t, msrpm_bytes> map, bool tsc_deadline, bool x2apic) {
    constexpr std::uint32_t range_bits = 2048 * 8;
    std::ranges::fill(map, std::uint8_t{0xFF});
    for_each_register(tsc_deadline, x2apic, [&](std::uint32_t index, bool read, bool write) {
        const std::uint32_t bit = index < window ? index * 2 : range_bits + (index - high_base) * 2;
        if (read)
            clear_bit(map, bit);
        if (write)
            clear_bit(map, bit + 1);
    });
}

void build_vmx_bitmap(std::span<std::uint8_t, msr_bitmap_bytes> map, bool tsc_deadline, bool x2apic) {
    constexpr std::uint32_t part_bits = 1024 * 8; // read low, read high, write low, write high
    std::ranges::fill(map, std::uint8_t{0xFF});
    for_each_register(tsc_deadline, x2apic, [&](std::uint32_t index, bool read, bool write) {
        const std::uint32_t bit = index < window ? index : part_bits + (index - high_base);
        if (read)
            clear_bit(map, bit);
        if (write)
            clear_bit(map, 2 * part_bits + bit);
    });
}

} // namespace vcpu
