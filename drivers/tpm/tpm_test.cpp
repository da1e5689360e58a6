// SPDX-License-Identifier: Apache-2.0
// Commands byte for byte as part 3 of the library specification has them; both interfaces against models of a TPM that answers,
// is slow, lies about lengths or says nothing.
#include "drivers/tpm/interface.hpp"

#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace drivers::tpm;
using Bytes = std::vector<std::uint8_t>;

Bytes of(std::span<const std::uint8_t> bytes) {
    return {bytes.begin(), bytes.end()};
}
// A response: tag, size, code, then what follows.
Bytes response(std::uint32_t code, const Bytes& rest = {}) {
    Bytes out{0x80, 0x02, 0, 0, 0, static_cast<std::uint8_t>(10 + rest.size())};
    for (int i = 3; i >= 0; --i)
        out.push_back(static_cast<std::uint8_t>(code >> 8 * i));
    out.insert(out.end(), rest.begin(), rest.end());
    return out;
}

// Registers of a TPM of either interface. What it does wrong is chosen by the test.
struct Device {
    bool crb = false, silent = false, never_ready = false, no_locality = false, dead_burst = false,
         fails = false, stays_expecting = false;
    Bytes answer = response(0);
    Bytes received;
    std::size_t sent = 0;
    std::uint8_t status = 0;
    bool running = false, cancelled = false, released = false;
    std::uint32_t declared_size = 0xF80;
    std::uint64_t buffer = locality_0 + 0x80;
    std::uint64_t reads = 0;

    std::uint8_t load8(std::uint64_t address) {
        ++reads;
        const std::uint64_t at = address - locality_0;
        if (at == 0x00)
            return no_locality ? 0x80 : 0xA0;
        if (at == 0x18)
            return never_ready ? 0 : static_cast<std::uint8_t>(0x80 | status | (stays_expecting ? 8 : 0));
        if (at == 0x19)
            return dead_burst ? 0 : 8;
        if (at == 0x24 || (crb && at >= 0x80)) {
            const std::size_t index = crb ? at - 0x80 : sent++;
            if (!crb && sent >= answer.size())
                status = static_cast<std::uint8_t>(status & ~0x10); // no more data
            return index < answer.size() ? answer[index] : 0xff;
        }
        return 0;
    }
    void store8(std::uint64_t address, std::uint8_t value) {
        const std::uint64_t at = address - locality_0;
        if (at == 0x00 && value == 0x20)
            released = true;
        if (at == 0x18 && value == 0x40)
            status = 0x40;
        if (at == 0x18 && value == 0x20 && !silent)
            status = 0x10;
        if (at == 0x24 || (crb && at >= 0x80))
            received.push_back(value);
    }
    std::uint32_t load32(std::uint64_t address) {
        ++reads;
        switch (address - locality_0) {
        case 0x00:
            return no_locality ? 0 : 0x82;
        case 0x30:
            return crb ? 0x1 : 0xFFFFFFFF;
        case 0x40:
            return never_ready ? 1 : 0;
        case 0x44:
            return fails ? 1 : 0;
        case 0x4C:
            return silent ? 1 : 0;
        case 0x58:
            return declared_size;
        case 0x5C:
        case 0x68:
            return static_cast<std::uint32_t>(buffer);
        case 0x60:
        case 0x6C:
            return static_cast<std::uint32_t>(buffer >> 32);
        default:
            return 0;
        }
    }
    void store32(std::uint64_t address, std::uint32_t value) {
        if (address - locality_0 == 0x48 && value == 1)
            cancelled = true;
    }
};

struct Io {
    std::shared_ptr<Device> device;
    static std::uint8_t in8(std::uint16_t) { return 0xff; }
    static std::uint16_t in16(std::uint16_t) { return 0xffff; }
    static std::uint32_t in32(std::uint16_t) { return 0xffffffff; }
    static void out8(std::uint16_t, std::uint8_t) {}
    static void out16(std::uint16_t, std::uint16_t) {}
    static void out32(std::uint16_t, std::uint32_t) {}
    std::uint8_t load8(std::uint64_t at) const { return device->load8(at); }
    std::uint32_t load32(std::uint64_t at) const { return device->load32(at); }
    void store8(std::uint64_t at, std::uint8_t value) const { device->store8(at, value); }
    void store32(std::uint64_t at, std::uint32_t value) const { device->store32(at, value); }
};
// Passes after as many looks as milliseconds.
struct Looks {
    std::uint64_t left;
    bool passed() { return left-- == 0; }
};
constexpr auto looks = [](std::uint64_t milliseconds) { return Looks{milliseconds}; };

