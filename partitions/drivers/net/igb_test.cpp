// SPDX-License-Identifier: Apache-2.0
#include "partitions/drivers/net/igb.hpp"

#include "partitions/drivers/net/card_suite_test.hpp"

#include <map>

namespace drivers::net::test {
namespace {

// An 82576 as its registers and rings show it.
struct IgbFake {
    struct Registers {
        IgbFake* card;
        [[nodiscard]] std::uint32_t read32(std::uint32_t at) const { return card->read(at); }
        [[nodiscard]] std::uint64_t read64(std::uint32_t at) const { return card->read(at); }
        void write32(std::uint32_t at, std::uint32_t value) const { card->write(at, value); }
        void write64(std::uint32_t, std::uint64_t) const { ADD_FAILURE(); }
    };
    using Memory = CardMemory;
    using Driver = Igb<Registers, Memory>;
    static constexpr unsigned left_empty = 1; // descriptors of a ring

    std::map<std::uint32_t, std::uint32_t> registers{{0x5400, 0x56341200}, {0x5404, 0x80009A78}, {0x400, 8}};
    SharedWords memory{Driver::memory_bytes};
    std::vector<Frame> sent;
    bool phy_answers = true, queues_answer = true, sends = true, is_there = true;
    unsigned messages = 0; // that it has sent

    Driver driver() { return {{this}, {&memory}}; }
    void set_link(bool up) { registers[8] = up ? 2 : 0; }
    void go_on() { send(); }
    // As the device receives: false where no descriptor is its own. `status`: what it says of the frame.
    bool receive(const Frame& frame, std::uint64_t status = 3) {
        return give(frame, static_cast<std::uint32_t>(frame.size()), status);
    }
    void lie(std::uint32_t bytes) { ASSERT_TRUE(give({}, bytes, 3)); }

private:
    friend Registers;
    std::uint32_t read(std::uint32_t at) {
        if (!is_there)
            return ~0u;
        if (at == 0x20)
            return registers[at] | (phy_answers ? 1u << 28 : 0);
        if ((at == 0xC028 || at == 0xE028) && !queues_answer)
            return 0;
        return registers[at];
    }
    void write(std::uint32_t at, std::uint32_t value) {
        if (at == 0x1524)
            registers[0x1524] |= value; // which are let through
        else if (at == 0x1528)
            registers[0x1524] &= ~value;
        else
            registers[at] = value;
        if (at == 0xE018 && sends)
            send();
        if (at == 0x1524 && pending_)
            tell();
    }
    bool give(const Frame& frame, std::uint32_t bytes, std::uint64_t status) {
        const std::uint32_t count = registers[0xC008] / 16, head = registers[0xC010];
        if ((registers[0x100] & 2) == 0 || head == registers[0xC018])
            return false;
        memory.put_frame(memory.word(head * 16), frame);
        memory.set_word(head * 16, 0);
        memory.set_word(head * 16 + 8, std::uint64_t{bytes} << 32 | status);
        registers[0xC010] = (head + 1) % count;
        if ((registers[0x1700] & 0x80) != 0)
            tell();
        return true;
    }
    void tell() {
        pending_ = (registers[0x1524] & 1) == 0;
        messages += pending_ ? 0 : 1;
    }
    void send() {
        const std::uint32_t count = registers[0xE008] / 16;
        std::uint32_t& head = registers[0xE010];
        const std::uint32_t ring = registers[0xE000] - static_cast<std::uint32_t>(SharedWords::base);
        for (; head != registers[0xE018]; head = (head + 1) % count) {
            const std::uint64_t command = memory.word(ring + head * 16 + 8);
            // Bits 20 up: data, end of packet, check sequence, report, extended.
            constexpr std::uint64_t whole_frame = 0x2B3;
            if ((command >> 46) == (command & 0xFFFF) && (command >> 20 & 0xFFF) == whole_frame)
                sent.push_back(memory.frame_at(memory.word(ring + head * 16), command & 0xFFFF));
            memory.set_word(ring + head * 16 + 8, command | std::uint64_t{1} << 32);
        }
        if ((registers[0x1700] & 0x8000) != 0)
            tell();
    }
    bool pending_ = false;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Igb, CardSuite, IgbFake);

using IgbTest = CardSuite<IgbFake>;

TEST_F(IgbTest, HearsGroupsOnceItIsToldTo) {
    ASSERT_TRUE(driver.start());
    EXPECT_EQ(card.registers[0x100] & 0x18, 0u); // of groups all, of stations all
    driver.hear_groups();
    EXPECT_EQ(card.registers[0x100] & 0x18, 0x10u);
    EXPECT_EQ(card.registers[0x100] & 0x8002, 0x8002u) << "it receives, and what is for everybody";
}

TEST_F(IgbTest, GivesTheRingAndAsksThePhy) {
    ASSERT_TRUE(driver.start());
    EXPECT_EQ(card.registers[0xC018], IgbFake::Driver::receive_count - 1);
    EXPECT_EQ(card.registers[0x20] >> 16, 0x0420u); // write, PHY 1, register 0
}

TEST_F(IgbTest, GivesUpOnACardThatDoesNotAnswer) {
    card.is_there = false;
    EXPECT_FALSE(driver.start());
    EXPECT_FALSE(driver.has_link());
    card.is_there = true;
    card.phy_answers = false;
    EXPECT_FALSE(driver.start());
    card.phy_answers = true;
    card.queues_answer = false;
    EXPECT_FALSE(driver.start());
}

TEST_F(IgbTest, BadFramesAreErrorsAndPiecesLies) {
    ASSERT_TRUE(driver.start());
    ASSERT_TRUE(card.receive(frame(60, 1), 1)); // not the end of a packet
    ASSERT_TRUE(card.receive(frame(60, 2), 3 | std::uint64_t{1} << 31));
    ASSERT_TRUE(card.receive(frame(60, 3)));
    EXPECT_EQ(poll(), 3u);
    EXPECT_EQ(came, std::vector<Frame>{frame(60, 3)});
    EXPECT_EQ(driver.counters().lies, 1u);
    EXPECT_EQ(driver.counters().errors, 1u);
}

TEST(Messages, AreWrittenMasked) {
    IgbFake table;
    set_message(IgbFake::Registers{&table}, 0x100, 2, 0x1'FEE0'1000, 0x45);
    EXPECT_EQ(table.registers[0x120], 0xFEE01000u);
    EXPECT_EQ(table.registers[0x124], 1u);
    EXPECT_EQ(table.registers[0x128], 0x45u);
    EXPECT_EQ(table.registers[0x12C], 0u);
}

} // namespace
} // namespace drivers::net::test
