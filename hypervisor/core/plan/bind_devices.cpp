// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/bind_devices.cpp - which function of the machine is which device of the plan, whether it may be anybody's,
// and where its owner sees its BARs.
#include "hypervisor/core/bytes/checked.hpp"
#include "hypervisor/core/plan/bind.hpp"
#include "partitions/abi/boot_page.h"

#include <algorithm>
#include <bit>

namespace plan {
namespace {

using pci::Function;

// Network cards that partitions/drivers/net has a driver for: vendor << 16 | device.
constexpr std::array<std::uint32_t, 3> network_cards{0x808610c9, 0x808610d3, 0x1af41041};

bool is_card(const Function& function) {
    return std::ranges::find(network_cards, std::uint32_t{function.vendor} << 16 | function.device) !=
           network_cards.end();
}

class DeviceBinder {
public:
    DeviceBinder(const Plan& plan, const Machine& machine, BoundPlan& bound)
        : plan_(plan), machine_(machine), pci_(*machine.pci), bound_(bound) {}

    [[nodiscard]] Status run() {
        std::array<std::uint32_t, max_partitions> owned{};
        for (std::uint32_t i = 0; i < plan_.device_count(); ++i) {
            const Device wish = plan_.device(i);
            const Function* function = find(wish);
            const bool by_address = (wish.flags & device_by_address) != 0;
            CAISSON_TRY(ensure(function != nullptr, Error::device_missing, wish.partition,
                               by_address ? wish.place : std::uint32_t{wish.vendor} << 16 | wish.device));
            CAISSON_TRY(check_function(wish, *function));
            BoundDevice device{wish.partition, owned[wish.partition]++, *function, {}};
            CAISSON_TRY(place_bars(device));
            (void)bound_.devices.push_back(device); // a plan has no more
        }
        return base::success;
    }

private:
    [[nodiscard]] const Function* find(const Device& wish) const {
        std::uint32_t before = 0;
        for (const Function& function : pci_.functions) {
            if ((wish.flags & device_by_address) != 0) {
                if (function.requester == wish.place)
                    return &function;
            } else if (((wish.flags & device_any_card) != 0
                            ? is_card(function)
                            : function.vendor == wish.vendor && function.device == wish.device) &&
                       before++ == wish.place) {
                return &function;
            }
        }
        return nullptr;
    }

    [[nodiscard]] Status check_function(const Device& wish, const Function& function) const {
        const std::uint32_t owner = wish.partition;
        const auto may = [&](bool good, Error error, std::uint32_t other = no_index) {
            return ensure(good, error, owner, function.requester, 0u, other);
        };
        CAISSON_TRY(may(pci_.remapping == Remapping::complete, Error::device_without_iommu));
        CAISSON_TRY(may(function.kind == pci::Kind::endpoint, Error::device_is_bridge));
        CAISSON_TRY(may(!shares_requester(pci_.functions, function), Error::device_shares_requester));
        CAISSON_TRY(may(function.vendor != pci::virtio_vendor || function.reset == pci::Reset::virtio,
                        Error::device_past_iommu));
        CAISSON_TRY(may((wish.flags & device_keeps_firmware_memory) != 0 || !reserves_memory(function),
                        Error::device_firmware_memory));
        CAISSON_TRY(may(function.reset != pci::Reset::none, Error::device_without_reset));
        for (const BoundDevice& other : bound_.devices) {
            CAISSON_TRY(
                may(other.function.requester != function.requester, Error::device_taken, other.partition));
            CAISSON_TRY(may(other.partition == owner || isolated(pci_.functions, function, other.function),
                            Error::device_not_isolated, other.partition));
        }
        return base::success;
    }

    // Firmware reserves memory for it, or for some function below a bridge that may be it.
    [[nodiscard]] bool reserves_memory(const Function& function) const {
        return std::ranges::any_of(pci_.firmware_memory, [&function](pci::Requester id) {
            return id == function.requester ||
                   (id == pci::below_a_bridge && pci::bus_of(function.requester) != 0);
        });
    }

    // Host pages of a BAR, as a partition gets them.
    static memory::Run pages(const pci::Bar& bar) {
        const std::uint64_t from = base::round_down(bar.base, base::page_size);
        return {from, bytes::units(bar.base + bar.bytes - from, base::page_size) * base::page_size};
    }

