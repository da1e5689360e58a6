// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/run/run.cpp - exits: the quick answers, and doing what core/vcpu decided about the others.
//
// Holds no policy: every branch of carry_out() is on the Action. A range an Action names lies inside one RAM region of the
// partition.
#include "hypervisor/kernel/run/run.hpp"

#include "arch/x86_64/apic/local_apic.hpp"
#include "arch/x86_64/cpu/guarded.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/kernel/console/console.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/cpu/hardening.hpp"
#include "hypervisor/kernel/cpu/machine_check.hpp"
#include "hypervisor/kernel/entropy.hpp"
#include "hypervisor/kernel/machine.hpp"
#include "hypervisor/kernel/memory/window.hpp"
#include "hypervisor/kernel/time/sleep.hpp"
#if CAISSON_WEAK
#include "hypervisor/kernel/run/weak_run_test.hpp"
#endif
#ifdef CAISSON_CONTROL_INTERCEPT_INTERRUPTS
#include "hypervisor/kernel/run/intercept_interrupts_test.hpp"
#endif

#include <bit>
#include <cstring>

namespace hv {
namespace {

using vcpu::Action;
using vcpu::ActionKind;

// A partial line is held back until so many bytes are there, so that a byte-wise console does not cost a frame a byte.
constexpr std::size_t partial_line = 128;
// What a note costs beside its text: frame, sequence, name, hash and MAC.
constexpr std::uint64_t note_head = 256;

std::span<const char> text_of(std::span<const std::byte> bytes) {
    return {static_cast<const char*>(static_cast<const void*>(bytes.data())), bytes.size()};
}

// Console bytes, of registers or of a range. Returns how many were taken. What is beyond the partition's budget is lost and
// counted, and what does not fit where it came by the UART, which cannot say so.
std::uint64_t put(Partition& partition, const Action& action) {
    if (!partition.has_console())
        return action.count;
    const bool range = action.kind == ActionKind::console_range;
    const audit::Stream stream = action.errors_stream ? audit::Stream::errors : audit::Stream::output;
    std::array<char, 8> bytes{};
    std::memcpy(bytes.data(), &action.value, bytes.size());
    std::uint64_t taken = 0;
    const Locked producing{partition.output.producing};
    const std::uint64_t granted = partition.output_bytes.take(cpu::rdtsc(), action.count);
    const auto push = [&](std::span<const char> text) { taken += partition.output.ring.push(stream, text); };
    if (range)
        (void)each_guest_piece(WindowSide::source, partition.index, action.gpa, granted, false,
                               [&](std::span<std::byte> piece) { push(text_of(piece)); });
    else
        push(std::span{bytes}.first(granted));
    partition.output_bytes.used -= granted - taken;
    const std::uint64_t lost = action.from_uart || taken == granted ? action.count - taken : 0;
    partition.output.ring.drop(lost);
    const bool line_end = std::memchr(bytes.data(), '\n', bytes.size()) != nullptr;
    const bool enough = taken == 0 || partition.output.ring.held() >= partial_line;
    if (range || line_end || (enough && !base::weak("only_whole_lines")))
        console::offer(partition.output);
    return taken + lost;
}

void report(const Vcpu& vcpu, const vcpu::Exit& exit, const Action& action, std::string_view event) {
    const auto fill = [&](audit::Record& record) {
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
            record.add_hex("gpa", exit.gpa.value());
        if (action.kind == ActionKind::stop) {
            const virt::Dump dump = vcpu.guest.dump();
            for (std::size_t i = 0; i < dump.values.size(); ++i)
                record.add_hex(virt::dump_names[i], dump.values[i]);
            if (dump.no_entry)
                record.add("vmcs", vmx::Current::state_text().view());
        }
    };
    // The end of a life is the hypervisor's to tell; what leads to it, as often as a guest likes, is the guest's.
    const bool stop = action.kind == ActionKind::stop;
    console::audit_event(event, fill, stop ? audit::Account::hypervisor : audit::Account::guest);
}

// A note: so many a second and CPU, and so many bytes a second and partition.
bool may_note(Vcpu& vcpu, std::uint64_t bytes) {
    const std::uint64_t now = cpu::rdtsc();
    const Locked held{vcpu.partition->output.producing};
    return vcpu.audit_rate.take(now, 1) != 0 && vcpu.partition->note_bytes.take(now, bytes) == bytes;
}

std::uint64_t put_note(Vcpu& vcpu, const vcpu::Exit& exit, const Action& action) {
    if (!may_note(vcpu, note_head + action.count)) {
        if (vcpu.core.counters.refuse(vcpu::Refusal::hypercall_rate))
            report(vcpu, exit, {.refusal = vcpu::Refusal::hypercall_rate}, "refused");
        return vcpu::hypercall_error(CAISSON_ERROR_RATE);
    }
    std::array<char, vcpu::audit_text_max> text{};
    std::size_t size = 0;
    (void)each_guest_piece(WindowSide::source, vcpu.partition->index, action.gpa, action.count, false,
                           [&](std::span<std::byte> piece) {
                               std::memcpy(text.data() + size, piece.data(), piece.size());
                               size += piece.size();
                           });
    const auto fill = [&](audit::Record& record) {
        record.add("partition", vcpu.partition->name)
            .add("generation", vcpu.partition->policy.generation)
            .add("text", std::string_view{text.data(), size});
    };
    console::audit_event("note", fill, audit::Account::guest);
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

void random_registers(vcpu::Registers& registers) {
    std::array<std::uint8_t, 32> bytes{};
    fill_random(bytes);
    const auto words = std::bit_cast<std::array<std::uint64_t, 4>>(bytes);
    registers.rdi = words[0];
    registers.rsi = words[1];
    registers.rdx = words[2];
    registers.r10 = words[3];
}

void finish(Vcpu& vcpu, const Action& action) {
    const auto reason = action.exit_kind == CAISSON_EXIT_SIGNAL  ? vcpu::EndReason::signal
                        : action.exit_kind == CAISSON_EXIT_FAULT ? vcpu::EndReason::fault
                                                                 : vcpu::EndReason::exit;
    stop_partition(vcpu, {.reason = reason, .status = action.status});
}

void stop_for(Vcpu& vcpu, const vcpu::Exit& exit, const Action& action) {
    report(vcpu, exit, action, "stopped");
    stop_partition(
        vcpu,
        {.status = status_stopped, .refusal = action.refusal, .detail = vcpu::rule_of(action.refusal).name});
}

// In either mode of this CPU's APIC: by MSR, or on its page.
apic::Register lapic_register(const Action& action) {
    return static_cast<apic::Register>(action.msr - vcpu::lapic_first);
}

// Carries out a decision of core/vcpu. False: leave the guest. An access that this CPU answers with #GP becomes the guest's.
bool carry_out(Vcpu& vcpu, const vcpu::Exit& exit, const Action& action) {
    Partition& partition = *vcpu.partition;
    vcpu::Registers& registers = vcpu.core.registers;
    bool faulted = false;
    if (action.report_bus_lock)
        report(vcpu, exit, {.refusal = vcpu::Refusal::bus_lock}, "refused");
    if (action.report && action.kind != ActionKind::stop)
        report(vcpu, exit, action, "refused");
    switch (action.kind) {
    case ActionKind::resume:
        break;
    case ActionKind::inject:
        vcpu.guest.inject(action);
        break;
    case ActionKind::write_msr:
        faulted = !cpu::try_wrmsr(action.msr, action.value);
        break;
    case ActionKind::read_lapic: {
        std::uint64_t value = 0;
        faulted = !apic::try_read(lapic_register(action), value);
        if (!faulted)
            vcpu::set_edx_eax(registers, value);
        break;
    }
    case ActionKind::write_lapic:
        faulted = !apic::try_write(lapic_register(action), static_cast<std::uint32_t>(action.value));
        break;
    case ActionKind::read_tsc:
        vcpu::set_edx_eax(registers, cpu::rdtsc());
        break;
    case ActionKind::set_efer:
    case ActionKind::set_pat:
    case ActionKind::set_cr0_shadow:
        vcpu.guest.set(action);
        break;
    case ActionKind::set_xcr0:
        faulted = !cpu::try_xsetbv(0, action.value);
        if (!faulted)
            vcpu.core.xcr0 = action.value;
        break;
    case ActionKind::send_ipi:
        send_ipi(vcpu, action.ipi);
        break;
    case ActionKind::console_bytes:
    case ActionKind::console_range: {
        const std::uint64_t taken = put(partition, action);
        if (!action.from_uart)
            registers.rax = taken;
        break;
    }
    case ActionKind::audit_range:
        registers.rax = put_note(vcpu, exit, action);
        break;
    case ActionKind::entropy:
        random_registers(registers);
        break;
    case ActionKind::read_counter:
        // The call that asks is not counted.
        registers.rax = action.value == CAISSON_COUNTER_EXITS ? partition.total(&vcpu::Counters::exits) - 1
                                                              : partition.total(&vcpu::Counters::refusals);
        break;
    case ActionKind::lane_ring:
        ring(partition.links[action.value]);
        break;
    case ActionKind::lane_listen:
        if (listen(partition, partition.links[action.value], action.vector, action.count))
            break;
        registers.rax = vcpu::hypercall_error(CAISSON_ERROR_ARGUMENT);
        return carry_out(vcpu, exit, vcpu::refuse(vcpu.core, vcpu::Refusal::hypercall_argument));
    case ActionKind::lane_state:
        registers.rax = partition.links[action.value].life->load(std::memory_order_seq_cst);
        break;
    case ActionKind::host_event:
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
    if (faulted) [[unlikely]]
        return carry_out(vcpu, exit, vcpu::faulted(vcpu.core, exit, action.kind));
    if (action.advance)
        vcpu.guest.advance(exit.kind);
    if (!vcpu.guest.deliver_again()) {
        stop_for(vcpu, exit, {.kind = ActionKind::stop, .refusal = vcpu::Refusal::unexpected});
        return false;
    }
    return true;
}

// The two vendors' state at an exit, as far as the quick answers need it.
struct SvmExit {
    svm::Vmcb& vmcb;
    const virt::Guest& guest;
    [[nodiscard]] bool is_cpuid() const { return vmcb.exit_code == svm::exit_code::cpuid; }
    [[nodiscard]] bool is_hypercall() const { return vmcb.exit_code == svm::exit_code::vmmcall; }
    [[nodiscard]] std::uint8_t cpl() const { return vmcb.cpl; }
    [[nodiscard]] std::uint64_t cr4() const { return vmcb.cr4; }
    void advance(vcpu::ExitKind kind) const { svm::advance(vmcb, kind, guest.amd.has_next_rip); }
};
struct VmxExit {
    std::uint32_t reason;
    [[nodiscard]] bool is_cpuid() const { return reason == vmx::exit_reason::cpuid; }
    [[nodiscard]] bool is_hypercall() const { return reason == vmx::exit_reason::vmcall; }
    [[nodiscard]] static std::uint8_t cpl() { return vmx::privilege(vmx::Current{}); }
    [[nodiscard]] static std::uint64_t cr4() { return vmx::Current{}.read(vmx::field::guest_cr4); }
    static void advance(vcpu::ExitKind) {
        vmx::Current current;
        vmx::advance(current);
    }
};

#ifndef CAISSON_CONTROL_INTERCEPT_INTERRUPTS
// Only caisson_control.elf has more than this (hypervisor/kernel/run/intercept_interrupts_test.hpp).
template <typename Exit> void arm_interrupt_intercept(const Exit&) {}
#endif

bool nothing_requested(const Vcpu& vcpu) {
    return vcpu.cpu->requests.load(std::memory_order_acquire) == 0;
}

// The exits that a busy guest makes most: true when done. Calls nothing, so that the exit functions need no stack frame.
template <typename Exit> [[gnu::always_inline]] inline bool quick(Vcpu& vcpu, const Exit& exit) {
    if (exit.is_cpuid() && vcpu::copy_cpuid(vcpu.core.policy->cpuid, vcpu.core.registers)) {
        exit.advance(vcpu::ExitKind::cpuid);
        return true;
    }
    if (exit.is_hypercall() && vcpu::quick_hypercall(vcpu.core, exit.cpl())) {
        exit.advance(vcpu::ExitKind::hypercall);
        return true;
    }
    return false;
}

// CPUID whose answer follows guest state.
template <typename Exit> [[gnu::noinline]] bool look_up_cpuid(Vcpu& vcpu, Exit exit) {
    vcpu::answer_cpuid(vcpu.core.policy->cpuid, vcpu.core.registers,
                       {vcpu.core.index, static_cast<std::uint32_t>(exit.cr4()), vcpu.core.xcr0});
    exit.advance(vcpu::ExitKind::cpuid);
    return nothing_requested(vcpu);
}

// A ring, of which there may be one for every few packets.
template <typename Exit> [[gnu::noinline]] bool ring_quickly(Vcpu& vcpu, Exit exit) {
    ring(vcpu.partition->links[vcpu.core.registers.rdi]);
    vcpu.core.registers.rax = 0;
    exit.advance(vcpu::ExitKind::hypercall);
    return nothing_requested(vcpu);
}

// Everything else.
[[gnu::noinline]] bool handle(Vcpu& vcpu) {
    // Whatever becomes of the guest: a kick counts, and the next one must get through.
    vcpu.guest.take_nmi();
    const vcpu::Exit exit = vcpu.guest.decode();
    const vcpu::Action action = vcpu::decide(vcpu.core, exit);
#if CAISSON_WEAK
    weaken(vcpu, exit);
#endif
    const bool stay = carry_out(vcpu, exit, action);
    if (console::something_waits()) {
        const std::uint64_t since = cpu::rdtsc(), for_itself = console::visit(vcpu.partition->output);
        alarm::line_waits();
        const std::uint64_t for_others = cpu::rdtsc() - since - for_itself;
        if (for_others > vcpu.partition->most_for_others) // of two CPUs at once one may be lost
            vcpu.partition->most_for_others = for_others;
    }
    before_entry();
    return stay && nothing_requested(vcpu);
}

// Into the guest until somebody wants something else of this CPU.
void enter(Vcpu& vcpu) {
    before_entry();
    if (!nothing_requested(vcpu)) // whose NMI was let in on the way here (virt::breathe)
        return;
    if (vcpu.guest.run(vcpu.cached.up_to_date(vcpu.partition->second_stage, [&vcpu] { vcpu.guest.flush(); })))
        return;
    vcpu::Exit exit;
    exit.kind = vcpu::ExitKind::invalid;
    (void)carry_out(vcpu, exit, vcpu::decide(vcpu.core, exit));
}

// INIT and start-up IPIs that siblings sent, oldest kind first.
void take_start_requests(Vcpu& vcpu, std::uint32_t requests) {
    if ((requests & request_init) != 0) {
        vcpu.state = VcpuState::waiting;
        stop_listening(vcpu);
        apic::reset();
    }
    if ((requests & request_start_up) != 0 && vcpu.state == VcpuState::waiting)
        start_vcpu(vcpu, vcpu::sipi_start(vcpu.cpu->start_up_vector.load(std::memory_order_acquire)));
}

} // namespace

void start_vcpu(Vcpu& vcpu, const vcpu::InitialState& state) {
    vcpu.core.registers = state.registers;
    vcpu.guest.prepare(state);
    vcpu.state = VcpuState::running;
}

void run_until_stopped(Vcpu& vcpu) {
    for (;;) {
        const std::uint32_t requests = take_requests(*vcpu.cpu);
        if ((requests & request_halt) != 0)
            halt_for_ever();
        if ((requests & request_look) != 0)
            alarm::look();
        if ((requests & request_hung) != 0)
            stop_hung(vcpu);
        // The state decides, not the request: a late request of an earlier generation must not count.
        const bool stopping = vcpu::must_leave(vcpu.partition->state.load(std::memory_order_acquire));
        // A #MC that a guest with CR4.MCE = 0 took is a shutdown; corrected errors wait for somebody who looks.
        if (stopping || (requests & request_machine_check) != 0)
            look_at_machine_checks();
        if (stopping)
            return;
        take_start_requests(vcpu, requests);
        if (vcpu.state == VcpuState::running)
            enter(vcpu);
        else
            sleep_until(*vcpu.cpu, [&vcpu] { return !nothing_requested(vcpu); });
    }
}

} // namespace hv

// One exit. GIF is 0 from #VMEXIT until the next VMRUN, but where a pending NMI is let in.
extern "C" bool svm::svm_exit(void* context) {
    hv::Vcpu& vcpu = *static_cast<hv::Vcpu*>(context);
    svm::Vmcb& vmcb = *vcpu.guest.amd.vmcb;
    ++vcpu.core.counters.exits;
    hv::arm_interrupt_intercept(vmcb);
    const hv::SvmExit exit{vmcb, vcpu.guest};
    if ((vmcb.exit_int_info & svm::event_valid) != 0) [[unlikely]]
        return hv::handle(vcpu);
    if (hv::quick(vcpu, exit)) [[likely]]
        return hv::nothing_requested(vcpu);
    if (exit.is_hypercall() && vcpu::rings(vcpu.core, exit.cpl()))
        return hv::ring_quickly(vcpu, exit);
    return exit.is_cpuid() ? hv::look_up_cpuid(vcpu, exit) : hv::handle(vcpu);
}

// One exit. NMIs are open except those that ended the guest; the stub looks at the requests last of all.
extern "C" bool vmx::vmx_exit(void* context) {
    hv::Vcpu& vcpu = *static_cast<hv::Vcpu*>(context);
    ++vcpu.core.counters.exits;
    const std::uint32_t reason = vmx::Current{}.read(vmx::field::exit_reason);
    hv::arm_interrupt_intercept(reason);
    const hv::VmxExit exit{reason};
    if (hv::quick(vcpu, exit)) [[likely]]
        return true;
    if (exit.is_hypercall() && vcpu::rings(vcpu.core, exit.cpl()))
        return hv::ring_quickly(vcpu, exit);
    return exit.is_cpuid() ? hv::look_up_cpuid(vcpu, exit) : hv::handle(vcpu);
}
