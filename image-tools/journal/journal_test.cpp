// SPDX-License-Identifier: Apache-2.0
// image-tools/journal/journal_test.cpp - a log of 1,000 records by the hypervisor's own code, and everything that can be done to
// one record of it.
#include "hypervisor/core/audit/seal.hpp"
#include "hypervisor/core/crypto/curves.hpp"
#include "image-tools/journal/verifier.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <string>
#include <vector>

namespace {

using journal::Finding;
using journal::Verifier;
using Lines = std::vector<std::string>;
using Json = nlohmann::ordered_json;

constexpr std::size_t length = 1000;
const audit::Key operator_secret{1, 2, 3}, machine_secret{4, 5, 6};

audit::Key public_of(const audit::Key& secret) {
    audit::Key out{};
    EXPECT_TRUE(crypto::x25519(out, secret, crypto::x25519_base));
    return out;
}

std::optional<audit::Key> unseal(const audit::Key& sealed, const audit::Key& operator_key) {
    audit::Key shared{};
    if (operator_key != public_of(operator_secret) || !crypto::x25519(shared, operator_secret, sealed))
        return std::nullopt;
    return audit::first_key(shared, sealed, operator_key);
}

// What one record of each kind says.
void fill(audit::Record& record, std::size_t n) {
    record.add("partition", n % 3 == 0 ? "web" : "data-base").add("generation", n / 7 + 1);
    if (n % 4 == 1)
        record.add("detail", "msr").add("count", n).add_hex("rip", 0x1000 * n).add_hex("msr", 0xC0000080);
    else if (n % 4 == 2)
        record.add("text", "50% of a = b, \n\xFF");
    else
        record.add("status", n % 256).add("reason", "exit").add("last", std::uint64_t{0});
}

// `records` lines, the last one closing.
Lines make_log(std::size_t records, bool sealed, bool close = true) {
    constexpr std::array<std::string_view, 4> events{"ended", "refused", "note", "start"};
    auto log = std::make_unique<audit::Log>();
    const auto seal = audit::seal(machine_secret, public_of(operator_secret));
    log->begin(sealed ? &seal->first_key : nullptr);
    Lines lines;
    for (std::size_t n = 0; n < records; ++n) {
        const bool last = close && n + 1 == records;
        audit::Record* record = log->open(n == 0 ? "boot"
                                          : last ? "closed"
                                                 : events[n % 4],
                                          1'000'000 + 17 * n);
        if (n == 0) {
            record->add("name", "test").add("version", "1.0").add_bytes("bundle", audit::Hash{7});
            record->add("tsc_hz", 1'000'000'000).add_bytes("nonce", audit::Mac{9});
            if (sealed)
                record->add_bytes("operator", public_of(operator_secret)).add_bytes("sealed", seal->sealed);
        } else if (last) {
            record->add("reason", "all-stopped");
        } else {
            fill(*record, n);
        }
        log->commit();
        const auto read = journal::from_payload(log->oldest()->view());
        EXPECT_TRUE(read) << log->oldest()->view();
        lines.push_back(journal::to_line(*read));
        log->sent();
    }
    return lines;
}

Verifier verify(const Lines& lines, journal::Unseal key = {}) {
    Verifier verifier(std::move(key));
    for (const std::string& line : lines)
        verifier.line(line);
    verifier.end();
    return verifier;
}

// The first finding names this record, in this line.
testing::AssertionResult names(const Verifier& verifier, std::size_t record) {
    if (verifier.findings().empty())
        return testing::AssertionFailure() << "nothing was found";
    const Finding& first = verifier.findings().front();
    if (first.record == record && first.line == record + 1)
        return testing::AssertionSuccess();
    return testing::AssertionFailure()
           << "named record " << first.record << " in line " << first.line << ": " << first.what;
}

// The state before each line: what a file whose first change is in line n + 1 leads to.
std::vector<Verifier> states(const Lines& lines, const journal::Unseal& key) {
    std::vector<Verifier> out;
    Verifier verifier(key);
    for (const std::string& line : lines) {
        out.push_back(verifier);
        verifier.line(line);
    }
    return out;
}

// Every other value that a field could be given is one of these, or refused for its type.
std::vector<Json> other_values(const Json& value) {
    if (value.is_number_unsigned()) {
        const auto number = value.get<std::uint64_t>();
        return {number + 1, number / 2 + 12345, std::to_string(number), -1, 1.5, nullptr};
    }
    const std::string text = value.get<std::string>();
    std::string flipped = text, last = text;
    flipped.front() = flipped.front() == 'a' ? 'b' : 'a';
    last.back() = last.back() == '0' ? '1' : '0';
    return {flipped, last, text + "0", "", text + " ", 7, true, Json::array()};
}

struct Both : testing::TestWithParam<bool> {
    const bool sealed = GetParam();
    // Every third record of the sealed log is tried; of the other, whose chain is the same code, every seventh.
    const std::size_t stride = sealed ? 3 : 7;
    const Lines log = make_log(length, sealed);
    const journal::Unseal key = sealed ? journal::Unseal(unseal) : journal::Unseal();
};
INSTANTIATE_TEST_SUITE_P(All, Both, testing::Bool(),
                         [](const auto& kind) { return kind.param ? "sealed" : "unsealed"; });

TEST_P(Both, AnUntouchedLogIsIntact) {
    const Verifier verifier = verify(log, key);
    for (const Finding& finding : verifier.findings())
        ADD_FAILURE() << finding.record << " " << finding.what;
    ASSERT_EQ(verifier.boots().size(), 1u);
    EXPECT_EQ(verifier.boots()[0].records, length);
    EXPECT_TRUE(verifier.boots()[0].closed);
    EXPECT_EQ(verifier.boots()[0].anchored, sealed);
}

TEST_P(Both, EveryEditOfEveryFieldIsNamed) {
    const auto before = states(log, key);
    Verifier verifier = before[0];
    std::size_t tried = 0;
    for (std::size_t n = 0; n < length; n += stride) {
        const Json record = Json::parse(log[n]);
        for (const auto& item : record.items()) {
            std::vector<Json> edits;
            for (const Json& value : other_values(item.value())) {
                edits.push_back(record);
                edits.back()[item.key()] = value;
            }
            edits.push_back(record);
            edits.back().erase(item.key());
            for (const Json& edit : edits) {
                if (edit == record)
                    continue;
                verifier = before[n];
                verifier.line(edit.dump());
                EXPECT_TRUE(names(verifier, n)) << edit.dump();
                ++tried;
            }
        }
        Json more = record;
        more["extra"] = 1;
        verifier = before[n];
        verifier.line(more.dump());
        EXPECT_TRUE(names(verifier, n)) << more.dump();
    }
    EXPECT_GT(tried, 40'000u / stride);
}

TEST_P(Both, EveryChangedByteIsNamed) {
    const auto before = states(log, key);
    for (std::size_t n = 0; n < length; n += 37)
        for (std::size_t i = 0; i < log[n].size(); ++i)
            for (const char c : {' ', '0', '"', '\x7F', static_cast<char>(log[n][i] ^ 1)}) {
                std::string line = log[n];
                if (line[i] == c)
                    continue;
                line[i] = c;
                Verifier verifier = before[n];
                verifier.line(line);
                EXPECT_TRUE(names(verifier, n)) << line;
            }
}

TEST_P(Both, EveryDeletionIsNamed) {
    const auto before = states(log, key);
    for (std::size_t n = 0; n < length; ++n) {
        Verifier verifier = before[n];
        if (n + 1 < length)
            verifier.line(log[n + 1]);
        else
            verifier.end();
        EXPECT_TRUE(names(verifier, n));
        EXPECT_EQ(verifier.findings().front().truncated, n + 1 == length);
    }
}

TEST_P(Both, EverySwapIsNamed) {
    const auto before = states(log, key);
    std::vector<journal::Record> records;
    for (const std::string& line : log)
        records.push_back(*journal::from_line(line));
    Verifier verifier = before[0];
    for (std::size_t one = 0; one < length; one += stride)
        for (std::size_t other = one + 1; other < length; ++other) {
            verifier = before[one];
            verifier.record(records[other]);
            ASSERT_TRUE(names(verifier, one)) << "swapped with " << other;
        }
}

// The same through the whole file, to its end.
TEST_P(Both, WholeFilesWithOneChange) {
    for (std::size_t n = 3; n < length; n += 293) {
        Lines changed = log;
        changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(n));
        EXPECT_TRUE(names(verify(changed, key), n));
        changed = log;
        std::swap(changed[n], changed[length - 1 - n / 2]);
        EXPECT_TRUE(names(verify(changed, key), std::min(n, length - 1 - n / 2)));
        changed = log;
        std::swap(changed[n], changed[n - 1]);
        EXPECT_TRUE(names(verify(changed, key), n - 1));
        changed = log;
        changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(n), log[n]);
        const Verifier repeated = verify(changed, key);
        ASSERT_FALSE(repeated.findings().empty());
        EXPECT_EQ(repeated.findings().front().record, n + 1);
        // Only what was changed is named: the text of one, the hash of another.
        changed = log;
        Json record = Json::parse(changed[n]);
        record["time"] = record["time"].get<std::uint64_t>() + 1;
        changed[n] = record.dump();
        record = Json::parse(changed[n + 50 < length ? n + 50 : 1]);
        std::string hash = record["hash"];
        hash[5] = hash[5] == '0' ? '1' : '0';
        record["hash"] = hash;
        changed[n + 50 < length ? n + 50 : 1] = record.dump();
        EXPECT_EQ(verify(changed, key).findings().size(), 2u);
    }
}

TEST_P(Both, ATruncatedLogIsSaidToBe) {
    for (const std::size_t kept : {std::size_t{0}, std::size_t{1}, std::size_t{500}, length - 1}) {
        const Lines cut(log.begin(), log.begin() + static_cast<std::ptrdiff_t>(kept));
        const Verifier verifier = verify(cut, key);
        ASSERT_EQ(verifier.findings().size(), 1u);
        EXPECT_TRUE(verifier.findings()[0].truncated);
        EXPECT_EQ(verifier.findings()[0].record, kept);
    }
    Lines half = log;
    half.back().resize(half.back().size() / 2);
    EXPECT_TRUE(names(verify(half, key), length - 1));
}

// Changed and chained anew by somebody without the key: only the key sees it.
TEST(Anchor, AChainMadeAnewFailsWithTheKey) {
    const auto rechain = [](const Lines& lines, std::size_t from, bool keep_macs) {
        Lines out;
        audit::Hash previous{};
        for (std::size_t n = 0; n < lines.size(); ++n) {
            journal::Record record = *journal::from_line(lines[n]);
            if (n == from)
                ++record.time;
            if (n >= from) {
                record.hash = audit::chained(previous, record.text());
                if (!keep_macs)
                    record.mac.reset();
            }
            previous = record.hash;
            out.push_back(journal::to_line(record));
        }
        return out;
    };
    const Lines log = make_log(50, true);
    const Lines forged = rechain(log, 20, true);
    EXPECT_TRUE(verify(forged).findings().empty());
    EXPECT_TRUE(names(verify(forged, unseal), 20));
    EXPECT_TRUE(names(verify(rechain(log, 20, false), unseal), 20));
    EXPECT_TRUE(names(verify(rechain(log, 20, false)), 20));
    // All of it, as if there had never been a key.
    EXPECT_TRUE(names(verify(rechain(log, 0, false), unseal), 0));
    EXPECT_TRUE(names(verify(make_log(50, false), unseal), 0));
    EXPECT_FALSE(verify(log).boots()[0].anchored);
}

TEST(Anchor, AnotherKeyIsNoFindingOfTheLog) {
    const Verifier verifier =
        verify(make_log(10, true), [](const auto&, const auto&) { return std::optional<audit::Key>(); });
    EXPECT_TRUE(verifier.other_key());
    EXPECT_TRUE(verifier.findings().empty());
}

TEST(Boots, SeveralInOneFile) {
    Lines both = make_log(10, true);
    const Lines second = make_log(5, true);
    both.insert(both.end(), second.begin(), second.end());
    const Verifier good = verify(both, unseal);
    EXPECT_TRUE(good.findings().empty());
    ASSERT_EQ(good.boots().size(), 2u);
    EXPECT_EQ(good.boots()[1].first_line, 11u);
    both.erase(both.begin() + 9); // the first one's end
    const Verifier cut = verify(both, unseal);
    ASSERT_EQ(cut.findings().size(), 1u);
    EXPECT_TRUE(cut.findings()[0].truncated);
    Lines behind = make_log(10, true);
    behind.push_back(behind[3]);
    EXPECT_FALSE(verify(behind, unseal).findings().empty());
}

TEST(Boots, LostRecordsAreCounted) {
    audit::Log log;
    log.begin(nullptr);
    Lines lines;
    const auto send = [&] {
        lines.push_back(journal::to_line(*journal::from_payload(log.oldest()->view())));
        log.sent();
    };
    for (std::size_t n = 0; n < audit::Log::slots + 5; ++n)
        if (log.open(n == 0 ? "boot" : "note", n) != nullptr)
            log.commit();
    send();
    ASSERT_NE(log.open("closed", 1), nullptr);
    log.commit();
    while (log.oldest() != nullptr)
        send();
    const Verifier verifier = verify(lines);
    EXPECT_TRUE(verifier.findings().empty());
    EXPECT_EQ(verifier.boots()[0].lost, 5u);
}

TEST(Line, OnlyItsOwnWritingReads) {
    const Lines log = make_log(8, true);
    for (const std::string& line : log) {
        ASSERT_TRUE(journal::from_line(line));
        EXPECT_EQ(journal::to_line(*journal::from_line(line)), line);
        EXPECT_FALSE(journal::from_line(line + " "));
        EXPECT_FALSE(journal::from_line(" " + line));
        EXPECT_FALSE(journal::from_line(line + "\r"));
        EXPECT_FALSE(journal::from_line(line.substr(0, line.size() - 1)));
        EXPECT_FALSE(journal::from_line("{\"seq\":1," + line.substr(1))); // a key twice
    }
    EXPECT_EQ(Json::parse(log[2])["kind"], "note");
    EXPECT_EQ(Json::parse(log[1])["kind"], "refusal");
    EXPECT_EQ(Json::parse(log[2])["text"], "50%25%20of%20a%20%3D%20b,%20%0A%FF");
    for (const char* bad : {"", "[]", "{}", "null", "\"event\"", "{\"event\":\"boot\"}"})
        EXPECT_FALSE(journal::from_line(bad)) << bad;
    EXPECT_FALSE(journal::from_line(std::string(journal::longest_line + 1, '[')));
    for (const char* bad : {"event=a seq=0 time=1", "event=a seq=0 time=1 hash=00", "event=a time=1 seq=0",
                            "event=a seq=00 time=1"})
        EXPECT_FALSE(journal::from_payload(bad)) << bad;
    const std::string hash = " hash=" + std::string(64, 'a');
    EXPECT_TRUE(journal::from_payload("event=a seq=0 time=1" + hash));
    EXPECT_FALSE(journal::from_payload("event=a seq=0 time=1 kind=x" + hash));
    EXPECT_FALSE(journal::from_payload("event=a seq=0 time=1 x=1 x=2" + hash));
    EXPECT_FALSE(journal::from_payload("event=a seq=0 time=1" + hash + " mac=00"));
    EXPECT_FALSE(journal::from_payload("event=a seq=0 time=1" + hash + "A"));
}

} // namespace
