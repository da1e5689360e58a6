// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/appliance_run.hpp - what `run` and `bench` boot.
#pragma once

#include "image-tools/cli/cache.hpp"
#include "image-tools/cli/options.hpp"
#include "image-tools/cli/report.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cli {

struct Runnable {
    std::filesystem::path bundle;
    std::filesystem::path elf;
    std::vector<std::string> partitions;
    std::uint32_t cpus = 0;
    std::uint64_t memory = 0;
    bool hardware_watchdog = false;    // the plan asks for one
    std::optional<CacheFolder> held{}; // what was built for this run
};

// The bundle FILE names; a manifest is built into the cache first.
Runnable runnable(const Options& options, Report& report);

// Fills partitions, cpus, memory and hardware_watchdog from the bundle. Throws E0419, E0311.
void size_machine(Runnable& runnable);

} // namespace cli
