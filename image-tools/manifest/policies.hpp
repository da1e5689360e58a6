// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/policies.hpp - which policies judge the plan.
//
// Internal to image-tools/manifest.
#pragma once

#include "image-tools/manifest/binder.hpp"
#include "image-tools/manifest/manifest.hpp"

namespace manifest {

// The value of `policy`: a list of names, or of maps with name, action and exceptions.
std::vector<PolicyUse> read_policies(const Binder& binder, const Node& node);

} // namespace manifest
