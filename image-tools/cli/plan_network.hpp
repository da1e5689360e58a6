// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/plan_network.hpp - who reaches whom, for people and for programs.
#pragma once

#include "image-tools/cli/report.hpp"
#include "image-tools/manifest/manifest.hpp"

#include <string>

namespace cli {

// "192.0.2.1"
std::string address_text(std::uint32_t address);

// One line for each rule and each published port; empty where there is neither.
std::string reach_text(const manifest::Manifest& manifest);
// The plan's `network`.
Json network_json(const manifest::Manifest& manifest);
// How a partition is found by the outside: "dhcp", "192.0.2.10/24", "uplink", or nothing.
Json outside_json(const manifest::Partition& partition);
// Of IPv6: "auto", "2001:db8::10/64"; null: it speaks none.
Json outside6_json(const manifest::Partition& partition);

} // namespace cli
