// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/vcpu_decide_fuzz.cpp - arbitrary exits of a hostile guest; the invariants of decide.hpp hold.
#include "hypervisor/core/vcpu/decide.hpp"

#include <cstdlib>
#include <cstring>
#include <memory>

namespace {

constexpr std::uint32_t vcpus = 3;

void require(bool condition) {
    if (!condition)
        std::abort();
}

std::unique_ptr<vcpu::Policy> make_policy() {
    auto policy = std::make_unique<vcpu::Policy>();
    constexpr auto host = [](std::uint32_t leaf, std::uint32_t) {
        return leaf == 0x80000000 ? vcpu::CpuidLeaf{0x80000021, 0, 0, 0}
                                  : vcpu::CpuidLeaf{~0u, ~0u, ~0u, ~0u};
    };
    vcpu::build_cpuid(policy->cpuid, host, vcpus);
    policy->ram = {{{0, 0x100000}, {0x100000000, 0x200000}}};
    policy->ram_count = 2;
    policy->vcpu_count = vcpus;
    return policy;
}

void check(const vcpu::Vcpu& cpu, const vcpu::Policy& policy, const vcpu::Action& action,
           std::uint64_t refusals) {
    using vcpu::ActionKind;
    require((action.refusal != vcpu::Refusal::none) == (cpu.counters.refusals > refusals));
    switch (action.kind) {
    case ActionKind::console_range:
    case ActionKind::audit_range:
        require(vcpu::inside_one(policy.ram_view(), action.gpa, action.count) && action.count <= 4096);
        break;
    case ActionKind::console_bytes:
        require(action.count >= 1 && action.count <= 8);
        break;
    case ActionKind::send_ipi:
        require(action.ipi.targets != 0 && action.ipi.targets >> vcpus == 0);
        if (action.ipi.kind == vcpu::IpiKind::fixed)
            require(action.ipi.vector >= 16);
        else
            require((action.ipi.targets >> cpu.index & 1) == 0);
        break;
    case ActionKind::write_msr:
        require(action.msr == 0xC0000103 ||
                ((action.value & 0x700) == 0 && action.msr >= 0x82F && action.msr <= 0x837));
        break;
    case ActionKind::set_efer:
        require((action.value & ~std::uint64_t{0xD01}) == 0 || (action.value & 0x1000) == 0);
        break;
    case ActionKind::set_xcr0:
        require(vcpu::xcr0_valid(action.value, policy.cpuid.xcr0_allowed));
        break;
    case ActionKind::set_pat:
        require(action.value == vcpu::pat_reset || action.value == vcpu::pat_linux);
        break;
    case ActionKind::inject:
        require(action.vector < 32 && !action.advance);
        break;
    case ActionKind::stop:
        require(!action.advance && action.refusal != vcpu::Refusal::none);
        break;
    default:
        break;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::unique_ptr<vcpu::Policy> policy = make_policy();
    struct Step {
        std::uint64_t rax, rcx, rdx, rdi, rsi, cr0, cr4, efer;
        std::uint16_t port;
        std::uint8_t kind, cpl, bytes, in, string, vector;
    };
    vcpu::Vcpu cpu;
    cpu.policy = policy.get();
    cpu.index = 1;
    for (std::size_t offset = 0; offset + sizeof(Step) <= size; offset += sizeof(Step)) {
        Step step;
        std::memcpy(&step, data + offset, sizeof step);
        cpu.registers.rax = step.rax;
        cpu.registers.rcx = step.rcx;
        cpu.registers.rdx = step.rdx;
        cpu.registers.rdi = step.rdi;
        cpu.registers.rsi = step.rsi;
        vcpu::Exit exit;
        exit.kind = static_cast<vcpu::ExitKind>(step.kind % 18);
        exit.cpl = step.cpl & 3;
        exit.vector = step.vector & 31;
        exit.port = {step.port, static_cast<std::uint8_t>(1 << step.bytes % 3), (step.in & 1) != 0,
                     step.string == 1};
        exit.cr0 = step.cr0;
        exit.cr4 = step.cr4;
        exit.efer = step.efer & 0x1D01;
        const std::uint64_t refusals = cpu.counters.refusals;
        ++cpu.counters.exits;
        check(cpu, *policy, vcpu::decide(cpu, exit), refusals);
    }
    return 0;
}
