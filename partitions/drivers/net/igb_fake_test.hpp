// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/igb_fake_test.hpp - an 82576 as its registers and rings show it, for tests.
#pragma once

#include "partitions/drivers/net/igb.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

namespace drivers::net::test {

struct IgbFake {
    static constexpr std::uint64_t address = 0x1234'5000;

    std::map<std::uint32_t, std::uint32_t> registers{{0x5400, 0x56341200}, {0x5404, 0x80009A78}, {0x400, 8}};
    std::vector<std::byte> memory = std::vector<std::byte>(300 * 2048);
    std::vector<std::vector<std::byte>> sent;
    bool phy_answers = true, queues_answer = true, sends = true, is_there = true;
    unsigned messages = 0; // that it has sent

    [[nodiscard]] std::uint32_t read(std::uint32_t at) {
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

    [[nodiscard]] std::uint64_t word(std::uint32_t at) const {
        std::uint64_t value = 0;
        std::memcpy(&value, memory.data() + at, sizeof(value));
        return value;
    }
    void set_word(std::uint32_t at, std::uint64_t value) {
        std::memcpy(memory.data() + at, &value, sizeof(value));
    }

    // As the device receives: false where no descriptor is its own. `word`: what it says of it.
    bool receive(const std::vector<std::byte>& frame, std::uint64_t status = 3) {
        const std::uint32_t count = registers[0xC008] / 16, head = registers[0xC010];
        if ((registers[0x100] & 2) == 0 || head == registers[0xC018])
            return false;
        const std::uint64_t buffer = word(head * 16) - address;
        std::copy(frame.begin(), frame.end(), memory.begin() + static_cast<std::ptrdiff_t>(buffer));
        set_word(head * 16, 0);
        set_word(head * 16 + 8, std::uint64_t{frame.size()} << 32 | status);
        registers[0xC010] = (head + 1) % count;
        if ((registers[0x1700] & 0x80) != 0)
            tell();
        return true;
    }

private:
    void tell() {
        pending_ = (registers[0x1524] & 1) == 0;
        messages += pending_ ? 0 : 1;
    }
    void send() {
        const std::uint32_t count = registers[0xE008] / 16;
        std::uint32_t& head = registers[0xE010];
        const std::uint32_t ring = registers[0xE000] - static_cast<std::uint32_t>(address);
        for (; head != registers[0xE018]; head = (head + 1) % count) {
            const std::uint64_t buffer = word(ring + head * 16) - address,
                                command = word(ring + head * 16 + 8);
            const std::byte* from = memory.data() + buffer;
            constexpr std::uint64_t whole_frame =
                0x2B3; // bits 20 up: data, end of packet, check sequence, report, extended
            if ((command >> 46) == (command & 0xFFFF) && (command >> 20 & 0xFFF) == whole_frame)
                sent.emplace_back(from, from + (command & 0xFFFF));
            set_word(ring + head * 16 + 8, command | std::uint64_t{1} << 32);
        }
        if ((registers[0x1700] & 0x8000) != 0)
            tell();
    }
    bool pending_ = false;
};

struct FakeRegisters {
    IgbFake* card;
    [[nodiscard]] std::uint32_t read32(std::uint32_t at) const { return card->read(at); }
    [[nodiscard]] std::uint64_t read64(std::uint32_t at) const { return card->read(at); }
    void write32(std::uint32_t at, std::uint32_t value) const { card->write(at, value); }
    void write64(std::uint32_t at, std::uint64_t value) const {
        card->write(at, static_cast<std::uint32_t>(value));
    }
};
struct FakeMemory {
    IgbFake* card;
    [[nodiscard]] std::uint64_t address() const { return IgbFake::address; }
    [[nodiscard]] std::uint64_t load64(std::uint32_t at) const { return card->word(at); }
    void store64(std::uint32_t at, std::uint64_t value) const { card->set_word(at, value); }
    [[nodiscard]] std::span<std::byte> bytes(std::uint32_t at, std::uint32_t count) const {
        return std::span{card->memory}.subspan(at, count);
    }
};
using Driver = Igb<FakeRegisters, FakeMemory>;

} // namespace drivers::net::test
