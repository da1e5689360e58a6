// SPDX-License-Identifier: Apache-2.0
// drivers/clock/clock.hpp - HPET and PIT: one interrupt after a while, by comparator 0 of the HPET or channel 0 of the PIT, as
// boot set them up (counters.hpp).
//
// Both interrupts may come early (a longer wait than the hardware counts, the HPET's wrap); whoever is woken looks at the TSC.
// Spec: IA-PC HPET 1.0a sections 2.3, 2.3.4, 2.3.8 and 2.3.9; Intel 8254 mode 0.
#pragma once

#include "drivers/seams.hpp"

#include <algorithm>

namespace drivers {

template <Mmio Registers> class Hpet {
public:
    explicit constexpr Hpet(Registers registers) : registers_(registers) {}

    // Of a tick, or 0 where the block says something impossible.
    [[nodiscard]] std::uint64_t femtoseconds() const {
        const std::uint64_t value = registers_.read64(0) >> 32;
        return value <= 100'000'000 ? value : 0;
    }
    void set(std::uint64_t nanoseconds) const {
        constexpr std::uint64_t longest = 1'000'000'000;
        std::uint64_t ticks = std::clamp<std::uint64_t>(
            std::min(nanoseconds, longest) * 1'000'000 / femtoseconds(), 64, 1u << 31);
        registers_.write32(timer, registers_.read32(timer) | interrupt);
        // A comparator that the counter has passed before it was written would wait for the wrap.
        for (bool ahead = false; !ahead && ticks <= 1u << 31; ticks *= 2) {
            const std::uint32_t at = registers_.read32(counter) + static_cast<std::uint32_t>(ticks);
            registers_.write32(comparator, at);
            ahead = static_cast<std::int32_t>(at - registers_.read32(counter)) > 0;
        }
    }
    void cancel() const { registers_.write32(timer, registers_.read32(timer) & ~interrupt); }

protected:
    static constexpr std::uint32_t counter = 0xf0, timer = 0x100, comparator = 0x108;
    static constexpr std::uint32_t interrupt = 1u << 2;

    Registers registers_;
};

template <PortIo Io> class Pit {
public:
    explicit constexpr Pit(Io io) : io_(io) {}

    void set(std::uint64_t nanoseconds) {
        constexpr std::uint64_t longest = 50'000'000, least = 16;
        load(one_shot0, channel0, std::max(std::min(nanoseconds, longest) * hertz / 1'000'000'000, least));
    }
    // Mode 0 without a count: the output is low and stays so. Also ends what firmware had running.
    void cancel() { io_.out8(mode_port, one_shot0); }

protected:
    static constexpr std::uint16_t channel0 = 0x40, mode_port = 0x43;
    static constexpr std::uint8_t one_shot0 = 0x30; // both bytes of the count
    static constexpr std::uint64_t hertz = 1'193'182;

    void load(std::uint8_t mode, std::uint16_t channel, std::uint64_t ticks) {
        io_.out8(mode_port, mode);
        io_.out8(channel, static_cast<std::uint8_t>(ticks));
        io_.out8(channel, static_cast<std::uint8_t>(ticks >> 8));
    }

    [[no_unique_address]] mutable Io io_;
};

// TSC ticks as nanoseconds, a second at most and a little over rather than under.
constexpr std::uint64_t nanoseconds(std::uint64_t ticks, std::uint64_t hertz) {
    return std::min(ticks, hertz) * 1'000'000'000 / hertz + 1000;
}

} // namespace drivers
