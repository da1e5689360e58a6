// SPDX-License-Identifier: Apache-2.0
// drivers/pci/function.hpp - one function that a partition owns: switched on, quieted, reset and put back as boot found it.
//
// Trust:      the device is its former owner's: what it says only ends a wait.
// Spec: PCI Express 5.0 sections 7.5.1.1 "Type 0/1 Common Configuration Space", 7.5.3.5 "Device Status Register", 7.7.2.2 "Message
// Control Register for MSI-X".
#pragma once

#include "drivers/seams.hpp"
#include "drivers/store.hpp"

#include <array>

namespace drivers {

// What boot found (keep.hpp).
struct KeptFunction {
    std::uint32_t identity = 0;
    std::array<std::uint32_t, 7> header{}; // cache line size, then the BARs
    std::uint8_t express = 0, msix = 0;    // the capabilities' offsets; 0: none
    std::uint32_t control = 0;             // of PCI Express: payload and request sizes
    Store reset;                           // starts one, which is over when
    std::uint32_t until_clear = 0;         // these bits of the register are 0
};

template <Mmio Registers> class OwnedFunction {
public:
    static constexpr std::uint32_t reset_ms = 100; // what a function may take after a function level reset

    // `registers`: the function's own 4 KiB of configuration space.
    OwnedFunction(Registers registers, const KeptFunction& kept) : at_(registers), kept_(kept) {}

    // Starts no DMA any more, and its registers answer.
    void quiet() const {
        at_.write32(command, memory_space | no_intx);
        (void)at_.read32(command); // all it sent before is on its way
    }
    // Whether requests of it are still to be answered.
    [[nodiscard]] bool is_busy() const {
        return kept_.express != 0 && (at_.read32(kept_.express + device_control) >> 21 & 1) != 0;
    }
    // Takes up to reset_ms, in which nobody may touch it.
    template <typename Io> void start_reset(Io io) const { play(io, kept_.reset); }
    template <typename Io> [[nodiscard]] bool answers(Io io) const {
        const std::uint64_t at = kept_.reset.at;
        return at_.read32(0) == kept_.identity &&
               ((kept_.reset.bytes == 1 ? io.load8(at) : io.load32(at)) & kept_.until_clear) == 0;
    }
    // As boot found it: BARs where they were, nothing switched on. False: it does not keep them.
    [[nodiscard]] bool put_back() const {
        at_.write32(command, no_intx);
        for (std::uint32_t i = 0; i < kept_.header.size(); ++i)
            at_.write32(cache_line + 4 * i, kept_.header[i]);
        if (kept_.express != 0)
            at_.write32(kept_.express + device_control, kept_.control);
        bool same = true;
        for (std::uint32_t i = 1; i < kept_.header.size(); ++i)
            same = same && at_.read32(cache_line + 4 * i) == kept_.header[i];
        return same;
    }
    // Its owner's: registers answer, DMA and MSI-X are on.
    void switch_on() const {
        if (kept_.msix != 0)
            at_.write32(kept_.msix, std::uint32_t{1} << 31);
        at_.write32(command, memory_space | bus_master | no_intx);
    }

    static constexpr std::uint32_t command = 4, cache_line = 0xc, device_control = 8;

private:
    static constexpr std::uint32_t memory_space = 2, bus_master = 4, no_intx = 1u << 10;

    Registers at_;
    const KeptFunction& kept_;
};

} // namespace drivers
