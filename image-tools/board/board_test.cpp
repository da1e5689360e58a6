// SPDX-License-Identifier: Apache-2.0
#include "image-tools/board/board_fixture_test.hpp"
#include "image-tools/board/check.hpp"
#include "image-tools/board/names.hpp"
#include "image-tools/board/read.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace {

using board::Facts;
using board::test::q35;
using board::test::Wanted;
using Json = nlohmann::ordered_json;

std::string refusal(const std::string& text) {
    try {
        (void)board::read(text, "b.json");
    } catch (const diagnostic::Failure& failure) {
        EXPECT_EQ(failure.diagnostic().code, "E0425");
        return failure.diagnostic().message;
    }
    return {};
}

const board::Finding* finding(const board::Graded& graded, const std::string& subject) {
    for (const board::Finding& one : graded.findings)
        if (one.subject == subject)
            return &one;
    return nullptr;
}

// Calls use(pointer) for every member and item of the document.
void each_place(const Json& value, const Json::json_pointer& at,
                const std::function<void(const Json::json_pointer&)>& use) {
    if (value.is_object())
        for (const auto& [key, inner] : value.items()) {
            use(at / key);
            each_place(inner, at / key, use);
        }
    else if (value.is_array())
        for (std::size_t i = 0; i < value.size(); ++i)
            each_place(value[i], at / i, use);
}

TEST(Description, IsReadAsItWasWritten) {
    const std::string text = board::to_text(*q35());
    const auto again = board::read(text, "b.json");
    EXPECT_EQ(board::to_text(*again), text);
    EXPECT_EQ(again->functions[0].function.bars[0].bytes, 0x20000u);
    EXPECT_EQ(again->tables.remapping.io_apics[0].requester, 0xff00);
    EXPECT_NE(text.find("\"requester\":\"ff:00.0\""), std::string::npos);
    EXPECT_TRUE(Json::accept(text));
}

TEST(Description, OfOtherCpusToo) {
    auto facts = q35();
    facts->others_known = true;
    board::OtherCpu like, other, silent;
    silent.apic_id = 3;
    like.apic_id = 1;
    like.answered = true;
    other.apic_id = 2;
    other.answered = true;
    (void)other.differences.push_back({0x1a, 0, 0x20000001, 0, 0, 0});
    for (const board::OtherCpu& cpu : {like, other, silent})
        (void)facts->others.push_back(cpu);
    const std::string text = board::to_text(*facts);
    const auto again = board::read(text, "x");
    EXPECT_EQ(board::to_text(*again), text);
    ASSERT_EQ(again->others.size(), 3u);
    EXPECT_EQ(again->others[1].differences[0].eax, 0x20000001u);
    EXPECT_FALSE(again->others[2].answered);
    const board::Graded graded = board::grade(*again);
    const board::Finding* const alike = finding(graded, "alike");
    ASSERT_NE(alike, nullptr);
    EXPECT_EQ(alike->grade, board::Grade::missing);
    EXPECT_NE(alike->reason.find("APIC ID 3; CPUs of another kind than the boot CPU: APIC ID 2"),
              std::string::npos)
        << alike->reason;
    EXPECT_EQ(finding(board::grade(*q35()), "alike"), nullptr);
}

TEST(Description, WhatIsACpusOwnIsNoDifference) {
    EXPECT_EQ(board::in_common({1, 0, 5, 0x03040800, 1u << 27, 6}).ebx, 0x40800u);
    EXPECT_EQ(board::in_common({1, 0, 5, 0x03040800, 1u << 27, 6}).ecx, 0u);
    EXPECT_EQ(board::in_common({0xb, 0, 1, 2, 0x100, 3}).edx, 0u);
    EXPECT_EQ(board::in_common({0x1a, 0, 0x40000001, 0, 0, 0}).eax, 0x40000001u);
}

TEST(Description, EmptyFactsToo) {
    const std::string text = board::to_text(Facts{});
    EXPECT_EQ(board::to_text(*board::read(text, "b.json")), text);
}

TEST(Description, EveryMemberIsNeededAndNoOtherIsTaken) {
    const Json whole = Json::parse(board::to_text(*q35()));
    std::size_t members = 0;
    each_place(whole, Json::json_pointer{}, [&](const Json::json_pointer& at) {
        ++members;
        Json less = whole;
        less.at(at.parent_pointer()).erase(at.back());
        // Capabilities of a unit come together or not at all.
        EXPECT_NE(refusal(less.dump()), "") << "without " << at.to_string();
        Json more = whole;
        more.at(at.parent_pointer())["other"] = 1;
        EXPECT_NE(refusal(more.dump()).find("not known: 'other'"), std::string::npos) << at.to_string();
        Json wrong = whole;
        wrong.at(at) = Json::array({Json::array()});
        EXPECT_NE(refusal(wrong.dump()), "") << "a list at " << at.to_string();
    });
    EXPECT_GT(members, 90u);
}

