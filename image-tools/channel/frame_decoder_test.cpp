// SPDX-License-Identifier: Apache-2.0
#include "image-tools/channel/frame_decoder.hpp"

#include "hypervisor/core/audit/whole_frame_test.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using audit::FrameHeader;
using audit::FrameType;
using channel::FrameDecoder;
using Got = channel::FrameDecoder::Got;

struct Seen {
    std::vector<std::string> frames;
    std::string noise;
    int errors = 0;
    std::uint64_t missing = 0;
    bool inside = false;
};
Seen decode(const std::string& line) {
    FrameDecoder decoder;
    Seen seen;
    for (const char c : line)
        switch (decoder.push(static_cast<std::uint8_t>(c))) {
        case Got::nothing:
            break;
        case Got::noise:
            seen.noise += c;
            break;
        case Got::error:
            ++seen.errors;
            break;
        case Got::frame: {
            const FrameHeader& h = decoder.header();
            seen.missing += decoder.missing();
            seen.frames.push_back(std::string{static_cast<char>(h.type)} + std::to_string(h.partition) + "/" +
                                  std::to_string(h.generation) + ":" +
                                  std::string{decoder.payload().data(), decoder.payload().size()});
            break;
        }
        }
    seen.inside = decoder.inside();
    return seen;
}

TEST(Frame, RoundTrip) {
    std::string all;
    for (int i = 0; i < 256; ++i)
        all += static_cast<char>(i);
    const std::string biggest(CAISSON_FRAME_MAX, '\x1E');
    audit::FrameLine line;
    std::string bytes = line.frame({FrameType::output, 0, 1}, all);
    bytes += line.frame({FrameType::audit}, "event=start seq=1");
    bytes += line.frame({FrameType::errors, 4294967294, UINT64_MAX}, biggest);
    bytes += line.frame({FrameType::end}, "");
    const Seen seen = decode("SeaBIOS\r\n" + bytes);
    EXPECT_EQ(seen.noise, "SeaBIOS\r\n");
    EXPECT_EQ(seen.errors, 0);
    EXPECT_EQ(seen.missing, 0u);
    ASSERT_EQ(seen.frames.size(), 4u);
    EXPECT_EQ(seen.frames[0], "o0/1:" + all);
    EXPECT_EQ(seen.frames[1], "a4294967295/0:event=start seq=1");
    EXPECT_EQ(seen.frames[2], "r4294967294/18446744073709551615:" + biggest);
    EXPECT_EQ(seen.frames[3], "e4294967295/0:");
    EXPECT_FALSE(seen.inside);
}

TEST(Frame, GuestCannotForge) {
    const std::string forged = audit::encode_frame({FrameType::exit}, 1, "partition=other status=0");
    audit::FrameLine line;
    std::string bytes = line.frame({FrameType::output, 1, 1}, "x\n" + forged + forged.substr(0, 5));
    bytes += line.frame({FrameType::output, 1, 1}, forged);
    const Seen seen = decode(bytes);
    ASSERT_EQ(seen.frames.size(), 2u);
    EXPECT_EQ(seen.errors, 0);
}

TEST(Frame, BrokenLinesAreErrorsAndRecover) {
    const std::string good = audit::encode_frame({FrameType::log}, 0, "ok");
    const std::string next = audit::encode_frame({FrameType::log}, 1, "ok");
    const auto changed = [&](const std::string& from, const std::string& to) {
        std::string copy = next;
        copy.replace(copy.find(from), from.size(), to);
        return copy;
    };
    for (const std::string& bad :
         {changed("l", "z"), changed("hv", "hw"), changed("hv", "h"), changed("hv", "01"),
          changed("hv", "4294967295"), changed("hv", ""), changed("ok", "no"), changed("ok", "o\x1D"),
          changed("ok", std::string(CAISSON_FRAME_MAX + 1, 'x')), changed("\n", "\r"),
          std::string{"\x1Eo hv 0 1 x\n"}, std::string{"\x1E"}, std::string{"noise"}, std::string{"\n"}}) {
        const Seen seen = decode(good + bad + next);
        EXPECT_EQ(seen.frames.size(), 2u) << bad;
        EXPECT_EQ(seen.errors, 1) << bad;
        EXPECT_EQ(seen.missing, 0u) << bad;
        EXPECT_EQ(seen.noise, "");
    }
    // Before the first frame none of this is ours.
    const Seen early = decode("\x1Eo x" + good);
    EXPECT_EQ(early.errors, 0);
    EXPECT_EQ(early.frames.size(), 1u);
    // A cut line.
    const Seen cut = decode(good + next.substr(0, 8));
    EXPECT_EQ(cut.errors, 0);
    EXPECT_TRUE(cut.inside);
}

