// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/vcpu/build.hpp"
#include "hypervisor/core/vcpu/decide.hpp"

#include "hypervisor/core/vcpu/host_test.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace {

using vcpu::Action;
using vcpu::ActionKind;
using vcpu::Exit;
using vcpu::ExitKind;
using vcpu::Refusal;

constexpr std::uint64_t mib = 1u << 20;
constexpr std::uint8_t ud = 6, gp = 13;

class Decide : public ::testing::Test {
protected:
    Decide() {
        vcpu::testing::Host host = vcpu::testing::Host::everything();
        vcpu::build_cpuid(policy->cpuid, host.source(), 2);
        policy->ram = {{{0, 4 * mib}, {8 * mib, mib}}};
        policy->ram_count = 2;
        policy->vcpu_count = 2;
        policy->generation = 9;
        policy->clock = {100, 200, 300, 400};
        cpu.policy = policy.get();
        cpu.index = 1;
    }
    Action go(const Exit& exit) {
        ++cpu.counters.exits;
        return vcpu::decide(cpu, exit);
    }
    Action hypercall(std::uint64_t number, std::uint64_t rdi = 0, std::uint64_t rsi = 0,
                     std::uint8_t cpl = 0) {
        cpu.registers.rax = number;
        cpu.registers.rdi = rdi;
        cpu.registers.rsi = rsi;
        return go({.kind = ExitKind::hypercall, .cpl = cpl});
    }
    Action lane(std::uint64_t number, std::uint64_t link, std::uint64_t vector = 0, std::uint64_t index = 0) {
        cpu.registers.rdx = index;
        return hypercall(number, link, vector);
    }
    Action read_msr(std::uint32_t index, Exit exit = {}) {
        cpu.registers.rcx = 0xFFFFFFFF00000000 | index;
        cpu.registers.rax = cpu.registers.rdx = ~0ull;
        exit.kind = ExitKind::msr_read;
        return go(exit);
    }
    Action write_msr(std::uint32_t index, std::uint64_t value, Exit exit = {}) {
        cpu.registers.rcx = index;
        cpu.registers.rax = 0xFFFFFFFF00000000 | (value & 0xFFFFFFFF);
        cpu.registers.rdx = 0xFFFFFFFF00000000 | value >> 32;
        exit.kind = ExitKind::msr_write;
        return go(exit);
    }
    std::uint64_t result() const { return vcpu::edx_eax(cpu.registers); }
    void expect_refused(const Action& action, Refusal kind, ActionKind what, std::uint8_t vector = 0) {
        EXPECT_EQ(action.refusal, kind);
        EXPECT_EQ(action.kind, what);
        EXPECT_EQ(action.vector, vector);
        EXPECT_EQ(action.has_error_code, vector == gp);
        EXPECT_EQ(action.advance, what == ActionKind::resume);
        EXPECT_GT(cpu.counters.by_kind[static_cast<std::size_t>(kind)], 0u);
    }
    static void expect_done(const Action& action, ActionKind kind = ActionKind::resume) {
        EXPECT_EQ(action.kind, kind);
        EXPECT_TRUE(action.advance);
        EXPECT_EQ(action.refusal, Refusal::none);
    }

    std::unique_ptr<vcpu::Policy> policy = std::make_unique<vcpu::Policy>();
    vcpu::Vcpu cpu;
};

TEST_F(Decide, Cpuid) {
    cpu.registers.rax = 1;
    expect_done(go({.kind = ExitKind::cpuid, .cr4 = 1u << 18}));
    EXPECT_EQ(cpu.registers.rbx >> 24, 1u);
    EXPECT_TRUE(cpu.registers.rcx >> 27 & 1);
}

