// SPDX-License-Identifier: Apache-2.0
// The strict processor keeps its rules, and nothing that decide() lets a guest do faults on it.
// CAISSON_MODEL_STEPS: how many steps instead of a short run's.
#include "hypervisor/core/vcpu/processor_rules_test.hpp"

#include "hypervisor/core/vcpu/decide_model_test.hpp"
#include "hypervisor/core/vcpu/machine_check.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>
#include <string>

namespace {

using vcpu::testing::Access;
using vcpu::testing::fault;
using vcpu::testing::Processor;
using vcpu::testing::processor_rules;
using vcpu::testing::processors;

TEST(StrictProcessor, EveryRuleHasAWitnessAndANeighbour) {
    std::set<std::string> names;
    for (const auto& rule : processor_rules) {
        EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
        EXPECT_FALSE(std::string{rule.section}.empty());
        const Access access = rule.access == Access::either ? Access::write : rule.access;
        const auto breaks = [&](const Processor& cpu) { return rule.breaks(cpu, rule.bad); };
        EXPECT_TRUE(std::ranges::any_of(processors, breaks)) << rule.name << " never applies";
        for (const Processor& cpu : processors)
            if (breaks(cpu)) {
                EXPECT_NE(fault(cpu, access, rule.first, rule.bad), nullptr) << rule.name;
                EXPECT_NE(fault(cpu, access, rule.last, rule.bad), nullptr) << rule.name;
            }
        if (!rule.never) {
            const auto* broken =
                fault(processors[0], access, rule.first == 0x800 ? 0x808 : rule.first, rule.good);
            EXPECT_EQ(broken, nullptr) << rule.name << " good breaks " << broken->name;
        }
    }
}

// The cases that a line-by-line review found.
TEST(StrictProcessor, KnowsTheCasesThatWereLetThrough) {
    const Processor& intel = processors[0];
    const Processor& amd = processors[1];
    EXPECT_NE(fault(intel, Access::write, 0x837, 0x1E0FF), nullptr);
    EXPECT_NE(fault(intel, Access::write, 0x833, 0x12041), nullptr);
    EXPECT_NE(fault(intel, Access::write, 0x834, 0x18041), nullptr);
    EXPECT_NE(fault(intel, Access::write, 0x82F, 0x14041), nullptr);
    EXPECT_EQ(fault(intel, Access::write, 0x832, 0x50041), nullptr);
    EXPECT_NE(fault(amd, Access::write, 0x832, 0x50041), nullptr);
    EXPECT_NE(fault(intel, Access::write, 0x832, 0x70041), nullptr);
    EXPECT_NE(fault(intel, Access::read, 0x12345), nullptr);
}

// splitmix64.
struct Random {
    std::uint64_t state;
    std::uint64_t next() {
        std::uint64_t z = state += 0x9E3779B97F4A7C15;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }
};

TEST(StrictProcessor, NothingDecidedFaultsInIt) {
    const char* wished = std::getenv("CAISSON_MODEL_STEPS");
    const std::uint64_t steps = wished != nullptr ? std::strtoull(wished, nullptr, 10) : 100'000;
    for (const Processor& processor : processors) {
        vcpu::testing::ModelMachine<Random> machine{processor};
        Random random{1};
        for (std::uint64_t i = 0; i < steps / processors.size() + 1; ++i) {
            const std::string wrong = machine.step(random);
            ASSERT_EQ(wrong, "") << "step " << i;
        }
    }
}

// The banks as scan_machine_checks() goes through them.
TEST(StrictProcessor, MachineChecksAreReadWithoutAFault) {
    struct Banks {
        const Processor& cpu;
        unsigned faults = 0;
        std::uint64_t read(std::uint32_t index) {
            faults += fault(cpu, Access::read, index) != nullptr ? 1 : 0;
            return index == vcpu::mca::mcg_cap ? cpu.banks : vcpu::mca::valid | vcpu::mca::address_valid;
        }
        void write(std::uint32_t index, std::uint64_t value) {
            faults += fault(cpu, Access::write, index, value) != nullptr ? 1 : 0;
        }
    };
    for (const Processor& processor : processors) {
        Banks banks{processor};
        (void)vcpu::scan_machine_checks(banks, false, true, [](const auto&, auto) {});
        EXPECT_EQ(banks.faults, 0u) << processor.name;
    }
}

} // namespace
