// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/packet_queue.hpp - messages that keep their ends: datagrams and records.
#pragma once

#include "partitions/unikernel/net/address.hpp"
#include "partitions/unikernel/net/byte_queue.hpp"

namespace uk::net {

struct Socket;

// What a socket's packets charge to its send buffer until they are received. It outlives the socket.
struct SendAccount {
    std::uint32_t references = 0;
    std::uint64_t charged = 0;
    Socket* owner = nullptr; // told when there is room; nullptr: gone
};
void retain(SendAccount& account);
void release(SendAccount& account);

// A name of a local socket, as its address shows it: "/run/a" with its NUL, or NUL and any bytes.
struct Name {
    std::uint32_t references = 0;
    std::uint32_t size = 0;
    std::array<std::byte, 109> bytes; // of a path that fills its 108 bytes, with its NUL
    [[nodiscard]] std::span<const std::byte> view() const { return {bytes.data(), size}; }
};
void retain(Name& name);
void release(Name& name);

struct Packet {
    Packet* next = nullptr;
    std::uint64_t bytes = 0;
    std::uint32_t charge = 0;
    Identity sender;
    Rights* rights = nullptr; // in flight
    Ref<Name> name;           // the sender's, of a local socket
    Endpoint from, to;        // of a datagram of IP
    std::uint8_t hop_limit = 0, traffic_class = 0;
    Ref<SendAccount> account;
    std::uint64_t arrived = 0; // CLOCK_REALTIME
    ByteQueue rest;            // what does not fit behind this object
    [[nodiscard]] std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }
};

inline constexpr std::uint64_t most_in_packet = 1024; // bytes beside the object itself

struct DropPacket {
    void operator()(Packet* packet) const;
};
using OwnedPacket = std::unique_ptr<Packet, DropPacket>;

// A packet with all that is left of `from`. Errors: nobufs, fault (then `from` is where it was).
[[nodiscard]] Result<OwnedPacket> make_packet(fs::Origin& from);
// As much of it as `to` takes.
[[nodiscard]] Result<std::uint64_t> read_packet(Packet& packet, fs::Destination& to, bool peek);

class PacketQueue {
public:
    PacketQueue() = default;
    PacketQueue(const PacketQueue&) = delete;
    PacketQueue& operator=(const PacketQueue&) = delete;
    ~PacketQueue() { clear(); }
    [[nodiscard]] Packet* first() const { return first_; }
    [[nodiscard]] bool empty() const { return first_ == nullptr; }
    [[nodiscard]] std::uint32_t count() const { return count_; }
    [[nodiscard]] std::uint64_t charged() const { return charged_; } // of all packets
    void add(OwnedPacket packet);
    [[nodiscard]] OwnedPacket take();
    void clear();

private:
    Packet* first_ = nullptr;
    Packet* last_ = nullptr;
    std::uint32_t count_ = 0;
    std::uint64_t charged_ = 0;
};

} // namespace uk::net