TEST_F(Decide, ControlRegistersThatVmxWatches) {
    const auto move = [this](std::uint8_t number, std::uint64_t value) {
        return go({.kind = ExitKind::control_register, .control_register = number, .value = value});
    };
    // NE, CD and CD with NW are the guest's to see: the instruction runs again, so it is not skipped.
    for (const std::uint64_t value : {0x80000031ull, 0x40000011ull, 0x60000010ull}) {
        const Action action = move(0, value);
        EXPECT_EQ(action.kind, ActionKind::set_cr0_shadow);
        EXPECT_EQ(action.value, value);
        EXPECT_FALSE(action.advance);
    }
    EXPECT_EQ(cpu.counters.refusals, 0u);
    expect_refused(move(0, 1u << 29), Refusal::control_register, ActionKind::inject, gp); // NW alone
    expect_refused(move(4, 1u << 13), Refusal::control_register, ActionKind::inject, gp); // VMXE
    expect_refused(move(8, 0), Refusal::control_register, ActionKind::inject, gp);
}

TEST_F(Decide, HypercallsThatAnswer) {
    expect_done(hypercall(CAISSON_CALL_VERSION));
    EXPECT_EQ(cpu.registers.rax, CAISSON_ABI_VERSION);
    for (std::uint64_t clock = 0; clock < 4; ++clock) {
        expect_done(hypercall(CAISSON_CALL_CLOCK, clock));
        EXPECT_EQ(cpu.registers.rax, 100 * (clock + 1));
    }
    expect_done(hypercall(CAISSON_CALL_COUNTER, CAISSON_COUNTER_GENERATION));
    EXPECT_EQ(cpu.registers.rax, 9u);
    const Action counter = hypercall(CAISSON_CALL_COUNTER, CAISSON_COUNTER_REFUSALS);
    expect_done(counter, ActionKind::read_counter);
    EXPECT_EQ(counter.value, CAISSON_COUNTER_REFUSALS);
    expect_done(hypercall(CAISSON_CALL_ENTROPY), ActionKind::entropy);
    EXPECT_EQ(cpu.registers.rax, 0u);
    EXPECT_EQ(cpu.counters.refusals, 0u);
}

TEST_F(Decide, HypercallsThatAct) {
    const Action put = hypercall(CAISSON_CALL_CONSOLE_PUT, 0x6968, 2);
    expect_done(put, ActionKind::console_bytes);
    EXPECT_EQ(put.value, 0x6968u);
    EXPECT_EQ(put.count, 2u);
    EXPECT_FALSE(put.from_uart);
    const Action write = hypercall(CAISSON_CALL_CONSOLE_WRITE, 4 * mib - 4096, 4096);
    expect_done(write, ActionKind::console_range);
    EXPECT_EQ(write.gpa.value(), 4 * mib - 4096);
    EXPECT_EQ(write.count, 4096u);
    for (const std::uint64_t stream : {1, 2}) {
        cpu.registers.rdx = stream;
        const Action streamed = hypercall(CAISSON_CALL_CONSOLE_WRITE_STREAM, 4 * mib - 4096, 4096);
        expect_done(streamed, ActionKind::console_range);
        EXPECT_EQ(streamed.errors_stream, stream == 2);
    }
    for (const std::uint64_t stream : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{1} << 32 | 1}) {
        cpu.registers.rdx = stream;
        EXPECT_EQ(hypercall(CAISSON_CALL_CONSOLE_WRITE_STREAM, 4 * mib - 4096, 4096).refusal,
                  vcpu::Refusal::hypercall_argument);
    }
    expect_done(hypercall(CAISSON_CALL_AUDIT, 8 * mib, 256), ActionKind::audit_range);
    const Action end = hypercall(CAISSON_CALL_EXIT, 255, CAISSON_EXIT_SIGNAL);
    EXPECT_EQ(end.kind, ActionKind::finish);
    EXPECT_EQ(end.status, 255);
    EXPECT_EQ(end.exit_kind, CAISSON_EXIT_SIGNAL);
}

