// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/manifest.hpp - an appliance.yaml as typed values.
//
// Every value has been checked alone (type, range, spelling); what needs images or a machine is checked later
// and can still point at the line, through `source` and the spots kept here. Described in docs/manifest.md.
#pragma once

#include "image-tools/manifest/yaml.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace manifest {

template <typename T> struct Located {
    T value;
    Spot spot;
};

enum class Restart { no, always, on_failure };
enum class AllStopped { poweroff, reboot, halt };
enum class OnPanic { halt, reboot, poweroff };

using Environment = std::vector<std::pair<std::string, std::string>>;

struct Tmpfs {
    std::string path;
    std::uint64_t size = 0;
    std::uint32_t mode = 01777;
    Spot spot;
};

// What the writable overlay may hold: a part of the partition's memory, or bytes.
struct WritableLimit {
    std::uint32_t percent = 25;
    std::uint64_t bytes = 0; // > 0: instead of percent
    [[nodiscard]] std::uint64_t of(std::uint64_t memory) const {
        return bytes > 0 ? bytes : memory / 100 * percent;
    }
};

struct Partition {
    std::string name;
    Spot spot;                                  // of the name
    std::optional<Located<std::string>> image;  // exactly one of image ...
    std::optional<Located<std::string>> kernel; // ... and kernel
    std::string command_line;                   // kernel only
    std::optional<Located<std::string>> module; // kernel only
    std::uint32_t cpus = 1;
    std::uint64_t cpu_set = 0; // 0: any
    Spot cpus_spot;
    std::uint64_t memory = 0;
    Spot memory_spot;
    std::optional<Located<std::vector<std::string>>> entrypoint;
    std::optional<Located<std::vector<std::string>>> args;
    Environment environment;
    std::optional<Located<std::string>> working_directory;
    std::optional<Located<std::string>> user;
    std::optional<std::string> hostname;
    std::optional<Located<std::string>> stop_signal;
    std::optional<std::uint32_t> stop_timeout_ms;
    bool read_only = false;
    WritableLimit writable_limit;
    std::vector<Tmpfs> tmpfs;
    Restart restart = Restart::no;
    std::uint32_t restart_max = 0; // on_failure: 0 = without limit
    std::uint32_t restart_delay_ms = 100;
    std::uint32_t watchdog_ms = 0; // 0: none
    bool console_serial = true;
    bool smt_shared = false;
    bool no_store_bypass = false;
};

struct Machine {
    std::string board = "qemu-q35";
    std::uint32_t cpus = 0;   // 0: not said
    std::uint64_t memory = 0; // 0: not said
    Spot cpus_spot;
    Spot memory_spot;
    AllStopped on_all_stopped = AllStopped::poweroff;
    OnPanic on_panic = OnPanic::halt;
};

struct Signing {
    std::optional<Located<std::string>> key;
    std::vector<Located<std::string>> trusted;
    std::optional<Located<std::string>> audit_key; // the operator's, of the audit log
};

struct Manifest {
    Source source;
    std::filesystem::path directory; // what relative paths start from
    std::string name;
    std::string version = "0";
    std::uint64_t security_version = 0;
    Machine machine;
    Signing signing;
    std::vector<Partition> partitions; // in the order of the file

    // `path` as the manifest means it.
    [[nodiscard]] std::filesystem::path resolve(const std::string& path) const { return directory / path; }
};

// Parses and validates text. Throws diagnostic::Failure (exit 3).
Manifest parse(std::string file, std::string text, std::filesystem::path directory);

// Reads FILE, or stdin when it is "-" (paths are then relative to the current folder), and parses it; a file that is not there or not readable is exit 6, a directory stands for its
// appliance.yaml.
Manifest load(const std::filesystem::path& file);

} // namespace manifest
