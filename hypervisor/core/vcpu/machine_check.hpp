// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/machine_check.hpp - what the machine-check banks of a CPU say: corrected, or the end of the machine.
//
// Pure: the banks are read and cleared through a seam (read(msr), write(msr, value)).
// Invariants: I1  a bank that is not plainly corrected is fatal and stays as it is, for whoever looks after the reset
//             I2  no more banks are looked at than both vendors' plain MSRs can name
// Spec:       Intel SDM vol. 3 "Machine-Check Architecture"; AMD APM vol. 2 "Machine Check Architecture".
#pragma once

#include <cstdint>

namespace vcpu {

namespace mca {
inline constexpr std::uint32_t mcg_cap = 0x179, mcg_status = 0x17A, mcg_ctl = 0x17B, first_bank = 0x400;
inline constexpr std::uint32_t max_banks = 32;
inline constexpr std::uint64_t cap_control = 1u << 8, cap_cmci = 1u << 10; // MCG_CAP.MCG_CTL_P, MCG_CMCI_P
inline constexpr std::uint64_t restart_valid = 1u << 0, in_progress = 1u << 2; // MCG_STATUS.RIPV, .MCIP
inline constexpr std::uint64_t valid = std::uint64_t{1} << 63, uncorrected = std::uint64_t{1} << 61,
                               misc_valid = std::uint64_t{1} << 59, address_valid = std::uint64_t{1} << 58,
                               context_corrupt = std::uint64_t{1} << 57;
inline constexpr std::uint64_t amd_deferred = std::uint64_t{1} << 44, amd_poison = std::uint64_t{1} << 43;
} // namespace mca

enum class MachineCheck : std::uint8_t { none, corrected, fatal };

struct MachineCheckBank {
    std::uint32_t index = 0;
    // Address and misc 0 where the status does not vouch for them.
    std::uint64_t status = 0, address = 0, misc = 0;
};

// One bank by its status. AMD's deferred and poisoned data are uncorrected data that nobody has used yet.
constexpr MachineCheck classify(std::uint64_t status, bool amd) {
    if ((status & mca::valid) == 0)
        return MachineCheck::none;
    const std::uint64_t bad =
        mca::uncorrected | mca::context_corrupt | (amd ? mca::amd_deferred | mca::amd_poison : 0);
    return (status & bad) != 0 ? MachineCheck::fatal : MachineCheck::corrected;
}

// Every bank that holds something goes to visit(bank, kind); corrected ones are cleared if `clear`. The worst kind.
template <typename Msrs, typename Visit>
MachineCheck scan_machine_checks(Msrs& msrs, bool amd, bool clear, Visit visit) {
    const auto count = static_cast<std::uint32_t>(msrs.read(mca::mcg_cap) & 0xFF);
    MachineCheck worst = MachineCheck::none;
    for (std::uint32_t i = 0; i < count && i < mca::max_banks; ++i) {
        const std::uint32_t status = mca::first_bank + 4 * i + 1;
        MachineCheckBank bank{.index = i, .status = msrs.read(status)};
        const MachineCheck kind = classify(bank.status, amd);
        if (kind == MachineCheck::none)
            continue;
        if ((bank.status & mca::address_valid) != 0)
            bank.address = msrs.read(status + 1);
        if ((bank.status & mca::misc_valid) != 0)
            bank.misc = msrs.read(status + 2);
        visit(bank, kind);
        if (clear && kind == MachineCheck::corrected)
            msrs.write(status, 0);
        worst = kind > worst ? kind : worst;
    }
    return worst;
}

} // namespace vcpu