    // Over no memory, none of our devices' registers, no page of another function.
    [[nodiscard]] bool alone(const Function& function, const memory::Run& run) const {
        const auto meets = [&run](const memory::Run& other) { return run.overlaps(other); };
        const memory::Run bundle{machine_.bundle_base, machine_.bundle_bytes};
        if (std::ranges::any_of(machine_.map->view(), meets) ||
            std::ranges::any_of(machine_.reserved, meets) || std::ranges::any_of(machine_.devices, meets) ||
            meets(bundle))
            return false;
        for (const Function& other : pci_.functions)
            for (const pci::Bar& bar : other.bars)
                if (other.requester != function.requester && bar.bytes != 0 && bar.base != 0 &&
                    run.overlaps(pages(bar)))
                    return false;
        return true;
    }

    // One after the other in the partition's place for devices, each from a multiple of its size on.
    [[nodiscard]] Status place_bars(BoundDevice& device) const {
        std::uint64_t next = CAISSON_GPA_DEVICES;
        for (const BoundDevice& other : bound_.devices)
            for (const BoundBar& bar : other.bars)
                if (other.partition == device.partition && bar.bytes != 0)
                    next = std::max(next, bar.gpa + bar.bytes);
        for (std::size_t i = 0; i < device.bars.size(); ++i) {
            const pci::Bar& bar = device.function.bars[i];
            if (bar.bytes == 0)
                continue;
            CAISSON_TRY(ensure(bar.base != 0 && std::has_single_bit(bar.bytes) && bar.base % bar.bytes == 0 &&
                                   bytes::lies_within(bar.base, bar.bytes, memory::address_limit) &&
                                   alone(device.function, pages(bar)),
                               Error::device_bar, device.partition, device.function.requester, bar.base));
            const memory::Run run = pages(bar);
            const std::uint64_t gpa = bytes::units(next, run.bytes) * run.bytes;
            CAISSON_TRY(ensure(gpa >= next && bytes::lies_within(gpa, run.bytes, CAISSON_GPA_DEVICES_END),
                               Error::device_too_large, device.partition, device.function.requester,
                               bar.bytes));
            device.bars[i] = {gpa, run.base, run.bytes};
            next = gpa + run.bytes;
        }
        return base::success;
    }

    const Plan& plan_;
    const Machine& machine_;
    const PciMachine& pci_;
    BoundPlan& bound_;
};

} // namespace

Status bind_devices(const Plan& plan, const Machine& machine, BoundPlan& bound) {
    bound.devices.clear();
    return machine.pci == nullptr ? Status{base::success} : DeviceBinder{plan, machine, bound}.run();
}

Status check_bound_devices(const Plan& plan, const Machine& machine, const BoundPlan& bound) {
    const std::size_t expected = machine.pci == nullptr ? 0 : plan.device_count();
    CAISSON_TRY(ensure(bound.devices.size() == expected, Error::check_devices));
    for (std::uint32_t i = 0; i < bound.devices.size(); ++i) {
        const BoundDevice& device = bound.devices[i];
        const pci::Requester id = device.function.requester;
        bool good = device.partition == plan.device(i).partition &&
                    device.function.kind == pci::Kind::endpoint &&
                    machine.pci->remapping == Remapping::complete &&
                    std::ranges::count(machine.pci->functions, id, &Function::requester) == 1;
        for (const BoundDevice& other : bound.devices)
            if (&other != &device)
                good = good && other.function.requester != id &&
                       (other.partition == device.partition ||
                        isolated(machine.pci->functions, device.function, other.function));
        for (const BoundBar& bar : device.bars) {
            if (bar.bytes == 0)
                continue;
            const memory::Run run{bar.host, bar.bytes};
            const auto meets = [&run](const memory::Run& other) { return other.overlaps(run); };
            good = good && (bar.host | bar.bytes | bar.gpa) % base::page_size == 0 &&
                   bar.gpa >= CAISSON_GPA_DEVICES &&
                   bytes::lies_within(bar.gpa, bar.bytes, CAISSON_GPA_DEVICES_END) &&
                   std::ranges::none_of(machine.map->view(), meets) &&
                   std::ranges::none_of(machine.reserved, meets) &&
                   std::ranges::none_of(machine.devices, meets);
            for (const BoundDevice& other : bound.devices)
                for (const BoundBar& more : other.bars)
                    good = good && (&more == &bar || more.bytes == 0 ||
                                    (!meets({more.host, more.bytes}) &&
                                     (other.partition != device.partition ||
                                      more.gpa >= bar.gpa + bar.bytes || bar.gpa >= more.gpa + more.bytes)));
        }
        CAISSON_TRY(ensure(good, Error::check_devices, device.partition, id));
    }
    return base::success;
}

} // namespace plan
