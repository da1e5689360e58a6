// SPDX-License-Identifier: Apache-2.0
// PCRs against values computed elsewhere (python3 hashlib), and logs that are not what a bundle leads to.
#include "image-tools/attest/replay.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/journal/line.hpp"

#include <gtest/gtest.h>

namespace {

using attest::Event;

std::string hex(const std::string& bytes) {
    return files::hex(files::bytes_of(bytes));
}
const std::vector<Event> events{{13, "caisson/1 bundle b 1 security=0 id=00"},
                                {11, "caisson/1 partition a sha256=11"},
                                {11, "caisson/1 partition b sha256=22"}};

std::string line(std::uint64_t seq, const Event& event, const std::string& digest_of) {
    journal::Record record;
    record.event = "measured";
    record.seq = seq;
    std::string escaped;
    for (const char letter : event.descriptor)
        escaped += letter == ' ' ? "%20" : letter == '=' ? "%3D" : std::string(1, letter);
    record.pairs = {{"pcr", std::to_string(event.pcr)},
                    {"descriptor", escaped},
                    {"sha256", hex(attest::digest("sha256", digest_of))}};
    return journal::to_line(record) + "\n";
}
std::string log_of(const std::vector<Event>& measured) {
    std::string out;
    for (const Event& event : measured)
        out += line(out.size(), event, event.descriptor);
    return out;
}

TEST(Pcrs, AreExtendedInOrderFromZero) {
    const auto sha256 = attest::pcrs_after(events, "sha256");
    EXPECT_EQ(hex(attest::digest("sha256", "abc")),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    const std::string zero(32, '\0');
    const std::string once = attest::digest("sha256", zero + attest::digest("sha256", events[1].descriptor));
    EXPECT_EQ(sha256.at(11), attest::digest("sha256", once + attest::digest("sha256", events[2].descriptor)));
    EXPECT_EQ(sha256.size(), 2u);
    EXPECT_EQ(attest::pcrs_after(events, "sha384").at(13).size(), 48u);
    EXPECT_EQ(attest::pcrs_after(events, "sha1").at(13).size(), 20u);
}

TEST(Replay, TheSameEventsAreAccepted) {
    const attest::Replay found = attest::replay(log_of(events), events);
    EXPECT_EQ(found.findings, std::vector<std::string>{});
    EXPECT_EQ(found.events, 3u);
    EXPECT_EQ(found.banks, std::vector<std::string>{"sha256"});
}

TEST(Replay, EveryDeviationIsNamed) {
    EXPECT_EQ(attest::replay("", events).findings.size(), 3u); // none measured
    EXPECT_EQ(attest::replay(log_of({events[0], events[1]}), events).findings,
              std::vector<std::string>{"not measured: " + events[2].descriptor});
    std::vector<Event> more = events;
    more.push_back({11, "caisson/1 partition c sha256=33"});
    EXPECT_EQ(attest::replay(log_of(more), events).findings.size(), 1u);
    EXPECT_EQ(attest::replay(log_of({events[0], events[2], events[1]}), events).findings.size(), 2u);
    std::vector<Event> elsewhere = events;
    elsewhere[1].pcr = 12;
    EXPECT_EQ(attest::replay(log_of(elsewhere), events).findings.size(), 1u);
    // A descriptor that is the expected one beside a digest that is another's.
    std::string lie = line(0, events[0], events[0].descriptor) + line(1, events[1], "something else") +
                      line(2, events[2], events[2].descriptor);
    const attest::Replay found = attest::replay(lie, events);
    ASSERT_EQ(found.findings.size(), 1u);
    EXPECT_NE(found.findings[0].find("sha256 digest"), std::string::npos);
}

TEST(Replay, OnlyTheLastBootCounts) {
    journal::Record boot;
    boot.event = "boot";
    EXPECT_EQ(attest::replay(log_of({events[0]}) + journal::to_line(boot) + "\n" + log_of(events), events)
                  .findings.size(),
              0u);
}

} // namespace
