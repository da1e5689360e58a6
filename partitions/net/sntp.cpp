// SPDX-License-Identifier: Apache-2.0
#include "partitions/net/sntp.hpp"

#include <algorithm>

namespace net {
namespace {

constexpr std::uint64_t second_ns = 1'000'000'000;
constexpr std::size_t root_delay_at = 4, root_dispersion_at = 8, origin_at = 24, transmit_at = 40;

// When to ask: at once, 2 s after a question without an answer, twice as long after each further one, and 1,024 s after an answer.
constexpr std::uint64_t first_patience = 2 * second_ns, most_patience = 64 * second_ns,
                        between_answers = 1024 * second_ns, longest_round_trip = 2 * second_ns;
constexpr std::int64_t step_from = 128'000'000; // as ntpd
constexpr std::uint64_t slew_divisor = 2000;    // 500 millionths

std::uint64_t number(std::span<const std::byte> bytes, std::size_t at, std::size_t count) {
    std::uint64_t out = 0;
    for (const std::byte octet : bytes.subspan(at, count))
        out = out << 8 | static_cast<std::uint64_t>(octet);
    return out;
}

// Seconds since 1900 and their 2^32 parts. The upper half of the numbers is before 2036, the lower half behind it.
std::uint64_t unix_ns_of(std::uint64_t stamp) {
    constexpr std::uint64_t unix_epoch = 2'208'988'800, era = std::uint64_t{1} << 32;
    const std::uint64_t seconds = stamp >> 32, parts = stamp & 0xFFFFFFFF;
    const std::uint64_t since_1900 = (seconds >> 31) != 0 ? seconds : seconds + era;
    return since_1900 < unix_epoch ? 0 : (since_1900 - unix_epoch) * second_ns + (parts * second_ns >> 32);
}

} // namespace

void write_time_question(std::span<std::byte, sntp_bytes> to, std::uint64_t nonce) {
    constexpr std::byte version_4_client{0x23};
    std::ranges::fill(to, std::byte{0});
    to[0] = version_4_client;
    for (std::size_t i = 0; i < 8; ++i)
        to[transmit_at + i] = static_cast<std::byte>(nonce >> (56 - 8 * i));
}

TimeAnswer read_time_answer(std::span<const std::byte> bytes, std::uint64_t nonce,
                            std::uint64_t round_trip_ns) {
    constexpr unsigned server = 4, unsynchronized = 3, most_stratum = 15;
    constexpr std::uint64_t most_distance = 3 << 15;              // 1.5 s in 16.16
    constexpr std::uint64_t earliest = 1'577'836'800 * second_ns; // 2020: there was no Caisson
    TimeAnswer out;
    if (bytes.size() < sntp_bytes || round_trip_ns > longest_round_trip)
        return out;
    const auto head = static_cast<unsigned>(bytes[0]), stratum = static_cast<unsigned>(bytes[1]);
    const unsigned version = head >> 3 & 7;
    if ((head & 7) != server || version < 3 || version > 4 || number(bytes, origin_at, 8) != nonce)
        return out;
    if (stratum == 0) {
        out.kind = TimeAnswer::Kind::go_away;
        return out;
    }
    const std::uint64_t distance = number(bytes, root_delay_at, 4) / 2 + number(bytes, root_dispersion_at, 4);
    const std::uint64_t sent = unix_ns_of(number(bytes, transmit_at, 8));
    if (head >> 6 == unsynchronized || stratum > most_stratum || distance > most_distance || sent < earliest)
        return out;
    out.kind = TimeAnswer::Kind::time;
    out.unix_ns = sent + round_trip_ns / 2;
    return out;
}

void TimeKeeper::ask_again(std::uint64_t at_ns) {
    asked_.reset();
    ask_at_ = at_ns;
}

std::optional<std::size_t> TimeKeeper::due(std::uint64_t now_ns, std::uint64_t nonce) {
    if (servers_ == 0 || now_ns < ask_at_)
        return std::nullopt;
    if (asked_)
        next_ = (next_ + 1) % servers_;
    patience_ = std::clamp(2 * patience_, first_patience, most_patience);
    asked_ = next_;
    asked_at_ = now_ns;
    ask_at_ = now_ns + patience_;
    nonce_ = nonce;
    return next_;
}

std::optional<std::int64_t> TimeKeeper::take(std::size_t server, std::span<const std::byte> bytes,
                                             std::uint64_t now_ns, std::uint64_t clock_ns) {
    const TimeAnswer answer =
        asked_ == server ? read_time_answer(bytes, nonce_, now_ns - asked_at_) : TimeAnswer{};
    switch (answer.kind) {
    case TimeAnswer::Kind::none:
        ++refused_;
        return std::nullopt;
    case TimeAnswer::Kind::go_away: // the others first, this one seldom
        next_ = (next_ + 1) % servers_;
        ask_again(now_ns + (servers_ > 1 ? first_patience : between_answers));
        return std::nullopt;
    case TimeAnswer::Kind::time:
        break;
    }
    ++answers_;
    ask_again(now_ns + between_answers);
    patience_ = 0;
    const auto off = static_cast<std::int64_t>(answer.unix_ns - clock_ns);
    moved_at_ = now_ns;
    behind_ = 0;
    if (off >= step_from || off <= -step_from)
        return off;
    behind_ = off;
    return std::nullopt;
}

std::int64_t TimeKeeper::move(std::uint64_t now_ns) {
    const auto most = static_cast<std::int64_t>((now_ns - moved_at_) / slew_divisor);
    moved_at_ = now_ns;
    const std::int64_t by = std::clamp(behind_, -most, most);
    behind_ -= by;
    return by;
}

} // namespace net
