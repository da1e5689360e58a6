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
#include "hypervisor/core/pci/function.hpp"

namespace drivers {

namespace config { // offsets in a function's registers
inline constexpr std::uint32_t identity = 0, command = 4, class_code = 8, header = 0xc, first_bar = 0x10,
                               buses = 0x18, capabilities = 0x34, extended = 0x100;
inline constexpr std::uint32_t memory_space = 2, bus_master = 4,
                               no_intx = 1u << 10; // of the command register
inline constexpr std::uint32_t capability_msix = 0x11, capability_express = 0x10, capability_features = 0x13;
inline constexpr std::uint16_t extended_access_control = 0xd;
} // namespace config

// `ecam`: the registers of bus 0 and on, 4 KiB a function.
template <Mmio Registers> class PciScan {
public:
    explicit PciScan(const Registers& ecam) : ecam_(ecam) {}

    // In order of requester IDs. False: there are more than fit.
    template <std::size_t Most>
    [[nodiscard]] bool run(std::uint32_t last_bus, base::FixedVector<pci::Function, Most>& out) const {
        bool room = true;
        each_function(
            last_bus, [&](PciFunction function) { return read(function, config::identity); },
            [&](PciFunction function) { room = room && out.push_back(describe(function)); });
        return room;
    }

    // Lets a port send everything upwards that comes from below, so that its IOMMU sees it. `offset`: of its ACS capability.
    void send_upwards(PciFunction port, std::uint16_t offset) const {
        const std::uint32_t control = offset + 4u;
        write(port, control, read(port, control) | std::uint32_t{needed} << 16);
    }
    // A bridge or port lets through what comes from below.
    void forward(PciFunction port) const {
        write(port, config::command,
              (read(port, config::command) & 0xffff) | config::memory_space | config::bus_master);
    }

private:
    // Source validation, request and completion redirect, upstream forwarding.
    static constexpr std::uint16_t needed = 1u << 0 | 1u << 2 | 1u << 3 | 1u << 4;
    static constexpr unsigned express_endpoint = 0, legacy_endpoint = 1, root_port = 4, upstream_port = 5,
                              downstream_port = 6, root_endpoint = 9;

    [[nodiscard]] std::uint32_t read(PciFunction function, std::uint32_t offset) const {
        return ecam_.read32((std::uint32_t{function} << 12) + offset);
    }
    void write(PciFunction function, std::uint32_t offset, std::uint32_t value) const {
        ecam_.write32((std::uint32_t{function} << 12) + offset, value);
    }

    [[nodiscard]] pci::Function describe(PciFunction at) const {
        pci::Function out;
        const std::uint32_t identity = read(at, config::identity),
                            header = read(at, config::header) >> 16 & 0xff;
        out.requester = at;
        out.vendor = static_cast<std::uint16_t>(identity);
        out.device = static_cast<std::uint16_t>(identity >> 16);
        out.class_code = read(at, config::class_code) >> 8;
        // Any function of the device may be the one that says so.
        out.multi_function = (header & 0x80) != 0 ||
                             (read(static_cast<PciFunction>(at & ~7u), config::header) >> 16 & 0x80) != 0;
        find_capabilities(at, out);
        const bool is_bridge = (header & 0x7f) == 1;
        const unsigned type = out.express != 0 ? read(at, out.express) >> 20 & 15 : 0;
        if (is_bridge) {
            const std::uint32_t buses = read(at, config::buses);
            out.secondary = static_cast<std::uint8_t>(buses >> 8);
            out.subordinate = static_cast<std::uint8_t>(buses >> 16);
            const bool port = type == root_port || type == upstream_port || type == downstream_port;
            out.kind = out.express != 0 && port ? pci::Kind::port : pci::Kind::bridge;
        } else if ((header & 0x7f) == 0) {
            const bool known = type == express_endpoint || type == legacy_endpoint || type == root_endpoint;
            out.kind = known ? pci::Kind::endpoint : pci::Kind::other;
        }
        if (out.express != 0 && (read(at, out.express + 4u) >> 28 & 1) != 0)
            out.reset = pci::Reset::express;
        else if (out.features != 0 && (read(at, out.features) >> 24 & 3) == 3)
            out.reset = pci::Reset::advanced_features;
        if (out.msix != 0) {
            out.vectors = static_cast<std::uint16_t>((read(at, out.msix) >> 16 & 0x7ff) + 1);
            out.msix_table = read(at, out.msix + 4u);
        }
        out.access_control = access_control(at);
        if ((header & 0x7f) <= 1)
            measure_bars(at, is_bridge ? 2 : 6, out);
        return out;
    }

    void find_capabilities(PciFunction at, pci::Function& out) const {
        constexpr std::uint32_t has_list = 1u << 20;
        if ((read(at, config::command) & has_list) == 0)
            return;
        std::uint32_t offset = read(at, config::capabilities) & 0xfc;
        for (unsigned i = 0; i < 48 && offset >= 0x40; ++i) { // 48: as many as there is room for
            const std::uint32_t head = read(at, offset);
            std::uint8_t* const into = (head & 0xff) == config::capability_msix       ? &out.msix
                                       : (head & 0xff) == config::capability_express  ? &out.express
                                       : (head & 0xff) == config::capability_features ? &out.features
                                                                                      : nullptr;
            if (into != nullptr && *into == 0)
                *into = static_cast<std::uint8_t>(offset);
            offset = head >> 8 & 0xfc;
        }
    }

    [[nodiscard]] std::uint16_t access_control(PciFunction at) const {
        std::uint32_t offset = config::extended;
        for (unsigned i = 0; i < (4096 - config::extended) / 8 && offset >= config::extended; ++i) {
            const std::uint32_t head = read(at, offset);
            if (head == UINT32_MAX)
                break;
            if ((head & 0xffff) == config::extended_access_control)
                return (read(at, offset + 4) & needed) == needed ? static_cast<std::uint16_t>(offset)
                                                                 : std::uint16_t{0};
            offset = head >> 20 & ~3u;
        }
        return 0;
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
