// SPDX-License-Identifier: Apache-2.0
// drivers/pci/scan.hpp - every PCI function of segment 0 and what binding needs to know of it, by the memory-mapped registers.
//
// Trust:      what devices say is checked where it is used; nothing here is followed without bounds.
// Invariants: registers are as before when scan() returns, except bus mastering, which it leaves alone.
// Spec: PCI Express 5.0 sections 7.5.1 (headers), 7.5.3 "PCI Express Capability Structure", 7.7.2 "MSI-X", 7.7.8 "ACS Extended
// Capability"; PCI Local Bus 3.0 section 6.2.5.1 "Address Maps"; PCI Advanced Features ECN.
#pragma once

#include "drivers/pci/bus_masters.hpp"
#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/core/pci/describe.hpp"

namespace drivers {

namespace config = pci::config;

// `ecam`: the registers of bus 0 and on, 4 KiB a function.
template <Mmio Registers> class PciScan {
public:
    explicit PciScan(const Registers& ecam) : ecam_(ecam) {}

    // In order of requester IDs. False: there are more than fit.
    template <std::size_t Most>
    [[nodiscard]] bool run(std::uint32_t last_bus, base::FixedVector<pci::Function, Most>& out) const {
        bool room = true;
        each(last_bus, [&](const pci::Function& function, const pci::Capabilities&) {
            room = room && out.push_back(function);
        });
        return room;
    }
    // The same with a say in what is kept: use(function, its capabilities).
    template <typename Use> void each(std::uint32_t last_bus, Use use) const {
        each_function(
            last_bus, [&](PciFunction function) { return read(function, config::identity); },
            [&](PciFunction at) {
                const auto words = [this](PciFunction function, std::uint32_t offset) {
                    return read(function, offset);
                };
                pci::Description description{at, words};
                pci::Function function = description.function();
                measure_bars(at, description.bars(), function);
                use(function, description.capabilities());
            });
    }

    // Lets a port send everything upwards that comes from below, so that its IOMMU sees it. `offset`: of its ACS capability.
    void send_upwards(PciFunction port, std::uint16_t offset) const {
        const std::uint32_t control = offset + 4u;
        write(port, control, read(port, control) | std::uint32_t{pci::all_upwards} << 16);
    }
    // A bridge or port lets through what comes from below.
    void forward(PciFunction port) const {
        write(port, config::command,
              (read(port, config::command) & 0xffff) | config::memory_space | config::bus_master);
    }

private:
    [[nodiscard]] std::uint32_t read(PciFunction function, std::uint32_t offset) const {
        return ecam_.read32((std::uint32_t{function} << 12) + offset);
    }
    void write(PciFunction function, std::uint32_t offset, std::uint32_t value) const {
        ecam_.write32((std::uint32_t{function} << 12) + offset, value);
    }

    // Sizes are what a BAR of ones reads as; nobody decodes it meanwhile.
    void measure_bars(PciFunction at, unsigned count, pci::Function& out) const {
        constexpr std::uint32_t in_ports = 1, wide = 4, flags = 0xf;
        const std::uint32_t command = read(at, config::command) & 0xffff;
        write(at, config::command, command & ~config::memory_space & ~1u);
        for (unsigned i = 0; i < count; ++i) {
            const std::uint32_t offset = config::first_bar + 4 * i, low = read(at, offset);
            if ((low & in_ports) != 0)
                continue;
            const bool pair = (low & 6) == wide && i + 1 < count;
            const std::uint32_t high = pair ? read(at, offset + 4) : 0;
            write(at, offset, UINT32_MAX);
            if (pair)
                write(at, offset + 4, UINT32_MAX);
            const std::uint64_t upper = pair ? read(at, offset + 4) : UINT32_MAX;
            const std::uint64_t ones = upper << 32 | (read(at, offset) & ~flags);
            write(at, offset, low);
            if (pair)
                write(at, offset + 4, high);
            if ((ones & ~std::uint64_t{flags} & UINT32_MAX) != 0 || (pair && ones != 0))
                out.bars[i] = {std::uint64_t{high} << 32 | (low & ~flags), ones & (~ones + 1)};
            i += pair ? 1 : 0;
        }
        write(at, config::command, command);
    }

    const Registers& ecam_;
};

} // namespace drivers
