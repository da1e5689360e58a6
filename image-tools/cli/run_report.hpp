// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/run_report.hpp - what a run came to, for programs: JSON, and JUnit's XML for CI systems.
#pragma once

#include "image-tools/cli/report.hpp"
#include "image-tools/run/machine.hpp"

#include <chrono>
#include <filesystem>
#include <string>

namespace cli {

struct RunFacts {
    const run::Session& session;
    const run::Outcome& outcome;
    std::filesystem::path bundle;
    std::chrono::duration<double> took; // from QEMU's start to its end
};

Json run_json(const RunFacts& facts);

// A test suite with a case a partition, which failed when its status is not 0 or is not known; and one for the
// machine. Throws E0602.
void write_junit(const std::string& file, const RunFacts& facts);

} // namespace cli
