// SPDX-License-Identifier: Apache-2.0
// drivers/pci/function.hpp - one function that a partition owns: switched on, quieted, reset and put back as boot found it.
//
// Trust:      the device is its former owner's: what it says only ends a wait.
// Spec: PCI Express 5.0 sections 6.6.2 "Function Level Reset (FLR)", 7.5.1.1 "Type 0/1 Common Configuration Space", 7.5.3.5
// "Device Status Register", 7.7.2.2 "Message Control Register for MSI-X"; PCI Advanced Features ECN.
#pragma once

#include "drivers/seams.hpp"
#include "hypervisor/core/pci/function.hpp"

#include <array>

namespace drivers {

template <Mmio Registers> class OwnedFunction {
public:
    static constexpr std::uint32_t reset_ms = 100; // what a function may take after a function level reset

    struct Kept {                              // what boot found
        std::array<std::uint32_t, 7> header{}; // cache line size, then the BARs
        std::uint32_t control = 0;             // of PCI Express: payload and request sizes
    };

    // `registers`: the function's own 4 KiB of configuration space.
    OwnedFunction(Registers registers, const pci::Function& function) : at_(registers), function_(function) {}

    [[nodiscard]] Kept keep() const {
        Kept kept;
        for (std::uint32_t i = 0; i < kept.header.size(); ++i)
            kept.header[i] = at_.read32(cache_line + 4 * i);
        kept.control = function_.express != 0 ? at_.read32(function_.express + device_control) & 0xffff : 0;
        return kept;
    }
    // Starts no DMA any more, and its registers answer.
    void quiet() const {
        at_.write32(command, memory_space | no_intx);
        (void)at_.read32(command); // all it sent before is on its way
    }
    // Whether requests of it are still to be answered.
    [[nodiscard]] bool is_busy() const {
        return function_.express != 0 && (at_.read32(function_.express + device_control) >> 21 & 1) != 0;
    }
    // Takes up to reset_ms, in which nobody may touch it.
    void start_reset() const {
        if (function_.reset == pci::Reset::express)
            at_.write32(function_.express + device_control,
                        (at_.read32(function_.express + device_control) & 0xffff) | reset_bit);
        else if (function_.reset == pci::Reset::advanced_features)
            at_.write32(function_.features + features_control, 1);
    }
    [[nodiscard]] bool answers() const {
        const std::uint32_t identity = at_.read32(0);
        return (identity & 0xffff) == function_.vendor && identity >> 16 == function_.device;
    }
    // As boot found it: BARs where they were, nothing switched on. False: it does not keep them.
    [[nodiscard]] bool put_back(const Kept& kept) const {
        at_.write32(command, no_intx);
        for (std::uint32_t i = 0; i < kept.header.size(); ++i)
            at_.write32(cache_line + 4 * i, kept.header[i]);
        if (function_.express != 0)
            at_.write32(function_.express + device_control, kept.control & ~reset_bit);
        bool same = true;
        for (std::uint32_t i = 1; i < kept.header.size(); ++i)
            same = same && at_.read32(cache_line + 4 * i) == kept.header[i];
        return same;
    }
    // Its owner's: registers answer, DMA and MSI-X are on.
    void switch_on() const {
        if (function_.msix != 0)
            at_.write32(function_.msix, std::uint32_t{1} << 31);
        at_.write32(command, memory_space | bus_master | no_intx);
    }

private:
    static constexpr std::uint32_t command = 4, cache_line = 0xc, memory_space = 2, bus_master = 4,
                                   no_intx = 1u << 10, device_control = 8, reset_bit = 1u << 15,
                                   features_control = 4;

    Registers at_;
    const pci::Function& function_;
};

} // namespace drivers
