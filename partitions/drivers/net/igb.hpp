// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/igb.hpp - Intel's 82576 gigabit Ethernet controller (its physical function; QEMU's igb): one queue each way, one
// message.
//
// The function has been reset when start() is called. Nothing here waits but start(), which gives up after a number of looks.
// Trust:      registers and descriptors are the device's word. A descriptor's last word is loaded once and checked; a frame's bytes
//             are copied out once, before anybody looks at them.
// Invariants: I1  a length that is used lies within a frame's bounds, an index within its ring, whatever the device wrote
//             I2  one call looks at no more frames than it was told to
// Spec:       Intel 82576EB Gigabit Ethernet Controller Datasheet 2.63: 4.6 (start), 7.1.5 (receive descriptors), 7.2.2.3 (transmit
//             data descriptors), 7.3 (interrupts), 8 (registers).
#pragma once

#include "partitions/drivers/net/memory.hpp"

#include <array>

namespace drivers::net {

template <Mmio Registers, DmaMemory Memory> class Igb {
public:
    static constexpr std::uint16_t vendor = 0x8086, device = 0x10c9;
    // Without the check sequence. A frame that comes may have a VLAN's tag besides.
    static constexpr std::uint32_t frame_least = 14, frame_most = 1514, came_most = frame_most + 4;
    static constexpr std::uint32_t receive_count = 128, transmit_count = 64, buffer_bytes = 2048;
    // Of the memory: the rings, then a buffer for each descriptor.
    static constexpr std::uint32_t descriptor_bytes = 16, transmit_ring = receive_count * descriptor_bytes,
                                   buffers = 4096, transmit_buffers = buffers + receive_count * buffer_bytes,
                                   memory_bytes = transmit_buffers + transmit_count * buffer_bytes;
    static_assert(transmit_ring + transmit_count * descriptor_bytes <= buffers);

    struct Counters {
        std::uint64_t received = 0, received_bytes = 0, sent = 0, sent_bytes = 0;
        std::uint64_t errors = 0; // frames that the device found bad
        std::uint64_t lies = 0;   // descriptors that no device writes which works
        std::uint64_t no_place = 0;
    };

    // `memory` has memory_bytes, lies at a multiple of 4096, is the driver's and the device's alone.
    Igb(Registers registers, Memory memory) : registers_(registers), memory_(memory) {}

    // Rings and filters are set up and the link is asked for. False: the device does not answer. Silent until listen().
    [[nodiscard]] bool start() {
        if (registers_.read32(status) == gone)
            return false;
        registers_.write32(interrupt_mask_clear, all);
        registers_.write32(extended_mask_clear, all);
        registers_.write32(control,
                           (registers_.read32(control) | set_link_up) & ~(force_speed | force_duplex));
        if (!tell_phy())
            return false;
        const std::uint32_t low = registers_.read32(station_low), high = registers_.read32(station_high);
        for (unsigned i = 0; i < 4; ++i)
            address_[i] = static_cast<std::uint8_t>(low >> 8 * i);
        address_[4] = static_cast<std::uint8_t>(high);
        address_[5] = static_cast<std::uint8_t>(high >> 8);
        set_up_receiving();
        set_up_sending();
        if (!is_enabled(receive_control) || !is_enabled(transmit_control))
            return false;
        registers_.write32(receive_tail, receive_count - 1);
        // Receive and transmit of queue 0 by message 0, which clears its own cause.
        registers_.write32(interrupt_general, message_mode | message_pending_clears | no_legacy_clear);
        registers_.write32(interrupt_causes, receive_by_message_0);
        registers_.write32(extended_auto_clear, message_0);
        return true;
    }

    [[nodiscard]] const std::array<std::uint8_t, 6>& address() const { return address_; }
    [[nodiscard]] bool has_link() const {
        const std::uint32_t value = registers_.read32(status);
        return value != gone && (value & link_up) != 0;
    }
    [[nodiscard]] const Counters& counters() const { return counters_; }

    // Whether frames that come are told of by message 0. One that came while it was off is told of when it is on again.
    void listen(bool on) { registers_.write32(on ? extended_mask_set : extended_mask_clear, message_0); }

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
            if ((memory_.load64(transmit_ring + taken_ * descriptor_bytes + 8) & sent_bit) == 0)
                break;
            taken_ = (taken_ + 1) % transmit_count;
        }
        in_order();
        return (next_out_ + 1) % transmit_count != taken_;
    }
    // Message 0 tells of room too. The caller looks at has_room() once more behind it.
    void tell_of_room(bool on) {
        registers_.write32(interrupt_causes, receive_by_message_0 | (on ? transmit_by_message_0 : 0));
    }

    // fill(bytes) writes a frame of so many bytes. False: there is no room, or it is no frame.
    template <typename Fill> [[nodiscard]] bool send(std::uint32_t bytes, Fill fill) {
        if (bytes < frame_least || bytes > frame_most || !has_room())
            return false;
        const std::uint32_t buffer = transmit_buffers + next_out_ * buffer_bytes;
        fill(memory_.bytes(buffer, bytes));
        const std::uint32_t at = transmit_ring + next_out_ * descriptor_bytes;
        memory_.store64(at, memory_.address() + buffer);
        memory_.store64(at + 8, std::uint64_t{bytes} << payload_shift | data_descriptor | bytes);
        next_out_ = (next_out_ + 1) % transmit_count;
        in_order();
        registers_.write32(transmit_tail, next_out_);
        ++counters_.sent;
        counters_.sent_bytes += bytes;
        return true;
    }