struct Case {
    std::shared_ptr<Device> device = std::make_shared<Device>();
    Bytes exchange() {
        Interface<Io, decltype(looks)> tpm(Io{device}, looks, 0);
        EXPECT_EQ(tpm.is_crb(), device->crb);
        return of(tpm.exchange(startup().view()).view());
    }
};

TEST(Command, AsTheSpecificationHasThem) {
    EXPECT_EQ(of(startup().view()), (Bytes{0x80, 0x01, 0, 0, 0, 12, 0, 0, 0x01, 0x44, 0, 0}));
    const Bytes event{'a', 'b', 'c'};
    EXPECT_EQ(of(pcr_event(11, event).view()),
              (Bytes{0x80, 0x02, 0,    0, 0, 32, 0, 0, 0x01, 0x3C, 0, 0, 0, 11,  0,   0,
                     0,    9,    0x40, 0, 0, 9,  0, 0, 0,    0,    0, 0, 3, 'a', 'b', 'c'}));
    const Bytes largest(most_event_bytes, 'x');
    EXPECT_EQ(pcr_event(11, largest).size(), 29 + most_event_bytes);
}

TEST(Response, DigestsOfEveryBank) {
    Bytes rest{0, 0, 0, 0, 0, 0, 0, 2, 0, 0x0B};
    rest.insert(rest.end(), 32, 0x22);
    rest.insert(rest.end(), {0, 0x04});
    rest.insert(rest.end(), 20, 0x11);
    const auto digests = digests_of(response(0, rest));
    ASSERT_TRUE(digests);
    ASSERT_EQ(digests->size(), 2u);
    EXPECT_EQ((*digests)[0].bank, Bank::sha256);
    EXPECT_EQ(of((*digests)[0].view()), Bytes(32, 0x22));
    EXPECT_EQ((*digests)[1].bank, Bank::sha1);
    for (std::size_t cut = 0; cut < rest.size(); ++cut)
        EXPECT_FALSE(digests_of(response(0, {rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(cut)})))
            << cut;
    rest[9] = 0x77; // a hash that nobody knows
    EXPECT_FALSE(digests_of(response(0, rest)));
    EXPECT_FALSE(digests_of(response(0, {0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff})));
    EXPECT_FALSE(digests_of(response(0x101)));
    EXPECT_EQ(code_of(response(already_started)), already_started);
    Bytes wrong = response(0);
    wrong.push_back(0);
    EXPECT_FALSE(code_of(wrong));
}

TEST(Interface, BothCarryCommandAndResponse) {
    for (const bool crb : {false, true}) {
        Case with;
        with.device->crb = crb;
        with.device->answer = response(already_started, Bytes(50, 7));
        EXPECT_EQ(with.exchange(), with.device->answer) << crb;
        EXPECT_EQ(with.device->received, of(startup().view()));
        EXPECT_EQ(with.device->released, !crb);
        EXPECT_FALSE(with.device->cancelled);
    }
}

TEST(Interface, WhatDoesNotAnswerIsGivenUpInTime) {
    for (const bool crb : {false, true})
        for (const auto wrong : {&Device::silent, &Device::never_ready, &Device::no_locality,
                                 &Device::dead_burst, &Device::fails, &Device::stays_expecting}) {
            const bool of_fifo = wrong == &Device::dead_burst || wrong == &Device::stays_expecting;
            if (of_fifo == crb && (of_fifo || wrong == &Device::fails))
                continue;
            if (wrong == &Device::fails && !crb)
                continue;
            Case with;
            with.device->crb = crb;
            (*with.device).*wrong = true;
            EXPECT_TRUE(with.exchange().empty()) << crb;
            EXPECT_LT(with.device->reads, 3 * (register_ms + command_ms)) << crb;
            EXPECT_EQ(with.device->cancelled, crb && wrong == &Device::silent);
        }
}

TEST(Interface, LengthsThatLieAreNotFollowed) {
    for (const bool crb : {false, true})
        for (const std::uint32_t size : {0u, 9u, 1025u, 0xFFFFFFFFu}) {
            Case with;
            with.device->crb = crb;
            for (std::size_t i = 0; i < 4; ++i)
                with.device->answer[2 + i] = static_cast<std::uint8_t>(size >> 8 * (3 - i));
            const Bytes got = with.exchange();
            EXPECT_TRUE(got.empty() || !code_of(got)) << crb << ' ' << size;
        }
    Case elsewhere; // a buffer outside the device's own page would be memory
    elsewhere.device->crb = true;
    elsewhere.device->buffer = 0x100000;
    EXPECT_TRUE(elsewhere.exchange().empty());
    EXPECT_TRUE(elsewhere.device->received.empty());
    Case small;
    small.device->crb = true;
    small.device->declared_size = 11;
    EXPECT_TRUE(small.exchange().empty());
}

} // namespace
