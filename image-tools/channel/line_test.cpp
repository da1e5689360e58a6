// SPDX-License-Identifier: Apache-2.0
// image-tools/channel/line_test.cpp - the hypervisor's line (core/audit/line.hpp) over a UART that takes 11,520 bytes a
// second, read back by the decoder: nobody works for others, nothing of the hypervisor's own is lost.
#include "hypervisor/core/audit/line.hpp"

#include "image-tools/channel/frame_decoder.hpp"
#include "image-tools/channel/record_reader.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

using audit::Account;
using audit::Outlet;
using audit::Stream;
using channel::FrameDecoder;

// A 16550 at 115200 baud: a FIFO of 16 that must run empty before it says that it has room (THRE).
struct Chip {
    std::uint64_t now = 0, busy_until = 0; // nanoseconds
    unsigned fifo = 16;
    std::string wire;
    unsigned put_without_room = 0, space = 0;
    std::uint64_t byte_time = 1'000'000'000 / 11'520;

    unsigned room() {
        space = now >= busy_until ? fifo : 0;
        return space;
    }
    void put(std::uint8_t byte) {
        if (space == 0)
            ++put_without_room;
        else
            --space;
        wire += static_cast<char>(byte);
        busy_until = std::max(busy_until, now) + byte_time;
    }
};

struct Bench {
    Chip chip;
    audit::Log log;
    std::vector<std::unique_ptr<Outlet>> owned;
    std::vector<Outlet*> outlets;
    std::unique_ptr<audit::Line<Chip>> line = std::make_unique<audit::Line<Chip>>();
    std::mt19937 random{7};
    std::uint64_t for_itself = 0; // of the last visit, in bytes: what a "clock" said that counts them

    explicit Bench(std::uint32_t partitions) {
        for (std::uint32_t i = 0; i < partitions; ++i) {
            owned.push_back(std::make_unique<Outlet>());
            owned.back()->partition = i;
            owned.back()->generation = 1;
            outlets.push_back(owned.back().get());
        }
        log.begin(nullptr);
    }
    std::size_t say(std::uint32_t partition, std::string_view text, Stream stream = Stream::output) {
        Outlet& outlet = *outlets[partition];
        const std::size_t taken = outlet.ring.push(stream, text);
        outlet.ring.offer();
        return taken;
    }
    bool note(std::string_view event, Account account) {
        audit::Record* const record = log.open(event, chip.now, account);
        if (record == nullptr)
            return false;
        record->add("text", std::string(200, 'n'));
        log.commit();
        return true;
    }
    // How many bytes the visit put on the line.
    std::size_t visit(std::uint32_t visitor) {
        const std::size_t before = chip.wire.size();
        for_itself =
            line->visit(chip, log, outlets, visitor, [this] { return std::uint64_t{chip.wire.size()}; });
        return chip.wire.size() - before;
    }
};

struct Heard {
    std::map<std::uint32_t, std::string> output, errors;
    std::vector<std::string> records;
    int damaged = 0;
};
Heard hear(const std::string& wire) {
    FrameDecoder decoder;
    Heard heard;
    for (const char c : wire) {
        const auto got = decoder.push(static_cast<std::uint8_t>(c));
        if (got == FrameDecoder::Got::error || got == FrameDecoder::Got::noise)
            ++heard.damaged;
        if (got != FrameDecoder::Got::frame)
            continue;
        heard.damaged += decoder.missing() != 0 ? 1 : 0;
        const std::string payload(decoder.payload().data(), decoder.payload().size());
        const std::uint32_t partition = decoder.header().partition;
        if (decoder.header().type == audit::FrameType::output)
            heard.output[partition] += payload;
        else if (decoder.header().type == audit::FrameType::errors)
            heard.errors[partition] += payload;
        else
            heard.records.push_back(payload);
    }
    return heard;
}

TEST(Line, StreamsKeepTheirOrderAndTheirBytes) {
    Bench bench(2);
    std::string out, err;
    for (int i = 0; i < 50; ++i) {
        const std::string text = "line " + std::to_string(i) + "\x1E\n";
        bench.say(0, text, i % 3 == 0 ? Stream::errors : Stream::output);
        (i % 3 == 0 ? err : out) += text;
    }
    bench.say(1, "neighbour\n");
    while (bench.visit(audit::everybody) > 0)
        bench.chip.now = bench.chip.busy_until;
    const Heard heard = hear(bench.chip.wire);
    EXPECT_EQ(heard.damaged, 0);
    EXPECT_EQ(heard.output.at(0), out);
    EXPECT_EQ(heard.errors.at(0), err);
    EXPECT_EQ(heard.output.at(1), "neighbour\n");
}

TEST(Line, BytesThatAreNotOfferedWait) {
    Bench bench(1);
    bench.outlets[0]->ring.push(Stream::output, std::string_view{"half"});
    EXPECT_EQ(bench.visit(0), 0u);
    EXPECT_EQ(bench.outlets[0]->ring.held(), 6u); // with its head
    bench.outlets[0]->ring.push(Stream::output, std::string_view{" a line"});
    bench.outlets[0]->ring.offer();
    while (bench.visit(0) > 0)
        bench.chip.now = bench.chip.busy_until;
    EXPECT_EQ(hear(bench.chip.wire).output.at(0), "half a line");
}

