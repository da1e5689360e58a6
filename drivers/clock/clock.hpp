// SPDX-License-Identifier: Apache-2.0
// drivers/clock/clock.hpp - HPET and PIT: counters of known frequency (drivers/clock/measure.hpp), and one
// interrupt after a while by comparator 0 of the HPET or channel 0 of the PIT.
//
// Both interrupts may come early (a longer wait than the hardware counts, the HPET's wrap); whoever is woken looks at the TSC.
// Spec: IA-PC HPET 1.0a sections 2.3, 2.3.4, 2.3.8 and 2.3.9; Intel 8254
// mode 0 and counter latch; Intel 82093AA section
// 3.2.4.
#pragma once

#include "drivers/seams.hpp"

#include <algorithm>
#include <bit>
#include <optional>

namespace drivers {

template <Mmio Registers> class Hpet {
public:
    explicit constexpr Hpet(Registers registers) : registers_(registers) {}

    // Lets the main counter run.
    void run() const { registers_.write64(configuration, registers_.read64(configuration) | running); }
    [[nodiscard]] std::uint32_t read() const { return registers_.read32(counter); }
    [[nodiscard]] static constexpr std::uint32_t mask() { return UINT32_MAX; }
    // Of a tick, or 0 where the block says something impossible.
    [[nodiscard]] std::uint64_t femtoseconds() const {
        const std::uint64_t value = registers_.read64(0) >> 32;
        return value <= 100'000'000 ? value : 0;
    }
    // The input of the first I/O APIC that comparator 0 can reach, or nothing. Inputs 0 to 2 belong to the 8259s,
    // the keyboard and the PIT on a PC (and Bochs's HPET reaches none of them).
    [[nodiscard]] std::optional<unsigned> pin() const {
        const std::uint32_t reachable = registers_.read32(timer + 4) & ~7u;
        if (reachable == 0 || femtoseconds() == 0)
            return std::nullopt;
        return static_cast<unsigned>(std::countr_zero(reachable));
    }
    // One-shot, 32 bits, edge-triggered at that pin; silent until set().
    void start(unsigned pin) const {
        registers_.write32(timer, pin << 9 | only_32_bits);
        registers_.write32(configuration, (registers_.read32(configuration) & ~legacy_routes) | running);
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

private:
    static constexpr std::uint32_t configuration = 0x10, counter = 0xf0, timer = 0x100, comparator = 0x108;
    static constexpr std::uint32_t running = 1, legacy_routes = 2, interrupt = 1u << 2,
                                   only_32_bits = 1u << 8;

    Registers registers_;
};

template <PortIo Io> class Pit {
public:
    static constexpr unsigned pin = 2; // where ISA interrupt 0 arrives by every MADT seen

    explicit constexpr Pit(Io io) : io_(io) {}

    // Lets channel 2 count, silently; read() then counts up.
    void run() {
        constexpr std::uint16_t gate_port = 0x61;
        constexpr std::uint8_t gate = 1, speaker = 2, one_shot2 = 0xb0;
        io_.out8(gate_port, static_cast<std::uint8_t>((io_.in8(gate_port) & ~speaker) | gate));
        load(one_shot2, channel2, 0xffff);
    }
    [[nodiscard]] std::uint32_t read() const { return latched(2); }
    [[nodiscard]] static constexpr std::uint32_t mask() { return 0xffff; }
    [[nodiscard]] static constexpr std::uint64_t femtoseconds() { return 1'000'000'000'000'000 / hertz; }
    // Whether channel 0, the one that interrupts, counts.
    [[nodiscard]] bool counts() {
        constexpr unsigned patience = 100'000;
        load(one_shot0, channel0, 0xffff);
        const std::uint32_t first = latched(0);
        bool moved = false;
        for (unsigned i = 0; i < patience && !moved; ++i)
            moved = latched(0) != first;
        cancel();
        return moved;
    }
    void set(std::uint64_t nanoseconds) {
        constexpr std::uint64_t longest = 50'000'000, least = 16;
        load(one_shot0, channel0, std::max(std::min(nanoseconds, longest) * hertz / 1'000'000'000, least));
    }
    // Mode 0 without a count: the output is low and stays so. Also ends what firmware had running.
    void cancel() { io_.out8(mode_port, one_shot0); }

private:
    static constexpr std::uint16_t channel0 = 0x40, channel2 = 0x42, mode_port = 0x43;
    static constexpr std::uint8_t one_shot0 = 0x30; // both bytes of the count
    static constexpr std::uint64_t hertz = 1'193'182;

    // How far a channel has counted down from its largest count.
    [[nodiscard]] std::uint32_t latched(unsigned channel) const {
        io_.out8(mode_port, static_cast<std::uint8_t>(channel << 6));
        const auto port = static_cast<std::uint16_t>(channel0 + channel);
        const std::uint32_t low = io_.in8(port), high = io_.in8(port);
        return 0xffff - (high << 8 | low);
    }
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

// An I/O APIC's input, unmasked by the low half: the high half first.
template <Mmio Registers> void route(const Registers& io_apic, unsigned pin, std::uint64_t redirection) {
    constexpr std::uint32_t select = 0, window = 0x10, first_entry = 0x10;
    io_apic.write32(select, first_entry + 2 * pin + 1);
    io_apic.write32(window, static_cast<std::uint32_t>(redirection >> 32));
    io_apic.write32(select, first_entry + 2 * pin);
    io_apic.write32(window, static_cast<std::uint32_t>(redirection));
}

} // namespace drivers
