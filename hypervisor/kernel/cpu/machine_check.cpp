// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/cpu/machine_check.cpp - the processor's own errors; decided in core/vcpu/machine_check.hpp.
#include "hypervisor/kernel/cpu/machine_check.hpp"

#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/cpu/machine_check_banks.hpp"
#include "hypervisor/kernel/panic/panic.hpp"

namespace hv {
namespace {

using machine_check::Msrs;
using vcpu::MachineCheck;
using vcpu::MachineCheckBank;
namespace mca = vcpu::mca;

// Records of corrected errors on one CPU after which only every further power of ten is reported.
constexpr std::uint64_t reported_singly = 10;

[[noreturn]] void end_the_machine(const MachineCheckBank& bank, std::uint64_t global_status) {
    begin_panic();
    machine_check::report("fatal", bank, 1);
    LogLine line;
    line << "panic: machine check on CPU " << this_cpu().index << ": bank " << bank.index << " status "
         << base::hex(bank.status) << " address " << base::hex(bank.address) << " misc "
         << base::hex(bank.misc) << " MCG_STATUS " << base::hex(global_status);
    end_in_panic(line.view());
}

void note_corrected(const MachineCheckBank& bank) {
    std::uint64_t& count = this_cpu().corrected_errors;
    ++count;
    std::uint64_t power = reported_singly;
    while (power < count && power < UINT64_MAX / 10)
        power *= 10;
    if (count <= reported_singly || count == power)
        machine_check::report("corrected", bank, count);
}

// Ends the machine unless it can go on. In the exception itself that is all: the line may be held here.
void look(bool in_exception) {
    const std::uint64_t global = Msrs::read(mca::mcg_status);
    machine_check::scan(!in_exception, [=](const MachineCheckBank& bank, MachineCheck kind) {
        if (kind == MachineCheck::fatal)
            end_the_machine(bank, global);
        if (!in_exception)
            note_corrected(bank);
    });
    // An exception that no bank explains came for another CPU's sake, but where to go on must be known.
    if ((in_exception || (global & mca::in_progress) != 0) && (global & mca::restart_valid) == 0)
        end_the_machine({}, global);
    Msrs::write(mca::mcg_status, 0);
}

} // namespace

void machine_check::report(std::string_view severity, const MachineCheckBank& bank, std::uint64_t count) {
    console::audit_event("machine_check", [&](audit::Record& record) {
        record.add("severity", severity)
            .add("cpu", this_cpu().index)
            .add("bank", bank.index)
            .add_hex("status", bank.status)
            .add_hex("address", bank.address)
            .add_hex("misc", bank.misc)
            .add("count", count);
    });
}

void look_at_machine_checks() {
    if (machine_check::offered())
        look(false);
}

} // namespace hv

extern "C" void caisson_end_of_interrupt();

// #MC in host mode, on its own stack. What can go on is looked at later.
extern "C" void caisson_machine_check() {
    hv::look(true);
    hv::this_cpu().requests.fetch_or(hv::request_machine_check, std::memory_order_acq_rel);
}

// Vector 18 from a local APIC that is being emptied: MCIP tells the exception from an interrupt of the guest's.
extern "C" void caisson_drain_machine_check() {
    if (hv::machine_check::offered() &&
        (hv::machine_check::Msrs::read(hv::mca::mcg_status) & hv::mca::in_progress) != 0)
        return caisson_machine_check();
    caisson_end_of_interrupt();
}
