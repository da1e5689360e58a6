// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/pci/describe.hpp - what the registers of one function say about it, but for the sizes of its BARs, which only
// writing to them tells (drivers/pci/scan.hpp).
//
// Pure: `read(function, offset)` gives a word of 32 bits of the configuration space as it was or is.
// Trust: what devices say is checked where it is used; nothing here is followed without bounds.
// Spec: PCI Express 5.0 sections 7.5.1 (headers), 7.5.3 "PCI Express Capability Structure", 7.7.2 "MSI-X", 7.7.8 "ACS Extended
// Capability"; PCI Advanced Features ECN; VIRTIO 1.2 section 4.1.4 "Virtio Structure PCI Capabilities".
#pragma once

#include "hypervisor/core/pci/function.hpp"

namespace pci {

namespace config { // offsets in a function's registers
inline constexpr std::uint32_t identity = 0, command = 4, class_code = 8, header = 0xc, first_bar = 0x10,
                               buses = 0x18, capabilities = 0x34, extended = 0x100;
inline constexpr std::uint32_t memory_space = 2, bus_master = 4,
                               no_intx = 1u << 10; // of the command register
inline constexpr std::uint32_t capability_power = 1, capability_msi = 5, capability_express = 0x10,
                               capability_msix = 0x11, capability_features = 0x13, capability_vendor = 9;
inline constexpr std::uint16_t extended_access_control = 0xd;
} // namespace config

// Of the ACS control register: source validation, request and completion redirect, upstream forwarding.
inline constexpr std::uint16_t all_upwards = 1u << 0 | 1u << 2 | 1u << 3 | 1u << 4;

inline constexpr std::uint32_t intel_82574 = 0x10d38086; // device and vendor, as they are read

// Which capabilities a function has, for people: a bit an ID.
struct Capabilities {
    std::uint32_t usual = 0;
    std::uint64_t extended = 0;
};

template <typename Read> class Description {
public:
    Description(Requester at, const Read& read) : at_(at), read_(read) {}

    [[nodiscard]] Function function() {
        constexpr unsigned express_endpoint = 0, legacy_endpoint = 1, root_port = 4, upstream_port = 5,
                           downstream_port = 6, root_endpoint = 9;
        Function out;
        const std::uint32_t identity = read(config::identity), header = read(config::header) >> 16 & 0xff;
        out.requester = at_;
        out.vendor = static_cast<std::uint16_t>(identity);
        out.device = static_cast<std::uint16_t>(identity >> 16);
        out.class_code = read(config::class_code) >> 8;
        // Any function of the device may be the one that says so.
        out.multi_function = (header & 0x80) != 0 ||
                             (read_(static_cast<Requester>(at_ & ~7u), config::header) >> 16 & 0x80) != 0;
        find_capabilities(out);
        const bool is_bridge = (header & 0x7f) == 1;
        const unsigned type = out.express != 0 ? read(out.express) >> 20 & 15 : 0;
        if (is_bridge) {
            const std::uint32_t buses = read(config::buses);
            out.secondary = static_cast<std::uint8_t>(buses >> 8);
            out.subordinate = static_cast<std::uint8_t>(buses >> 16);
            const bool port = type == root_port || type == upstream_port || type == downstream_port;
            out.kind = out.express != 0 && port ? Kind::port : Kind::bridge;
        } else if ((header & 0x7f) == 0) {
            const bool known = type == express_endpoint || type == legacy_endpoint || type == root_endpoint;
            out.kind = known ? Kind::endpoint : Kind::other;
        }
        if (out.express != 0 && (read(out.express + 4u) >> 28 & 1) != 0)
            out.reset = Reset::express;
        else if (out.features != 0 && (read(out.features) >> 24 & 3) == 3)
            out.reset = Reset::advanced_features;
        else if (identity == intel_82574)
            out.reset = Reset::e1000;
        if (out.msix != 0) {
            out.vectors = static_cast<std::uint16_t>((read(out.msix) >> 16 & 0x7ff) + 1);
            out.msix_table = read(out.msix + 4u);
        }
        out.access_control = access_control();
        return out;
    }
    // BARs that its header has room for.
    [[nodiscard]] unsigned bars() const {
        const std::uint32_t kind = read(config::header) >> 16 & 0x7f;
        return kind == 0 ? 6 : kind == 1 ? 2 : 0;
    }
    // Of function().
    [[nodiscard]] const Capabilities& capabilities() const { return seen_; }

private:
    [[nodiscard]] std::uint32_t read(std::uint32_t offset) const { return read_(at_, offset); }

    void find_capabilities(Function& out) {
        constexpr std::uint32_t has_list = 1u << 20;
        if ((read(config::command) & has_list) == 0)
            return;
        std::uint32_t offset = read(config::capabilities) & 0xfc;
        for (unsigned i = 0; i < 48 && offset >= 0x40; ++i) { // 48: as many as there is room for
            const std::uint32_t head = read(offset), id = head & 0xff;
            std::uint8_t* const into = id == config::capability_msix       ? &out.msix
                                       : id == config::capability_express  ? &out.express
                                       : id == config::capability_features ? &out.features
                                                                           : nullptr;
            if (into != nullptr && *into == 0)
                *into = static_cast<std::uint8_t>(offset);
            if (id == config::capability_vendor && out.vendor == virtio_vendor)
                find_virtio(out, offset, head >> 24);
            seen_.usual |= id < 32 ? 1u << id : 0;
            offset = head >> 8 & 0xfc;
        }
    }

    // The first of each kind counts.
    void find_virtio(Function& out, std::uint32_t offset, std::uint32_t kind) const {
        constexpr std::uint32_t common = 1, notify = 2, device = 4;
        const std::uint32_t bar = read(offset + 4) & 0xff, in_bar = read(offset + 8);
        Place* const into = kind == common   ? &out.virtio_common
                            : kind == notify ? &out.virtio_notify
                            : kind == device ? &out.virtio_device
                                             : nullptr;
        // 0 is BAR 0's first place, where nobody has two structures: a repeated one changes nothing else.
        if (into == nullptr || *into != 0 || bar >= out.bars.size() || in_bar % 8 != 0)
            return;
        *into = in_bar | bar;
        if (kind == notify)
            out.virtio_multiplier = read(offset + 16);
    }

    // The offset of ACS, where it can send everything upwards.
    [[nodiscard]] std::uint16_t access_control() {
        std::uint32_t offset = config::extended;
        std::uint16_t found = 0;
        for (unsigned i = 0; i < (4096 - config::extended) / 8 && offset >= config::extended; ++i) {
            const std::uint32_t head = read(offset), id = head & 0xffff;
            if (head == UINT32_MAX)
                break;
            const bool first = (seen_.extended >> config::extended_access_control & 1) == 0;
            if (id == config::extended_access_control && first &&
                (read(offset + 4) & all_upwards) == all_upwards)
                found = static_cast<std::uint16_t>(offset);
            seen_.extended |= id < 64 ? std::uint64_t{1} << id : 0;
            offset = head >> 20 & ~3u;
        }
        return found;
    }

    Requester at_;
    const Read& read_;
    Capabilities seen_;
};

} // namespace pci
