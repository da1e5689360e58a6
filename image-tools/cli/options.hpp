// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/options.hpp - the command line, parsed.
#pragma once

#include "image-tools/diagnostic/diagnostic.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace cli {

enum class Format { text, json };
enum class When { automatic, always, never };
enum class ProgressStyle { automatic, plain, tty, none };

struct Options {
    // every command
    Format format = Format::text;
    std::string output; // -o
    ProgressStyle progress = ProgressStyle::automatic;
    When colour = When::automatic;
    bool quiet = false;
    bool verbose = false;
    bool offline = false; // accepted: nothing here uses the network
    bool locked = false;
    std::optional<std::chrono::milliseconds> time_out;

    std::string command; // "build"; "image create"
    std::string file;    // the manifest, bundle or topic; empty: the default
    // build
    bool build_twice = false; // --check
    std::string direct;       // --direct PARTITION
    // verify, inspect
    std::vector<std::string> keys;
    std::string elf;
    // keygen
    std::string purpose = "bundle";
    // run
    When prefix = When::automatic;
    bool raw = false;
    bool merge = false;
    bool icount = false;
    std::string cpu = "max,+svm";
    std::string log;
    std::string audit; // --audit FILE
    // console
    std::string bundle;
    // cache prune
    std::string max_size;
    std::string exit_code_from;
    std::vector<std::string> qemu_arguments;
    // attack
    std::vector<std::string> classes;
    std::optional<std::uint64_t> seed;
    std::uint64_t steps = 10000;
    std::string junit;
    std::string replay;
    std::vector<std::string> replay_partitions;
    // audit verify
    std::string audit_key; // --key
    // prove
    bool live = false;
    // version
    bool tcb = false;
    // image
    std::string from;
    std::string to;
    std::string reference;
    std::string entrypoint_text;
    std::vector<std::string> entrypoint, arguments, environment, labels;
    std::string user, working_directory, stop_signal, architecture = "amd64";
    bool keep_owner = false;
    bool compress = true;
};

} // namespace cli