private:
    // Registers.
    static constexpr std::uint32_t control = 0x0000, status = 0x0008, phy = 0x0020, receive_filter = 0x0100,
                                   transmit_general = 0x0400, interrupt_mask_clear = 0x150C,
                                   interrupt_general = 0x1514, extended_mask_set = 0x1524,
                                   extended_mask_clear = 0x1528, extended_auto_clear = 0x152C,
                                   interrupt_causes = 0x1700, station_low = 0x5400, station_high = 0x5404,
                                   receive_base = 0xC000, transmit_base = 0xE000;
    static constexpr std::uint32_t base_low = 0x00, base_high = 0x04, length = 0x08, split = 0x0C,
                                   head = 0x10, tail = 0x18, queue_control = 0x28;
    static constexpr std::uint32_t receive_tail = receive_base + tail, transmit_tail = transmit_base + tail,
                                   receive_control = receive_base + queue_control,
                                   transmit_control = transmit_base + queue_control;
    static constexpr std::uint32_t gone = ~std::uint32_t{0}, all = ~std::uint32_t{0};
    static constexpr std::uint32_t set_link_up = 1u << 6, force_speed = 1u << 11, force_duplex = 1u << 12;
    static constexpr std::uint32_t link_up = 1u << 1;
    static constexpr std::uint32_t phy_write = 1u << 26, phy_ready = 1u << 28, phy_error = 1u << 30,
                                   phy_one = 1u << 21, phy_control_register = 0;
    // IEEE 802.3 section 22.2.4.1: negotiate, anew, full duplex, 1000 Mbit/s.
    static constexpr std::uint32_t phy_negotiate = 1u << 12 | 1u << 9 | 1u << 8 | 1u << 6;
    static constexpr std::uint32_t receive_on = 1u << 1, accept_broadcast = 1u << 15, strip_check = 1u << 26;
    static constexpr std::uint32_t transmit_on = 1u << 1, pad_short = 1u << 3;
    static constexpr std::uint32_t one_buffer = 1u << 25, buffer_kibibytes = buffer_bytes / 1024;
    static constexpr std::uint32_t queue_on = 1u << 25;
    static constexpr std::uint32_t no_legacy_clear = 1u << 0, message_mode = 1u << 4,
                                   message_pending_clears = 1u << 31;
    static constexpr std::uint32_t message_0 = 1u << 0, receive_by_message_0 = 0x80,
                                   transmit_by_message_0 = 0x8000;
    // Descriptors: their last word, as the device writes it.
    static constexpr std::uint64_t done = 1u << 0, end_of_packet = 1u << 1, bad_frame = 1u << 31,
                                   sent_bit = std::uint64_t{1} << 32;
    // And as the driver does: data, the extended form, tell when it is done, add the check sequence, one buffer a frame.
    static constexpr std::uint64_t data_descriptor = 3u << 20 | 1u << 24 | 1u << 25 | 1u << 27 | 1u << 29;
    static constexpr unsigned payload_shift = 46;
    static constexpr unsigned patience = 200'000; // looks at a register

    template <typename Condition> static bool soon(Condition condition) {
        for (unsigned i = 0; i < patience; ++i)
            if (condition())
                return true;
        return false;
    }
    [[nodiscard]] bool is_enabled(std::uint32_t queue) const {
        return soon([&] { return (registers_.read32(queue) & queue_on) != 0; });
    }
    [[nodiscard]] bool tell_phy() const {
        registers_.write32(phy, phy_write | phy_one | phy_control_register << 16 | phy_negotiate);
        std::uint32_t answer = 0;
        const bool answered = soon([&] {
            answer = registers_.read32(phy);
            return (answer & phy_ready) != 0;
        });
        return answered && answer != gone && (answer & phy_error) == 0;
    }
    void set_up_ring(std::uint32_t base, std::uint32_t ring, std::uint32_t count) const {
        const std::uint64_t address = memory_.address() + ring;
        registers_.write32(base + base_low, static_cast<std::uint32_t>(address));
        registers_.write32(base + base_high, static_cast<std::uint32_t>(address >> 32));
        registers_.write32(base + length, count * descriptor_bytes);
        registers_.write32(base + head, 0);
        registers_.write32(base + tail, 0);
    }
    void set_up_receiving() {
        for (std::uint32_t i = 0; i < receive_count; ++i)
            give(i);
        in_order();
        set_up_ring(receive_base, 0, receive_count);
        registers_.write32(receive_base + split, one_buffer | buffer_kibibytes);
        registers_.write32(receive_control, registers_.read32(receive_control) | queue_on);
        registers_.write32(receive_filter, receive_on | accept_broadcast | strip_check);
    }
    void set_up_sending() {
        for (std::uint32_t i = 0; i < transmit_count; ++i)
            memory_.store64(transmit_ring + i * descriptor_bytes + 8, 0);
        in_order();
        set_up_ring(transmit_base, transmit_ring, transmit_count);
        registers_.write32(transmit_control, registers_.read32(transmit_control) | queue_on);
        registers_.write32(transmit_general, registers_.read32(transmit_general) | transmit_on | pad_short);
    }
    // The descriptor is the device's to fill.
    void give(std::uint32_t descriptor) const {
        const std::uint32_t at = descriptor * descriptor_bytes;
        memory_.store64(at, memory_.address() + buffers + descriptor * buffer_bytes);
        memory_.store64(at + 8, 0);
    }
    template <typename Place, typename Came> bool take_one(Place& place, Came& came) {
        const std::uint64_t word = memory_.load64(next_in_ * descriptor_bytes + 8);
        if ((word & done) == 0)
            return false;
        in_order();
        const auto bytes = static_cast<std::uint32_t>(word >> 32 & 0xFFFF);
        if ((word & end_of_packet) == 0 || bytes < frame_least || bytes > came_most) {
            ++counters_.lies;
        } else if ((word & bad_frame) != 0) {
            ++counters_.errors;
        } else if (const std::span<std::byte> to = place(bytes); to.size() == bytes) {
            copy(to, memory_.bytes(buffers + next_in_ * buffer_bytes, bytes));
            ++counters_.received;
            counters_.received_bytes += bytes;
            came();
        } else {
            ++counters_.no_place;
        }
        give(next_in_);
        next_in_ = (next_in_ + 1) % receive_count;
        return true;
    }
    static void copy(std::span<std::byte> to, std::span<const std::byte> from) {
        __builtin_memcpy(to.data(), from.data(), to.size());
        in_order(); // nothing is loaded from there once more
    }

    Registers registers_;
    Memory memory_;
    std::array<std::uint8_t, 6> address_{};
    std::uint32_t next_in_ = 0;  // the descriptor that is filled next
    std::uint32_t next_out_ = 0; // that is sent next
    std::uint32_t taken_ = 0;    // the first that the device may still have
    Counters counters_;
};

} // namespace drivers::net
