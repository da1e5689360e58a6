// SPDX-License-Identifier: Apache-2.0
// image-tools/board/boards_test.cpp - every board that is there: those of boards/ in the tree, and where the archives lie
// beside the checkout (hypervisor/core/boards/README.md) those of 524 machines and 337 processors.
#include "hypervisor/core/boards/boards_test.hpp"
#include "hypervisor/core/acpi/image_test.hpp"
#include "hypervisor/core/plan/topology.hpp"
#include "image-tools/board/board_fixture_test.hpp"
#include "image-tools/board/check.hpp"
#include "image-tools/board/import.hpp"
#include "image-tools/board/names.hpp"
#include "image-tools/board/read.hpp"

#include <fstream>
#include <gtest/gtest.h>

namespace {

using board::Facts;

std::vector<std::string> tables_of(const boards::File& machine) {
    const acpi::testing::Image image{std::as_bytes(std::span{machine.bytes})};
    std::vector<std::string> out;
    for (const auto& [address, block] : image.blocks) {
        std::string bytes;
        for (const std::byte byte : block)
            bytes += static_cast<char>(byte);
        if (!bytes.starts_with("RSD PTR ") && !bytes.starts_with("XSDT"))
            out.push_back(std::move(bytes));
    }
    return out;
}

std::string summary(const Facts& facts) {
    const board::Graded graded = board::grade(facts);
    std::string out =
        "# SPDX-License-Identifier: Apache-2.0\n# Written by tool_board_test (boards/README.md).\n";
    out += std::string(graded.runs ? "runs" : "does not run") + (graded.devices ? ", devices" : "") + "\n";
    for (const board::Finding& finding : graded.findings)
        out += std::string(board::grade_words[static_cast<std::size_t>(finding.grade)]) + " " +
               finding.subject + ": " + finding.reason + "\n";
    return out;
}

// What is graded of each board in the tree, beside it.
TEST(Boards, InTheTreeAreGradedAsWritten) {
    namespace fs = std::filesystem;
    std::size_t seen = 0;
    for (const auto& entry : fs::directory_iterator("../../boards")) {
        if (entry.path().extension() != ".json")
            continue;
        ++seen;
        std::ifstream file(entry.path());
        const std::string text{std::istreambuf_iterator<char>(file), {}};
        const auto facts = board::read(text, entry.path().string());
        EXPECT_EQ(board::to_text(*facts), text) << entry.path();
        EXPECT_FALSE(facts->name.view().empty()) << entry.path();
        EXPECT_FALSE(board::show(*facts).empty());
        fs::path expected = entry.path();
        expected.replace_extension(".txt");
        if (std::getenv("CAISSON_UPDATE") != nullptr)
            std::ofstream(expected) << summary(*facts);
        std::ifstream grades(expected);
        EXPECT_EQ(summary(*facts), (std::string{std::istreambuf_iterator<char>(grades), {}})) << entry.path();
    }
    EXPECT_GE(seen, 12u);
}

TEST(Boards, OfTheCollectionAreImportedAndGraded) {
    CAISSON_SKIP_WITHOUT_BOARDS("acpi.tar.xz");
    std::size_t machines = 0, refused = 0, without = 0, amd = 0, intel = 0, blocked = 0, wdat = 0;
    for (const boards::File& machine : boards::read_archive(*boards::archive("acpi.tar.xz"))) {
        const auto facts = std::make_unique<Facts>();
        board::take_tables(tables_of(machine), *facts);
        // The same as the parser finds in the dump itself.
        const acpi::testing::Image image{std::as_bytes(std::span{machine.bytes})};
        const auto direct = std::make_unique<acpi::Tables>();
        const auto parsed = acpi::parse(image.memory(), image.rsdp, *direct);
        ASSERT_EQ(parsed.ok(), facts->refused.view().empty()) << machine.name;
        if (parsed.ok()) {
            ASSERT_EQ(direct->cpus.size(), facts->tables.cpus.size()) << machine.name;
            ASSERT_EQ(direct->remapping.units.size(), facts->tables.remapping.units.size()) << machine.name;
            ASSERT_EQ(direct->hpet, facts->tables.hpet) << machine.name;
        }
        const std::string text = board::to_text(*facts);
        ASSERT_EQ(board::to_text(*board::read(text, machine.name)), text) << machine.name;
        const board::Graded graded = board::grade(*facts);
        ++machines;
        wdat += facts->watchdog == board::Watchdog::wdat ? 1 : 0;
        refused += facts->refused.view().empty() ? 0 : 1;
        for (const board::Finding& finding : graded.findings) {
            without += finding.subject == "dma-remapping" && finding.grade == board::Grade::missing ? 1 : 0;
            intel +=
                finding.reason.find(" VT-d unit") != std::string::npos && finding.subject == "dma-remapping"
                    ? 1
                    : 0;
            amd +=
                finding.reason.find(" AMD-Vi unit") != std::string::npos && finding.subject == "dma-remapping"
                    ? 1
                    : 0;
            blocked += finding.subject == "time-interrupts" ? 1 : 0;
        }
    }
    EXPECT_EQ(machines, 524u);
    EXPECT_EQ(refused, 1u); // machines.tsv says which
    EXPECT_EQ(without + intel + amd, machines);
    EXPECT_EQ(without, 127u);
    EXPECT_EQ(intel, 270u);
    EXPECT_EQ(amd, 127u);
    EXPECT_EQ(blocked, 15u);
    EXPECT_EQ(wdat, 33u);
}

// The leaves that are kept say as much of cores and packages as all of them do.
TEST(Boards, KeptLeavesPlaceEveryCpuOfTheCollection) {
    CAISSON_SKIP_WITHOUT_BOARDS("cpuid.tar.xz");
    std::size_t seen = 0, usable = 0;
    for (const boards::File& file : boards::read_archive(*boards::archive("cpuid.tar.xz"))) {
        const boards::Processor whole = boards::read_processor(file);
        const auto facts = std::make_unique<Facts>();
        ASSERT_TRUE(board::take_cpuid(file.bytes, *facts)) << file.name;
        const boards::LogicalCpu& first = whole.cpus.front();
        const plan::Topology all =
            plan::topology([&first](std::uint32_t leaf, std::uint32_t sub) { return first.leaf(leaf, sub); });
        const plan::Topology kept = plan::topology(facts->processor);
        EXPECT_EQ(all.thread_bits, kept.thread_bits) << file.name;
        EXPECT_EQ(all.core_bits, kept.core_bits) << file.name;
        const std::string text = board::to_text(*facts);
        EXPECT_EQ(board::to_text(*board::read(text, file.name)), text) << file.name;
        usable += board::missing_of(facts->processor).empty() ? 1 : 0;
        ++seen;
    }
    EXPECT_EQ(seen, 337u);
    EXPECT_EQ(usable, 331u);
}

} // namespace
