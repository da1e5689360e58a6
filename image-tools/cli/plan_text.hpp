// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/plan_text.hpp - a plan for people and for programs.
#pragma once

#include "image-tools/build/build.hpp"
#include "image-tools/cli/report.hpp"

#include <string>
#include <vector>

namespace cli {

struct PlanSource {
    std::string name;   // image reference or kernel file
    std::string digest; // shortened
    std::uint32_t pids; // the most processes and threads; 0: not known
};

struct PlanView {
    std::vector<std::byte> table;
    std::vector<bundle::SectionShape> sections;
    std::uint64_t bundle_bytes = 0;
    std::vector<PlanSource> sources; // one a partition; may be empty
    build::AssumedMachine machine;
    // What policies and other programs are told besides (docs/plan.schema.json).
    const manifest::Manifest* manifest = nullptr;
    const build::Prepared* prepared = nullptr;
};

std::string plan_text(const PlanView& view, bool with_addresses);
Json plan_json(const PlanView& view);

} // namespace cli
