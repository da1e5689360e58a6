// SPDX-License-Identifier: Apache-2.0
#include "partitions/drivers/net/e1000e.hpp"

#include "partitions/drivers/net/card_suite_test.hpp"

#include <map>

namespace drivers::net::test {
namespace {

// An 82574 as its registers and rings show it.
struct E1000eFake {
    struct Registers {
        E1000eFake* card;
        [[nodiscard]] std::uint32_t read32(std::uint32_t at) const {
            return card->is_there ? card->registers[at] : ~0u;
        }
        [[nodiscard]] std::uint64_t read64(std::uint32_t at) const { return read32(at); }
        void write32(std::uint32_t at, std::uint32_t value) const { card->write(at, value); }
        void write64(std::uint32_t, std::uint64_t) const { ADD_FAILURE(); }
    };
    using Memory = CardMemory;
    using Driver = E1000e<Registers, Memory>;
    static constexpr unsigned left_empty = 1; // descriptors of a ring

    std::map<std::uint32_t, std::uint32_t> registers{{0x5400, 0x56341200}, {0x5404, 0x80009A78}};
    SharedWords memory{Driver::memory_bytes};
    std::vector<Frame> sent;
    bool sends = true, is_there = true;
    unsigned messages = 0;

    Driver driver() { return {{this}, {&memory}}; }
    void set_link(bool up) { registers[8] = up ? 2 : 0; }
    void go_on() { send(); }

    bool receive(const Frame& frame, std::uint64_t status = 3, std::uint64_t errors = 0) {
        return give(frame, static_cast<std::uint32_t>(frame.size()), status, errors);
    }
    void lie(std::uint32_t bytes) { ASSERT_TRUE(give({}, bytes, 3, 0)); }

private:
    friend Registers;
    void write(std::uint32_t at, std::uint32_t value) {
        if (at == 0xD0) {
            mask_ |= value;
            tell();
        } else if (at == 0xD8) {
            mask_ &= ~value;
        } else {
            registers[at] = value;
        }
        if (at == 0x3818 && sends)
            send();
    }
    bool give(const Frame& frame, std::uint32_t bytes, std::uint64_t status, std::uint64_t errors) {
        const std::uint32_t count = registers[0x2808] / 16, head = registers[0x2810];
        if ((registers[0x100] & 2) == 0 || head == registers[0x2818])
            return false;
        memory.put_frame(memory.word(head * 16), frame);
        memory.set_word(head * 16 + 8, errors << 40 | status << 32 | bytes);
        registers[0x2810] = (head + 1) % count;
        causes_ |= 1u << 20;
        tell();
        return true;
    }
    // Causes that a valid vector is for and that are let through; they clear themselves where that was asked for.
    void tell() {
        const std::uint32_t told = causes_ & mask_ & registers[0xDC];
        const bool valid = (registers[0xE4] & 0x80808) == 0x80808;
        messages += told != 0 && valid ? 1 : 0;
        causes_ &= ~told;
    }
    void send() {
        const std::uint32_t count = registers[0x3808] / 16;
        std::uint32_t& head = registers[0x3810];
        const std::uint32_t ring = registers[0x3800] - static_cast<std::uint32_t>(SharedWords::base);
        if (head == registers[0x3818])
            return;
        for (; head != registers[0x3818]; head = (head + 1) % count) {
            const std::uint64_t command = memory.word(ring + head * 16 + 8);
            if ((command >> 16) == 0xB00) // end of packet, check sequence, report
                sent.push_back(memory.frame_at(memory.word(ring + head * 16), command & 0xFFFF));
            memory.set_word(ring + head * 16 + 8, command | std::uint64_t{1} << 32);
        }
        causes_ |= 1u << 22;
        tell();
    }
    std::uint32_t mask_ = 0, causes_ = 0;
};

INSTANTIATE_TYPED_TEST_SUITE_P(E1000e, CardSuite, E1000eFake);

using E1000eTest = CardSuite<E1000eFake>;

TEST_F(E1000eTest, HearsGroupsOnceItIsToldTo) {
    ASSERT_TRUE(driver.start());
    EXPECT_EQ(card.registers[0x100] & 0x18, 0u); // of groups all, of stations all
    driver.hear_groups();
    EXPECT_EQ(card.registers[0x100] & 0x18, 0x10u);
    EXPECT_EQ(card.registers[0x100] & 0x8002, 0x8002u) << "it receives, and what is for everybody";
}

TEST_F(E1000eTest, GivesUpOnACardThatIsNotThere) {
    card.is_there = false;
    EXPECT_FALSE(driver.start());
    EXPECT_FALSE(driver.has_link());
}

TEST_F(E1000eTest, BadFramesAreErrorsAndPiecesLies) {
    ASSERT_TRUE(driver.start());
    ASSERT_TRUE(card.receive(frame(60, 1), 1));
    for (const std::uint64_t error : {0x01u, 0x02u, 0x04u, 0x10u, 0x80u})
        ASSERT_TRUE(card.receive(frame(60, 2), 3, error));
    ASSERT_TRUE(card.receive(frame(60, 3), 3, 0x60)); // the sums of what is in it, which are made again
    EXPECT_EQ(poll(), 7u);
    EXPECT_EQ(driver.counters().lies, 1u);
    EXPECT_EQ(driver.counters().errors, 5u);
    EXPECT_EQ(came, std::vector<Frame>{frame(60, 3)});
}

} // namespace
} // namespace drivers::net::test
