// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/vcpu/lapic.hpp"

#include "hypervisor/core/vcpu/decide.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace {

using vcpu::Action;
using vcpu::ActionKind;
using vcpu::LapicBackend;
using vcpu::Refusal;

constexpr std::uint32_t tsc_deadline = 1u << 24;

class Lapic : public testing::Test {
protected:
    Lapic() {
        policy->vcpu_count = 4;
        policy->last_local_vector = 6;
        policy->corrected_machine_check = true;
        policy->cpuid.basic[1].ecx = tsc_deadline;
        cpu.policy = policy.get();
        cpu.index = 2;
    }

    void refused(const Action& action, Refusal refusal) {
        EXPECT_EQ(action.kind, ActionKind::inject);
        EXPECT_EQ(action.vector, 13);
        EXPECT_EQ(action.refusal, refusal);
        EXPECT_FALSE(action.advance);
        EXPECT_EQ(cpu.counters.refusals, ++refusals);
    }
    void done(const Action& action, ActionKind kind) {
        EXPECT_EQ(action.kind, kind);
        EXPECT_TRUE(action.advance);
        EXPECT_EQ(cpu.counters.refusals, refusals);
    }
    Action write(std::uint32_t index, std::uint64_t value) { return vcpu::lapic_write(cpu, index, value); }
    std::uint64_t read(std::uint32_t index) {
        done(vcpu::lapic_read(cpu, index), ActionKind::resume);
        return vcpu::edx_eax(cpu.registers);
    }

    std::unique_ptr<vcpu::Policy> policy = std::make_unique<vcpu::Policy>();
    vcpu::Vcpu cpu;
    std::uint64_t refusals = 0;
};

TEST_F(Lapic, NothingPassesWhereTheMachineHasNoX2apic) {
    unsigned reads = 0, writes = 0;
    for (std::uint32_t index = vcpu::lapic_first; index <= vcpu::lapic_last; ++index)
        for (bool write : {false, true}) {
            EXPECT_FALSE(vcpu::lapic_passes(LapicBackend::forwarded, index, write)) << std::hex << index;
            (write ? writes : reads) += vcpu::lapic_passes(LapicBackend::physical, index, write) ? 1 : 0;
        }
    EXPECT_EQ(reads, 39u);
    EXPECT_EQ(writes, 7u);
}

// I3: what the physical backend lets through is what the forwarded one does on the register page, but the self-IPI.
TEST_F(Lapic, BothBackendsAllowTheSame) {
    for (std::uint32_t index = vcpu::lapic_first; index <= vcpu::lapic_last; ++index) {
        if (vcpu::lapic_passes(LapicBackend::physical, index, false)) {
            const Action action = vcpu::lapic_read(cpu, index);
            done(action, ActionKind::read_lapic);
            EXPECT_EQ(action.msr, index);
        }
        if (vcpu::lapic_passes(LapicBackend::physical, index, true)) {
            const Action action = write(index, index == 0x83F ? 0x41 : 0);
            done(action, index == 0x83F ? ActionKind::send_ipi : ActionKind::write_lapic);
        }
    }
}

TEST_F(Lapic, IdentityIsTheVcpusOwn) {
    EXPECT_EQ(read(0x802), 2u);
    EXPECT_EQ(read(0x80D), 4u);
    cpu.index = 19;
    EXPECT_EQ(read(0x80D), 0x10008u);
    refused(write(0x802, 0), Refusal::msr_write);
    refused(write(0x80D, 0), Refusal::msr_write);
}

TEST_F(Lapic, ReservedBitsAreRefused) {
    struct Case {
        std::uint32_t index;
        std::uint64_t good, bad;
    };
    for (const Case& one : std::initializer_list<Case>{{0x808, 0xFF, 0x100},
                                                       {0x80B, 0, 1},
                                                       {0x80F, 0x1FF, 0x1000},
                                                       {0x828, 0, 1},
                                                       {0x832, 0x500FF, 0x400},
                                                       {0x832, 0x300FF, 0x700FF},
                                                       {0x832, 0x20041, 0x22041},
                                                       {0x82F, 0x10041, 0x14041},
                                                       {0x833, 0x10041, 0x12041},
                                                       {0x834, 0x10041, 0x18041},
                                                       {0x836, 0x1A0FF, 0x20041},
                                                       {0x837, 0x100FF, 0x1E0FF},
                                                       {0x832, 0x10041, 1ull << 32},
                                                       {0x838, 0xFFFFFFFF, 1ull << 32},
                                                       {0x83E, 0xB, 4},
                                                       {0x835, 0x1A0FF, 1u << 18}}) {
        const Action good = write(one.index, one.good);
        done(good, ActionKind::write_lapic);
        EXPECT_EQ(good.msr, one.index);
        EXPECT_EQ(good.value, one.good);
        refused(write(one.index, one.bad), Refusal::msr_write);
    }
}

