// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/zip_archive.hpp - files as a ZIP archive, each stored as it is.
//
// Invariants: the same files in the same order give the same bytes: no time, no owner.
// Spec:       PKWARE, .ZIP File Format Specification 6.3.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cli {

using NamedTexts = std::vector<std::pair<std::string, std::string>>; // name, bytes

// Names are relative and ASCII. Throws E0801 beyond 4 GiB or 65,535 files.
std::string zip_archive(const NamedTexts& files);

} // namespace cli
