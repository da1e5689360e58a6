// SPDX-License-Identifier: Apache-2.0
// partitions/net/translator.hpp - several containers behind one address: who may send what to the outside, by whose rules, and under
// which address and ports it goes there and comes back.
//
// Each container has its own firewall and as many translations as connections, so that none can take the others'. A translation is
// of one connection: the firewall decides how long it lives, here is only what it is called outside.
//
// Pure; nothing is allocated, nothing waits.
// Invariants: I1  what leaves has the address outside as its source, and a port that leads back to its container alone
//             I2  what enters goes to the container that its connection or its published port names, with a source that is outside or
//                 the uplink's own address, where that was asked as a name server
//             I3  sums are changed by what changed, so that a packet that was damaged stays so
// Spec:  RFC 3022, RFC 4787 (ports are kept where they can be), RFC 5508 section 4 (errors), RFC 1624.
#pragma once

#include "partitions/net/firewall.hpp"
#include "partitions/net/pace.hpp"

#include <cstdint>
#include <span>

namespace net {

// What a connection is called outside. Its place is that of its connection in all the containers' tables, one behind the other.
struct Translation {
    std::uint32_t far = 0;  // who is meant there; 0: it is none
    std::uint32_t next = 0; // in its bucket, + 1
    std::uint16_t outer_port = 0, far_port = 0;
    std::uint8_t protocol = 0;
    // Of the connection that it is of, whose place may be another's since.
    std::uint32_t peer_address = 0;
    std::uint16_t own_port = 0, peer_port = 0;
};

struct Contained {
    std::uint32_t address = 0;
    Firewall* firewall = nullptr; // its only peer is the outside
    std::span<const Connection> table{};
    std::span<const Rule> rules{};
    std::span<Pace> paces{}; // two a rate: what leaves, what enters
};

// A port outside that is a container's.
struct Publication {
    std::uint8_t container = 0, protocol = 0;
    std::uint16_t outside = 0, inside = 0;
};

class Translator {
public:
    // The spans stay the caller's, and stay; `translations`: as many as all tables together, at most 2^20. `gateway`: the own
    // address to the containers; a question for names that they ask there goes to `name_servers` (0: none).
    Translator(std::uint32_t gateway, std::span<const Contained> containers,
               std::span<const Publication> publications, std::span<Translation> translations,
               std::span<const std::uint32_t> name_servers, std::uint64_t seed)
        : gateway_(gateway), containers_(containers), publications_(publications),
          translations_(translations), name_servers_(name_servers), random_(seed | 1) {}

    // The address outside is that from now on; 0: there is none. Another one ends all connections.
    void set_outside(std::uint32_t address);
    [[nodiscard]] std::uint32_t outside() const { return outside_; }

    // A packet that a container sent: pass: it may go to the outside as it is now, at goes_at(). `packet`: what it said before.
    [[nodiscard]] Verdict leave(std::uint8_t container, std::span<std::byte> bytes, std::uint64_t now_ns,
                                Packet& packet);
    // One that came from there, whose sums hold. pass: it is for `container`, as it is now, at goes_at().
    [[nodiscard]] Verdict enter(std::span<std::byte> bytes, std::uint64_t now_ns, std::uint8_t& container);
    // When the last packet that passed may go, by its rule's rate; 0: at once. Nobody's after any other call.
    [[nodiscard]] std::uint64_t goes_at() const { return goes_at_; }
    // That packet, of so many bytes, does not go after all: others may in its stead.
    void take_back(std::size_t bytes);
    // The container's program is another one now.
    void forget(std::uint8_t container) const { containers_[container].firewall->forget(0); }

    static constexpr std::uint32_t mtu = 1500;

private:
    static constexpr std::size_t buckets = 1024;
    struct OuterKey {
        std::uint32_t far;
        std::uint16_t outer_port, far_port;
        std::uint8_t protocol;
    };
    [[nodiscard]] static std::size_t bucket_of(const OuterKey& key);
    [[nodiscard]] const Connection& connection_at(std::size_t place, std::uint8_t& container) const;
    [[nodiscard]] std::size_t first_of(std::uint8_t container) const;
    [[nodiscard]] bool is_live(std::size_t place, std::uint64_t now) const;
    [[nodiscard]] Translation* find(const OuterKey& key, std::uint64_t now);
    void unlink(Translation& translation);
    [[nodiscard]] bool link(std::uint8_t container, const Connection& connection, std::uint32_t far,
                            std::uint16_t outer_port);
    [[nodiscard]] std::uint16_t choose_port(const OuterKey& wish, std::uint64_t now);
    [[nodiscard]] const Publication* publication(std::uint8_t protocol, std::uint16_t port) const;
    [[nodiscard]] std::uint32_t name_server(std::uint64_t now);
    [[nodiscard]] Verdict pay(std::uint8_t container, const Connection& connection, bool enters,
                              std::size_t bytes, std::uint64_t now);
    [[nodiscard]] std::uint64_t random();

    std::uint32_t gateway_, outside_ = 0;
    std::span<const Contained> containers_;
    std::span<const Publication> publications_;
    std::span<Translation> translations_;
    std::span<const std::uint32_t> name_servers_;
    std::size_t server_ = 0;     // whom questions for names go to
    std::uint64_t asked_at_ = 0; // the first question that nobody has answered yet; 0: none
    std::uint64_t random_;
    std::uint64_t goes_at_ = 0;
    Pace* paid_ = nullptr; // by the last packet that passed
    std::array<std::uint32_t, buckets> first_{};
};

} // namespace net