TEST_F(Lapic, LocalVectorsAreFixedOnly) {
    for (std::uint32_t index : {0x82Fu, 0x833u, 0x834u, 0x835u, 0x836u, 0x837u}) {
        done(write(index, 0x10041), ActionKind::write_lapic);
        done(vcpu::lapic_read(cpu, index), ActionKind::read_lapic);
        for (std::uint64_t mode : {1u, 2u, 4u, 5u, 7u}) // SMI, NMI, INIT, ExtINT among them
            refused(write(index, mode << 8 | 0x41), Refusal::msr_write);
        refused(write(index, 1ull << 40 | 0x41), Refusal::msr_write);
    }
    for (std::uint64_t mode : {2u, 4u, 5u, 7u})
        refused(write(0x832, mode << 8 | 0x41), Refusal::msr_write);
}

// A guest writes back what it read; the processor's own bits go no further.
TEST_F(Lapic, ReadOnlyBitsAreNotPassedOn) {
    EXPECT_EQ(write(0x835, 0x1F041).value, 0x1A041u);
    EXPECT_EQ(write(0x832, 0x11041).value, 0x10041u);
    refused(write(0x837, 0x14041), Refusal::msr_write); // no remote IRR there
}

TEST_F(Lapic, DeadlineModeAndCmciOnlyWhereThereAreSuch) {
    done(write(0x832, 0x40041), ActionKind::write_lapic);
    policy->cpuid.basic[1].ecx = 0;
    refused(write(0x832, 0x40041), Refusal::msr_write);
    done(write(0x832, 0x20041), ActionKind::write_lapic);
    done(write(0x82F, 0x10041), ActionKind::write_lapic);
    policy->corrected_machine_check = false;
    refused(write(0x82F, 0x10041), Refusal::msr_write);
    refused(vcpu::lapic_read(cpu, 0x82F), Refusal::msr_read);
}

// Writing a register that the machine's APIC lacks would be a #GP in the hypervisor.
TEST_F(Lapic, EntriesThatTheApicDoesNotHave) {
    struct Case {
        std::uint32_t index, entry;
    };
    for (const Case& one : {Case{0x82F, 6}, Case{0x833, 5}, Case{0x834, 4}}) {
        policy->last_local_vector = one.entry - 1;
        refused(write(one.index, 0x10041), Refusal::msr_write);
        policy->last_local_vector = one.entry;
        done(write(one.index, 0x10041), ActionKind::write_lapic);
    }
    policy->last_local_vector = 3;
    for (std::uint32_t index : {0x835u, 0x836u, 0x837u})
        done(write(index, 0x10041), ActionKind::write_lapic);
}

TEST_F(Lapic, WhatIsNoRegisterIsRefused) {
    for (std::uint32_t index :
         {0x800u, 0x801u, 0x804u, 0x809u, 0x80Cu, 0x80Eu, 0x829u, 0x831u, 0x83Au, 0x840u, 0x853u, 0x8FFu}) {
        refused(vcpu::lapic_read(cpu, index), Refusal::msr_read);
        refused(write(index, 0), Refusal::msr_write);
    }
    for (std::uint32_t index : {0x80Bu, 0x83Fu}) // write only
        refused(vcpu::lapic_read(cpu, index), Refusal::msr_read);
    for (std::uint32_t index : {0x803u, 0x80Au, 0x810u, 0x827u, 0x839u}) // read only
        refused(write(index, 0), Refusal::msr_write);
    EXPECT_FALSE(vcpu::is_lapic(0x7FF) || vcpu::is_lapic(0x900));
}

TEST_F(Lapic, CommandRegister) {
    const Action fixed = write(0x830, 0x40);
    done(fixed, ActionKind::send_ipi);
    EXPECT_EQ(fixed.ipi.kind, vcpu::IpiKind::fixed);
    EXPECT_EQ(fixed.ipi.targets, 1u);
    EXPECT_EQ(fixed.ipi.vector, 0x40);
    EXPECT_EQ(read(0x830), 0x40u);
    done(write(0x830, 7ull << 32 | 0x40), ActionKind::resume); // nobody there
    refused(write(0x830, 0x240), Refusal::ipi);                // SMI
    EXPECT_EQ(read(0x830), 7ull << 32 | 0x40);
}

TEST_F(Lapic, SelfIpi) {
    const Action self = write(0x83F, 0x41);
    done(self, ActionKind::send_ipi);
    EXPECT_EQ(self.ipi.kind, vcpu::IpiKind::fixed);
    EXPECT_EQ(self.ipi.targets, 1u << 2);
    EXPECT_EQ(self.ipi.vector, 0x41);
    EXPECT_EQ(read(0x830), 0u); // not a command register's write
    refused(write(0x83F, 0x0F), Refusal::ipi);
    refused(write(0x83F, 0x441), Refusal::msr_write);
}

} // namespace
