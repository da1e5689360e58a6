// SPDX-License-Identifier: Apache-2.0
#include "image-tools/board/device_plan.hpp"

#include "hypervisor/core/board/machine.hpp"
#include "hypervisor/core/plan/bound_plan.hpp"
#include "image-tools/plan/layout.hpp"

#include <array>

namespace board {
namespace {

constexpr std::uint64_t partition_bytes = std::uint64_t{16} << 20;

std::vector<std::byte> table_with(const pci::Function& function) {
    plan::PartitionRequest partition;
    partition.name = "owner";
    partition.payload = plan::PayloadKind::pvh;
    partition.memory_bytes = partition_bytes;
    constexpr std::uint32_t entry = 0x100000, bytes = 4096;
    (void)partition.kernel.segments.push_back({0, bytes, entry, bytes});
    partition.kernel.entry = entry;
    partition.kernel.lowest = entry;
    partition.kernel.end = entry + bytes;
    partition.kernel_section = 0;
    plan::DeviceRequest device;
    device.place = function.requester;
    device.by_address = true;
    plan::Request request;
    request.name = "board";
    request.partitions = {&partition, 1};
    request.devices = {&device, 1};
    const auto table = plan::layout(request);
    return table ? *table : std::vector<std::byte>{};
}

} // namespace

std::optional<std::string> refused_alone(const Facts& facts, const Described& described,
                                         const pci::Function& function) {
    const std::vector<std::byte> table = table_with(function);
    const auto plan = plan::Plan::parse(table);
    if (!plan)
        return plan::describe(plan.error().error);
    Devices devices;
    list_devices(facts.tables, {}, devices);
    const plan::PciMachine pci{described.functions, described.remapping,
                               facts.tables.remapping.firmware_memory.view()};
    plan::Machine machine;
    machine.map = &described.map;
    machine.devices = devices.view();
    machine.pci = &pci;
    const auto bound = std::make_unique<plan::BoundPlan>();
    const auto done = plan::bind_devices(*plan, machine, *bound);
    return done.ok() ? std::nullopt : std::optional<std::string>(plan::describe(done.error().error));
}

} // namespace board
