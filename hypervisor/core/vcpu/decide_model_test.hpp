// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/decide_model_test.hpp - an exit, decide(), and what the host then executes, held against the strict
// processor and the invariants of decide.hpp. For the fuzz target and for a test with numbers of its own.
#pragma once

#include "hypervisor/core/vcpu/build.hpp"
#include "hypervisor/core/vcpu/decide.hpp"
#include "hypervisor/core/vcpu/processor_rules_test.hpp"

#include <memory>
#include <string>

namespace vcpu::testing {

// Where the numbers of a step come from: next() is arbitrary.
template <typename Numbers> class ModelMachine {
public:
    static constexpr std::uint32_t vcpus = 3;

    explicit ModelMachine(const Processor& processor) : processor_(processor) {
        build_cpuid(policy_->cpuid, cpuid_of(processor), vcpus);
        policy_->ram = {{{0, 0x100000}, {0x100000000, 0x200000}}};
        policy_->ram_count = 2;
        policy_->vcpu_count = vcpus;
        policy_->last_local_vector = processor.last_local_vector;
        policy_->corrected_machine_check = processor.cmci;
        cpu_->policy = policy_.get();
        cpu_->index = 1;
    }

    // What is wrong with this step, or nothing.
    std::string step(Numbers& numbers) {
        Exit exit;
        exit.kind = static_cast<ExitKind>(numbers.next() % (static_cast<unsigned>(ExitKind::unexpected) + 1));
        const std::uint64_t how = numbers.next();
        if ((how & 3) != 0) // most of them where the registers are
            exit.kind = (how & 4) != 0   ? ExitKind::msr_write
                        : (how & 8) != 0 ? ExitKind::msr_read
                                         : ExitKind::xsetbv;
        exit.cpl = how >> 8 & 3;
        exit.vector = how >> 16 & 31;
        exit.port = {static_cast<std::uint16_t>(numbers.next()), static_cast<std::uint8_t>(1 << how % 3),
                     (how >> 10 & 1) != 0, (how >> 11 & 15) == 0};
        exit.cr0 = numbers.next();
        exit.cr4 = numbers.next();
        exit.efer = numbers.next() & 0x1D01;
        exit.bus_lock = (how >> 24 & 7) == 0;
        Registers& r = cpu_->registers;
        const std::uint64_t value = number(numbers);
        r.rax = value & 0xFFFFFFFF;
        r.rdx = value >> 32;
        r.rcx = exit.kind == ExitKind::xsetbv ? numbers.next() % 3 : index(numbers.next());
        r.rdi = number(numbers);
        r.rsi = numbers.next() % 4200;
        ++cpu_->counters.exits;
        const std::uint64_t refusals = cpu_->counters.refusals;
        const Action action = decide(*cpu_, exit);
        if ((cpu_->counters.refusals > refusals) != (action.refusal != Refusal::none || exit.bus_lock))
            return "a refusal that is not counted";
        if (const ProcessorRule* broken = executed(action))
            return std::string{processor_.name} + " faults in the hypervisor: " + broken->name;
        if (action.kind == ActionKind::set_xcr0)
            cpu_->xcr0 = action.value;
        return wrong(action);
    }

private:
    static std::uint32_t index(std::uint64_t n) {
        constexpr std::array<std::uint32_t, 9> named{0x1B,  0x48,       0x49,       0x10B, 0x277,
                                                     0x6E0, 0xC0000080, 0xC0000103, 0x10};
        const auto pick = static_cast<std::uint32_t>(n >> 8);
        switch (n & 7) {
        case 0:
            return pick;
        case 1:
            return named[pick % named.size()];
        case 2:
            return 0x800 + (pick & 0xFF);
        default:
            return 0x82F + pick % 0x11;
        }
    }
    // Few bits set, or any.
    static std::uint64_t number(Numbers& numbers) {
        const std::uint64_t n = numbers.next(), vector = n >> 16 & 0xFF;
        const auto bit = [n](unsigned at) { return std::uint64_t{1} << (n >> at & 63); };
        switch (n & 7) {
        case 0:
            return numbers.next();
        case 1:
            return bit(8) | vector;
        case 2:
            return vector | (n >> 24 & 0xFFF) << 8;
        case 3:
            return numbers.next() & 0x1F;
        case 4:
            return n >> 32 & 7;
        case 5:
            return 0x10000 | vector | (n >> 24 & 3) << 17;
        default:
            return vector | bit(32) | bit(40);
        }
    }

    [[nodiscard]] const ProcessorRule* write(std::uint32_t index, std::uint64_t value) const {
        return fault(processor_, Access::write, index, value);
    }
    // A forwarded access goes to the register page, where nothing faults; held to the same.
    [[nodiscard]] const ProcessorRule* executed(const Action& action) const {
        if (!processor_.x2apic &&
            (action.kind == ActionKind::read_lapic || action.kind == ActionKind::write_lapic ||
             action.kind == ActionKind::send_ipi))
            return nullptr;
        switch (action.kind) {
        case ActionKind::write_msr:
        case ActionKind::write_lapic:
            return write(action.msr, action.value);
        case ActionKind::read_lapic:
            return fault(processor_, Access::read, action.msr);
        case ActionKind::send_ipi:
            return action.ipi.kind == IpiKind::fixed
                       ? write(msr::x2apic_icr, 1ull << 32 | 0x4000 | action.ipi.vector)
                       : nullptr;
        case ActionKind::set_xcr0:
            return fault(processor_, Access::xsetbv, 0, action.value);
        case ActionKind::set_efer:
            return write(msr::efer, action.value);
        case ActionKind::set_pat:
            return write(msr::pat, action.value);
        default:
            return nullptr;
        }
    }

    [[nodiscard]] std::string wrong(const Action& action) const {
        const auto must = [](bool condition, const char* text) { return std::string{condition ? "" : text}; };
        switch (action.kind) {
        case ActionKind::console_range:
        case ActionKind::audit_range:
            return must(inside_one(policy_->ram_view(), action.gpa, action.count) && action.count <= 4096,
                        "a range outside the partition");
        case ActionKind::console_bytes:
            return must(action.count >= 1 && action.count <= 8, "more bytes than a register holds");
        case ActionKind::send_ipi:
            return must(action.ipi.targets != 0 && action.ipi.targets >> vcpus == 0,
                        "an IPI to a CPU that does not exist") +
                   must(action.ipi.kind == IpiKind::fixed ? action.ipi.vector >= 16
                                                          : (action.ipi.targets >> cpu_->index & 1) == 0,
                        "an IPI with an exception's vector, or INIT to itself");
        case ActionKind::write_lapic:
            return must(action.msr < 0x82F || action.msr > 0x837 || (action.value & 0x700) == 0,
                        "an interrupt that is not Fixed");
        case ActionKind::write_msr:
            return must(action.msr == msr::tsc_aux, "an MSR that is not named");
        case ActionKind::set_efer:
            return must((action.value & efer_svme) == 0, "EFER.SVME from a guest");
        case ActionKind::set_pat:
            return must(action.value == pat_reset || action.value == pat_linux, "another PAT");
        case ActionKind::inject:
            return must(action.vector < 32 && !action.advance, "no exception");
        case ActionKind::stop:
            return must(!action.advance && action.refusal != Refusal::none, "a stop without a reason");
        default:
            return {};
        }
    }

    const Processor& processor_;
    std::unique_ptr<Policy> policy_ = std::make_unique<Policy>();
    std::unique_ptr<Vcpu> cpu_ = std::make_unique<Vcpu>();
};

} // namespace vcpu::testing