TEST(Frame, NumbersNameWhatIsMissing) {
    std::vector<std::string> sent;
    audit::FrameLine line;
    for (int i = 0; i < 8; ++i)
        sent.push_back(line.frame({FrameType::log}, "ok"));
    EXPECT_EQ(decode(sent[0] + sent[4]).missing, 3u);
    EXPECT_EQ(decode(sent[2]).missing, 2u);
    // A frame that came before is an error, not a frame; 0 is a machine that began again.
    const Seen twice = decode(sent[0] + sent[1] + sent[1] + sent[2]);
    EXPECT_EQ(twice.frames.size(), 3u);
    EXPECT_EQ(twice.errors, 1);
    const Seen again = decode(sent[0] + sent[1] + sent[0] + sent[1]);
    EXPECT_EQ(again.frames.size(), 4u);
    EXPECT_EQ(again.errors + again.missing, 0u);
}

// A serial log of many frames as machines send them, with guests that try to be believed.
struct Sent {
    FrameHeader header;
    std::string payload, bytes;
};
std::vector<Sent> recorded_line(std::size_t frames) {
    std::vector<Sent> out;
    const auto add = [&](const FrameHeader& header, std::string payload) {
        std::string bytes = audit::encode_frame(header, out.size(), payload);
        out.push_back({header, std::move(payload), std::move(bytes)});
    };
    while (out.size() < frames) {
        const std::size_t n = out.size();
        const std::uint64_t generation = 1 + n / 1000;
        const auto partition = static_cast<std::uint32_t>(n % 3);
        const FrameHeader speaks{n % 7 == 0 ? FrameType::errors : FrameType::output, partition, generation};
        const std::string forged =
            audit::encode_frame({FrameType::exit, 0, 1}, n + 1, "partition=pay status=0");
        switch (n % 9) {
        case 0:
            add({FrameType::log}, "partition " + std::to_string(n) + " is up");
            break;
        case 1:
            add({FrameType::audit},
                "event=note seq=" + std::to_string(n) + " text=%1E hash=0123456789abcdef");
            break;
        case 2:
            add(speaks, forged + "\n"); // as it is on the line
            break;
        case 3: // all of a frame but its start, so that one changed byte could make it one
            add(speaks, std::string(1, '\x1C') + forged.substr(1));
            break;
        case 4:
            add(speaks, "");
            break;
        case 5:
            add(speaks, std::to_string(n * 7919) + "\n");
            break;
        case 6: // the end of a frame
            add(speaks, "abc" + forged.substr(forged.rfind('\x1F') - 4));
            break;
        case 7:
            add({FrameType::exit, partition, generation}, "partition=p generation=1 status=0 reason=exit");
            break;
        default:
            add(speaks, "\x1D\x1E\x1F]^_\n\n\x1E");
        }
    }
    return out;
}

// Feeds what is left of a damaged frame and the whole one after it, and holds what comes out against what was sent.
class Damage {
public:
    explicit Damage(const std::vector<Sent>& line) : line_(line) {}

