// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/igb.hpp - Intel's 82576 gigabit Ethernet controller (its physical function; QEMU's igb): one queue each way, one
// message.
//
// The function has been reset when start() is called. Nothing here waits but start(), which gives up after a number of looks.
// Trust and invariants: intel_rings.hpp.
// Spec: Intel 82576EB Gigabit Ethernet Controller Datasheet 2.63: 4.6 (start), 7.1.5 (receive descriptors), 7.2.2.3 (transmit
//       data descriptors), 7.3 (interrupts), 8 (registers).
#pragma once

#include "partitions/drivers/net/intel_rings.hpp"

namespace drivers::net {

struct IgbForm {
    static constexpr std::uint32_t receive_base = 0xC000, transmit_base = 0xE000;
    // Descriptors: their last word, as the device writes it.
    static constexpr std::uint64_t done = 1u << 0, end_of_packet = 1u << 1, bad_frame = 1u << 31,
                                   sent = std::uint64_t{1} << 32;
    static constexpr unsigned length_shift = 32;
    // And as the driver does: data, the extended form, tell when it is done, add the check sequence, one buffer a frame.
    static constexpr std::uint64_t to_send(std::uint32_t bytes) {
        constexpr std::uint64_t data_descriptor = 3u << 20 | 1u << 24 | 1u << 25 | 1u << 27 | 1u << 29;
        constexpr unsigned payload_shift = 46;
        return std::uint64_t{bytes} << payload_shift | data_descriptor | bytes;
    }
};

template <Mmio Registers, DmaMemory Memory> class Igb : public IntelRings<Registers, Memory, IgbForm> {
    using Base = IntelRings<Registers, Memory, IgbForm>;

public:
    static constexpr std::uint16_t vendor = 0x8086, device = 0x10c9;

    using Base::Base;

    // Rings and filters are set up and the link is asked for. False: the device does not answer. Silent until listen().
    [[nodiscard]] bool start() {
        if (!this->is_there())
            return false;
        registers_.write32(interrupt_mask_clear, Base::all);
        registers_.write32(extended_mask_clear, Base::all);
        this->ask_for_link();
        if (!tell_phy())
            return false;
        this->read_address();
        this->set_up_receive_ring();
        registers_.write32(IgbForm::receive_base + split, one_buffer | buffer_kibibytes);
        this->set_bits(Base::receive_control, queue_on);
        registers_.write32(Base::receive_general,
                           Base::receive_on | Base::accept_broadcast | Base::strip_check);
        this->set_up_transmit_ring();
        this->set_bits(Base::transmit_control, queue_on);
        this->set_bits(Base::transmit_general, Base::transmit_on | Base::pad_short);
        if (!is_enabled(Base::receive_control) || !is_enabled(Base::transmit_control))
            return false;
        this->give_all();
        // Receive and transmit of queue 0 by message 0, which clears its own cause.
        registers_.write32(interrupt_general, message_mode | message_pending_clears | no_legacy_clear);
        registers_.write32(interrupt_causes, receive_by_message_0);
        registers_.write32(extended_auto_clear, message_0);
        return true;
    }

    // Whether frames that come are told of by message 0. One that came while it was off is told of when it is on again: what this
    // returns, whether there is something that will not be told of, is never true.
    bool listen(bool on) {
        registers_.write32(on ? extended_mask_set : extended_mask_clear, message_0);
        return false;
    }
    // Message 0 tells of room too. The caller looks at has_room() once more behind it.
    void tell_of_room(bool on) {
        registers_.write32(interrupt_causes, receive_by_message_0 | (on ? transmit_by_message_0 : 0));
    }

private:
    using Base::registers_;

    static constexpr std::uint32_t phy = 0x0020, interrupt_mask_clear = 0x150C, interrupt_general = 0x1514,
                                   extended_mask_set = 0x1524, extended_mask_clear = 0x1528,
                                   extended_auto_clear = 0x152C, interrupt_causes = 0x1700;
    static constexpr std::uint32_t split = 0x0C; // of a receive queue
    static constexpr std::uint32_t phy_write = 1u << 26, phy_ready = 1u << 28, phy_error = 1u << 30,
                                   phy_one = 1u << 21, phy_control_register = 0;
    // IEEE 802.3 section 22.2.4.1: negotiate, anew, full duplex, 1000 Mbit/s.
    static constexpr std::uint32_t phy_negotiate = 1u << 12 | 1u << 9 | 1u << 8 | 1u << 6;
    static constexpr std::uint32_t one_buffer = 1u << 25, buffer_kibibytes = Base::buffer_bytes / 1024;
    static constexpr std::uint32_t queue_on = 1u << 25;
    static constexpr std::uint32_t no_legacy_clear = 1u << 0, message_mode = 1u << 4,
                                   message_pending_clears = 1u << 31;
    static constexpr std::uint32_t message_0 = 1u << 0, receive_by_message_0 = 0x80,
                                   transmit_by_message_0 = 0x8000;
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
        return answered && answer != Base::gone && (answer & phy_error) == 0;
    }
};

} // namespace drivers::net