TEST(Description, SaysWhatIsWrong) {
    const std::string good = board::to_text(*q35());
    const auto with = [&good](const std::string& from, const std::string& to) {
        std::string text = good;
        EXPECT_NE(text.find(from), std::string::npos) << from;
        return refusal(text.replace(text.find(from), from.size(), to));
    };
    EXPECT_EQ(with("\"0xfed90000\"", "\"0xfed90010\""),
              "/firmware/remapping/units/0 is no unit of that kind, at an address of its own");
    EXPECT_EQ(with("\"00:02.0\"", "\"00:02.9\""),
              "/pci/functions/0/address is not an address of a PCI function, such as 00:1f.3");
    EXPECT_EQ(with("caisson.board/1", "caisson.board/2"),
              "/schema is not caisson.board/1: another version wrote it");
    EXPECT_EQ(with("\"name\":\"q35\"", "\"name\":\"q35\",\"name\":\"q36\""),
              "the document has a member twice: 'name'");
    EXPECT_EQ(with("\"kind\":\"vtd\"", "\"kind\":\"vt-d\""),
              "/firmware/remapping/kind is none of: none, vtd, amdvi");
    EXPECT_EQ(with("\"hpet\":\"0xfed00000\"", "\"hpet\":\"fed00000\""),
              "/firmware/hpet is not a hexadecimal number (0x...) of at most 64 bits");
    EXPECT_EQ(refusal("{"), "the document is not JSON, at byte 2");
    EXPECT_EQ(refusal("[1e999]"), "the document has a number that is too large");
    EXPECT_EQ(refusal("[[[[[[[[[[1]]]]]]]]]]"), "the document is nested too deeply");
    EXPECT_EQ(refusal("1"), "the document is not an object");
}

TEST(Addresses, OfFunctions) {
    EXPECT_EQ(board::requester_of("00:1f.3"), pci::Requester{0x00fb});
    EXPECT_EQ(board::requester_of("ff:1f.7"), pci::Requester{0xffff});
    for (const char* wrong :
         {"", "00:20.0", "00:1f.8", "0:1f.3", "00:1f:3", "00-1f.3", "+0:1f.3", "00:1f.33"})
        EXPECT_FALSE(board::requester_of(wrong)) << wrong;
}

TEST(Grade, OfAGoodBoard) {
    const auto graded = board::grade(*q35());
    EXPECT_TRUE(graded.runs);
    EXPECT_TRUE(graded.devices);
    for (const char* good :
         {"firmware", "virtualization", "x2apic", "cpus", "memory", "dma-remapping", "interrupt-remapping",
          "network 00:02.0", "console", "timer", "reset", "power-off"}) {
        const auto* const found = finding(graded, good);
        ASSERT_NE(found, nullptr) << good;
        EXPECT_EQ(found->grade, board::Grade::good) << good << ": " << found->reason;
    }
    EXPECT_EQ(finding(graded, "network 00:02.0")->reason, "8086:10d3: a partition can own it, reset by FLR");
    EXPECT_EQ(finding(graded, "tpm")->grade, board::Grade::missing);
    EXPECT_EQ(finding(graded, "watchdog")->grade, board::Grade::unknown);
}

TEST(Grade, NamesWhatIsMissing) {
    const auto said = [](const char* subject, const std::function<void(Facts&)>& change) {
        const auto facts = q35();
        change(*facts);
        const auto graded = board::grade(*facts);
        const auto* const found = finding(graded, subject);
        return found == nullptr ? std::string("nothing")
                                : std::string(board::grade_words[static_cast<std::size_t>(found->grade)]) +
                                      ": " + found->reason + (graded.runs ? "" : " (does not run)");
    };
    EXPECT_NE(said("virtualization", [](Facts& f) { f.processor.missing << "no AMD-V"; })
                  .find("no AMD-V (does not run)"),
              std::string::npos);
    EXPECT_NE(said("dma-remapping",
                   [](Facts& f) {
                       f.tables.remapping = {};
                       f.units.clear();
                   })
                  .find("names no IOMMU"),
              std::string::npos);
    EXPECT_NE(said("network 00:02.0",
                   [](Facts& f) {
                       f.tables.remapping = {};
                       f.units.clear();
                   })
                  .find("needs an IOMMU"),
              std::string::npos);
    EXPECT_NE(said("network 00:02.0", [](Facts& f) { f.functions[0].function.reset = pci::Reset::none; })
                  .find("cannot be reset"),
              std::string::npos);
    EXPECT_NE(
        said("network 00:02.0", [](Facts& f) { (void)f.tables.remapping.firmware_memory.push_back(0x10); })
            .find("RMRR"),
        std::string::npos);
    EXPECT_NE(
        said("interrupt-remapping", [](Facts& f) { f.units[0].extended &= ~8ull; }).find("0 of 1 units"),
        std::string::npos);
    EXPECT_NE(
        said("time-interrupts", [](Facts& f) { f.tables.remapping.io_apics.clear(); }).find("are refused"),
        std::string::npos);
    EXPECT_NE(
        said("firmware", [](Facts& f) { f.refused << "damaged"; }).find("firmware: damaged (does not run)"),
        std::string::npos);
    EXPECT_NE(said("memory", [](Facts& f) { f.memory.clear(); }).find("not known"), std::string::npos);
    EXPECT_EQ(said("console", [](Facts& f) { f.uart_known = board::Known::no; }).substr(0, 8), "missing:");
    EXPECT_EQ(said("timer", [](Facts& f) { f.tables.hpet = 0; }).substr(0, 8), "limited:");
}