    // `decoder` stands before byte `at` of frame `index`; that byte becomes `now`. Empty: all is as it should be.
    [[nodiscard]] const char* found(FrameDecoder decoder, std::size_t index, std::size_t at,
                                    std::string_view now) const {
        const bool last = index + 1 == line_.size();
        bool noticed = false, delivered = false, next_came = false;
        const auto feed = [&](std::string_view bytes) -> const char* {
            for (const char c : bytes) {
                const Got got = decoder.push(static_cast<std::uint8_t>(c));
                noticed |= got == Got::error || got == Got::noise;
                if (got != Got::frame)
                    continue;
                if (decoder.number() != index && (last || decoder.number() != index + 1))
                    return "a frame of another number";
                const Sent& sent = line_[decoder.number()];
                if (decoder.header().type != sent.header.type ||
                    decoder.header().partition != sent.header.partition ||
                    decoder.header().generation != sent.header.generation ||
                    std::string_view{decoder.payload().data(), decoder.payload().size()} != sent.payload)
                    return "an invented frame";
                if (decoder.number() == index) {
                    delivered = true;
                    continue;
                }
                next_came = true;
                if (decoder.missing() != (delivered ? 0u : 1u))
                    return "the missing frame is not named";
                noticed |= decoder.missing() != 0;
            }
            return nullptr;
        };
        const char* fault = feed(now);
        if (fault == nullptr)
            fault = feed(std::string_view{line_[index].bytes}.substr(at + 1));
        if (fault == nullptr && !last)
            fault = feed(line_[index + 1].bytes);
        if (fault != nullptr)
            return fault;
        if (!last && !next_came)
            return "the next frame is lost too";
        return noticed || decoder.inside() ? nullptr : "not noticed";
    }

    // Every loss and duplication, and every `step`th change, of every byte of every `stride`th frame.
    [[nodiscard]] std::size_t all(std::size_t stride, unsigned step) const {
        FrameDecoder decoder;
        std::size_t tried = 0;
        for (std::size_t index = 0; index < line_.size(); ++index) {
            const std::string& bytes = line_[index].bytes;
            for (std::size_t at = 0; at < bytes.size(); ++at) {
                const char byte = bytes[at];
                const auto attempt = [&](std::string_view now) {
                    ++tried;
                    const char* const fault = found(decoder, index, at, now);
                    if (fault != nullptr)
                        ADD_FAILURE()
                            << fault << ": frame " << index << " byte " << at << " becomes '" << now << "'";
                    return fault == nullptr;
                };
                if (index % stride == 0) {
                    const std::array<char, 2> twice{byte, byte};
                    if (!attempt({}) || !attempt({twice.data(), 2}))
                        return 0;
                    for (unsigned change = 1; change < 256; change += step) {
                        const char now = static_cast<char>(byte ^ static_cast<char>(change));
                        if (!attempt({&now, 1}))
                            return 0;
                    }
                }
                static_cast<void>(decoder.push(static_cast<std::uint8_t>(byte)));
            }
        }
        return tried;
    }

private:
    const std::vector<Sent>& line_;
};

TEST(Frame, EveryLossDuplicationAndChangeIsNoticedAndNamed) {
    // CAISSON_ALL_DAMAGE: all of 10,000 frames, about 150 million times (minutes).
    const bool all = std::getenv("CAISSON_ALL_DAMAGE") != nullptr;
    const std::vector<Sent> line = recorded_line(10'000);
    const std::size_t tried = Damage{line}.all(all ? 1 : 397, 1);
    EXPECT_GT(tried, 200'000u);
    std::printf("%zu damages tried\n", tried);
}

// What the reader of format 1 took for an exit record: a start lost before a payload that holds a whole frame.
TEST(Frame, BytesLostBeforeAForgedFrameNameTheFrame) {
    audit::FrameLine frames;
    const std::string log = frames.frame({FrameType::log}, "log");
    const std::string forged = audit::encode_frame({FrameType::exit, 1, 1}, 1, "partition=payments status=0");
    const std::string output = frames.frame({FrameType::output, 0, 1}, "hello\n" + forged + "bye\n");
    const std::string more = frames.frame({FrameType::output, 0, 1}, "more\n");
    for (std::size_t lost = 0; lost <= output.size(); ++lost) {
        const Seen seen = decode(log + output.substr(lost) + more);
        EXPECT_EQ(seen.frames.size(), lost == 0 ? 3u : 2u) << lost;
        EXPECT_EQ(seen.missing, lost == 0 ? 0u : 1u) << lost;
    }
}

} // namespace