TEST_F(Decide, HypercallArguments) {
    struct Case {
        std::uint64_t number, rdi, rsi;
    };
    for (const Case& bad :
         std::initializer_list<Case>{{CAISSON_CALL_CONSOLE_WRITE, 0, 0},
                                     {CAISSON_CALL_CONSOLE_WRITE, 0, 4097},
                                     {CAISSON_CALL_CONSOLE_WRITE, 4 * mib - 1, 2}, // over the end of a region
                                     {CAISSON_CALL_CONSOLE_WRITE, 4 * mib, 1},     // between regions
                                     {CAISSON_CALL_CONSOLE_WRITE, 9 * mib, 1},
                                     {CAISSON_CALL_CONSOLE_WRITE, ~0ull, 1},
                                     {CAISSON_CALL_CONSOLE_WRITE, ~0ull - 1, 4096},
                                     {CAISSON_CALL_CONSOLE_WRITE, 4096, ~0ull},
                                     {CAISSON_CALL_CONSOLE_WRITE_STREAM, 0, 16}, // no stream
                                     {CAISSON_CALL_CONSOLE_PUT, 0, 0},
                                     {CAISSON_CALL_CONSOLE_PUT, 0, 9},
                                     {CAISSON_CALL_EXIT, 256, 0},
                                     {CAISSON_CALL_EXIT, 0, 3},
                                     {CAISSON_CALL_CLOCK, 4, 0},
                                     {CAISSON_CALL_COUNTER, 3, 0},
                                     {CAISSON_CALL_COUNTER, ~0ull, 0},
                                     {CAISSON_CALL_AUDIT, 0, 257},
                                     {CAISSON_CALL_AUDIT, 0, 0}}) {
        const Action action = hypercall(bad.number, bad.rdi, bad.rsi);
        expect_refused(action, Refusal::hypercall_argument, ActionKind::resume);
        EXPECT_TRUE(action.advance);
        EXPECT_EQ(static_cast<std::int64_t>(cpu.registers.rax), -CAISSON_ERROR_ARGUMENT);
    }
    for (std::uint64_t number : {12ull, 16ull, 17ull, 31ull, ~0ull, 1ull << 32}) {
        expect_refused(hypercall(number), Refusal::hypercall_number, ActionKind::resume);
        EXPECT_EQ(static_cast<std::int64_t>(cpu.registers.rax), -CAISSON_ERROR_UNKNOWN);
    }
}

TEST_F(Decide, LaneCallsTakeTheirOwnLinks) {
    const auto refused = [&](std::uint64_t number, std::uint64_t link, std::uint64_t vector = 0,
                             std::uint64_t index = 0) {
        const Action action = lane(number, link, vector, index);
        return action.refusal == Refusal::hypercall_argument && action.kind == ActionKind::resume &&
               static_cast<std::int64_t>(cpu.registers.rax) == -CAISSON_ERROR_ARGUMENT;
    };
    for (const auto number : {CAISSON_CALL_LANE_RING, CAISSON_CALL_LANE_LISTEN, CAISSON_CALL_LANE_STATE})
        EXPECT_TRUE(refused(number, 0)); // it has none
    policy->link_count = 2;
    for (const auto number : {CAISSON_CALL_LANE_RING, CAISSON_CALL_LANE_LISTEN, CAISSON_CALL_LANE_STATE})
        for (const std::uint64_t link : {2ull, 1ull << 32, ~0ull}) {
            EXPECT_TRUE(refused(number, link));
            EXPECT_FALSE(vcpu::rings(cpu, 0));
        }
    const Action ring = lane(CAISSON_CALL_LANE_RING, 1);
    expect_done(ring, ActionKind::lane_ring);
    EXPECT_EQ(ring.value, 1u);
    EXPECT_EQ(cpu.registers.rax, 0u);
    cpu.registers.rax = CAISSON_CALL_LANE_RING;
    EXPECT_TRUE(vcpu::rings(cpu, 0));
    EXPECT_FALSE(vcpu::rings(cpu, 3));
    const Action listen = lane(CAISSON_CALL_LANE_LISTEN, 1, 255, policy->vcpu_count - 1);
    expect_done(listen, ActionKind::lane_listen);
    EXPECT_EQ(listen.value, 1u);
    EXPECT_EQ(listen.vector, 255);
    EXPECT_EQ(listen.count, policy->vcpu_count - 1);
    expect_done(lane(CAISSON_CALL_LANE_LISTEN, 0, 32), ActionKind::lane_listen);
    EXPECT_EQ(lane(CAISSON_CALL_LANE_LISTEN, 0, 0).vector, 0); // silent
    for (const std::uint64_t vector : {1ull, 16ull, 31ull, 256ull, 1ull << 32, ~0ull})
        EXPECT_TRUE(refused(CAISSON_CALL_LANE_LISTEN, 0, vector)) << vector;
    for (const std::uint64_t index : {std::uint64_t{policy->vcpu_count}, std::uint64_t{1} << 32})
        EXPECT_TRUE(refused(CAISSON_CALL_LANE_LISTEN, 0, 32, index)) << index;
    expect_done(lane(CAISSON_CALL_LANE_STATE, 0), ActionKind::lane_state);
}

