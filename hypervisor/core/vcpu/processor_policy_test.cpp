// SPDX-License-Identifier: Apache-2.0
// Hardening and CPUID policy of real processors, line by line in processor_policy.golden.
//
// A line holds the registers that hardening is decided from, so that its half is checked everywhere; the other half and the
// registers themselves need the dumps (core/boards). The capability MSRs are not in a dump: hardening is what CPUID alone lets
// one say. A new golden file: CAISSON_WRITE_GOLDEN=1.
#include "hypervisor/core/boards/boards_test.hpp"
#include "hypervisor/core/vcpu/build.hpp"
#include "hypervisor/core/vcpu/cpuid.hpp"
#include "hypervisor/core/vcpu/vulnerabilities.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iomanip>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace {

constexpr const char* golden_file = "processor_policy.golden";

// The short names of the golden file, by Measure and by row.
constexpr std::array<const char*, vcpu::measure_names.size()> measures{
    "",     "ibpb", "eibrs",  "autoibrs", "bhi_dis_s", "bp_reduce", "rsb",
    "verw", "l1d",  "gather", "4k",       "ssbd",      "splitlock"};
constexpr std::array<const char*, vcpu::vulnerabilities.size()> rows{
    "bti", "ibpb", "bhi", "its", "retbleed", "srso", "rsb", "gds", "l1tf", "mds", "ssb", "pschange"};

template <std::size_t Size>
std::string listed(std::uint32_t bits, const std::array<const char*, Size>& names) {
    std::string text;
    for (std::size_t i = 0; i < Size; ++i)
        if ((bits >> i & 1) != 0)
            text += (text.empty() ? "" : "+") + std::string{names[i]};
    return text.empty() ? "-" : text;
}

const boards::LogicalCpu* asked = nullptr;
vcpu::CpuidLeaf answer(std::uint32_t leaf, std::uint32_t subleaf) {
    const auto found = asked->leaf(leaf, subleaf);
    return {found.eax, found.ebx, found.ecx, found.edx};
}

vcpu::CpuModel model_of(const boards::LogicalCpu& cpu) {
    const auto zero = cpu.leaf(0), extended = cpu.leaf(0x80000000);
    const auto seven = zero.eax >= 7 ? cpu.leaf(7) : boards::LogicalCpu::Leaf{};
    return {.vendor = vcpu::vendor_of(zero.ebx),
            .family = vcpu::family_of(cpu.leaf(1).eax),
            .leaf7_edx = seven.edx,
            .leaf7_2_edx = seven.eax >= 2 ? cpu.leaf(7, 2).edx : 0,
            .leaf80000008_ebx = extended.eax >= 0x80000008 ? cpu.leaf(0x80000008).ebx : 0,
            .leaf80000021_eax = extended.eax >= 0x80000021 ? cpu.leaf(0x80000021).eax : 0};
}

std::string hardening_text(const vcpu::CpuModel& model) {
    const vcpu::Hardening h = vcpu::harden(model);
    return listed(h.measures, measures) + " " + listed(h.exposed, rows);
}

// name vendor family 7.edx 7.2.edx 80000008.ebx 80000021.eax measures exposed | what a partition is offered
std::string line_of(const boards::Processor& processor) {
    asked = &processor.cpus.front();
    const vcpu::CpuModel model = model_of(*asked);
    const auto table = std::make_unique<vcpu::CpuidTable>();
    vcpu::build_cpuid(*table, answer, 1);
    const char* mixed = nullptr;
    for (const boards::LogicalCpu& cpu : processor.cpus) {
        asked = &cpu;
        if (const char* difference = vcpu::differs(*table, answer); mixed == nullptr)
            mixed = difference != nullptr                                ? difference
                    : vcpu::harden(model_of(cpu)) != vcpu::harden(model) ? "hardening"
                                                                         : nullptr;
    }
    std::ostringstream text;
    text << std::hex << processor.name << ' ' << static_cast<unsigned>(model.vendor) << ' ' << model.family
         << ' ' << model.leaf7_edx << ' ' << model.leaf7_2_edx << ' ' << model.leaf80000008_ebx << ' '
         << model.leaf80000021_eax << ' ' << hardening_text(model) << " | 1 " << table->basic[1].ecx << ' '
         << table->basic[1].edx << " 7 " << table->basic[7].ebx << ' ' << table->basic[7].ecx << ' '
         << table->basic[7].edx << " 7.1 " << table->features1.eax << ' ' << table->features1.edx << " x1 "
         << table->extended[1].ecx << ' ' << table->extended[1].edx << " xcr0 " << table->xcr0_allowed
         << " cr4 " << table->cr4_allowed << " efer " << table->efer_allowed;
    if (mixed != nullptr)
        text << " mixed: " << mixed;
    return text.str();
}

