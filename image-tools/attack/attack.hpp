// SPDX-License-Identifier: Apache-2.0
// image-tools/attack/attack.hpp - an appliance with the adversary in it: built, booted, judged.
#pragma once

#include "image-tools/attack/judge.hpp"
#include "image-tools/build/build.hpp"
#include "image-tools/manifest/manifest.hpp"
#include "image-tools/run/machine.hpp"
#include "image-tools/run/qemu.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace attack {

struct Options {
    std::vector<std::string> classes;  // empty: all
    std::optional<std::uint64_t> seed; // the random guest instead of the classes
    std::uint64_t steps = 0;           // of the random guest
    std::string cpu;
    std::vector<std::string> qemu_arguments;
    std::vector<run::NetworkCard> cards{}; // of the appliance's own containers
    std::chrono::milliseconds time_out{300'000};
    std::filesystem::path log; // raw serial bytes; empty: not kept
    build::Observer observer;
    registry::ImagesOptions images{};
};

struct Result {
    std::vector<Item> items;
    std::uint64_t witness_reports = 0, latest = 0, random_steps = 0, generations = 0;
};

// The manifest with the adversary and its witness added. Throws E0309 where their names are taken.
manifest::Manifest with_adversary(manifest::Manifest manifest, const std::filesystem::path& adversary,
                                  const std::filesystem::path& key, const Options& options);

Result run(const manifest::Manifest& manifest, const Options& options);

// Judges a serial line that was recorded elsewhere (another emulator, a real machine).
Result replay(const std::filesystem::path& log, const std::vector<std::string>& partitions,
              const Options& options);

} // namespace attack
