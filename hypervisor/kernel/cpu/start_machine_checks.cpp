// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/cpu/boot_registers.hpp"
#include "hypervisor/kernel/cpu/machine_check.hpp"
#include "hypervisor/kernel/cpu/machine_check_banks.hpp"

namespace hv {

void start_machine_checks() {
    using machine_check::Msrs;
    namespace mca = vcpu::mca;
    if (!machine_check::offered())
        return;
    machine_check::scan(false, [](const vcpu::MachineCheckBank& bank, vcpu::MachineCheck) {
        machine_check::report("before_boot", bank, 1);
        Msrs::write(mca::first_bank + 4 * bank.index + 1, 0);
    });
    const std::uint64_t capabilities = Msrs::read(mca::mcg_cap);
    if ((capabilities & mca::cap_control) != 0)
        Msrs::write(mca::mcg_ctl, ~std::uint64_t{0});
    for (std::uint32_t bank = 0; bank < (capabilities & 0xff) && bank < mca::max_banks; ++bank)
        Msrs::write(mca::first_bank + 4 * bank, ~std::uint64_t{0});
    Msrs::write(mca::mcg_status, 0);
    cpu::write_cr<4>(cpu::read_cr<4>() | cpu::cr4::mce);
}

} // namespace hv
