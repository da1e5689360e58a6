// SPDX-License-Identifier: Apache-2.0
#include "image-tools/manifest/uplink.hpp"

#include "hypervisor/core/plan/limits.hpp"
#include "image-tools/manifest/devices.hpp"
#include "image-tools/manifest/outside.hpp"
#include "partitions/abi/uplink.h"

#include <algorithm>

namespace manifest {
namespace {

constexpr std::uint64_t default_memory = std::uint64_t{16} << 20, memory_step = std::uint64_t{64} << 10;

// It has a link to each, and a record of each.
constexpr std::size_t most_containers =
    std::min<std::size_t>(CAISSON_UPLINK_CONTAINERS, plan::max_wires_of_one);

// One number outside leads to one container.
void check_shared_ports(const Source& source, const std::vector<const Partition*>& containers) {
    for (const Partition* one : containers)
        for (const Partition* other : containers) {
            if (one == other)
                break;
            for (const PublishedPort& port : one->published)
                for (const PublishedPort& taken : other->published)
                    if (port.udp == taken.udp && port.outside == taken.outside)
                        source.fail(port.spot.line != 0 ? port.spot : one->spot, "E0309",
                                    "'" + one->name + "' and '" + other->name +
                                        "' both publish the uplink's port " + std::to_string(port.outside),
                                    "give one of them another number outside",
                                    {"the other stands in line " +
                                     std::to_string((taken.spot.line != 0 ? taken.spot : other->spot).line)});
        }
}

} // namespace

Partition default_uplink(Spot spot) {
    Partition out;
    out.name = Partition::uplink_name;
    out.is_uplink = true;
    out.spot = out.cpus_spot = out.memory_spot = spot;
    out.memory = default_memory;
    out.behaviour.restart = plan::Restart::on_failure;
    out.behaviour.set(plan::flag_service, true);
    return out;
}

Partition read_uplink(const Binder& binder, const Node& node) {
    Partition out = default_uplink(node.spot);
    std::vector<Key> keys = card_keys(binder, out);
    keys.push_back(
        Key{"device", [&binder, &out](const Node& value) { out.devices = {read_device(binder, value)}; }});
    keys.push_back(Key{"cpus", [&binder, &out](const Node& value) {
                           out.cpus =
                               static_cast<std::uint32_t>(binder.number(value, "cpus", 1, plan::max_cpus));
                           out.cpus_spot = value.spot;
                       }});
    keys.push_back(Key{"memory", [&binder, &out](const Node& value) {
                           out.memory = binder.size(value, "memory");
                           out.memory_spot = value.spot;
                           if (out.memory % memory_step != 0)
                               binder.wrong(value, "'memory' must be a multiple of 64 KiB");
                       }});
    binder.map(node, "'uplink'", keys, {});
    return out;
}

void check_uplink(const Binder& binder, const Manifest& manifest) {
    const Source& source = binder.source();
    std::vector<const Partition*> containers;
    for (const Partition& partition : manifest.partitions)
        if (partition.is_behind_uplink())
            containers.push_back(&partition);
    if (manifest.network.uplink && containers.empty())
        source.fail(manifest.network.uplink->spot, "E0309", "nobody needs the uplink",
                    "publish a port of a container, write a rule to the outside, or take 'uplink' out");
    if (containers.size() > most_containers)
        source.fail(containers.back()->spot, "E0309",
                    std::to_string(containers.size()) +
                        " containers need the outside; an uplink has room for " +
                        std::to_string(most_containers),
                    "give some of them a network card of their own: devices: [auto]");
    check_shared_ports(source, containers);
}

} // namespace manifest
