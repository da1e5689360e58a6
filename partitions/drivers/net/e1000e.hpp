// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/e1000e.hpp - Intel's 82574L gigabit Ethernet controller (QEMU's e1000e): one queue each way, one message.
//
// The function has been reset when start() is called. Nothing here waits. Trust and invariants: intel_rings.hpp.
// Spec: Intel 82574 GbE Controller Family Datasheet 3.4: 4.6 (start), 7.1.4 (legacy receive descriptors), 7.2.10 (legacy transmit
//       descriptors), 7.4 (interrupts), 10 (registers).
#pragma once

#include "partitions/drivers/net/intel_rings.hpp"

namespace drivers::net {

struct E1000eForm {
    static constexpr std::uint32_t receive_base = 0x2800, transmit_base = 0x3800;
    // Descriptors: their last word, as the device writes it.
    static constexpr std::uint64_t done = std::uint64_t{1} << 32, end_of_packet = std::uint64_t{1} << 33,
                                   bad_frame = std::uint64_t{0x97} << 40, // but for the sums of what is in it
        sent = done;
    static constexpr unsigned length_shift = 0;
    // And as the driver does: end of packet, add the check sequence, tell when it is done.
    static constexpr std::uint64_t to_send(std::uint32_t bytes) {
        constexpr std::uint64_t whole_frame = std::uint64_t{1 << 0 | 1 << 1 | 1 << 3} << 24;
        return whole_frame | bytes;
    }
};

template <Mmio Registers, DmaMemory Memory> class E1000e : public IntelRings<Registers, Memory, E1000eForm> {
    using Base = IntelRings<Registers, Memory, E1000eForm>;

public:
    static constexpr std::uint16_t vendor = 0x8086, device = 0x10d3;

    using Base::Base;

    // Rings and filters are set up and the link is asked for. False: the device does not answer. Silent until listen().
    [[nodiscard]] bool start() {
        if (!this->is_there())
            return false;
        registers_.write32(mask_clear, Base::all);
        this->ask_for_link();
        this->read_address();
        this->set_up_receive_ring();
        registers_.write32(receive_filter, 0); // legacy descriptors
        registers_.write32(Base::receive_general,
                           Base::receive_on | Base::accept_broadcast | Base::strip_check);
        this->give_all();
        this->set_up_transmit_ring();
        this->set_bits(Base::transmit_control, must_be_1);
        registers_.write32(Base::transmit_general, Base::transmit_on | Base::pad_short | collisions);
        // Receive, transmit and the link by message 0, which clears its own causes and masks none.
        this->set_bits(control_extended, acknowledge_masks | pending_clears);
        registers_.write32(acknowledge_mask, 0);
        registers_.write32(vectors, valid_0 | valid_0 << transmit_vector | valid_0 << other_vector);
        registers_.write32(auto_clear, cause_receive | cause_transmit | cause_other);
        return true;
    }

    // Whether frames that come are told of by message 0. One that came while it was off is told of when it is on again: what this
    // returns, whether there is something that will not be told of, is never true.
    bool listen(bool on) {
        registers_.write32(on ? mask_set : mask_clear, cause_receive);
        return false;
    }
    // Message 0 tells of room too. The caller looks at has_room() once more behind it.
    void tell_of_room(bool on) { registers_.write32(on ? mask_set : mask_clear, cause_transmit); }

private:
    using Base::registers_;

    static constexpr std::uint32_t control_extended = 0x0018, mask_set = 0x00D0, mask_clear = 0x00D8,
                                   auto_clear = 0x00DC, acknowledge_mask = 0x00E0, vectors = 0x00E4,
                                   receive_filter = 0x5008;
    static constexpr std::uint32_t acknowledge_masks = 1u << 27, pending_clears = 1u << 31;
    static constexpr std::uint32_t valid_0 = 1u << 3, transmit_vector = 8, other_vector = 16;
    static constexpr std::uint32_t cause_receive = 1u << 20, cause_transmit = 1u << 22,
                                   cause_other = 1u << 24;
    static constexpr std::uint32_t collisions = 0xFu << 4 | 0x3Fu << 12;
    static constexpr std::uint32_t must_be_1 = 1u << 22; // of a transmit queue's control
};

} // namespace drivers::net
