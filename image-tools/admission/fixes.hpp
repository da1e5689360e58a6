// SPDX-License-Identifier: Apache-2.0
// image-tools/admission/fixes.hpp - what to write into a manifest so that rules are met: their fixes as one patch.
//
// Spec: RFC 7396 (JSON Merge Patch), on the tree of a YAML file.
#pragma once

#include "image-tools/admission/judge.hpp"
#include "image-tools/manifest/yaml.hpp"

#include <string>
#include <string_view>

namespace admission {

// Maps are merged, null removes, everything else replaces.
manifest::Node merged(manifest::Node into, const manifest::Node& patch);

// The fixes of all rules that are not met and for which nobody answers, merged in the order of the findings; that of a rule for
// each partition stands under `partitions` and the partition's name. An empty map where there is nothing to be done.
manifest::Node patch_of(const Verdict& verdict);

// A rule's `fix` as a map; throws what parse_yaml() does, and E0309 at `spot` of `source` where it is none.
manifest::Node read_fix(const std::string& fix, const manifest::Source& source, manifest::Spot spot);

// As block YAML with a line end; numbers and words without quotes stay as they were written.
std::string yaml_text(const manifest::Node& node);

} // namespace admission