TEST_F(Decide, HypercallsNeedRingZero) {
    for (std::uint8_t cpl : {1, 2, 3}) {
        const Action action = hypercall(CAISSON_CALL_EXIT, 0, 0, cpl);
        expect_refused(action, Refusal::hypercall_privilege, ActionKind::inject, ud);
        EXPECT_EQ(cpu.registers.rax, CAISSON_CALL_EXIT);
        EXPECT_FALSE(vcpu::quick_hypercall(cpu, cpl));
    }
}

TEST_F(Decide, QuickHypercallAgrees) {
    cpu.registers.rax = CAISSON_CALL_VERSION;
    EXPECT_TRUE(vcpu::quick_hypercall(cpu, 0));
    EXPECT_EQ(cpu.registers.rax, CAISSON_ABI_VERSION);
    // Unknown numbers: the 1st, 10th, 100th go the long way, because they are reported.
    int reported = 0;
    for (int i = 1; i <= 100; ++i) {
        cpu.registers.rax = 17;
        if (!vcpu::quick_hypercall(cpu, 0)) {
            const Action action = go({.kind = ExitKind::hypercall});
            EXPECT_TRUE(action.report && (i == 1 || i == 10 || i == 100)) << i;
            ++reported;
        }
        EXPECT_EQ(static_cast<std::int64_t>(cpu.registers.rax), -CAISSON_ERROR_UNKNOWN);
        EXPECT_EQ(cpu.counters.refusals, static_cast<std::uint64_t>(i));
    }
    EXPECT_EQ(reported, 3);
    for (std::uint64_t number = CAISSON_CALL_CONSOLE_WRITE; number <= CAISSON_CALL_LANE_STATE; ++number) {
        cpu.registers.rax = number;
        EXPECT_FALSE(vcpu::quick_hypercall(cpu, 0));
    }
}

TEST_F(Decide, PortsFloat) {
    const auto in = [&](std::uint16_t port, std::uint8_t bytes) {
        cpu.registers.rax = 0x1122334455667788;
        return go({.kind = ExitKind::port, .port = {.port = port, .bytes = bytes, .in = true}});
    };
    expect_refused(in(0x511, 1), Refusal::port, ActionKind::resume);
    EXPECT_EQ(cpu.registers.rax, 0x11223344556677FFu);
    expect_refused(in(0xCFC, 2), Refusal::port_legacy, ActionKind::resume);
    EXPECT_EQ(cpu.registers.rax, 0x112233445566FFFFu);
    const Action wide = in(0x5658, 4);
    EXPECT_TRUE(wide.advance);
    EXPECT_EQ(cpu.registers.rax, 0xFFFFFFFFu);
    cpu.registers.rax = 0x34;
    expect_refused(go({.kind = ExitKind::port, .port = {.port = 0xF4, .bytes = 4}}), Refusal::port_legacy,
                   ActionKind::resume);
    EXPECT_EQ(cpu.registers.rax, 0x34u);
    expect_refused(go({.kind = ExitKind::port, .port = {.port = 0x3F8, .string = true}}),
                   Refusal::port_string, ActionKind::inject, gp);
    expect_refused(go({.kind = ExitKind::port, .port = {.port = 0x3F8, .bytes = 2}}), Refusal::port,
                   ActionKind::resume);
}

