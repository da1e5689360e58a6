// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/run/carry_out.cpp - doing what core/vcpu decided about an exit.
//
// Holds no policy: every branch is on the Action. A range an Action names lies inside one RAM region of the partition.
#include "arch/x86_64/apic/local_apic.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/core/vcpu/lapic.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/entropy.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/memory/window.hpp"
#include "hypervisor/kernel/panic/panic.hpp"
#include "hypervisor/kernel/run/run.hpp"
#include "hypervisor/kernel/time/alarm.hpp"

#include <cstring>

namespace hv {
namespace {

using vcpu::Action;
using vcpu::ActionKind;

constexpr std::uint8_t status_stopped = 137;
// A partial line is held back until so many bytes are there, so that a byte-wise console does not cost a frame a byte.
constexpr std::size_t partial_line = 128;

std::span<const char> text_of(std::span<const std::byte> bytes) {
    return {static_cast<const char*>(static_cast<const void*>(bytes.data())), bytes.size()};
}

// Console bytes by register. Returns how many were taken; a UART byte that does not fit is dropped and counted.
std::uint64_t put_bytes(Partition& partition, const Action& action) {
    if (!partition.has_console())
        return action.count;
    std::array<char, 8> bytes{};
    std::memcpy(bytes.data(), &action.value, bytes.size());
    const std::span<const char> text = std::span{bytes}.first(action.count);
    std::size_t taken = 0;
    {
        const Locked producer{partition.producing};
        taken = partition.ring.push(text);
        if (action.from_uart)
            partition.ring.drop(text.size() - taken);
    }
    const bool line_end = std::memchr(bytes.data(), '\n', action.count) != nullptr;
    if (line_end || console_ring_bytes - partition.ring.room() >= partial_line)
        console::flush(partition);
    return taken;
}

std::uint64_t put_range(Partition& partition, const Action& action) {
    if (!partition.has_console())
        return action.count;
    std::uint64_t taken = 0;
    {
        const Locked producer{partition.producing};
        (void)each_guest_piece(
            WindowSide::source, partition, action.gpa, action.count, false,
            [&](std::span<std::byte> piece) { taken += partition.ring.push(text_of(piece)); });
    }
    console::flush(partition);
    return taken;
}

void report(const Vcpu& vcpu, const vcpu::Exit& exit, const Action& action, std::string_view event);

std::uint64_t put_note(Vcpu& vcpu, const vcpu::Exit& exit, const Action& action) {
    if (vcpu.audit_rate.take(cpu::rdtsc(), 1) == 0) {
        if (vcpu.core.counters.refuse(vcpu::Refusal::hypercall_rate))
            report(vcpu, exit, {.refusal = vcpu::Refusal::hypercall_rate}, "refused");
        return vcpu::hypercall_error(CAISSON_ERROR_RATE);
    }
    std::array<char, vcpu::audit_text_max> text{};
    std::size_t size = 0;
    (void)each_guest_piece(WindowSide::source, *vcpu.partition, action.gpa, action.count, false,
                           [&](std::span<std::byte> piece) {
                               std::memcpy(text.data() + size, piece.data(), piece.size());
                               size += piece.size();
                           });
    console::audit_event("note", [&](audit::Record& record) {
        record.add("partition", vcpu.partition->name)
            .add("generation", vcpu.partition->policy.generation)
            .add("text", std::string_view{text.data(), size});
    });
    return 0;
}

void send_ipi(Vcpu& vcpu, const vcpu::Ipi& ipi) {
    for (std::uint64_t targets = ipi.targets; targets != 0; targets &= targets - 1) {
        Vcpu& target = *vcpu.partition->vcpus[static_cast<std::size_t>(__builtin_ctzll(targets))];
        switch (ipi.kind) {
        case vcpu::IpiKind::fixed:
            apic::send(target.cpu->apic_id, apic::fixed | ipi.vector);
            break;
        case vcpu::IpiKind::init:
            request(*target.cpu, request_init);
            break;
        case vcpu::IpiKind::startup:
            target.cpu->start_up_vector.store(ipi.vector, std::memory_order_release);
            request(*target.cpu, request_start_up);
            break;
        case vcpu::IpiKind::nothing:
        case vcpu::IpiKind::refused:
            break;
        }
    }
}

std::uint64_t counter(const Vcpu& vcpu, std::uint64_t selector) {
    // The call that asks is not counted.
    return selector == CAISSON_COUNTER_EXITS ? vcpu.partition->total(&vcpu::Counters::exits) - 1
                                             : vcpu.partition->total(&vcpu::Counters::refusals);
}

void random_registers(vcpu::Registers& registers) {
    std::array<std::uint64_t, 4> words{};
    std::array<std::uint8_t, sizeof(words)> bytes{};
    fill_random(bytes);
    std::memcpy(words.data(), bytes.data(), sizeof(words));
    registers.rdi = words[0];
    registers.rsi = words[1];
    registers.rdx = words[2];
    registers.r10 = words[3];
}

void report(const Vcpu& vcpu, const vcpu::Exit& exit, const Action& action, std::string_view event) {
    console::audit_event(event, [&](audit::Record& record) {
        const vcpu::Counters& counters = vcpu.core.counters;
        record.add("partition", vcpu.partition->name)
            .add("generation", vcpu.partition->policy.generation)
            .add("detail", vcpu::rule_of(action.refusal).name)
            .add("count", counters.by_kind[static_cast<std::size_t>(action.refusal)])
            .add("vcpu", vcpu.core.index)
            .add_hex("rip", exit.rip);
        if (exit.kind == vcpu::ExitKind::port)
            record.add_hex("port", exit.port.port);
        else if (exit.kind == vcpu::ExitKind::msr_read || exit.kind == vcpu::ExitKind::msr_write)
            record.add_hex("msr", static_cast<std::uint32_t>(vcpu.core.registers.rcx));
        else if (exit.kind == vcpu::ExitKind::nested_fault)
            record.add_hex("gpa", exit.detail);
        if (action.kind == ActionKind::stop) {
            const virt::Dump dump = vcpu.guest.dump();
            record.add_hex("code", dump.code)
                .add_hex("info1", dump.info1)
                .add_hex("info2", dump.info2)
                .add_hex("rsp", dump.rsp)
                .add_hex("cr0", dump.cr0)
                .add_hex("cr2", dump.cr2)
                .add_hex("cr3", dump.cr3)
                .add_hex("cr4", dump.cr4)
                .add_hex("efer", dump.efer)
                .add_hex("rflags", dump.rflags);
            if (dump.failed_check != nullptr)
                record.add("check", dump.failed_check);
        }
    });
}

void finish(Vcpu& vcpu, const Action& action) {
    Ending ending;
    ending.status = action.status;
    ending.reason = action.exit_kind == CAISSON_EXIT_SIGNAL  ? vcpu::EndReason::signal
                    : action.exit_kind == CAISSON_EXIT_FAULT ? vcpu::EndReason::fault
                                                             : vcpu::EndReason::exit;
    stop_partition(vcpu, ending);
}

void stop_for(Vcpu& vcpu, const vcpu::Exit& exit, const Action& action) {
    report(vcpu, exit, action, "stopped");
    Ending ending;
    ending.status = status_stopped;
    ending.refusal = action.refusal;
    ending.detail = vcpu::rule_of(action.refusal).name;
    stop_partition(vcpu, ending);
}

// In either mode of this CPU's APIC: by MSR, or on its page.
apic::Register lapic_register(const Action& action) {
    return static_cast<apic::Register>(action.msr - vcpu::lapic_first);
}

} // namespace

bool carry_out(Vcpu& vcpu, const vcpu::Exit& exit, const Action& action) {
    Partition& partition = *vcpu.partition;
    vcpu::Registers& registers = vcpu.core.registers;
    if (action.report && action.kind != ActionKind::stop)
        report(vcpu, exit, action, "refused");
    switch (action.kind) {
    case ActionKind::resume:
        break;
    case ActionKind::inject:
        vcpu.guest.inject(action);
        break;
    case ActionKind::write_msr:
        cpu::wrmsr(action.msr, action.value);
        break;
    case ActionKind::read_lapic:
        vcpu::set_edx_eax(registers, apic::read(lapic_register(action)));
        break;
    case ActionKind::write_lapic:
        apic::write(lapic_register(action), static_cast<std::uint32_t>(action.value));
        break;
    case ActionKind::read_tsc:
        vcpu::set_edx_eax(registers, cpu::rdtsc());
        break;
    case ActionKind::set_efer:
        vcpu.guest.set_efer(action.value);
        break;
    case ActionKind::set_pat:
        vcpu.guest.set_pat(action.value);
        break;
    case ActionKind::set_cr0_shadow:
        vcpu.guest.set_cr0_shadow(action.value);
        break;
    case ActionKind::set_xcr0:
        cpu::xsetbv(0, action.value);
        break;
    case ActionKind::send_ipi:
        send_ipi(vcpu, action.ipi);
        break;
    case ActionKind::console_bytes: {
        const std::uint64_t taken = put_bytes(partition, action);
        if (!action.from_uart)
            registers.rax = taken;
        break;
    }
    case ActionKind::console_range:
        registers.rax = put_range(partition, action);
        break;
    case ActionKind::audit_range:
        registers.rax = put_note(vcpu, exit, action);
        break;
    case ActionKind::entropy:
        random_registers(registers);
        break;
    case ActionKind::read_counter:
        registers.rax = counter(vcpu, action.value);
        break;
    case ActionKind::host_event:
        virt::take_pending_nmi();
        // Time's exits are declared in the plan and are not the partition's.
        if (alarm::is_here() && vcpu.cpu->requests.load(std::memory_order_acquire) == request_look)
            --vcpu.core.counters.exits;
        break;
    case ActionKind::machine_check:
        look_at_machine_checks();
        break;
    case ActionKind::finish:
        finish(vcpu, action);
        return false;
    case ActionKind::stop:
        stop_for(vcpu, exit, action);
        return false;
    }
    if (action.advance)
        vcpu.guest.advance(exit.kind);
    if (!vcpu.guest.deliver_again()) {
        stop_for(vcpu, exit, {.kind = ActionKind::stop, .refusal = vcpu::Refusal::unexpected});
        return false;
    }
    return true;
}

} // namespace hv
