// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/gate.cpp - see gate.hpp.
//
// Trust: lanes are their containers' word, frames the world's. Both are copied once and looked at there.
#include "partitions/uplink/gate.hpp"

#include "hypervisor/base/fail.hpp"
#include "partitions/net/checksum.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/machine/clock.hpp"

#include <algorithm>
#include <cstring>
#include <memory>

#include <lwip/init.h>
#include <lwip/pbuf.h>

namespace uplink {

namespace {

using net::Verdict;

constexpr unsigned packets_at_once = 64; // of a container, in one poll
// Containers that begin to talk before there is a lease wait in their lanes for so long.
constexpr std::uint64_t patience_for_lease = 5'000'000'000, note_period_outside = 60'000'000'000;

struct Gate {
    explicit Gate(const Configuration& from)
        : all(from), translator(from.address, from.containers, from.publications, from.translations,
                                name_servers, from.seed),
          waiting(from.waiting) {}
    Configuration all;
    std::array<std::uint32_t, 6> name_servers{}; // the record's, the lease's
    net::Translator translator;
    Waiting waiting;
    Notes notes{note_period_outside};
    std::uint64_t started_at = uk::monotonic_ns();
    std::array<std::uint64_t, net::verdict_count> refused{};
};
alignas(Gate) std::array<std::byte, sizeof(Gate)> gate_memory;
Gate* the_gate = nullptr;

Gate& gate() {
    return *the_gate;
}

alignas(64) std::array<std::byte, CAISSON_LANE_PACKET_MAX> packet_memory;

std::span<std::byte> bytes_of(const pbuf* packet) {
    return {static_cast<std::byte*>(packet->payload), packet->len};
}

void take_name_servers() {
    const auto& own = gate().all.name_servers;
    const auto& leased = gate().all.outside->name_servers;
    std::copy(own.begin(), own.end(), gate().name_servers.begin());
    std::copy(leased.begin(), leased.end(), gate().name_servers.begin() + own.size());
}

// ---- From a container

void refuse(Wire& wire, Verdict why, const net::Packet& packet) {
    ++wire.refused[static_cast<std::size_t>(why)];
    std::uint64_t unnoted = 0;
    const bool is_limit = why == Verdict::rate || why == Verdict::full; // they are counted
    if (!is_limit && wire.notes.take(uk::monotonic_ns(), unnoted))
        uk::audit_denial(note_of(why, wire.name, packet, unnoted).view());
}

bool send(std::span<const std::byte> bytes, std::uint32_t target) {
    pbuf* out = pbuf_alloc(PBUF_LINK, static_cast<u16_t>(bytes.size()), PBUF_RAM);
    if (out == nullptr)
        return false;
    std::memcpy(out->payload, bytes.data(), bytes.size());
    const bool sent = station::send(out, target) == station::Sent::yes;
    (void)pbuf_free(out);
    return sent;
}

void go_out(Wire& wire, std::uint32_t target, std::span<const std::byte> bytes) {
    if (!send(bytes, target)) {
        ++wire.no_way;
        return;
    }
    ++wire.leaving.packets;
    wire.leaving.bytes += bytes.size();
}

// Of a packet that the translator just let pass. True: it is not to go now, and has been seen to.
bool wait_for_rate(std::uint8_t number, bool enters, std::uint32_t target, std::span<const std::byte> bytes) {
    const std::uint64_t at = gate().translator.goes_at();
    // One that may go now still goes after those that wait.
    if (at == 0 || (at <= uk::monotonic_ns() && !gate().waiting.has(number, enters)))
        return false;
    if (!gate().waiting.add(number, enters, target, bytes, at)) {
        gate().translator.take_back(bytes.size());
        auto& refused = enters ? gate().refused : gate().all.wires[number].refused;
        ++refused[static_cast<std::size_t>(Verdict::rate)];
    }
    return true;
}

void leave(std::uint8_t number, std::span<std::byte> bytes) {
    Wire& wire = gate().all.wires[number];
    net::Packet packet;
    // Inside the machine there are no sums; from here on there are.
    if (bytes.size() <= net::Translator::mtu && net::parse(bytes, packet) == Verdict::pass)
        net::make_sums(bytes);
    const Verdict verdict = gate().translator.leave(number, bytes, uk::monotonic_ns(), packet);
    if (verdict != Verdict::pass)
        return refuse(wire, verdict, packet);
    (void)net::parse(bytes, packet); // the target is another where it was asked for names
    if (!wait_for_rate(number, false, packet.target, bytes))
        go_out(wire, packet.target, bytes);
}

// Another program is at the other end than the one whose packets came so far.
void look_at_life(std::uint8_t number) {
    Wire& wire = gate().all.wires[number];
    if (wire.end.peer == 0 || wire.end.peer == wire.life)
        return;
    if (wire.life != 0)
        gate().translator.forget(number);
    gate().waiting.forget(number);
    wire.life = wire.end.peer;
}

bool may_leave() {
    const bool waits = gate().all.outside->leased && gate().all.outside->address == 0 &&
                       uk::monotonic_ns() - gate().started_at < patience_for_lease;
    return !waits && station::has_room();
}

// True: there may be more.
bool poll_wire(std::uint8_t number) {
    Wire& wire = gate().all.wires[number];
    for (unsigned count = 0; count < packets_at_once; ++count) {
        if (!may_leave()) {
            (void)caisson_end_look(&wire.end);
            look_at_life(number);
            return false; // the card, or the clock
        }
        std::uint32_t flags = 0;
        const std::uint32_t bytes = caisson_end_receive(&wire.end, packet_memory.data(), &flags);
        look_at_life(number);
        if (bytes == 0) {
            if (caisson_end_arm(&wire.end, 0) == 0)
                return false;
            continue;
        }
        wire.touched = true; // it may wait for room
        leave(number, {packet_memory.data(), bytes});
    }
    return true;
}

// ---- From the outside

void refuse(Verdict why, std::span<const std::byte> bytes) {
    ++gate().refused[static_cast<std::size_t>(why)];
    std::uint64_t unnoted = 0;
    net::Packet packet;
    if (why == Verdict::rate || why == Verdict::full || !gate().notes.take(uk::monotonic_ns(), unnoted))
        return;
    (void)net::parse(bytes, packet);
    uk::audit_denial(note_of(why, {}, packet, unnoted).view());
}

void enter(std::uint8_t number, std::span<const std::byte> bytes) {
    Wire& wire = gate().all.wires[number];
    unsigned char* to = caisson_end_prepare(&wire.end, static_cast<unsigned>(bytes.size()));
    if (to == nullptr) {
        ++wire.no_room;
        return;
    }
    std::memcpy(to, bytes.data(), bytes.size());
    caisson_end_publish(&wire.end, static_cast<unsigned>(bytes.size()), 0);
    wire.touched = true;
    ++wire.entering.packets;
    wire.entering.bytes += bytes.size();
}

bool take(pbuf* packet) {
    const std::span<std::byte> bytes = bytes_of(packet);
    std::uint8_t number = 0;
    const Verdict verdict = bytes.size() > net::Translator::mtu
                                ? Verdict::malformed
                                : gate().translator.enter(bytes, uk::monotonic_ns(), number);
    if (verdict != Verdict::pass)
        refuse(verdict, bytes);
    else if (!wait_for_rate(number, true, 0, bytes))
        enter(number, bytes);
    return false;
}

// ---- What waited for its rate

void release_due() {
    Waiting& waiting = gate().waiting;
    const std::uint64_t now = uk::monotonic_ns();
    while (waiting.next_at() <= now) {
        WaitingPacket& packet = waiting.first();
        if (packet.enters)
            enter(packet.container, packet.bytes());
        else if (station::has_room())
            go_out(gate().all.wires[packet.container], packet.target, packet.bytes());
        else
            return;
        waiting.remove_first();
    }
}

void ring_touched() {
    for (Wire& wire : gate().all.wires)
        if (wire.touched) {
            wire.touched = false;
            caisson_end_flush(&wire.end);
        }
}

void put_refused(Figures& out, const std::array<std::uint64_t, net::verdict_count>& refused) {
    for (std::size_t i = 1; i < refused.size(); ++i)
        if (refused[i] != 0)
            out << ' ' << net::name_of(static_cast<Verdict>(i)) << '=' << refused[i];
}

} // namespace

bool start(const Configuration& configuration) {
    the_gate = std::construct_at(reinterpret_cast<Gate*>(gate_memory.data()), configuration);
    station::Station& outside = *configuration.outside;
    outside.inside = configuration.address;
    outside.inside_prefix = configuration.prefix;
    outside.take = &take;
    outside.address_differs = [] {
        take_name_servers();
        gate().translator.set_outside(gate().all.outside->address);
        gate().waiting.forget_all();
    };
    outside.log = [](std::string_view text) { uk::log(text); };
    take_name_servers();
    gate().translator.set_outside(outside.address);
    lwip_init();
    if (!station::start(outside))
        return false;
    for (Wire& wire : configuration.wires)
        caisson_end_open(&wire.end);
    return true;
}

bool poll() {
    bool more = false;
    // First, so that packets from the outside meet no container that has ended since.
    for (std::size_t i = 0; i < gate().all.wires.size(); ++i)
        more = poll_wire(static_cast<std::uint8_t>(i)) || more;
    more = station::poll() || more;
    release_due();
    ring_touched();
    return more;
}

std::uint64_t next_due() {
    const Waiting& waiting = gate().waiting;
    const bool waits_for_card =
        waiting.next_at() != Waiting::never && !waiting.first().enters && !station::has_room();
    return waits_for_card ? Waiting::never : waiting.next_at(); // who has room says so
}

void run_clock() {
    station::run_clock();
    take_name_servers(); // of a lease that was renewed
}

const std::array<std::uint64_t, net::verdict_count>& refused_outside() {
    return gate().refused;
}

Figures figures_of(const Wire& wire) {
    Figures out;
    out << wire.name << ": out " << wire.leaving.packets << " packets " << wire.leaving.bytes << " bytes, in "
        << wire.entering.packets << " packets " << wire.entering.bytes << " bytes, no_room=" << wire.no_room
        << " no_way=" << wire.no_way;
    put_refused(out, wire.refused);
    return out;
}

Figures figures_of_outside() {
    Figures out;
    out << "outside: not_packets=" << gate().all.outside->not_packets;
    put_refused(out, gate().refused);
    return out;
}

} // namespace uplink
