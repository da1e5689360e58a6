// SPDX-License-Identifier: Apache-2.0
// partitions/net/sntp.hpp - the time of day from a server: what is asked, what counts as an answer, when to ask, and how a clock
// follows.
//
// Pure. An answer is whoever's that saw the question: it must hold the question's 64 random bits, and nothing else vouches for it.
// Spec: RFC 5905 sections 6, 7.3 and 14 (SNTP), RFC 9109 and its data minimization (a question says nothing of who asks).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace net {

inline constexpr std::size_t sntp_bytes = 48;
inline constexpr std::uint16_t sntp_port = 123;

void write_time_question(std::span<std::byte, sntp_bytes> to, std::uint64_t nonce);

struct TimeAnswer {
    enum class Kind : std::uint8_t { none, time, go_away } kind = Kind::none;
    std::uint64_t unix_ns = 0; // as it was when the answer came
};
// `round_trip_ns`: from the question to the answer.
[[nodiscard]] TimeAnswer read_time_answer(std::span<const std::byte> bytes, std::uint64_t nonce,
                                          std::uint64_t round_trip_ns);

// Asks servers in turn, and lets a clock follow: a far one steps, a near one goes 500 millionths faster or slower. Times are of a
// monotonic clock.
class TimeKeeper {
public:
    explicit TimeKeeper(std::size_t servers) : servers_(servers) {}

    // Which server to ask now. The caller does, with `nonce`.
    [[nodiscard]] std::optional<std::size_t> due(std::uint64_t now_ns, std::uint64_t nonce);
    // What came from that server; `clock_ns`: what the clock says. Nothing: leave it; else by how much it is to step.
    [[nodiscard]] std::optional<std::int64_t> take(std::size_t server, std::span<const std::byte> bytes,
                                                   std::uint64_t now_ns, std::uint64_t clock_ns);
    // Called now and then: by how much to move the clock, a little at a time.
    [[nodiscard]] std::int64_t move(std::uint64_t now_ns);
    [[nodiscard]] bool has_time() const { return answers_ != 0; }
    [[nodiscard]] std::uint64_t answers() const { return answers_; }
    // Came, and were none of a question that is open.
    [[nodiscard]] std::uint64_t refused() const { return refused_; }

private:
    void ask_again(std::uint64_t at_ns);

    std::size_t servers_, next_ = 0;
    std::optional<std::size_t> asked_; // who has not answered yet
    std::uint64_t nonce_ = 0, asked_at_ = 0, ask_at_ = 0, patience_ = 0, moved_at_ = 0;
    std::int64_t behind_ = 0; // the clock is, by so much
    std::uint64_t answers_ = 0, refused_ = 0;
};

} // namespace net