TEST_F(Decide, UartPrints) {
    cpu.registers.rax = 0xFFFFFF00 | 'A';
    const Action print = go({.kind = ExitKind::port, .port = {.port = 0x3F8}});
    expect_done(print, ActionKind::console_bytes);
    EXPECT_TRUE(print.from_uart);
    EXPECT_EQ(print.value, static_cast<std::uint64_t>('A'));
    EXPECT_EQ(print.count, 1u);
    expect_done(go({.kind = ExitKind::port, .port = {.port = 0x3FD, .in = true}}));
    EXPECT_EQ(cpu.registers.rax, 0xFFFFFF60u);
    expect_done(go({.kind = ExitKind::port, .port = {.port = 0x3FB}}));
    EXPECT_EQ(cpu.counters.refusals, 0u);
}

TEST_F(Decide, MsrReads) {
    struct Case {
        std::uint32_t index;
        std::uint64_t value;
    };
    for (const Case& good : std::initializer_list<Case>{{0x1B, 0xFEE00C00},
                                                        {0x802, 1},
                                                        {0x80D, 2},
                                                        {0x830, 0},
                                                        {0x277, vcpu::pat_reset},
                                                        {0x1A0, 1},
                                                        {0x8B, 0},
                                                        {0xC0010015, 1u << 24},
                                                        {0xC0000080, 0x500}}) {
        expect_done(read_msr(good.index, {.efer = 0x1500}));
        EXPECT_EQ(result(), good.value) << std::hex << good.index;
        EXPECT_EQ(cpu.registers.rax >> 32, 0u);
    }
    cpu.index = 0;
    expect_done(read_msr(0x1B));
    EXPECT_EQ(result(), 0xFEE00D00u);
    expect_done(read_msr(0x10), ActionKind::read_tsc);
    for (std::uint32_t index :
         {0x3Au, 0x3Bu, 0xE7u, 0xFEu, 0x10Au, 0x179u, 0x1D9u, 0x2FFu, 0x400u, 0x480u, 0x600u, 0x840u,
          0xC0010010u, 0xC0010114u, 0xC0010117u, 0xC0011030u, 0x40000000u, 0xFFFFFFFFu}) {
        expect_refused(read_msr(index), Refusal::msr_read, ActionKind::inject, gp);
        EXPECT_EQ(cpu.registers.rax, ~0ull); // nothing leaks
    }
}

TEST_F(Decide, MsrWritesRefused) {
    for (std::uint32_t index :
         {0x10u, 0x1Bu, 0x3Bu, 0x79u, 0x8Bu, 0x1A0u, 0x1D9u, 0x2FFu, 0x570u, 0x600u, 0x802u, 0x80Du, 0x840u,
          0x853u, 0xC0010015u, 0xC0010114u, 0xC0010117u, 0xC001001Fu})
        expect_refused(write_msr(index, 0), Refusal::msr_write, ActionKind::inject, gp);
    expect_refused(write_msr(0x277, 0), Refusal::msr_write, ActionKind::inject, gp);
    expect_refused(write_msr(0x277, 0x0007040600070400), Refusal::msr_write, ActionKind::inject, gp);
    expect_refused(write_msr(0xC0000103, 1ull << 32), Refusal::msr_write, ActionKind::inject, gp);
    EXPECT_EQ(cpu.pat, vcpu::pat_reset);
}

