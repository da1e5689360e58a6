// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/intel_rings.hpp - what Intel's gigabit Ethernet controllers have in common: a ring of descriptors each way, the
// address, the link.
//
// Nothing here waits.
// Trust:      registers and descriptors are the device's word. A descriptor's last word is loaded once and checked; a frame's bytes
//             are copied out once, before anybody looks at them.
// Invariants: I1  a length that is used lies within a frame's bounds, an index within its ring, whatever the device wrote
//             I2  one call looks at no more frames than it was told to
// Spec:       Intel 82574 GbE Controller Family Datasheet 3.4 and 82576EB Gigabit Ethernet Controller Datasheet 2.63: device control
//             and status, receive address, receive and transmit queues.
#pragma once

#include "partitions/drivers/net/memory.hpp"

#include <array>

namespace drivers::net {

// `Form`: where a controller has its queues (receive_base, transmit_base), what the last word of its descriptors says (done,
// end_of_packet, bad_frame, length_shift; sent) and what the driver writes there to have a frame sent: to_send(bytes).
template <Mmio Registers, DmaMemory Memory, typename Form> class IntelRings {
public:
    // Without the check sequence. A frame that comes may have a VLAN's tag besides.
    static constexpr std::uint32_t frame_least = 14, frame_most = 1514, came_most = frame_most + 4;
    static constexpr std::uint32_t receive_count = 128, transmit_count = 64, buffer_bytes = 2048;
    // Of the memory: the rings, then a buffer for each descriptor.
    static constexpr std::uint32_t descriptor_bytes = 16, transmit_ring = receive_count * descriptor_bytes,
                                   buffers = 4096, transmit_buffers = buffers + receive_count * buffer_bytes,
                                   memory_bytes = transmit_buffers + transmit_count * buffer_bytes;
    static_assert(transmit_ring + transmit_count * descriptor_bytes <= buffers);

    // `memory` has memory_bytes, lies at a multiple of 4096, is the driver's and the device's alone.
    IntelRings(Registers registers, Memory memory) : registers_(registers), memory_(memory) {}

    [[nodiscard]] const std::array<std::uint8_t, 6>& address() const { return address_; }
    [[nodiscard]] bool has_link() const {
        const std::uint32_t value = registers_.read32(status);
        return value != gone && (value & link_up) != 0;
    }
    [[nodiscard]] const Counters& counters() const { return counters_; }

    // Copies at most `most` frames that have come: place(bytes) says where to, and is empty where there is no memory for it;
    // came() follows. Returns how many descriptors it looked at.
    template <typename Place, typename Came> unsigned receive(unsigned most, Place place, Came came) {
        unsigned looked = 0;
        while (looked < most && take_one(place, came))
            ++looked;
        if (looked != 0) {
            in_order();
            registers_.write32(receive_tail, (next_in_ + receive_count - 1) % receive_count);
        }
        return looked;
    }

    [[nodiscard]] bool has_room() {
        while (taken_ != next_out_) {
            if ((memory_.load64(transmit_ring + taken_ * descriptor_bytes + 8) & Form::sent) == 0)
                break;
            taken_ = (taken_ + 1) % transmit_count;
        }
        in_order();
        return (next_out_ + 1) % transmit_count != taken_;
    }

    // Frames to groups of stations are taken too. A filter of 4,096 places for 2^46 groups would let others' through as well.
    void hear_groups() { set_bits(receive_general, accept_groups); }

    // fill(bytes) writes a frame of so many bytes. False: there is no room, or it is no frame.
    template <typename Fill> [[nodiscard]] bool send(std::uint32_t bytes, Fill fill) {
        if (bytes < frame_least || bytes > frame_most || !has_room())
            return false;
        const std::uint32_t buffer = transmit_buffers + next_out_ * buffer_bytes;
        fill(memory_.bytes(buffer, bytes));
        const std::uint32_t at = transmit_ring + next_out_ * descriptor_bytes;
        memory_.store64(at, memory_.address() + buffer);
        memory_.store64(at + 8, Form::to_send(bytes));
        next_out_ = (next_out_ + 1) % transmit_count;
        in_order();
        registers_.write32(transmit_tail, next_out_);
        ++counters_.sent;
        counters_.sent_bytes += bytes;
        return true;
    }

protected:
    // Registers.
    static constexpr std::uint32_t control = 0x0000, status = 0x0008, receive_general = 0x0100,
                                   transmit_general = 0x0400, station_low = 0x5400, station_high = 0x5404;
    // Of a queue, from its base on.
    static constexpr std::uint32_t base_low = 0x00, base_high = 0x04, length = 0x08, head = 0x10, tail = 0x18,
                                   queue_control = 0x28;
    static constexpr std::uint32_t receive_tail = Form::receive_base + tail,
                                   transmit_tail = Form::transmit_base + tail,
                                   receive_control = Form::receive_base + queue_control,
                                   transmit_control = Form::transmit_base + queue_control;
    static constexpr std::uint32_t gone = ~std::uint32_t{0}, all = ~std::uint32_t{0};
    static constexpr std::uint32_t set_link_up = 1u << 6, force_speed = 1u << 11, force_duplex = 1u << 12;
    static constexpr std::uint32_t link_up = 1u << 1;
    static constexpr std::uint32_t receive_on = 1u << 1, accept_groups = 1u << 4, accept_broadcast = 1u << 15,
                                   strip_check = 1u << 26;
    static constexpr std::uint32_t transmit_on = 1u << 1, pad_short = 1u << 3;

    [[nodiscard]] bool is_there() const { return registers_.read32(status) != gone; }
    void ask_for_link() const {
        registers_.write32(control,
                           (registers_.read32(control) | set_link_up) & ~(force_speed | force_duplex));
    }
    void read_address() {
        const std::uint32_t low = registers_.read32(station_low), high = registers_.read32(station_high);
        for (unsigned i = 0; i < 4; ++i)
            address_[i] = static_cast<std::uint8_t>(low >> 8 * i);
        address_[4] = static_cast<std::uint8_t>(high);
        address_[5] = static_cast<std::uint8_t>(high >> 8);
    }
    // Every descriptor is the device's to fill, which has none as long as the tail is 0: give_all().
    void set_up_receive_ring() const {
        for (std::uint32_t i = 0; i < receive_count; ++i)
            give(i);
        in_order();
        set_up_ring(Form::receive_base, 0, receive_count);
    }
    void give_all() const { registers_.write32(receive_tail, receive_count - 1); }
    void set_up_transmit_ring() const {
        for (std::uint32_t i = 0; i < transmit_count; ++i)
            memory_.store64(transmit_ring + i * descriptor_bytes + 8, 0);
        in_order();
        set_up_ring(Form::transmit_base, transmit_ring, transmit_count);
    }
    void set_bits(std::uint32_t at, std::uint32_t bits) const {
        registers_.write32(at, registers_.read32(at) | bits);
    }

    Registers registers_;

private:
    void set_up_ring(std::uint32_t base, std::uint32_t ring, std::uint32_t count) const {
        const std::uint64_t address = memory_.address() + ring;
        registers_.write32(base + base_low, static_cast<std::uint32_t>(address));
        registers_.write32(base + base_high, static_cast<std::uint32_t>(address >> 32));
        registers_.write32(base + length, count * descriptor_bytes);
        registers_.write32(base + head, 0);
        registers_.write32(base + tail, 0);
    }
    void give(std::uint32_t descriptor) const {
        const std::uint32_t at = descriptor * descriptor_bytes;
        memory_.store64(at, memory_.address() + buffers + descriptor * buffer_bytes);
        memory_.store64(at + 8, 0);
    }
    template <typename Place, typename Came> bool take_one(Place& place, Came& came) {
        const std::uint64_t word = memory_.load64(next_in_ * descriptor_bytes + 8);
        if ((word & Form::done) == 0)
            return false;
        in_order();
        const auto bytes = static_cast<std::uint32_t>(word >> Form::length_shift & 0xFFFF);
        if ((word & Form::end_of_packet) == 0 || bytes < frame_least || bytes > came_most)
            ++counters_.lies;
        else if ((word & Form::bad_frame) != 0)
            ++counters_.errors;
        else
            take_frame(memory_.bytes(buffers + next_in_ * buffer_bytes, bytes), counters_, place, came);
        give(next_in_);
        next_in_ = (next_in_ + 1) % receive_count;
        return true;
    }

    Memory memory_;
    std::array<std::uint8_t, 6> address_{};
    std::uint32_t next_in_ = 0;  // the descriptor that is filled next
    std::uint32_t next_out_ = 0; // that is sent next
    std::uint32_t taken_ = 0;    // the first that the device may still have
    Counters counters_;
};

} // namespace drivers::net
