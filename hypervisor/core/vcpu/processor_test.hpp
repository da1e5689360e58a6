// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/processor_test.hpp - processors as the rules of processor_rules_test.hpp see them.
#pragma once

#include "hypervisor/core/vcpu/build.hpp"
#include "hypervisor/core/vcpu/cpuid.hpp"

#include <array>
#include <cstdint>

namespace vcpu::testing {

// What the rules ask about a CPU.
struct Processor {
    const char* name = "";
    bool intel = true, x2apic = true, tsc_deadline = true, cmci = true, eoi_suppression = true;
    bool extended_apic = false; // AMD's registers from 840h
    std::uint32_t last_local_vector = 6;
    bool rdtscp = true, rdpid = true, nx = true, syscall = true, automatic_ibrs = false, paging = true;
    bool spec_ctrl = true, ssbd = true, ibpb = true, flush_l1 = true, split_lock = true, mcg_ctl = true;
    std::uint32_t banks = 10;
    std::uint64_t xcr0 = 0x602E7; // of components 0-18
};

inline constexpr std::array<Processor, 7> processors{{
    {.name = "everything"},
    {.name = "Zen 4",
     .intel = false,
     .tsc_deadline = false,
     .cmci = false,
     .eoi_suppression = false,
     .extended_apic = true,
     .last_local_vector = 5,
     .automatic_ibrs = true,
     .flush_l1 = false,
     .split_lock = false,
     .xcr0 = 0x2E7},
    {.name = "QEMU's AMD model",
     .intel = false,
     .tsc_deadline = false,
     .cmci = false,
     .eoi_suppression = false,
     .last_local_vector = 5,
     .rdpid = false,
     .spec_ctrl = false,
     .ssbd = false,
     .ibpb = false,
     .flush_l1 = false,
     .split_lock = false,
     .xcr0 = 0x207},
    {.name = "K8",
     .intel = false,
     .x2apic = false,
     .tsc_deadline = false,
     .cmci = false,
     .eoi_suppression = false,
     .last_local_vector = 5,
     .rdtscp = false,
     .rdpid = false,
     .spec_ctrl = false,
     .ssbd = false,
     .ibpb = false,
     .flush_l1 = false,
     .split_lock = false,
     .banks = 5,
     .xcr0 = 0},
    {.name = "Core 2",
     .x2apic = false,
     .tsc_deadline = false,
     .cmci = false,
     .eoi_suppression = false,
     .last_local_vector = 5,
     .rdtscp = false,
     .rdpid = false,
     .spec_ctrl = false,
     .ssbd = false,
     .ibpb = false,
     .flush_l1 = false,
     .split_lock = false,
     .mcg_ctl = false,
     .banks = 6,
     .xcr0 = 0x3},
    {.name = "Westmere",
     .tsc_deadline = false,
     .rdpid = false,
     .spec_ctrl = false,
     .ssbd = false,
     .ibpb = false,
     .flush_l1 = false,
     .split_lock = false,
     .banks = 9,
     .xcr0 = 0},
    {.name = "a hypervisor's",
     .cmci = false,
     .last_local_vector = 3,
     .rdtscp = false,
     .rdpid = false,
     .nx = false,
     .syscall = false,
     .spec_ctrl = false,
     .ssbd = false,
     .ibpb = false,
     .flush_l1 = false,
     .split_lock = false,
     .mcg_ctl = false,
     .banks = 0,
     .xcr0 = 0x7},
}};

// The processor's own CPUID, as far as build_cpuid() turns it into what the rules are about. One at a time.
inline CpuidSource cpuid_of(const Processor& processor) {
    static const Processor* asked;
    asked = &processor;
    return [](std::uint32_t leaf, std::uint32_t subleaf) -> CpuidLeaf {
        const auto bit = [](bool on, unsigned number) { return std::uint32_t{on} << number; };
        const Processor& p = *asked;
        switch (leaf) {
        case 0:
            return {0x16, p.intel ? 0x756E6547u : 0x68747541u, 0, 0};
        case 1:
            return {0, 0, ~(bit(!p.tsc_deadline, 24) | bit(!p.x2apic, 21) | bit(p.xcr0 == 0, 26)), ~0u};
        case 7:
            return subleaf == 0 ? CpuidLeaf{0, ~0u, ~bit(!p.rdpid, 22), ~0u} : CpuidLeaf{};
        case 0xD:
            return subleaf == 0 ? CpuidLeaf{static_cast<std::uint32_t>(p.xcr0), 0, 0, 0}
                                : CpuidLeaf{64, 576, 0, 0};
        case 0x80000000:
            return {0x80000021, 0, 0, 0};
        case 0x80000001:
            return {0, 0, ~0u, ~(bit(!p.rdtscp, 27) | bit(!p.nx, 20) | bit(!p.syscall, 11))};
        default:
            return {};
        }
    };
}

} // namespace vcpu::testing
