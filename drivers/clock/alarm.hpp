// SPDX-License-Identifier: Apache-2.0
// drivers/clock/alarm.hpp - one interrupt after a while: comparator 0 of the HPET, or channel 0 of the PIT.
//
// Both may come early (a longer wait than the hardware counts, the HPET's wrap); whoever is woken looks at the TSC.
// Spec: IA-PC HPET 1.0a sections 2.3.4, 2.3.8 and 2.3.9; Intel 8254 mode 0; Intel 82093AA section 3.2.4.
#pragma once

#include "drivers/seams.hpp"

#include <algorithm>
#include <bit>
#include <optional>

namespace drivers {

// TSC ticks as nanoseconds, a second at most and a little over rather than under.
constexpr std::uint64_t nanoseconds(std::uint64_t ticks, std::uint64_t hertz) {
    return std::min(ticks, hertz) * 1'000'000'000 / hertz + 1000;
}

template <Mmio Registers> class HpetAlarm {
public:
    // The input of the first I/O APIC that comparator 0 can reach, or nothing. Inputs 0 to 2 belong to the 8259s,
    // the keyboard and the PIT on a PC (and Bochs's HPET reaches none of them).
    [[nodiscard]] static std::optional<unsigned> pin(const Registers& hpet) {
        const std::uint32_t reachable = hpet.read32(timer + 4) & ~7u;
        const std::uint64_t period = hpet.read64(0) >> 32;
        if (reachable == 0 || period == 0 || period > femtoseconds_max)
            return std::nullopt;
        return static_cast<unsigned>(std::countr_zero(reachable));
    }
    // One-shot, 32 bits, edge-triggered at that pin; silent until set().
    static void start(const Registers& hpet, unsigned pin) {
        hpet.write32(timer, pin << 9 | only_32_bits);
        hpet.write32(configuration, (hpet.read32(configuration) & ~legacy_routes) | run);
    }
    static void set(const Registers& hpet, std::uint64_t nanoseconds) {
        const std::uint64_t period = hpet.read64(0) >> 32;
        std::uint64_t ticks =
            std::clamp<std::uint64_t>(std::min(nanoseconds, longest) * 1'000'000 / period, 64, 1u << 31);
        hpet.write32(timer, hpet.read32(timer) | interrupt);
        // A comparator that the counter has passed before it was written would wait for the wrap.
        for (bool ahead = false; !ahead && ticks <= 1u << 31; ticks *= 2) {
            const std::uint32_t at = hpet.read32(counter) + static_cast<std::uint32_t>(ticks);
            hpet.write32(comparator, at);
            ahead = static_cast<std::int32_t>(at - hpet.read32(counter)) > 0;
        }
    }
    static void cancel(const Registers& hpet) { hpet.write32(timer, hpet.read32(timer) & ~interrupt); }

private:
    static constexpr std::uint32_t configuration = 0x10, counter = 0xf0, timer = 0x100, comparator = 0x108;
    static constexpr std::uint32_t run = 1, legacy_routes = 2, interrupt = 1u << 2, only_32_bits = 1u << 8;
    static constexpr std::uint64_t femtoseconds_max = 100'000'000, longest = 1'000'000'000;
};

template <PortIo Io> class PitAlarm {
public:
    static constexpr unsigned pin = 2; // where ISA interrupt 0 arrives by every MADT seen
    // Mode 0 without a count: the output is low and stays so. Also ends what firmware had running.
    static void cancel(Io io) { io.out8(mode_port, one_shot_both_bytes); }
    static void set(Io io, std::uint64_t nanoseconds) {
        constexpr std::uint64_t hertz = 1'193'182, longest = 50'000'000;
        const std::uint64_t ticks =
            std::max<std::uint64_t>(std::min(nanoseconds, longest) * hertz / 1'000'000'000, 16);
        cancel(io);
        io.out8(channel0, static_cast<std::uint8_t>(ticks));
        io.out8(channel0, static_cast<std::uint8_t>(ticks >> 8));
    }

private:
    static constexpr std::uint16_t channel0 = 0x40, mode_port = 0x43;
    static constexpr std::uint8_t one_shot_both_bytes = 0x30;
};

// An I/O APIC's input, unmasked by the low half: the high half first.
template <Mmio Registers> void route(const Registers& io_apic, unsigned pin, std::uint64_t redirection) {
    constexpr std::uint32_t select = 0, window = 0x10, first_entry = 0x10;
    io_apic.write32(select, first_entry + 2 * pin + 1);
    io_apic.write32(window, static_cast<std::uint32_t>(redirection >> 32));
    io_apic.write32(select, first_entry + 2 * pin);
    io_apic.write32(window, static_cast<std::uint32_t>(redirection));
}

} // namespace drivers