TEST(Bind, APlanThatFits) {
    const auto facts = q35();
    Wanted two(2);
    const auto outcome = two.on(*facts);
    ASSERT_TRUE(outcome.bound) << outcome.refusal;
    EXPECT_EQ(outcome.bound->cpus.size(), 4u);
    EXPECT_EQ(outcome.bound->cpus[1].partition, 1u);
}

TEST(Bind, RefusesInTheWordsOfTheBoot) {
    const auto refused = [](const std::function<void(Facts&)>& change,
                            const std::function<void(Wanted&)>& ask = {}) {
        const auto facts = q35();
        change(*facts);
        Wanted two(2);
        if (ask)
            ask(two);
        return two.on(*facts).refusal;
    };
    EXPECT_EQ(refused([](Facts& f) {
                  f.tables.cpus.clear();
                  (void)f.tables.cpus.push_back({0, true});
              }),
              "this machine cannot run the plan: the machine has too few CPUs (needed 2, available 1)");
    EXPECT_EQ(refused([](Facts& f) { f.processor.leaves[2].eax = 2; }),
              "this machine cannot run the plan: the machine has too few CPUs, partition 'p1' (needed 1, "
              "available 0)");
    EXPECT_EQ(refused([](Facts& f) { f.memory.clear(); }),
              "memory map: the firmware's memory map names no usable memory");
    EXPECT_EQ(refused([](Facts& f) { f.processor.missing << "this CPU has no guests"; }),
              "this CPU has no guests");
    EXPECT_EQ(refused([](Facts& f) { f.refused << "it is damaged"; }), "firmware: it is damaged");
    EXPECT_EQ(refused([](Facts& f) { f.tables.hpet = 0x8000000; }),
              "this machine cannot run the plan: firmware puts a device's registers (APIC, HPET or IOMMU) "
              "into memory "
              "(at 0x8000000)");
    EXPECT_EQ(refused([](Facts& f) { f.units[0].extended = 0; }),
              "the IOMMU at 0xfed90000 cannot be used: it has no queued invalidation");
    const auto nic = [](Wanted& wanted) {
        static plan::DeviceRequest device;
        device = {0, 0x8086, 0x10d3, 0, false, false};
        wanted.wish.request.devices = {&device, 1};
    };
    EXPECT_EQ(refused([](Facts&) {}, nic), "");
    EXPECT_EQ(
        refused([](Facts& f) { f.tables.ecam = {}; }, nic),
        "the plan has devices, and this machine has no memory-mapped PCI configuration (MCFG) in reach");
    EXPECT_EQ(
        refused([](Facts& f) { f.functions.clear(); }, nic),
        "this machine cannot run the plan: the machine does not have a device that the plan names, partition "
        "'p0': 0x808610d3");
    EXPECT_EQ(refused([](Facts& f) { f.functions[0].function.reset = pci::Reset::none; }, nic),
              "this machine cannot run the plan: a device cannot be reset, partition 'p0': 0x10");
    const auto console = [](Wanted& wanted) {
        wanted.wish.request.behaviour.flags |= plan::flag_require_console;
    };
    EXPECT_NE(refused([](Facts& f) { f.uart_known = board::Known::no; }, console).find("requireConsole"),
              std::string::npos);
    const auto tpm = [](Wanted& wanted) { wanted.wish.request.behaviour.flags |= plan::flag_require_tpm; };
    EXPECT_EQ(refused([](Facts&) {}, tpm),
              "the plan wants a TPM (tpm: required): this machine has none that firmware's ACPI tables name");
    const auto time = [](Wanted& wanted) { wanted.wish.partitions[0].behaviour.watchdog_ms = 1000; };
    EXPECT_EQ(refused([](Facts&) {}, time), "");
    EXPECT_NE(refused([](Facts& f) { f.tables.remapping.io_apics.clear(); }, time)
                  .find("'s IOMMU would block them"),
              std::string::npos);
    EXPECT_NE(refused(
                  [](Facts& f) {
                      f.tables.hpet = 0;
                      f.pit = board::Known::no;
                  },
                  time)
                  .find("nor a PIT that counts"),
              std::string::npos);
    EXPECT_NE(refused([](Facts& f) { f.tables.io_apics.clear(); }, time).find(" has no I/O APIC"),
              std::string::npos);
}

TEST(Show, NamesEverything) {
    const std::string text = board::show(*q35());
    for (const char* part :
         {"q35 (scan)", "AuthenticAMD family 0x6", "APIC ID 3: package 0, core 3", "vtd 0xfed90000",
          "00:02.0 8086:10d3 class 020000 endpoint, reset flr", "UART: 0x3f8"})
        EXPECT_NE(text.find(part), std::string::npos) << part << " in\n" << text;
}

} // namespace
