// SPDX-License-Identifier: Apache-2.0
#include "partitions/drivers/net/virtio.hpp"

#include "partitions/drivers/net/card_suite_test.hpp"

#include <map>

namespace drivers::net::test {
namespace {

// A device as its structures and rings show it. Common at 0, notifications at 0x3000, its own at 0x2000.
struct VirtioFake {
    struct Registers {
        VirtioFake* card;
        std::uint32_t base = 0;
        [[nodiscard]] std::uint8_t read8(std::uint32_t at) const {
            return static_cast<std::uint8_t>(card->read(base + at));
        }
        [[nodiscard]] std::uint16_t read16(std::uint32_t at) const {
            return static_cast<std::uint16_t>(card->read(base + at));
        }
        [[nodiscard]] std::uint32_t read32(std::uint32_t at) const { return card->read(base + at); }
        void write8(std::uint32_t at, std::uint8_t value) const { card->write(base + at, value); }
        void write16(std::uint32_t at, std::uint16_t value) const { card->write(base + at, value); }
        void write32(std::uint32_t at, std::uint32_t value) const { card->write(base + at, value); }
    };
    struct Memory {
        VirtioFake* card;
        [[nodiscard]] std::uint64_t address() const { return base; }
        [[nodiscard]] std::uint64_t load64(std::uint32_t at) const { return card->get<std::uint64_t>(at); }
        void store64(std::uint32_t at, std::uint64_t value) const { card->put(at, value); }
        [[nodiscard]] std::uint16_t load16(std::uint32_t at) const { return card->get<std::uint16_t>(at); }
        void store16(std::uint32_t at, std::uint16_t value) const { card->put(at, value); }
        [[nodiscard]] std::span<std::byte> bytes(std::uint32_t at, std::uint32_t count) const {
            return std::span{card->memory}.subspan(at, count);
        }
    };
    using Driver = VirtioNet<Registers, Memory>;
    static constexpr std::uint64_t base = 0x1234'5000;
    static constexpr unsigned left_empty = 0;

    struct Queue {
        std::uint32_t size = 256, message = 0xFFFF, enabled = 0, notify = 1;
        std::array<std::uint32_t, 6> places{};
        std::uint16_t next = 0, done = 0; // of the ring to it, of the ring from it
        [[nodiscard]] std::uint32_t at(unsigned which) const {
            return places[2 * which] - static_cast<std::uint32_t>(base);
        }
    };
    std::array<std::uint32_t, 2> features{1u << 5 | 1u << 16, 3}, accepted{};
    std::array<Queue, 2> queues;
    std::vector<std::byte> memory = std::vector<std::byte>(Driver::memory_bytes);
    std::vector<Frame> sent;
    bool sends = true, agrees = true, has_messages = true;
    unsigned messages = 0, kicks = 0;
    std::uint32_t status = 0;

    Driver driver() {
        queues[1].notify = 2;
        return {{.common = {this, 0},
                 .notify = {this, 0x3000},
                 .device = {this, 0x2000},
                 .notify_bytes = 0x1000,
                 .multiplier = 4},
                {this}};
    }
    void set_link(bool up) { link_ = up; }
    void go_on() { send(); }
    bool receive(const Frame& frame) { return give(frame, static_cast<std::uint32_t>(frame.size()) + 12); }
    void lie(std::uint32_t bytes) { ASSERT_TRUE(give({}, bytes + 12)); }

