// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/appliance_run.hpp - what `run`, `prove` and others boot.
#pragma once

#include "image-tools/cli/cache.hpp"
#include "image-tools/cli/command.hpp"
#include "image-tools/manifest/manifest.hpp"
#include "image-tools/run/qemu.hpp"

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
    std::vector<std::string> services; // of them, those whose status is not the appliance's
    std::uint32_t cpus = 0;
    std::uint64_t memory = 0;
    bool hardware_watchdog = false;               // the plan asks for one
    bool serial_stop = false;                     // the plan lets the serial line ask for the end
    std::vector<run::NetworkCard> cards{};        // of its containers and of their uplink
    std::optional<CacheFolder> held{};            // what was built for this run
    std::optional<manifest::Manifest> manifest{}; // it was built from
};

// FILE and --elf, of commands that start from a manifest or a bundle.
struct ApplianceOptions {
    std::string file;
    std::string elf;

    void declare(Command& command);
};

// The bundle FILE names; a manifest is built into the cache first.
// `record_calls`: its containers without their policy of system calls, which are noted instead; E0101 for a bundle, which
// says itself what its policy is.
// `ports`: published besides the manifest's; E0101 for a bundle.
Runnable runnable(const ApplianceOptions& options, const Common& common, Report& report,
                  bool record_calls = false, const std::vector<std::string>& ports = {});
// Of a manifest; E0310 before anything is built where it has no tests.
Runnable runnable_with_tests(const std::string& file, const Common& common, Report& report);

// The cards that a manifest's containers and their uplink ask for, each on a network of its own.
std::vector<run::NetworkCard> cards_of(const manifest::Manifest& manifest);

// Fills partitions, services, cpus, memory and hardware_watchdog from the bundle. Throws E0419, E0311.
void size_machine(Runnable& runnable);

// The CPU model and what is handed to QEMU as it is.
struct QemuOptions {
    std::string cpu = "max,+svm";
    std::vector<std::string> arguments;

    void declare(Command& command);
    // Whoever hands QEMU a remapping unit has machines of their own: no cards are added.
    [[nodiscard]] bool has_own_devices() const;
};

} // namespace cli