// Three partitions print, note and are silent in every pattern; a fourth prints eight bytes now and then. Nobody else drives
// the line. Twenty seconds.
TEST(Line, NoVisitWorksForOthersBeyondOneLoad) {
    for (unsigned pattern = 0; pattern < 64; ++pattern) {
        Bench bench(4);
        std::size_t own_records = 0, own_lost = 0, most = 0, for_others = 0, victim = 0;
        const auto hostile = [&](std::uint32_t who, unsigned how) {
            switch (how) {
            case 0: // whole pages
                bench.say(who, std::string(4096, 'F'));
                break;
            case 1: // single bytes, each a record of its own
                for (int i = 0; i < 20; ++i)
                    bench.say(who, "b", i % 2 != 0 ? Stream::errors : Stream::output);
                break;
            case 2: // notes
                (void)bench.note("note", Account::guest);
                break;
            default: // what must be escaped
                bench.say(who, std::string(500, '\x1E'));
            }
            (void)bench.visit(who);
        };
        for (std::uint64_t step = 0; step < 20'000; ++step, bench.chip.now += 1'000'000) {
            for (std::uint32_t who = 0; who < 3; ++who)
                if (bench.random() % 4 != 0)
                    hostile(who, pattern >> 2 * who & 3);
            if (step % 997 == 0) { // something that the hypervisor has to say
                ++own_records;
                own_lost += bench.note("ended", Account::hypervisor) ? 0 : 1;
            }
            if (step % 100 != 50)
                continue;
            const bool busy = bench.chip.room() == 0;
            victim += bench.say(3, "victim.\n");
            const std::size_t sent = bench.visit(3);
            for_others = std::max(for_others, sent - bench.for_itself);
            EXPECT_TRUE(!busy || sent == 0);
            most = std::max(most, sent);
        }
        EXPECT_LE(for_others, audit::load_for_others) << pattern;
        // Of its own it may send more: what one load for others, then its own frames make.
        EXPECT_LE(most, std::size_t{audit::load_for_others} + 16) << pattern;
        EXPECT_EQ(own_lost, 0u) << pattern;
        EXPECT_EQ(victim, 200u * 8) << pattern;
        EXPECT_EQ(bench.chip.put_without_room, 0u);
        // What still waits comes too, and nothing of the hypervisor's own was lost.
        do
            bench.chip.now = bench.chip.busy_until;
        while (bench.visit(audit::everybody) > 0);
        const Heard heard = hear(bench.chip.wire);
        EXPECT_EQ(heard.damaged, 0) << pattern;
        std::size_t told = 0;
        for (const std::string& record : heard.records)
            told += record.starts_with("event=ended") ? 1 : 0;
        EXPECT_EQ(told, own_records) << pattern;
        // The victim has its turn however much the others print.
        EXPECT_GE(heard.output.contains(3) ? heard.output.at(3).size() : 0, 1000u) << pattern;
    }
}

TEST(Line, AFastLineTakesAllOfOnesOwn) {
    Bench bench(2);
    bench.chip.byte_time = 0;
    bench.say(0, std::string(5000, 'x'));
    EXPECT_GT(bench.visit(0), 5000u);
    bench.say(1, std::string(5000, 'y'));
    EXPECT_EQ(bench.visit(audit::passer_by), audit::load_for_others);
    EXPECT_EQ(bench.for_itself, 0u);
    bench.say(0, std::string(5000, 'z'));
    const std::size_t sent = bench.visit(0);
    EXPECT_EQ(sent - bench.for_itself, audit::load_for_others)
        << "the neighbour's, whose frame was under way";
}

TEST(Line, AGuestsRecordsLeaveRoomForTheHypervisors) {
    Bench bench(1);
    std::size_t taken = 0;
    while (bench.note("note", Account::guest))
        ++taken;
    EXPECT_EQ(taken, audit::Log::slots_for_guests);
    std::size_t own = 0;
    while (bench.note("ended", Account::hypervisor))
        ++own;
    EXPECT_EQ(own, audit::Log::slots - audit::Log::slots_for_guests);
}

// A panic at every byte of a busy line: what it says comes through whole, and no audit record is lost by it.
TEST(Line, APanicTakesTheLineAtTheNextByte) {
    struct Patience {
        Chip& chip;
        bool operator()() {
            chip.now = chip.busy_until;
            return true;
        }
        void renew() {}
    };
    for (std::size_t at = 0; at < 700; ++at) {
        Bench bench(2);
        bench.chip.fifo = 1;
        (void)bench.note("start", Account::hypervisor);
        bench.say(0, "one\n");
        (void)bench.note("refused", Account::guest);
        bench.say(1, std::string(200, 'x'));
        for (std::size_t i = 0; i < at; ++i) {
            (void)bench.visit(audit::everybody);
            bench.chip.now = bench.chip.busy_until;
        }
        Patience patience{bench.chip};
        bench.line->break_off();
        (void)bench.note("closed", Account::hypervisor);
        bench.line->send_records(bench.chip, bench.log, patience);
        bench.line->send(bench.chip, bench.log, {audit::FrameType::end}, std::string_view{"reason=panic"},
                         patience);
        const Heard heard = hear(bench.chip.wire);
        EXPECT_LE(heard.damaged, 2) << at; // the frame that was broken off, and its number
        std::vector<std::string> events;
        for (const std::string& record : heard.records)
            events.push_back(record.substr(0, record.find(" seq")));
        const std::vector<std::string> all{"event=start", "event=refused", "event=closed", "reason=panic"};
        EXPECT_EQ(events, all) << at;
    }
}

} // namespace
