// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/network_ranges.cpp - where lanes and devices' registers are: network_ranges() of network.hpp.
//
// Trust: the boot page is checked as far as memory safety needs it.
#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/start/network.hpp"

#include <algorithm>
#include <iterator>
#include <span>

namespace uk::start {

namespace {

void widen(Region& region, std::uint64_t from, std::uint64_t bytes, std::uint64_t lowest, std::uint64_t end) {
    if (from < lowest || from > end || bytes > end - from)
        base::fail("boot page: the address of a lane or a device is out of range", "", 0);
    region.start = region.end == 0 ? from : std::min(region.start, from);
    region.end = std::max(region.end, from + bytes);
}

} // namespace

NetworkRanges network_ranges(const caisson_boot_page& boot_page) {
    NetworkRanges out;
    const std::uint32_t links = std::min(boot_page.link_count, CAISSON_LINK_MAX),
                        devices = std::min(boot_page.device_count, CAISSON_DEVICE_MAX);
    // The hypervisor lets each be written or read only.
    for (const caisson_link& link : std::span{boot_page.links}.first(links))
        for (const std::uint64_t lane : {link.send_gpa, link.receive_gpa})
            if (lane != 0)
                widen(out.lanes, lane, link.lane_bytes, CAISSON_GPA_LANES, CAISSON_GPA_LANES_END);
    for (const caisson_device& device : std::span{boot_page.devices}.first(devices))
        for (const auto& bar : device.bars)
            if (bar.bytes != 0)
                widen(out.devices, bar.gpa, bar.bytes, CAISSON_GPA_DEVICES, CAISSON_GPA_DEVICES_END);
    return out;
}

} // namespace uk::start