TEST_F(Decide, PatAndTscAux) {
    const Action pat = write_msr(0x277, vcpu::pat_linux);
    expect_done(pat, ActionKind::set_pat);
    EXPECT_EQ(pat.value, vcpu::pat_linux);
    expect_done(read_msr(0x277));
    EXPECT_EQ(result(), vcpu::pat_linux);
    expect_done(write_msr(0x277, vcpu::pat_reset), ActionKind::set_pat);
    const Action aux = write_msr(0xC0000103, 0xFFFFFFFF);
    expect_done(aux, ActionKind::write_msr);
    EXPECT_EQ(aux.msr, 0xC0000103u);
    EXPECT_EQ(aux.value, 0xFFFFFFFFu);
}

TEST_F(Decide, Efer) {
    const Exit off{.cr0 = 0x11, .efer = 0x1000};
    const Action enable = write_msr(0xC0000080, 0x901, off);
    expect_done(enable, ActionKind::set_efer);
    EXPECT_EQ(enable.value, 0x901u);
    // LMA belongs to the processor.
    const Exit on{.cr0 = 0x80000011, .efer = 0x1D01};
    EXPECT_EQ(write_msr(0xC0000080, 0x901, on).value, 0xD01u);
    EXPECT_EQ(write_msr(0xC0000080, 0xD01, on).value, 0xD01u);
    expect_refused(write_msr(0xC0000080, 0x801, on), Refusal::msr_write, ActionKind::inject,
                   gp); // LME under paging
    expect_refused(write_msr(0xC0000080, 0x1901, off), Refusal::msr_write, ActionKind::inject, gp); // SVME
    for (unsigned bit : {1u, 9u, 13u, 14u, 15u, 17u, 32u, 63u})
        expect_refused(write_msr(0xC0000080, 1ull << bit, off), Refusal::msr_write, ActionKind::inject, gp);
}

TEST_F(Decide, Xsetbv) {
    const auto xsetbv = [&](std::uint64_t value, std::uint64_t index = 0, Exit exit = {.cr4 = 1u << 18}) {
        cpu.registers.rcx = index;
        vcpu::set_edx_eax(cpu.registers, value);
        exit.kind = ExitKind::xsetbv;
        return go(exit);
    };
    const Action good = xsetbv(7);
    expect_done(good, ActionKind::set_xcr0);
    EXPECT_EQ(good.value, 7u);
    EXPECT_EQ(cpu.xcr0, 1u) << "only what the processor took counts";
    expect_refused(xsetbv(5), Refusal::xcr0, ActionKind::inject, gp);
    expect_refused(xsetbv(7, 1), Refusal::xcr0, ActionKind::inject, gp);
    expect_refused(xsetbv(3, 0, {.cpl = 3, .cr4 = 1u << 18}), Refusal::xcr0, ActionKind::inject, gp);
    const Action disabled = xsetbv(3, 0, {});
    EXPECT_EQ(disabled.kind, ActionKind::inject);
    EXPECT_EQ(disabled.vector, ud);
}

// What the processor answers with #GP is the guest's #GP, and counted.
TEST_F(Decide, AFaultIsTheGuests) {
    expect_refused(vcpu::faulted(cpu, {}, ActionKind::write_msr), Refusal::msr_write, ActionKind::inject, gp);
    expect_refused(vcpu::faulted(cpu, {}, ActionKind::write_lapic), Refusal::msr_write, ActionKind::inject,
                   gp);
    expect_refused(vcpu::faulted(cpu, {}, ActionKind::read_lapic), Refusal::msr_read, ActionKind::inject, gp);
    expect_refused(vcpu::faulted(cpu, {}, ActionKind::set_xcr0), Refusal::xcr0, ActionKind::inject, gp);
    EXPECT_EQ(cpu.counters.refusals, 4u);
}

