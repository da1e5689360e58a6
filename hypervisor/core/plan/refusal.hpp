// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/refusal.hpp - the words with which a machine is refused: at boot by the hypervisor, and on the desk by the
// tool for a described board.
//
// Pure.
#pragma once

#include "hypervisor/base/text.hpp"
#include "hypervisor/core/plan/plan.hpp"

namespace plan {

inline constexpr std::string_view of_firmware = "firmware: ", of_memory_map = "memory map: ";
inline constexpr std::string_view no_console =
    "the plan wants a console (requireConsole), and this machine has no UART: none that its SPCR "
    "table names, none at COM1, no PCI serial card";
inline constexpr std::string_view no_tpm = "the plan wants a TPM (tpm: required): ",
                                  no_tpm_named = "this machine has none that firmware's ACPI tables name",
                                  tpm_of_firmware = "it is started only by firmware's own code";
inline constexpr std::string_view no_ecam =
    "the plan has devices, and this machine has no memory-mapped PCI configuration (MCFG) in reach";
inline constexpr std::string_view too_many_functions =
    "this machine has too many PCI functions for a plan with devices: more than ";
inline constexpr std::string_view past_iommu =
    ", which does not offer VIRTIO_F_ACCESS_PLATFORM (QEMU: iommu_platform=on) and VIRTIO_F_VERSION_1";
inline constexpr std::string_view time_needed = "the plan needs time interrupts (a watchdog, a delay before "
                                                "restarts, serialStop or powerButton), and this "
                                                "machine";
inline constexpr std::string_view no_button =
    "the plan wants the power button (powerButton: stop), and this machine ";
inline constexpr std::string_view without_button = "has no fixed one in I/O ports that its FADT names",
                                  button_without_cpu = "has no CPU without a partition to look at it";
inline constexpr std::string_view without_io_apic = " has no I/O APIC",
                                  time_blocked = "'s IOMMU would block them: its firmware's DMAR or IVRS "
                                                 "does not list their I/O APIC",
                                  without_timer =
                                      " has neither an HPET that reaches an I/O APIC nor a PIT that counts";
inline constexpr std::string_view unit_unusable = " cannot be used: ",
                                  unit_out_of_reach = "its registers are out of reach";

// The line for what bind() or check() refused. `plan`: null where there is none yet. `left_out`, `most`: CPUs that were too many,
// and how many are looked at.
template <std::size_t Capacity>
void write_refusal(base::Text<Capacity>& line, const Issue& issue, const Plan* plan, std::size_t left_out,
                   std::size_t most) {
    line << "this machine cannot run the plan: " << describe(issue.error);
    if (plan != nullptr && issue.partition < plan->partition_count())
        line << ", partition '" << plan->partition_name(issue.partition) << '\'';
    if (issue.error == Error::device_in_memory || issue.error == Error::device_overlap)
        line << " (at " << base::hex(issue.needed) << ')';
    else if (issue.error >= Error::device_missing && issue.error <= Error::device_too_large) {
        line << ": " << base::hex(issue.needed);
        if (issue.available != 0)
            line << ", at " << base::hex(issue.available);
        if (issue.error == Error::device_past_iommu)
            line << past_iommu;
    } else if (issue.needed != 0 || issue.available != 0)
        line << " (needed " << issue.needed << ", available " << issue.available << ')';
    if (issue.error == Error::not_enough_cpus && left_out != 0)
        line << "; too many CPUs: " << left_out << " behind the first " << most << " are left out";
}

} // namespace plan
