// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/bundle_meta.hpp - what a bundle says for people and tools.
#pragma once

#include "image-tools/bundle/verify.hpp"
#include "image-tools/cli/report.hpp"

namespace cli {

// The meta section's JSON; null when it is not JSON of a sane depth.
Json meta_of(const bundle::BundleSummary& summary);
// Lines of what a header and its meta section say, and the same for JSON: the verdict on each image, the policies of the plan.
Json say_verdicts(const Json& meta, Report& report);
Json say_policies(const bundle::Header& header, const Json& meta, Report& report);

} // namespace cli