TEST_F(Decide, ABusLockBesideAnExitIsCountedAndChangesNothing) {
    for (const ExitKind kind :
         {ExitKind::host_event, ExitKind::port, ExitKind::nested_fault, ExitKind::cpuid}) {
        const Action alone = go({.kind = kind});
        const std::uint64_t before = cpu.counters.by_kind[static_cast<std::size_t>(Refusal::bus_lock)];
        const Action both = go({.kind = kind, .bus_lock = true});
        EXPECT_EQ(both.kind, alone.kind);
        EXPECT_EQ(both.refusal, alone.refusal);
        EXPECT_EQ(both.advance, alone.advance);
        EXPECT_EQ(both.report_bus_lock, before == 0);
        EXPECT_EQ(cpu.counters.by_kind[static_cast<std::size_t>(Refusal::bus_lock)], before + 1);
    }
}

TEST_F(Decide, TscAuxOnlyWhereTheProcessorHasIt) {
    policy->cpuid.extended[1].edx &= ~(1u << 27);
    const Action by_rdpid = write_msr(0xC0000103, 1);
    EXPECT_EQ(by_rdpid.kind, ActionKind::write_msr);
    policy->cpuid.basic[7].ecx &= ~(1u << 22);
    expect_refused(write_msr(0xC0000103, 1), Refusal::msr_write, ActionKind::inject, gp);
}

TEST_F(Decide, InstructionsAndEvents) {
    expect_refused(go({.kind = ExitKind::forbidden}), Refusal::instruction, ActionKind::inject, ud);
    expect_refused(go({.kind = ExitKind::counter}), Refusal::counter, ActionKind::inject, gp);
    const Action bus_lock = go({.kind = ExitKind::bus_lock});
    EXPECT_EQ(bus_lock.refusal, Refusal::bus_lock);
    EXPECT_EQ(bus_lock.kind, ActionKind::resume);
    EXPECT_FALSE(bus_lock.advance) << "the instruction is over already";
    const Action flush = go({.kind = ExitKind::cache});
    expect_refused(flush, Refusal::cache, ActionKind::resume);
    EXPECT_TRUE(flush.advance);
    const Action trap =
        go({.kind = ExitKind::exception, .vector = 17, .has_error_code = true, .error_code = 0});
    EXPECT_EQ(trap.kind, ActionKind::inject);
    EXPECT_EQ(trap.vector, 17);
    EXPECT_TRUE(trap.has_error_code);
    EXPECT_EQ(trap.refusal, Refusal::none);
    const Action event = go({.kind = ExitKind::host_event});
    EXPECT_EQ(event.kind, ActionKind::host_event);
    EXPECT_FALSE(event.advance);
    const Action check = go({.kind = ExitKind::machine_check});
    EXPECT_EQ(check.kind, ActionKind::machine_check);
    EXPECT_FALSE(check.advance);
    EXPECT_EQ(check.refusal, Refusal::none);
}

TEST_F(Decide, Stops) {
    for (const auto& [kind, refusal] : {std::pair{ExitKind::nested_fault, Refusal::nested_fault},
                                        {ExitKind::shutdown, Refusal::shutdown},
                                        {ExitKind::invalid, Refusal::invalid},
                                        {ExitKind::unexpected, Refusal::unexpected},
                                        {static_cast<ExitKind>(200), Refusal::unexpected}}) {
        const Action action = go({.kind = kind});
        EXPECT_EQ(action.kind, ActionKind::stop);
        EXPECT_EQ(action.refusal, refusal);
        EXPECT_FALSE(action.advance);
    }
}

TEST_F(Decide, FaultingForEverIsALoop) {
    Action action;
    for (int i = 0; i < 1000; ++i) {
        EXPECT_NE(action.kind, ActionKind::stop) << i;
        action = go({.kind = ExitKind::forbidden, .rip = 0x1234});
    }
    EXPECT_EQ(action.kind, ActionKind::stop);
    EXPECT_EQ(action.refusal, Refusal::loop);
    // A guest that gets on, say with a counter in a register, is left alone.
    for (int i = 0; i < 3000; ++i) {
        cpu.registers.r12 = static_cast<std::uint64_t>(i) + 1;
        EXPECT_EQ(go({.kind = ExitKind::forbidden, .rip = 0x1234}).kind, ActionKind::inject);
    }
}

} // namespace