std::vector<std::string> golden_lines() {
    std::ifstream file{golden_file};
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);)
        if (!line.empty() && line[0] != '#')
            lines.push_back(line);
    return lines;
}

TEST(ProcessorPolicy, HardeningIsAsReviewed) {
    const auto lines = golden_lines();
    EXPECT_GE(lines.size(), 300u);
    for (const std::string& line : lines) {
        std::istringstream fields{line};
        std::string name, used, exposed;
        unsigned vendor = 0;
        vcpu::CpuModel model;
        fields >> std::hex >> name >> vendor >> model.family >> model.leaf7_edx >> model.leaf7_2_edx >>
            model.leaf80000008_ebx >> model.leaf80000021_eax >> used >> exposed;
        ASSERT_TRUE(fields.good() && vendor < 4) << line;
        model.vendor = static_cast<vcpu::Vendor>(vendor);
        EXPECT_EQ(hardening_text(model), used + " " + exposed) << name;
    }
}

// What the review looked at, over all of them: deny by default.
TEST(ProcessorPolicy, NobodyIsFreeOfWhatNobodySaidSo) {
    for (const std::string& line : golden_lines()) {
        const bool restricted =
            line.find("eibrs") != std::string::npos || line.find("autoibrs") != std::string::npos;
        const bool named = line.find(" bti") != std::string::npos;
        EXPECT_EQ(named, !restricted) << line;
        if (line.compare(0, 12, "GenuineIntel") != 0)
            continue;
        // Free by IA32_ARCH_CAPABILITIES alone, which says nothing here; of ITS also who has BHI_CTRL.
        EXPECT_NE(line.find("gds"), std::string::npos) << line;
        EXPECT_NE(line.find("retbleed"), std::string::npos) << line;
        EXPECT_EQ(line.find("+its") == std::string::npos, line.find("bhi_dis_s") != std::string::npos)
            << line;
    }
}

TEST(ProcessorPolicy, EveryProcessorIsAsReviewed) {
    CAISSON_SKIP_WITHOUT_BOARDS("cpuid.tar.xz");
    std::vector<std::string> now;
    for (const boards::Processor& processor : boards::processors())
        now.push_back(line_of(processor));
    if (std::getenv("CAISSON_WRITE_GOLDEN") != nullptr) {
        std::ofstream file{golden_file};
        file << "# SPDX-License-Identifier: Apache-2.0\n"
                "# Hardening and CPUID policy, processor by processor (processor_policy_test.cpp). "
                "Hexadecimal:\n"
                "# name vendor(1 Intel 2 AMD 3 Hygon) family 7.edx 7.2.edx 80000008.ebx 80000021.eax "
                "measures exposed |\n"
                "# offered to a partition: 1.ecx 1.edx, 7.ebx 7.ecx 7.edx, 7.1.eax 7.1.edx, 80000001.ecx "
                ".edx, XCR0, CR4, EFER\n";
        for (const std::string& line : now)
            file << line << '\n';
    }
    const auto golden = golden_lines();
    EXPECT_EQ(golden.size(), now.size());
    for (std::size_t i = 0; i < now.size() && i < golden.size(); ++i)
        EXPECT_EQ(now[i], golden[i]);
}

} // namespace
