// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/virtio.hpp - a network card of VIRTIO 1.x over PCI: one queue each way, split rings, one message.
//
// The device has been reset when start() is called. Nothing here waits.
// Trust:      registers and rings are the device's word. An index, an element, a length is loaded once and checked; a frame's bytes are
//             copied out once, before anybody looks at them. What is in a descriptor is the driver's alone and never read.
// Invariants: I1  a length that is used lies within a frame's bounds, a descriptor is one that the device has, a register lies in its
//                 structure, whatever it wrote
//             I2  one call looks at no more frames than it was told to
// Spec:       VIRTIO 1.2: 2.1 (status), 2.7 (split virtqueues), 3.1.1 (start), 4.1.4 (PCI structures), 5.1 (network device).
#pragma once

#include "partitions/drivers/net/memory.hpp"

#include <array>

namespace drivers::net {

// Registers of whichever width a field has.
template <typename T>
concept FieldRegisters = requires(const T r, std::uint32_t at, std::uint8_t b, std::uint16_t h,
                                  std::uint32_t w) {
    { r.read8(at) } -> std::same_as<std::uint8_t>;
    { r.read16(at) } -> std::same_as<std::uint16_t>;
    { r.read32(at) } -> std::same_as<std::uint32_t>;
    r.write8(at, b);
    r.write16(at, h);
    r.write32(at, w);
};
// Memory with the fields of rings.
template <typename T>
concept RingMemory = DmaMemory<T> && requires(const T memory, std::uint32_t at, std::uint16_t h) {
    { memory.load16(at) } -> std::same_as<std::uint16_t>;
    memory.store16(at, h);
};

// Where the device's structures are. The common one has 56 bytes, the device's own 8.
template <typename Registers> struct VirtioPlaces {
    Registers common, notify, device;
    std::uint32_t notify_bytes = 0; // that may be written
    std::uint32_t multiplier = 0;   // of a queue's number among them
};

template <FieldRegisters Registers, RingMemory Memory> class VirtioNet {
public:
    static constexpr std::uint16_t vendor = 0x1af4, device = 0x1041;
    // A frame that comes may have a VLAN's tag besides.
    static constexpr std::uint32_t frame_least = 14, frame_most = 1514, came_most = frame_most + 4;
    static constexpr std::uint32_t receive_count = 128, transmit_count = 64, buffer_bytes = 2048;
    static constexpr std::uint32_t header_bytes = 12; // before each frame, virtio_net_hdr
    // Of the memory: each queue's descriptors, its ring to the device and its ring from it; then a buffer for each descriptor.
    static constexpr std::uint32_t buffers = 0x2000,
                                   transmit_buffers = buffers + receive_count * buffer_bytes,
                                   memory_bytes = transmit_buffers + transmit_count * buffer_bytes;

    // `memory` has memory_bytes, is zero, lies at a multiple of 4096, is the driver's and the device's alone.
    VirtioNet(const VirtioPlaces<Registers>& places, Memory memory) : places_(places), memory_(memory) {}

    // False: it does not answer, or cannot do what is needed. Silent until listen().
    [[nodiscard]] bool start() {
        set_status(acknowledge);
        set_status(acknowledge | driver);
        places_.common.write32(feature_select, 0);
        const std::uint32_t offered = places_.common.read32(features) & wanted_features;
        places_.common.write32(feature_select, 1);
        if ((places_.common.read32(features) & needed_features) != needed_features ||
            (offered & feature_address) == 0)
            return false;
        tells_link_ = (offered & feature_status) != 0;
        places_.common.write32(driver_feature_select, 0);
        places_.common.write32(driver_features, offered);
        places_.common.write32(driver_feature_select, 1);
        places_.common.write32(driver_features, needed_features);
        set_status(acknowledge | driver | features_ok);
        if ((status() & (features_ok | broken)) != features_ok)
            return false;
        for (std::size_t i = 0; i < address_.size(); ++i)
            address_[i] = places_.device.read8(static_cast<std::uint32_t>(i));
        for (std::uint16_t i = 0; i < receive_count; ++i)
            give(i);
        mute(transmit_queue, true);
        mute(receive_queue, true);
        for (std::uint16_t i = 0; i < transmit_count; ++i)
            free_[i] = i;
        in_order();
        places_.common.write16(message_of_changes, tells_link_ ? 0 : no_message);
        if (!set_up(receive_queue) || !set_up(transmit_queue))
            return false;
        set_status(acknowledge | driver | features_ok | driver_ok);
        if ((status() & (driver_ok | broken)) != driver_ok)
            return false;
        kick(receive_queue);
        return true;
    }

    [[nodiscard]] const std::array<std::uint8_t, 6>& address() const { return address_; }
    [[nodiscard]] bool has_link() const {
        return !tells_link_ || (places_.device.read16(device_status_field) & 1) != 0;
    }
    [[nodiscard]] const Counters& counters() const { return counters_; }

    // Whether frames that come are told of by message 0. True: some came meanwhile, of which it will not tell.
    bool listen(bool on) {
        mute(receive_queue, !on);
        fence();
        return on && used_index(receive_queue) != next_in_;
    }

    // Copies at most `most` frames that have come: place(bytes) says where to, and is empty where there is no memory for it;
    // came() follows. Returns how many elements it looked at.
    template <typename Place, typename Came> unsigned receive(unsigned most, Place place, Came came) {
        unsigned looked = 0;
        while (looked < most && take_one(place, came))
            ++looked;
        if (looked != 0)
            kick(receive_queue);
        return looked;
    }

    [[nodiscard]] bool has_room() {
        // No more than were sent: the device's index may run away.
        for (std::uint32_t i = 0; i < transmit_count && used_index(transmit_queue) != next_back_; ++i) {
            in_order();
            const auto sent = static_cast<std::uint32_t>(element(transmit_queue, next_back_));
            next_back_ = static_cast<std::uint16_t>(next_back_ + 1);
            if (sent >= transmit_count || !at_device_[sent]) {
                ++counters_.lies;
                continue;
            }
            at_device_[sent] = false;
            free_[free_count_++] = static_cast<std::uint16_t>(sent);
        }
        return free_count_ != 0;
    }
    // Without VIRTIO_NET_F_CTRL_RX there is no filter that could be told: it takes them already.
    void hear_groups() {}
    // Message 0 tells of room too. The caller looks at has_room() once more behind it.
    void tell_of_room(bool on) {
        mute(transmit_queue, !on);
        fence();
    }

    // fill(bytes) writes a frame of so many bytes. False: there is no room, or it is no frame.
    template <typename Fill> [[nodiscard]] bool send(std::uint32_t bytes, Fill fill) {
        if (bytes < frame_least || bytes > frame_most || !has_room())
            return false;
        const std::uint16_t descriptor = free_[--free_count_];
        at_device_[descriptor] = true;
        const std::uint32_t buffer = transmit_buffers + descriptor * buffer_bytes;
        __builtin_memset(memory_.bytes(buffer, header_bytes).data(), 0, header_bytes); // whole, sums made
        fill(memory_.bytes(buffer + header_bytes, bytes));
        offer(transmit_queue, descriptor, buffer, header_bytes + bytes, 0);
        kick(transmit_queue);
        ++counters_.sent;
        counters_.sent_bytes += bytes;
        return true;
    }

private:
    struct Queue {
        std::uint16_t index;
        std::uint32_t count, descriptors, available, used;
    };
    static constexpr Queue receive_queue{0, receive_count, 0, 0x800, 0xA00},
        transmit_queue{1, transmit_count, 0x1000, 0x1400, 0x1500};
    static_assert(0x800 + 4 + receive_count * 2 <= 0xA00 && 0xA00 + 4 + receive_count * 8 <= 0x1000);
    static_assert(0x1400 + 4 + transmit_count * 2 <= 0x1500 && 0x1500 + 4 + transmit_count * 8 <= buffers);

    // The common configuration structure.
    static constexpr std::uint32_t feature_select = 0x00, features = 0x04, driver_feature_select = 0x08,
                                   driver_features = 0x0C, message_of_changes = 0x10, device_status = 0x14,
                                   queue_select = 0x16, queue_size = 0x18, queue_message = 0x1A,
                                   queue_enable = 0x1C, queue_notify = 0x1E, queue_descriptors = 0x20,
                                   queue_available = 0x28, queue_used = 0x30;
    static constexpr std::uint32_t device_status_field = 6; // of the device's own, bit 0: the link is up
    static constexpr std::uint16_t no_message = 0xFFFF;
    static constexpr std::uint8_t acknowledge = 1, driver = 2, driver_ok = 4, features_ok = 8,
                                  broken = 0x40 | 0x80; // NEEDS_RESET, FAILED
    static constexpr std::uint32_t feature_address = 1u << 5, feature_status = 1u << 16,
                                   wanted_features = feature_address | feature_status;
    static constexpr std::uint32_t needed_features = 1u << 0 | 1u << 1; // VERSION_1, ACCESS_PLATFORM
    static constexpr std::uint16_t to_write = 2;                        // flag of a descriptor
    static constexpr std::uint16_t no_interrupt = 1, no_notify = 1;     // flags of the rings

    void set_status(std::uint8_t value) const { places_.common.write8(device_status, value); }
    [[nodiscard]] std::uint8_t status() const { return places_.common.read8(device_status); }

    [[nodiscard]] bool set_up(const Queue& queue) {
        const auto put = [this](std::uint32_t at, std::uint64_t address) {
            places_.common.write32(at, static_cast<std::uint32_t>(address));
            places_.common.write32(at + 4, static_cast<std::uint32_t>(address >> 32));
        };
        places_.common.write16(queue_select, queue.index);
        if (places_.common.read16(queue_size) < queue.count)
            return false;
        places_.common.write16(queue_size, static_cast<std::uint16_t>(queue.count));
        places_.common.write16(queue_message, 0);
        if (places_.common.read16(queue_message) != 0)
            return false;
        put(queue_descriptors, memory_.address() + queue.descriptors);
        put(queue_available, memory_.address() + queue.available);
        put(queue_used, memory_.address() + queue.used);
        const std::uint64_t told = std::uint64_t{places_.common.read16(queue_notify)} * places_.multiplier;
        if (told + 2 > places_.notify_bytes)
            return false;
        notify_[queue.index] = static_cast<std::uint32_t>(told);
        places_.common.write16(queue_enable, 1);
        return true;
    }
    void mute(const Queue& queue, bool on) const {
        memory_.store16(queue.available, on ? no_interrupt : std::uint16_t{0});
    }
    [[nodiscard]] std::uint16_t used_index(const Queue& queue) const {
        return memory_.load16(queue.used + 2);
    }
    // Of the ring from the device: descriptor, and how many bytes it wrote in the upper half.
    [[nodiscard]] std::uint64_t element(const Queue& queue, std::uint16_t index) const {
        const std::uint32_t at = queue.used + 4 + index % queue.count * 8;
        const std::uint32_t first = memory_.load16(at) | std::uint32_t{memory_.load16(at + 2)} << 16;
        return first | std::uint64_t{memory_.load16(at + 4)} << 32 |
               std::uint64_t{memory_.load16(at + 6)} << 48;
    }
    void offer(const Queue& queue, std::uint16_t descriptor, std::uint32_t buffer, std::uint32_t bytes,
               std::uint16_t flags) {
        std::uint16_t& next = next_offered_[queue.index];
        memory_.store64(queue.descriptors + descriptor * 16, memory_.address() + buffer);
        memory_.store64(queue.descriptors + descriptor * 16 + 8, std::uint64_t{flags} << 32 | bytes);
        memory_.store16(queue.available + 4 + next % queue.count * 2, descriptor);
        next = static_cast<std::uint16_t>(next + 1);
        in_order();
        memory_.store16(queue.available + 2, next);
    }
    void kick(const Queue& queue) const {
        fence();
        if ((memory_.load16(queue.used) & no_notify) == 0)
            places_.notify.write16(notify_[queue.index], queue.index);
    }
    // A buffer is the device's to fill.
    void give(std::uint16_t descriptor) {
        given_[descriptor] = true;
        offer(receive_queue, descriptor, buffers + descriptor * buffer_bytes, buffer_bytes, to_write);
    }
    template <typename Place, typename Came> bool take_one(Place& place, Came& came) {
        if (used_index(receive_queue) == next_in_)
            return false;
        in_order();
        const std::uint64_t word = element(receive_queue, next_in_);
        next_in_ = static_cast<std::uint16_t>(next_in_ + 1);
        const auto descriptor = static_cast<std::uint32_t>(word),
                   bytes = static_cast<std::uint32_t>(word >> 32);
        if (descriptor >= receive_count || !given_[descriptor]) {
            ++counters_.lies;
            return true;
        }
        given_[descriptor] = false;
        if (bytes < header_bytes + frame_least || bytes > header_bytes + came_most)
            ++counters_.lies;
        else
            take_frame(
                memory_.bytes(buffers + descriptor * buffer_bytes + header_bytes, bytes - header_bytes),
                counters_, place, came);
        give(static_cast<std::uint16_t>(descriptor));
        return true;
    }

    VirtioPlaces<Registers> places_;
    Memory memory_;
    std::array<std::uint8_t, 6> address_{};
    bool tells_link_ = false;
    std::array<std::uint32_t, 2> notify_{}; // by queue: where it is told of
    std::array<std::uint16_t, 2>
        next_offered_{};                        // by queue: how many descriptors the device has been offered
    std::uint16_t next_in_ = 0, next_back_ = 0; // how many it has given back
    std::array<bool, receive_count> given_{};
    std::array<bool, transmit_count> at_device_{};
    std::array<std::uint16_t, transmit_count> free_{};
    std::uint32_t free_count_ = transmit_count;
    Counters counters_;
};

} // namespace drivers::net
