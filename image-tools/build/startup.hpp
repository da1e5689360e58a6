// SPDX-License-Identifier: Apache-2.0
// image-tools/build/startup.hpp - what a container starts as: the image's config, the manifest's overrides,
// and the record the unikernel reads (partitions/abi/startup.h).
//
// Spec: OCI image specification, "Image Configuration"; Docker's rules for ENTRYPOINT, CMD and USER.
#pragma once

#include "image-tools/manifest/manifest.hpp"
#include "image-tools/oci/image.hpp"
#include "image-tools/rootfs/user.hpp"
#include "partitions/abi/boot_page.h"
#include "partitions/abi/startup.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace build {

class RootFacts;

// What it may say to whom, as the unikernel takes it.
struct StartupNetwork {
    std::uint32_t address = 0; // IPv4
    unsigned prefix = 0;       // 0: it has no wire
    struct Peer {
        std::string name;
        std::uint32_t address = 0;
    };
    std::vector<Peer> peers; // in the order of its links
    std::vector<caisson_rule> rules;
    std::optional<manifest::Outside> outside; // behind its network card, or its wire to the uplink,
    std::uint16_t outside_link = 0;           // which has this place among its links
    std::vector<caisson_rule6> rules6;        // of IPv6 outside
    std::vector<caisson_published> published; // ports that have another number there
};

struct Startup {
    std::vector<std::string> arguments;   // arguments[0] as Docker would pass it
    std::vector<std::string> environment; // NAME=value
    std::string working_directory = "/";
    std::string hostname;
    std::uint32_t user = 0;
    std::uint32_t group = 0;
    std::vector<std::uint32_t> groups;
    std::uint32_t stop_signal = 15;
    std::uint32_t stop_timeout_ms = 10000;
    std::vector<manifest::Tmpfs> tmpfs;
    std::uint64_t writable_limit = 0;
    bool read_only = false;
    manifest::Processes processes;
    std::uint32_t pids = 0;                           // the most processes and threads
    std::vector<std::uint64_t> filter;                // its policy of system calls; empty: none
    std::optional<std::vector<std::string>> programs; // what may be run; nothing: every file
    StartupNetwork network;
    manifest::Health health;
    bool restarted = false; // unhealthy, it is ended, for its policy to start it again
    std::vector<manifest::Probe> probes;
    [[nodiscard]] bool has_init() const {
        return processes.init || health.kind != manifest::Health::Kind::none || !probes.empty();
    }
    bool record_calls = false; // the filter denies nothing, what it says is recorded
};

// The command of image and manifest together. `entrypoint` replaces ENTRYPOINT and clears Cmd, `args`
// replaces Cmd.
std::vector<std::string> command(const manifest::Partition& partition, const oci::ImageConfig& config);

// The environment: PATH, HOSTNAME, the image's, the manifest's over it, HOME.
std::vector<std::string> environment(const manifest::Partition& partition, const oci::ImageConfig& config,
                                     const std::string& home);

// Throws with the manifest's place: E0414 nothing to run, E0416 unknown user, E0431 a program that is not in the image.
Startup resolve_startup(const manifest::Manifest& manifest, const manifest::Partition& partition,
                        const oci::ImageConfig& config, RootFacts& root);

// What the unikernel will report when it starts this (status 126 or 127), as text; empty: it will start.
std::string start_problem(const Startup& startup, RootFacts& root);

// The program of partitions/init, which `init: true` and `health` put in front.
std::span<const std::uint8_t> init_program();

// The record's bytes. Throws E0802 when it is larger than CAISSON_STARTUP_MAX.
std::vector<std::uint8_t> encode(const Startup& startup, const std::string& partition);

} // namespace build
