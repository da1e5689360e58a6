// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/judging.hpp - a plan before the manifest's policies and those of --policy.
#pragma once

#include "image-tools/admission/results.hpp"
#include "image-tools/bundle/sections.hpp"
#include "image-tools/cli/commands.hpp"

#include <string>
#include <vector>

namespace cli {

// What was found, for JSON; whether a rule that denies is not met.
struct Judgement {
    Json json;
    std::vector<std::string> denied; // a line each
    bundle::PolicyMark mark{};       // for the bundle's header
};

// Says what is to be warned of. Nothing is judged where neither names a policy: json is null then.
Judgement judge_plan(const manifest::Manifest& manifest, const std::vector<std::string>& more,
                     const Json& plan, Report& report);
// Throws E0530 where something was denied.
void refuse_denied(const manifest::Manifest& manifest, const Judgement& judgement);

// Both, of what is about to be built; `board` as --board has it. What the bundle's header says of it.
bundle::PolicyMark judge_first(const manifest::Manifest& manifest, const std::vector<std::string>& more,
                               const std::string& board, const registry::ImagesOptions& images,
                               Report& report);

// What plan --format json writes. Throws as planning does.
Json plan_of(const manifest::Manifest& manifest, const std::string& board,
             const registry::ImagesOptions& images, Report& report);
// The plan's standing by each rule and each control by design, of the packaged sets and these: caisson.report/1.
// `results`: where any are given, what is kept by design must be shown by its tests.
Json controls_of(const manifest::Manifest& manifest, const std::vector<std::string>& more, const Json& plan,
                 const admission::TestResults& results);
// The same as one page of HTML that asks for nothing else, and as OSCAL's assessment results.
std::string controls_html(const Json& controls);
std::string controls_oscal(const Json& controls);
admission::TestResults read_results(const std::vector<std::string>& files);

void declare_policy_option(Command& command, std::vector<std::string>& policies);

} // namespace cli