    template <typename T> [[nodiscard]] T get(std::uint32_t at) const {
        T value{};
        std::memcpy(&value, memory.data() + at, sizeof(value));
        return value;
    }
    template <typename T> void put(std::uint32_t at, T value) {
        std::memcpy(memory.data() + at, &value, sizeof(value));
    }
    // Whatever it likes, in its ring.
    void say(Queue& queue, std::uint32_t descriptor, std::uint32_t bytes) {
        put(queue.at(2) + 4 + queue.done % queue.size * 8, descriptor);
        put(queue.at(2) + 8 + queue.done % queue.size * 8, bytes);
        put(queue.at(2) + 2, ++queue.done);
        if ((get<std::uint16_t>(queue.at(1)) & 1) == 0 && queue.message == 0)
            ++messages;
    }

private:
    friend Registers;
    std::uint32_t read(std::uint32_t at) {
        Queue& queue = queues[selected_ % 2];
        switch (at) {
        case 0x04:
            return features[half_ % 2];
        case 0x14:
            return status;
        case 0x18:
            return queue.size;
        case 0x1A:
            return has_messages ? queue.message : 0xFFFF;
        case 0x1E:
            return queue.notify;
        case 0x2006:
            return link_ ? 1 : 0;
        default:
            return at >= 0x2000 && at < 0x2006 ? address_[at - 0x2000] : 0;
        }
    }
    void write(std::uint32_t at, std::uint32_t value) {
        Queue& queue = queues[selected_ % 2];
        if (at == 0x00)
            half_ = value;
        else if (at == 0x08)
            own_half_ = value;
        else if (at == 0x0C)
            accepted[own_half_ % 2] = value;
        else if (at == 0x14)
            status = agrees ? value : value & ~8u;
        else if (at == 0x16)
            selected_ = value;
        else if (at == 0x18)
            queue.size = value;
        else if (at == 0x1A)
            queue.message = value;
        else if (at == 0x1C)
            queue.enabled = value;
        else if (at >= 0x20 && at < 0x38)
            queue.places[(at - 0x20) / 4] = value;
        else if (at == 0x3004 || at == 0x3008) {
            ++kicks;
            EXPECT_EQ(value, (at - 0x3004) / 4);
            if (value == 1 && sends)
                send();
        }
    }
    bool next(Queue& queue, std::uint16_t& descriptor) {
        if ((status & 4) == 0 || queue.enabled == 0 || queue.next == get<std::uint16_t>(queue.at(1) + 2))
            return false;
        descriptor = get<std::uint16_t>(queue.at(1) + 4 + queue.next++ % queue.size * 2);
        return true;
    }
    bool give(const Frame& frame, std::uint32_t bytes) {
        Queue& queue = queues[0];
        std::uint16_t descriptor = 0;
        if (!next(queue, descriptor))
            return false;
        const std::uint32_t at = queue.at(0) + descriptor * 16u;
        EXPECT_EQ(get<std::uint32_t>(at + 8), 2048u);
        EXPECT_EQ(get<std::uint32_t>(at + 12), 2u); // to write
        const auto buffer = static_cast<std::ptrdiff_t>(get<std::uint64_t>(at) - base);
        std::copy(frame.begin(), frame.end(), memory.begin() + buffer + 12);
        say(queue, descriptor, bytes);
        return true;
    }
    void send() {
        Queue& queue = queues[1];
        std::uint16_t descriptor = 0;
        const unsigned told = messages;
        while (next(queue, descriptor)) {
            const std::uint32_t at = queue.at(0) + descriptor * 16u;
            const std::byte* from = memory.data() + (get<std::uint64_t>(at) - base);
            EXPECT_EQ(get<std::uint32_t>(at + 12), 0u);
            EXPECT_TRUE(std::all_of(from, from + 12, [](std::byte byte) { return byte == std::byte{0}; }));
            sent.emplace_back(from + 12, from + get<std::uint32_t>(at + 8));
            say(queue, descriptor, 0);
        }
        messages = std::min(messages, told + 1); // one for all of them
    }
    std::uint32_t half_ = 0, own_half_ = 0, selected_ = 0;
    bool link_ = true;
    static constexpr std::array<std::uint8_t, 6> address_{0x00, 0x12, 0x34, 0x56, 0x78, 0x9A};
};

INSTANTIATE_TYPED_TEST_SUITE_P(Virtio, CardSuite, VirtioFake);

using VirtioTest = CardSuite<VirtioFake>;

TEST_F(VirtioTest, StartsAsTheSpecificationSays) {
    ASSERT_TRUE(driver.start());
    EXPECT_EQ(card.status, 0xFu);
    EXPECT_EQ(card.accepted, (std::array<std::uint32_t, 2>{1u << 5 | 1u << 16, 3}));
    EXPECT_EQ(card.queues[0].size, VirtioFake::Driver::receive_count);
    EXPECT_EQ(card.kicks, 1u);
}

TEST_F(VirtioTest, WithoutTheLinksStateItIsUp) {
    card.features[0] = 1u << 5;
    ASSERT_TRUE(driver.start());
    card.set_link(false);
    EXPECT_TRUE(driver.has_link());
}

TEST_F(VirtioTest, GivesUpOnADeviceThatCannot) {
    card.features[1] = 1; // past the IOMMU
    EXPECT_FALSE(driver.start());
    card.features[1] = 3;
    card.features[0] = 0; // without an address
    EXPECT_FALSE(driver.start());
    card.features[0] = 1u << 5;
    card.agrees = false;
    EXPECT_FALSE(driver.start());
    card.agrees = true;
    card.has_messages = false;
    EXPECT_FALSE(driver.start());
    card.has_messages = true;
    card.queues[1].size = 32;
    EXPECT_FALSE(driver.start());
}

TEST_F(VirtioTest, ANotificationBeyondItsStructureIsNone) {
    card.queues[0].notify = 0x3FF;
    ASSERT_TRUE(driver.start());
    VirtioFake other;
    auto second = other.driver();
    other.queues[0].notify = 0x400;
    EXPECT_FALSE(second.start());
}

TEST_F(VirtioTest, WhatItDoesNotHaveItCannotGiveBack) {
    ASSERT_TRUE(driver.start());
    VirtioFake::Queue &in = card.queues[0], &out = card.queues[1];
    ASSERT_TRUE(card.receive(frame(60, 1)));
    EXPECT_EQ(poll(), 1u);
    card.say(in, 0xFFFFFFFF, 72);
    card.say(in, VirtioFake::Driver::receive_count, 72);
    card.say(in, 5, 72);
    card.say(in, 5, 72); // it was given back, and is the device's again
    EXPECT_EQ(poll(), 4u);
    EXPECT_EQ(driver.counters().lies, 2u);
    card.say(out, 3, 0);
    card.say(out, 0x10003, 0);
    EXPECT_TRUE(driver.has_room());
    EXPECT_EQ(driver.counters().lies, 4u);
    card.put(in.at(2) + 2, static_cast<std::uint16_t>(in.done + 40'000)); // its index runs away
    EXPECT_EQ(poll(500), 500u);
}

} // namespace
} // namespace drivers::net::test
