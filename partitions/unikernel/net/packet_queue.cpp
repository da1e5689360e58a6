// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/packet_queue.cpp - see packet_queue.hpp.
#include "partitions/unikernel/net/packet_queue.hpp"

#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/net/socket.hpp"

namespace uk::net {

void retain(SendAccount& account) {
    ++account.references;
}

void release(SendAccount& account) {
    if (--account.references == 0)
        mm::destroy(&account);
}

void retain(Name& name) {
    ++name.references;
}

void release(Name& name) {
    if (--name.references == 0)
        mm::destroy(&name);
}

void DropPacket::operator()(Packet* packet) const {
    OwnedRights{packet->rights}.reset();
    if (packet->account) {
        SendAccount& account = *packet->account;
        account.charged -= packet->charge;
        if (account.owner != nullptr)
            account.owner->kind->room_again(*account.owner);
    }
    mm::destroy(packet);
}

Result<OwnedPacket> make_packet(fs::Origin& from) {
    const std::uint64_t start = from.done(), bytes = from.left();
    const std::uint64_t here = std::min(bytes, most_in_packet);
    void* memory = mm::allocate(sizeof(Packet) + here);
    if (memory == nullptr)
        return base::Failure{Errno::nobufs};
    OwnedPacket packet{std::construct_at(static_cast<Packet*>(memory))};
    packet->bytes = bytes;
    packet->charge = charge_of(bytes);
    Status taken = from.take({packet->data(), here});
    if (taken.ok() && here < bytes) {
        OwnedRights none;
        const auto rest = packet->rest.append(from, bytes - here, {}, none);
        if (!rest.ok())
            taken = base::Failure{rest.error()};
        else if (*rest < bytes - here)
            taken = base::Failure{from.left() > 0 ? Errno::nobufs : Errno::fault};
    }
    if (!taken.ok()) {
        from.back_to(start);
        return base::Failure{taken.error()};
    }
    return packet;
}

Result<std::uint64_t> read_packet(Packet& packet, fs::Destination& to, bool peek) {
    const std::uint64_t before = to.done();
    const std::uint64_t here = std::min({packet.bytes, most_in_packet, to.left()});
    CAISSON_TRY(to.put({packet.data(), here}));
    while (to.left() > 0 && to.done() - before < packet.bytes) {
        const std::uint64_t went = CAISSON_TRY(packet.rest.read(to, packet.bytes, peek));
        if (went == 0)
            break;
        if (peek)
            break;
    }
    return to.done() - before;
}

void PacketQueue::add(OwnedPacket owned) {
    Packet* packet = owned.release();
    (last_ != nullptr ? last_->next : first_) = packet;
    last_ = packet;
    ++count_;
    charged_ += packet->charge;
}

OwnedPacket PacketQueue::take() {
    OwnedPacket packet{first_};
    if (packet) {
        first_ = packet->next;
        if (first_ == nullptr)
            last_ = nullptr;
        --count_;
        charged_ -= packet->charge;
    }
    return packet;
}

void PacketQueue::clear() {
    while (!empty())
        take().reset();
}

} // namespace uk::net
