// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/build.hpp - what boot makes once for each partition, or for all: CPUID's tables and MSR permission maps.
//
// Pure.
#pragma once

#include "hypervisor/core/vcpu/cpuid.hpp"
#include "hypervisor/core/vcpu/msr.hpp"

#include <span>

namespace vcpu {

// What the processor says.
using CpuidSource = CpuidLeaf (*)(std::uint32_t leaf, std::uint32_t subleaf);

void build_cpuid(CpuidTable& table, CpuidSource host, std::uint32_t vcpu_count);

// What of `host` a partition with this table lacks or has beyond it on another CPU: a name for a message, or nullptr where both
// offer the same. Caches and clocks may differ.
[[nodiscard]] const char* differs(const CpuidTable& table, CpuidSource host);

// SVM: 8 KiB, two bits an MSR (read, write), 1 = exit. VMX: 4 KiB, read-low read-high write-low write-high.
inline constexpr std::size_t msrpm_bytes = 8192;
inline constexpr std::size_t msr_bitmap_bytes = 4096;
// Without `x2apic` the local APIC's registers exit, to be forwarded to its page.
void build_svm_msrpm(std::span<std::uint8_t, msrpm_bytes> map, bool tsc_deadline, bool x2apic);
void build_vmx_bitmap(std::span<std::uint8_t, msr_bitmap_bytes> map, bool tsc_deadline, bool x2apic);

} // namespace vcpu
