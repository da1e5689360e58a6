// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/dma/device.hpp"

#include "arch/x86_64/iommu/vtd_live.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/kernel/console/ticket_lock.hpp"
#include "hypervisor/kernel/deadline.hpp"
#include "hypervisor/kernel/dma/units.hpp"

namespace hv::dma {
namespace {

using Function = drivers::OwnedFunction<cpu::Registers>;
using VtdLive = iommu::vtd::Live<cpu::Registers>;

constinit TicketLock units_lock; // one CPU at a time tells the units

// Calls use(device, its function) for each of the partition's.
template <typename Use> bool each_device(std::uint32_t partition, Use use) {
    bool good = true;
    for (Device* device : machine().devices)
        if (device->partition == partition)
            good = use(*device, Function{cpu::Registers{base::VirtAddr{device->registers}}, device->kept}) &&
                   good;
    return good;
}
bool owns_devices(std::uint32_t partition) {
    return !each_device(partition, [](const Device&, const Function&) { return false; });
}

// Whether condition() came to hold within so many milliseconds.
template <typename Condition> bool holds_within(std::uint64_t milliseconds, Condition condition) {
    const Deadline patience{milliseconds};
    while (!condition()) {
        if (patience.passed())
            return condition();
        virt::breathe();
        virt::pause();
    }
    return true;
}

// No unit has anything of the tables' former contents.
bool forget_cached() {
    constexpr std::uint64_t answer_ms = 200; // units answer in microseconds
    const Locked locked{units_lock};
    for (std::size_t unit = 0; unit < unit_count(); ++unit)
        VtdLive{cpu::Registers{base::VirtAddr{machine().units[unit]}}}.forget(frames[unit], true);
    bool all = true;
    for (std::size_t unit = 0; unit < unit_count(); ++unit)
        all = holds_within(answer_ms, [unit] { return VtdLive::has_forgotten(frames[unit]); }) && all;
    return all;
}

// They start nothing any more, and interrupt nobody.
bool cut_interrupts(std::uint32_t partition) {
    each_device(partition, [](const Device& device, const Function& function) {
        function.quiet();
        for (std::uint32_t i = 0; i < device.listed.vectors; ++i)
            iommu::vtd::clear_entry(device.interrupts + 2 * i);
        return true;
    });
    return forget_cached();
}

bool cut_memory(std::uint32_t partition) {
    each_device(partition, [](const Device& device, const Function&) {
        iommu::vtd::clear_entry(device.context);
        return true;
    });
    return forget_cached();
}

} // namespace

bool give_devices(std::uint32_t partition, std::uint64_t generation) {
    if (!owns_devices(partition))
        return true;
    each_device(partition, [generation](Device& device, const Function&) {
        device.generation.store(generation, std::memory_order_relaxed);
        for (std::uint32_t i = 0; i < device.listed.vectors; ++i)
            iommu::vtd::set_entry(device.interrupts + 2 * i, device.interrupt_low + (std::uint64_t{i} << 16),
                                  device.interrupt_high);
        iommu::vtd::set_entry(device.context, device.context_low, device.context_high);
        return true;
    });
    if (!forget_cached())
        return false;
    each_device(partition, [](const Device&, const Function& function) {
        function.switch_on();
        return true;
    });
    return true;
}

// Bus mastering off, interrupts gone, what is on its way has arrived, memory gone, reset, as boot found it.
bool take_devices(std::uint32_t partition) {
    constexpr std::uint64_t drain_ms = 1000, answer_ms = 1000;
    if (!owns_devices(partition) || base::weak("keep_devices"))
        return true;
    bool good = cut_interrupts(partition);
    good = each_device(partition,
                       [](const Device&, const Function& function) {
                           return holds_within(drain_ms, [&function] { return !function.is_busy(); });
                       }) &&
           good;
    good = cut_memory(partition) && good;
    each_device(partition, [](const Device&, const Function& function) {
        function.start_reset(cpu::PortsAndMemory{});
        return true;
    });
    (void)holds_within(Function::reset_ms, [] { return false; });
    return each_device(partition,
                       [](const Device&, const Function& function) {
                           const auto answers = [&function] {
                               return function.answers(cpu::PortsAndMemory{});
                           };
                           return holds_within(answer_ms, answers) && function.put_back();
                       }) &&
           good;
}

void cut_devices(std::uint32_t partition) {
    if (!owns_devices(partition))
        return;
    (void)cut_interrupts(partition);
    (void)cut_memory(partition);
}

} // namespace hv::dma
