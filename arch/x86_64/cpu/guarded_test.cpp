// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/cpu/guarded_test.cpp - the #GP entry and the guarded instructions as they are, in a process: there the CPU
// answers each of them with #GP, and its delivery is played.
#include "arch/x86_64/cpu/guarded.hpp"

#include <array>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <gtest/gtest.h>
#include <ucontext.h>

extern "C" {
extern const char general_protection_entry[];
void caisson_exception(const std::uint64_t* frame);
void caisson_end_of_interrupt() {
    std::abort();
}
void caisson_machine_check() {
    std::abort();
}
void caisson_drain_machine_check() {
    std::abort();
}
bool vmx_exit(void*) { // nmi_entry names places in the stub that calls it
    std::abort();
}
}

namespace {

constexpr std::uint64_t error_code = 0;

struct Play {
    bool refuse = true;               // else the instruction is done
    std::uint64_t rcx = 0, value = 0; // as the instruction had them
    std::uint64_t answer = 0;         // what RDMSR reads
    unsigned faults = 0, panics = 0;
    std::uint64_t vector = 0, code = 1;
    std::jmp_buf after;
};
Play play;

std::uint64_t word(greg_t value) {
    return static_cast<std::uint64_t>(value);
}

void on_fault(int, siginfo_t*, void* context) {
    greg_t* g = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    std::array<unsigned char, 3> code{};
    std::memcpy(code.data(), reinterpret_cast<const void*>(g[REG_RIP]), code.size());
    ++play.faults;
    play.rcx = word(g[REG_RCX]);
    play.value = word(g[REG_RDX]) << 32 | (word(g[REG_RAX]) & 0xffffffff);
    if (!play.refuse) {
        const bool xsetbv = code[0] == 0x0f && code[1] == 0x01;
        if (code[1] == 0x32) { // RDMSR
            g[REG_RAX] = static_cast<greg_t>(play.answer & 0xffffffff);
            g[REG_RDX] = static_cast<greg_t>(play.answer >> 32);
        }
        g[REG_RIP] += xsetbv ? 3 : 2;
        return;
    }
    // What the CPU does: a frame with an error code below the red zone, 16-byte aligned.
    std::uint64_t cs = 0, ss = 0;
    asm volatile("mov %%cs, %0; mov %%ss, %1" : "=r"(cs), "=r"(ss));
    auto* top = reinterpret_cast<std::uint64_t*>((word(g[REG_RSP]) - 256) & ~std::uint64_t{15});
    const std::array<std::uint64_t, 6> frame{error_code,       word(g[REG_RIP]), cs,
                                             word(g[REG_EFL]), word(g[REG_RSP]), ss};
    std::memcpy(top - frame.size(), frame.data(), sizeof frame);
    g[REG_RSP] = static_cast<greg_t>(reinterpret_cast<std::uint64_t>(top - frame.size()));
    g[REG_RIP] = static_cast<greg_t>(reinterpret_cast<std::uint64_t>(&general_protection_entry));
}

class Guarded : public ::testing::Test {
protected:
    void SetUp() override {
        play = {};
        struct sigaction action {};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_NODEFER;
        for (const int signal : {SIGSEGV, SIGILL}) // XSETBV is #UD where the system has no OSXSAVE
            sigaction(signal, &action, nullptr);
    }
    void TearDown() override {
        for (const int signal : {SIGSEGV, SIGILL})
            std::signal(signal, SIG_DFL);
    }
};

TEST_F(Guarded, AFaultIsFalseAndChangesNothing) {
    std::uint64_t value = 42;
    EXPECT_FALSE(cpu::try_rdmsr(0x12345678, value));
    EXPECT_EQ(value, 42u);
    EXPECT_EQ(play.rcx, 0x12345678u);
    EXPECT_FALSE(cpu::try_wrmsr(0x837, 0x1e0ff00000123));
    EXPECT_EQ(play.rcx, 0x837u);
    EXPECT_EQ(play.value, 0x1e0ff00000123u);
    EXPECT_FALSE(cpu::try_xsetbv(0, 0x12));
    EXPECT_EQ(play.value, 0x12u);
    EXPECT_EQ(cpu::rdmsr_or_0(0x400), 0u);
    EXPECT_EQ(play.faults, 4u);
}

TEST_F(Guarded, WithoutAFaultItIsDone) {
    play.refuse = false;
    play.answer = 0x123456789abcdef0;
    std::uint64_t value = 0;
    EXPECT_TRUE(cpu::try_rdmsr(0x10, value));
    EXPECT_EQ(value, play.answer);
    EXPECT_TRUE(cpu::try_wrmsr(0x830, 0xfedcba9876543210));
    EXPECT_EQ(play.value, 0xfedcba9876543210u);
    EXPECT_TRUE(cpu::try_xsetbv(0, 7));
    EXPECT_EQ(cpu::rdmsr_or_0(0x10), play.answer);
}

TEST_F(Guarded, AnyOtherIsABugOfOurs) {
    if (setjmp(play.after) == 0)
        asm volatile("wrmsr" : : "a"(1), "d"(2), "c"(3) : "memory");
    EXPECT_EQ(play.panics, 1u);
    EXPECT_EQ(play.vector, 13u);
    EXPECT_EQ(play.code, error_code);
}

} // namespace

// The frame of exceptions.S: 15 registers, vector, error code.
void caisson_exception(const std::uint64_t* frame) {
    ++play.panics;
    play.vector = frame[15];
    play.code = frame[16];
    std::longjmp(play.after, 1);
}
