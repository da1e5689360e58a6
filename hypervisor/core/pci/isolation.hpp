// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/pci/isolation.hpp - whether what a function sends reaches the IOMMU before it can reach another function.
//
// Pure.
// Spec: PCI Express 5.0 section 6.12 "Access Control Services"; PCI Express to PCI Bridge 1.0 section 2.3 (a bridge of
// conventional PCI speaks for all below it).
#pragma once

#include "hypervisor/core/pci/function.hpp"

#include <span>

namespace pci {

using Functions = std::span<const Function>;

[[nodiscard]] constexpr bool leads_to(const Function& port, unsigned bus) {
    return (port.kind == Kind::port || port.kind == Kind::bridge) && port.secondary != 0 &&
           port.secondary <= bus && bus <= port.subordinate;
}

// Whether a bridge of conventional PCI stands between it and the root: it then has not its own requester ID.
[[nodiscard]] constexpr bool shares_requester(Functions all, const Function& function) {
    for (const Function& above : all)
        if (above.kind == Kind::bridge && leads_to(above, bus_of(function.requester)))
            return true;
    return false;
}

// Each port above it sends everything upwards (or can be told to), and so does its own device where it has several functions.
[[nodiscard]] constexpr bool sends_upwards(Functions all, const Function& function) {
    if (function.multi_function && function.access_control == 0)
        return false;
    for (const Function& above : all)
        if (leads_to(above, bus_of(function.requester)) && above.access_control == 0)
            return false;
    return true;
}

// Neither reaches the other but through the IOMMU. Functions of one device without ACS reach each other; so does, through ports
// without it, anything below them. Endpoints on the root's own bus have no way to each other but the root.
[[nodiscard]] constexpr bool isolated(Functions all, const Function& one, const Function& other) {
    if (sends_upwards(all, one) && sends_upwards(all, other))
        return true;
    const auto at_root = [all](const Function& function) {
        for (const Function& above : all)
            if (leads_to(above, bus_of(function.requester)))
                return false;
        return true;
    };
    return at_root(one) && at_root(other) && device_of(one.requester) != device_of(other.requester);
}

} // namespace pci
