// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/vmx/kick_test.cpp - a kick at every instruction of the way into a guest and into sleep (docs/hypervisor.md
// rule 10).
//
// The entry stub and the NMI entry as they are, in a process: it steps through them, an NMI comes at the n-th instruction,
// and after it no guest may be entered and no sleep begun. VMWRITE, VMLAUNCH, VMRESUME and HLT fault here and are played.
#include "arch/x86_64/vmx/vmx.hpp"

#include <asm/prctl.h>
#include <csignal>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

extern "C" {
extern const char nmi_entry[], vmx_window[], vmx_window_end[], vmx_kicked[], vmx_idle_end[];
void caisson_exception() {
    std::abort();
}
void caisson_end_of_interrupt() {
    std::abort();
}
void caisson_machine_check() {
    std::abort();
}
void caisson_drain_machine_check() {
    std::abort();
}
}

namespace {

enum class Kick { never, by_nmi, request_only };

struct Play {
    // The n-th instruction before which the kick comes.
    Kick kick = Kick::never;
    unsigned at = 0;
    bool refuse_entry = false;
    // What happened.
    unsigned steps = 0;
    bool kicked = false;
    unsigned entered = 0, exits = 0, entered_after_kick = 0, slept_after_kick = 0, slept = 0,
             wrong_registers = 0;
    std::uint64_t host_rsp = 0;
};
Play play;
vcpu::Registers registers;
// nmi_entry sets a bit in its CPU's requests and counts, which it finds through GS (hypervisor/kernel/cpu/cpu.hpp).
struct CpuHead {
    std::array<std::uint64_t, 2> before;
    std::atomic<std::uint32_t> requests;
    std::uint32_t nmis;
} own_cpu;
static_assert(offsetof(CpuHead, requests) == 16 && offsetof(CpuHead, nmis) == 20);
std::atomic<std::uint32_t>& requests = own_cpu.requests;
const bool gs_points_there = ::syscall(SYS_arch_prctl, ARCH_SET_GS, &own_cpu) == 0;
alignas(16) std::array<std::uint64_t, 512> nmi_stack;

constexpr std::uint64_t trap_flag = 0x100, zero_flag = 0x40, carry_flag = 1;

std::uint64_t number(const void* pointer) {
    return reinterpret_cast<std::uint64_t>(pointer);
}
bool in_stub(std::uint64_t rip) {
    return rip >= number(reinterpret_cast<const void*>(&vmx::vmx_run)) && rip <= number(vmx_idle_end);
}

// What the CPU does when an NMI arrives: a frame on the stack of its own, then the entry.
void deliver_nmi(greg_t* g) {
    std::uint64_t cs = 0, ss = 0;
    asm volatile("mov %%cs, %0; mov %%ss, %1" : "=r"(cs), "=r"(ss));
    std::uint64_t* frame = nmi_stack.data() + nmi_stack.size() - 6;
    frame[0] = static_cast<std::uint64_t>(g[REG_RIP]);
    frame[1] = cs;
    frame[2] = static_cast<std::uint64_t>(g[REG_EFL]) & ~trap_flag;
    frame[3] = static_cast<std::uint64_t>(g[REG_RSP]);
    frame[4] = ss;
    g[REG_RIP] = static_cast<greg_t>(number(nmi_entry));
    g[REG_RSP] = static_cast<greg_t>(number(frame));
    g[REG_EFL] &= static_cast<greg_t>(~trap_flag);
}

void on_step(int, siginfo_t*, void* context) {
    greg_t* g = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    if (!in_stub(static_cast<std::uint64_t>(g[REG_RIP])) || play.kicked)
        return;
    if (play.kick == Kick::never || play.steps++ != play.at)
        return;
    play.kicked = true;
    requests.fetch_or(1);
    if (play.kick == Kick::by_nmi)
        deliver_nmi(g);
}

// The guest runs: its registers are as they should be; then it changes them all and exits.
void run_guest(greg_t* g) {
    ++play.entered;
    play.entered_after_kick += play.kicked ? 1 : 0;
    constexpr int order[] = {REG_RAX, REG_RBX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_RBP, REG_R8,
                             REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    std::array<std::uint64_t, 15> expected{};
    std::memcpy(expected.data(), &registers, sizeof(registers));
    for (unsigned i = 0; i < expected.size(); ++i) {
        play.wrong_registers += static_cast<std::uint64_t>(g[order[i]]) != expected[i] ? 1 : 0;
        g[order[i]] += 1000;
    }
    g[REG_RSP] = static_cast<greg_t>(play.host_rsp);
    g[REG_RIP] = static_cast<greg_t>(number(vmx::vmx_exited));
}

void on_privileged(int, siginfo_t*, void* context) {
    greg_t* g = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    std::array<unsigned char, 3> code{};
    std::memcpy(code.data(), reinterpret_cast<const void*>(g[REG_RIP]), code.size());
    if (code[0] == 0xf4) { // HLT
        ++play.slept;
        play.slept_after_kick += play.kicked ? 1 : 0;
        g[REG_RIP] += 1;
    } else if (code[0] == 0x0f && code[1] == 0x79) { // VMWRITE of host RSP
        play.host_rsp = static_cast<std::uint64_t>(g[REG_RSP]);
        g[REG_EFL] &= static_cast<greg_t>(~(zero_flag | carry_flag));
        g[REG_RIP] += 3;
    } else if (code[0] == 0x0f && code[1] == 0x01 && (code[2] == 0xc2 || code[2] == 0xc3)) {
        if (!play.refuse_entry)
            return run_guest(g);
        g[REG_EFL] |= static_cast<greg_t>(zero_flag);
        g[REG_RIP] += 3;
    } else {
        std::abort();
    }
}

// Calls with the trap flag set, keeping watch over the registers that a function must keep.
std::uint64_t stepped(const void* function, const void* argument) {
    std::uint64_t result = 0, kept = 0;
    EXPECT_TRUE(gs_points_there);
    asm volatile("movq $0x1111, %%rbx; movq $0x2222, %%r12; movq $0x3333, %%r13; movq $0x4444, %%r14\n"
                 "movq %%rsp, %%r15\n"
                 "andq $-16, %%rsp\n"
                 "pushfq; orq $0x100, (%%rsp); popfq\n"
                 "call *%2\n"
                 "pushfq; andq $~0x100, (%%rsp); popfq\n"
                 "movq %%r15, %%rsp\n"
                 "xorq $0x1111, %%rbx; xorq $0x2222, %%r12; xorq $0x3333, %%r13; xorq $0x4444, %%r14\n"
                 "orq %%r12, %%rbx; orq %%r13, %%rbx; orq %%r14, %%rbx; movq %%rbx, %1"
                 : "=&a"(result), "=&d"(kept)
                 : "r"(function), "D"(argument)
                 : "rbx", "rcx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
    EXPECT_EQ(kept, 0u) << "a register that belongs to the caller";
    return result;
}

class VmxKick : public ::testing::Test {
protected:
    void SetUp() override {
        handle(SIGTRAP, on_step);
        handle(SIGILL, on_privileged);
        handle(SIGSEGV, on_privileged);
    }
    void TearDown() override {
        for (const int signal : {SIGTRAP, SIGILL, SIGSEGV})
            std::signal(signal, SIG_DFL);
    }
    static bool enter(Kick kick, unsigned at, bool refuse = false) {
        play = {};
        play.kick = kick;
        play.at = at;
        play.refuse_entry = refuse;
        requests = 0;
        registers = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
        vmx::Entry entry{&registers, &requests, &play, 0};
        return (stepped(reinterpret_cast<const void*>(&vmx::vmx_run), &entry) & 0xff) != 0;
    }

private:
    static void handle(int signal, void (*handler)(int, siginfo_t*, void*)) {
        struct sigaction action {};
        action.sa_sigaction = handler;
        action.sa_flags = SA_SIGINFO | SA_NODEFER;
        sigaction(signal, &action, nullptr);
    }
};

constexpr unsigned exits = 2;

TEST_F(VmxKick, WithoutOneTheGuestRunsUntilTheHandlerSaysSo) {
    EXPECT_TRUE(enter(Kick::never, 0));
    EXPECT_EQ(play.entered, exits);
    EXPECT_EQ(play.exits, exits);
    EXPECT_EQ(play.wrong_registers, 0u);
    EXPECT_EQ(registers.rax, 1u + 1000 * exits);
    EXPECT_EQ(registers.rdi, 6u + 1000 * exits);
    EXPECT_EQ(registers.r15, 15u + 1000 * exits);
}

TEST_F(VmxKick, AtNoInstructionOfTheWayIsItLost) {
    unsigned at = 0, before_first_entry = 0;
    do {
        EXPECT_TRUE(enter(Kick::by_nmi, at));
        EXPECT_EQ(play.entered_after_kick, 0u)
            << "a kick before instruction " << at << " of the stub is lost";
        EXPECT_EQ(play.wrong_registers, 0u);
        EXPECT_EQ(registers.rbx, 2u + 1000 * play.entered) << "guest registers after a kick at " << at;
        before_first_entry += play.kicked && play.entered == 0 ? 1 : 0;
        ++at;
    } while (play.kicked);
    EXPECT_GT(at, 60u);
    EXPECT_GT(before_first_entry, 25u); // that many instructions lead to the first VMLAUNCH
}

TEST_F(VmxKick, WithoutTheNmiEntryItWouldBe) {
    unsigned lost = 0, at = 0;
    do {
        (void)enter(Kick::request_only, at++);
        lost += play.entered_after_kick;
    } while (play.kicked);
    EXPECT_GT(lost, 0u);
}

TEST_F(VmxKick, ARefusedEntryIsToldApart) {
    EXPECT_FALSE(enter(Kick::never, 0, true));
    EXPECT_EQ(play.entered, 0u);
    EXPECT_EQ(registers.rax, 1u);
}

TEST_F(VmxKick, NobodySleepsThroughOne) {
    for (const Kick kick : {Kick::by_nmi, Kick::request_only}) {
        unsigned at = 0, lost = 0, slept = 0;
        do {
            play = {};
            play.kick = kick;
            play.at = at++;
            requests = 2; // another request may be pending: only bit 0 is about sleep
            (void)stepped(reinterpret_cast<const void*>(&vmx::vmx_idle), &requests);
            lost += play.slept_after_kick;
            slept += play.slept;
        } while (play.kicked);
        EXPECT_GT(slept, 0u);
        EXPECT_EQ(lost > 0, kick == Kick::request_only);
    }
}

} // namespace

extern "C" bool vmx::vmx_exit(void* context) {
    EXPECT_EQ(context, &play);
    return ++play.exits < exits;
}
