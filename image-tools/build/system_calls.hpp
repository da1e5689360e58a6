// SPDX-License-Identifier: Apache-2.0
// image-tools/build/system_calls.hpp - a partition's policy of system calls as its kernel takes it.
#pragma once

#include "image-tools/manifest/manifest.hpp"

#include <cstdint>
#include <vector>

namespace build {

// Instructions of classic BPF; none where the manifest asks for no policy. A name that is no call of x86-64 is left out, as
// container engines do, and told by `caisson profile check`. Throws E0430, E0601, E0805 with the place in the manifest or the file.
std::vector<std::uint64_t> filter_of(const manifest::Manifest& manifest,
                                     const manifest::Partition& partition);

} // namespace build
