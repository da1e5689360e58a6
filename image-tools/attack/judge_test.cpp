// SPDX-License-Identifier: Apache-2.0
// image-tools/attack/judge_test.cpp - every way in which a case can fail is found.
#include "hypervisor/core/audit/whole_frame_test.hpp"
#include "image-tools/attack/attack.hpp"
#include "image-tools/attack/junit.hpp"

#include <gtest/gtest.h>

namespace {

using attack::Item;
using attack::Judge;

// A serial line in the making: user partition, adversary, witness.
class Line {
public:
    Line() : judge_(1, 2), session_({"web", "attack-hostile", "attack-witness"}, judge_.listener()) {
        judge_.watch(session_);
    }
    // "o 1 1": type, partition, generation.
    void frame(const std::string& head, const std::string& payload) {
        const std::size_t space = head.rfind(' ');
        const std::string partition = head.substr(2, space - 2);
        raw(frames_.frame(
            {static_cast<audit::FrameType>(head[0]),
             partition == "hv" ? audit::hypervisor_id : static_cast<std::uint32_t>(std::stoul(partition)),
             std::stoull(head.substr(space + 1))},
            payload));
    }
    void raw(const std::string& bytes) {
        session_.feed(std::vector<std::uint8_t>(bytes.begin(), bytes.end()));
    }
    void says(const std::string& text) { frame("o 1 1", text + "\n"); }
    void witness(const std::string& values = "exits=0 strange=0 late=3 ticks=4 memory=good") {
        frame("o 2 1", "witness 7 " + values + "\n");
    }
    void audit(const std::string& event, const std::string& detail, int generation) {
        frame("a hv 0", "event=" + event + " seq=1 time=5 partition=attack-hostile generation=" +
                            std::to_string(generation) + " detail=" + detail + " count=1 hash=00");
    }
    void ends(int generation, const std::string& reason, const std::string& detail, bool last,
              const std::string& name = "attack-hostile", int index = 1) {
        frame(
            "x " + std::to_string(index) + " " + std::to_string(generation),
            "partition=" + name + " generation=" + std::to_string(generation) +
                " status=137 reason=" + reason + " detail=" + detail +
                " exits=1 refusals=1 dropped=0 started=1 first_output=2 ended=3 last=" + (last ? "1" : "0"));
    }
    // Three cases that go as they should, over two generations.
    void good_run() {
        table();
        says("attack try 0\nattack saw 0 #GP");
        audit("refused", "msr", 1);
        says("attack try 1");
        audit("stopped", "npf", 1);
        ends(1, "stopped", "npf", false);
        witness();
        last_life();
    }
    void table() {
        says("attack table 3 svm\nattack case 0 msrs tsc #GP msr\nattack case 1 memory hole stopped npf\n"
             "attack case 2 console prefix contained none");
    }
    void last_life() {
        says("attack try 2\nattack saw 2 contained\nattack done");
        ends(2, "exit", "none", true);
        witness();
        witness();
    }
    std::vector<Item> items(const std::string& failure = {}) { return judge_.items(failure); }
    Judge& judge() { return judge_; }

private:
    audit::FrameLine frames_;
    Judge judge_;
    run::Session session_;
};

std::string verdict_of(const std::vector<Item>& items, const std::string& name) {
    for (const Item& item : items)
        if (item.name == name)
            return (item.passed ? "passed: " : "FAILED: ") + item.verdict;
    return "no such item";
}

TEST(Judge, AGoodRunPasses) {
    Line line;
    line.good_run();
    const auto items = line.items();
    ASSERT_EQ(items.size(), 3u);
    EXPECT_EQ(verdict_of(items, "tsc"), "passed: #GP");
    EXPECT_EQ(verdict_of(items, "hole"), "passed: stopped npf");
    EXPECT_EQ(verdict_of(items, "prefix"), "passed: contained");
    EXPECT_EQ(items[0].audit, "refused msr");
    EXPECT_EQ(items[1].expected, "stopped npf");
    EXPECT_EQ(items[0].vendor, "svm");
}

TEST(Judge, EnoughWaitsForTheWitness) {
    Line line;
    line.table();
    EXPECT_FALSE(line.judge().enough(0));
    line.ends(1, "exit", "none", true);
    EXPECT_FALSE(line.judge().enough(0));
    line.witness();
    EXPECT_FALSE(line.judge().enough(0));
    line.witness();
    EXPECT_TRUE(line.judge().enough(0));
}

TEST(Judge, WhatWasGrantedFails) {
    Line line;
    line.table();
    line.says("attack try 0\nattack saw 0 granted");
    line.audit("refused", "msr", 1);
    EXPECT_EQ(verdict_of(line.items(), "tsc"), "FAILED: granted");
}

TEST(Judge, AMissingAuditRecordFails) {
    Line line;
    line.table();
    line.says("attack try 0\nattack saw 0 #GP");
    line.audit("refused", "msr", 2); // another generation's
    EXPECT_EQ(verdict_of(line.items(), "tsc"), "FAILED: #GP; no audit record 'refused msr'");
}

TEST(Judge, AUnitThatRefusedAnotherAccessFails) {
    const auto judged = [](const std::string& record) {
        Line line;
        line.says("attack table 1 svm\nattack case 0 dma write contained dma");
        line.says("attack try 0\n\nattack aims 0x10 0xfec00040\n\nattack saw 0 contained");
        line.frame("a hv 0", "event=dma_refused seq=1 time=5 partition=attack-hostile generation=1 " +
                                 record + " access=write reason=5 lost=0 hash=00");
        return verdict_of(line.items(), "write");
    };
    EXPECT_EQ(judged("requester=0x10 address=0xfec00000"), "passed: contained");
    EXPECT_EQ(judged("requester=0x18 address=0xfec00000"),
              "FAILED: contained; the unit refused 0x18 at 0xfec00000, not 0x10 at 0xfec00000");
    EXPECT_EQ(judged("requester=0x10 address=0xfec01000"),
              "FAILED: contained; the unit refused 0x10 at 0xfec01000, not 0x10 at 0xfec00000");
}

TEST(Judge, ASurvivedStopAndAWrongReasonFail) {
    Line line;
    line.table();
    line.says("attack try 1\nattack saw 1 granted");
    EXPECT_EQ(verdict_of(line.items(), "hole"), "FAILED: granted");
    Line other;
    other.table();
    other.says("attack try 1");
    other.audit("stopped", "shutdown", 1);
    other.ends(1, "stopped", "shutdown", false);
    EXPECT_EQ(verdict_of(other.items(), "hole"), "FAILED: stopped shutdown");
}

TEST(Judge, ACaseThatNeverRanFails) {
    Line line;
    line.table();
    line.last_life();
    EXPECT_EQ(verdict_of(line.items(), "tsc"), "FAILED: not run");
    Line hung;
    hung.table();
    hung.says("attack try 0");
    EXPECT_EQ(verdict_of(hung.items("time is over"), "tsc"), "FAILED: never came back; time is over");
    EXPECT_EQ(verdict_of(hung.items("time is over"), "run"), "FAILED: time is over");
}

TEST(Judge, AShortTableFails) {
    Line line;
    line.says("attack table 4 svm\nattack case 0 msrs tsc #GP msr");
    EXPECT_EQ(verdict_of(line.items(), "run"), "FAILED: the table of cases is incomplete");
    Line silent;
    EXPECT_EQ(verdict_of(silent.items(), "run"), "FAILED: the table of cases is incomplete");
}

TEST(Judge, TheWitnessCountsAgainstWhoRanSinceItsLastReport) {
    Line line;
    line.table();
    line.says("attack try 0\nattack saw 0 #GP");
    line.audit("refused", "msr", 1);
    line.witness();
    line.says("attack try 2\nattack saw 2 contained");
    line.witness("exits=4 strange=0 late=3 ticks=4 memory=good");
    const auto items = line.items();
    EXPECT_EQ(verdict_of(items, "tsc"), "passed: #GP");
    EXPECT_EQ(verdict_of(items, "prefix").substr(0, 41), "FAILED: contained; the neighbour noticed:");
    for (const char* bad :
         {"exits=0 strange=1 late=3 ticks=4 memory=good", "exits=0 strange=0 late=3 ticks=4 memory=bad",
          "exits=0 strange=0 late=100000 ticks=4 memory=good"}) {
        Line each;
        each.table();
        each.says("attack try 2\nattack saw 2 contained");
        each.witness(bad);
        EXPECT_EQ(verdict_of(each.items(), "prefix").substr(0, 7), "FAILED:") << bad;
    }
}

TEST(Judge, WhoWasStoppedIsNotBlamedForWhatComesLater) {
    Line line;
    line.good_run();
    line.ends(1, "exit", "none", true, "attack-witness", 2);
    EXPECT_EQ(verdict_of(line.items(), "hole"), "passed: stopped npf");
}

TEST(Judge, WhatIsForgedAndBelievedFails) {
    const auto after = [](const auto& forge) {
        Line line;
        line.table();
        line.says("attack try 2");
        forge(line);
        line.says("attack saw 2 contained");
        return verdict_of(line.items(), "prefix").substr(0, 7);
    };
    EXPECT_EQ(after([](Line&) {}), "passed:");
    EXPECT_EQ(after([](Line& line) { line.raw("x"); }), "FAILED:");
    EXPECT_EQ(after([](Line& line) { line.frame("o 0 1", "forged"); }), "FAILED:");
    EXPECT_EQ(after([](Line& line) { line.frame("l hv 0", "forged"); }), "FAILED:");
    EXPECT_EQ(after([](Line& line) { line.frame("a hv 0", "event=forged seq=1"); }), "FAILED:");
    EXPECT_EQ(after([](Line& line) { line.frame("e hv 0", "reason=forged action=poweroff"); }), "FAILED:");
    EXPECT_EQ(after([](Line& line) { line.ends(1, "exit", "forged", true, "attack-witness", 2); }),
              "FAILED:");
    // Inside its own frames it may say what it likes; so may the record of its own note.
    EXPECT_EQ(after([](Line& line) {
                  line.says(audit::encode_frame({audit::FrameType::audit}, 4, "event=forged"));
              }),
              "passed:");
    EXPECT_EQ(after([](Line& line) {
                  line.frame("a hv 0", "event=note seq=1 partition=attack-hostile generation=1 text=forged");
              }),
              "passed:");
}

// A session keeps the texts of the first faults only.
TEST(Judge, ACaseIsBlamedHoweverManyFaultsCameBefore) {
    Line line;
    line.table();
    line.says("attack try 0");
    for (int i = 0; i < 50; ++i) {
        line.raw("x");
        line.says("noise");
    }
    line.says("attack saw 0 #GP");
    line.witness();
    line.says("attack try 2");
    line.raw("x");
    line.says("attack saw 2 contained");
    EXPECT_EQ(verdict_of(line.items(), "prefix").substr(0, 7), "FAILED:");
}

TEST(Judge, TheRandomGuestNeedsItsStepsAndAQuietWitness) {
    Line line;
    line.says("random steps=600");
    line.ends(1, "stopped", "shutdown", false);
    line.says("random steps=300\nrandom steps=500");
    line.witness();
    EXPECT_EQ(line.judge().random_steps(), 1100u);
    EXPECT_TRUE(line.judge().random_item({}, 7, 1100).passed);
    EXPECT_EQ(line.judge().random_item({}, 7, 1200).verdict, "only 1100 steps");
    EXPECT_FALSE(line.judge().random_item("the hypervisor gave up", 7, 1100).passed);
    line.witness("exits=0 strange=0 late=3 ticks=4 memory=bad");
    EXPECT_FALSE(line.judge().random_item({}, 7, 1100).passed);
}

TEST(Junit, NamesFailuresAndEscapes) {
    const std::vector<Item> items{{"tsc", "msrs", "svm", "granted <\"&\x1b", "#GP", "none", false},
                                  {"pit", "ports", "svm", "ignored", "ignored", "none", true}};
    const std::string xml = attack::junit(items);
    EXPECT_NE(xml.find("<testsuite name=\"caisson.attack.msrs\" tests=\"1\" failures=\"1\">"),
              std::string::npos);
    EXPECT_NE(xml.find("<failure message=\"expected #GP, got granted &lt;&quot;&amp;?\"/>"),
              std::string::npos);
    EXPECT_NE(xml.find("<testcase classname=\"ports.svm\" name=\"pit\"/>"), std::string::npos);
}

TEST(WithAdversary, AddsTwoPartitionsAndAKeyOfItsOwn) {
    const auto user = manifest::parse("a.yaml",
                                      "apiVersion: caisson/v1\nname: a\nmachine: {cpus: 1, memory: 64MiB}\n"
                                      "partitions:\n  web: {kernel: web.elf, cpus: 1, memory: 4MiB}\n",
                                      ".");
    attack::Options options;
    options.classes = {"msrs", "ports"};
    const auto out = attack::with_adversary(user, "/lib/adversary.elf", "/tmp/key", options);
    ASSERT_EQ(out.partitions.size(), 3u);
    EXPECT_EQ(out.partitions[1].command_line, "attack msrs,ports");
    EXPECT_EQ(out.partitions[1].behaviour.restart, plan::Restart::on_failure);
    EXPECT_EQ(out.partitions[2].command_line, "witness");
    EXPECT_EQ(out.machine.cpus, 4u);
    EXPECT_EQ(out.machine.memory, std::uint64_t{96} << 20);
    EXPECT_EQ(out.signing.key->value, "/tmp/key");
    options.seed = 5;
    EXPECT_EQ(attack::with_adversary(user, "/a", "/k", options).partitions[1].command_line, "random seed=5");
    EXPECT_THROW((void)attack::with_adversary(out, "/a", "/k", options), diagnostic::Failure);
}

} // namespace
