// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/time_of_day.cpp - the wall clock after the manifest's time servers (SNTP, partitions/net/sntp.hpp).
//
// Trust: an answer is the world's word. It sets this partition's clock and nothing else.
#include "hypervisor/base/text.hpp"
#include "partitions/net/sntp.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/wires/stack.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace uk::wires {

namespace {

constexpr std::uint16_t first_own_port = 49152;

std::optional<::net::TimeKeeper> keeper;
std::uint16_t own_port = 0; // of the question that is open

template <typename T> T random_number() {
    T out{};
    fs::seam::random(std::as_writable_bytes(std::span{&out, 1}));
    return out;
}

struct Question {
    TimeServer to;
    std::uint64_t nonce;
};

Status write_question(void* context, std::span<std::byte> to) {
    const auto& question = *static_cast<const Question*>(context);
    const auto put = [&to](std::size_t at, std::size_t value) {
        to[at] = static_cast<std::byte>(value >> 8);
        to[at + 1] = static_cast<std::byte>(value);
    };
    begin_packet(to, ::net::protocol::udp, net::IpAddress::v4(stack().configuration.outside->address),
                 net::IpAddress::v4(question.to.address));
    const std::span<std::byte> datagram = to.subspan(::net::ip_header);
    put(::net::ip_header, own_port);
    put(::net::ip_header + 2, question.to.port);
    put(::net::ip_header + 4, datagram.size());
    put(::net::ip_header + 6, 0);
    ::net::write_time_question(datagram.subspan<::net::udp_header, ::net::sntp_bytes>(), question.nonce);
    return base::success;
}

void say_step(std::int64_t by) {
    constexpr std::int64_t millisecond = 1'000'000;
    base::Text<96> text;
    text << "the clock was set by a time server: "
         << static_cast<std::uint64_t>((by < 0 ? -by : by) / millisecond) << " ms "
         << (by < 0 ? "back" : "forward");
    log(text.view());
}

} // namespace

void start_time_of_day() {
    if (const auto servers = stack().configuration.outside->time_servers; !servers.empty())
        keeper.emplace(servers.size());
}

void run_time_of_day() {
    const Outside& out = *stack().configuration.outside;
    if (!keeper)
        return;
    const std::uint64_t now = monotonic_ns();
    if (const std::int64_t by = keeper->move(now); by != 0)
        move_realtime(by);
    if (out.address == 0)
        return;
    const auto nonce = random_number<std::uint64_t>();
    const auto server = keeper->due(now, nonce);
    if (!server)
        return;
    own_port = static_cast<std::uint16_t>(first_own_port +
                                          random_number<std::uint16_t>() % (65536 - first_own_port));
    Question question{out.time_servers[*server], nonce};
    constexpr std::uint32_t bytes = ::net::ip_header + ::net::udp_header + ::net::sntp_bytes;
    (void)transmit(peer_at(question.to.address), bytes, &write_question, &question); // it is asked again
    ring_touched();
}

bool take_time_of_day(const ::net::Packet& packet, std::span<const std::byte> bytes) {
    const auto servers = stack().configuration.outside->time_servers;
    const auto server = std::ranges::find_if(servers, [&packet](const TimeServer& one) {
        return one.address == packet.source && one.port == packet.source_port;
    });
    if (!keeper || packet.target_port != own_port || server == servers.end())
        return false;
    const auto step = keeper->take(static_cast<std::size_t>(server - servers.begin()), bytes, monotonic_ns(),
                                   realtime_ns());
    if (step) {
        move_realtime(*step);
        say_step(*step);
    }
    return true;
}

bool awaits_time_of_day() {
    return keeper && !keeper->has_time();
}

} // namespace uk::wires
