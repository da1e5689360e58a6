// SPDX-License-Identifier: Apache-2.0
// drivers/clock/counters.hpp - HPET and PIT at boot: counters of known frequency (measure.hpp), found fit and set up for the
// interrupts of clock.hpp; the I/O APIC's input that they arrive at.
//
// Spec: IA-PC HPET 1.0a section 2.3; Intel 8254 counter latch; Intel 82093AA section 3.2.4.
#pragma once

#include "drivers/clock/clock.hpp"

#include <bit>
#include <optional>

namespace drivers {

template <Mmio Registers> class HpetCounter : public Hpet<Registers> {
public:
    using Hpet<Registers>::Hpet;

    // Lets the main counter run.
    void run() const { registers_.write64(configuration, registers_.read64(configuration) | running); }
    [[nodiscard]] std::uint32_t read() const { return registers_.read32(counter); }
    [[nodiscard]] static constexpr std::uint32_t mask() { return UINT32_MAX; }
    // The input of the first I/O APIC that comparator 0 can reach, or nothing. Inputs 0 to 4 belong to the 8259s,
    // the keyboard, the PIT and the serial lines on a PC (and Bochs's HPET reaches none of them).
    [[nodiscard]] std::optional<unsigned> pin() const {
        const std::uint32_t reachable = registers_.read32(timer + 4) & ~0x1Fu;
        if (reachable == 0 || this->femtoseconds() == 0)
            return std::nullopt;
        return static_cast<unsigned>(std::countr_zero(reachable));
    }
    // One-shot, 32 bits, edge-triggered at that pin; silent until set().
    void start(unsigned pin) const {
        registers_.write32(timer, pin << 9 | only_32_bits);
        registers_.write32(configuration, (registers_.read32(configuration) & ~legacy_routes) | running);
    }

private:
    using Base = Hpet<Registers>;
    using Base::registers_, Base::counter, Base::timer;
    static constexpr std::uint32_t configuration = 0x10, running = 1, legacy_routes = 2,
                                   only_32_bits = 1u << 8;
};
template <Mmio Registers> HpetCounter(Registers) -> HpetCounter<Registers>;

inline constexpr unsigned pit_pin = 2; // where ISA interrupt 0 arrives by every MADT seen

template <PortIo Io> class PitCounter : public Pit<Io> {
public:
    using Pit<Io>::Pit;

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
        this->cancel();
        return moved;
    }

private:
    using Base = Pit<Io>;
    using Base::io_, Base::channel0, Base::mode_port, Base::one_shot0, Base::hertz, Base::load;
    static constexpr std::uint16_t channel2 = 0x42;

    // How far a channel has counted down from its largest count.
    [[nodiscard]] std::uint32_t latched(unsigned channel) const {
        io_.out8(mode_port, static_cast<std::uint8_t>(channel << 6));
        const auto port = static_cast<std::uint16_t>(channel0 + channel);
        const std::uint32_t low = io_.in8(port), high = io_.in8(port);
        return 0xffff - (high << 8 | low);
    }
};
template <PortIo Io> PitCounter(Io) -> PitCounter<Io>;

// An I/O APIC's input, unmasked by the low half: the high half first.
template <Mmio Registers> void route(const Registers& io_apic, unsigned pin, std::uint64_t redirection) {
    constexpr std::uint32_t select = 0, window = 0x10, first_entry = 0x10;
    io_apic.write32(select, first_entry + 2 * pin + 1);
    io_apic.write32(window, static_cast<std::uint32_t>(redirection >> 32));
    io_apic.write32(select, first_entry + 2 * pin);
    io_apic.write32(window, static_cast<std::uint32_t>(redirection));
}

} // namespace drivers
