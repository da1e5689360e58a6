// SPDX-License-Identifier: Apache-2.0
// image-tools/scan/version.hpp - which of two versions is the later one, as each kind of package orders them.
//
// Pure. Total: any two texts have an order; what is no version of the scheme is ordered by what can be read of it.
// Spec: deb-version(7); apk-tools, src/version.c (and apk-package(5)); rpm-version(7); Semantic Versioning 2.0.0, 11; PEP 440.
#pragma once

#include <compare>
#include <cstdint>
#include <string_view>

namespace scan {

enum class Scheme : std::uint8_t { none, dpkg, apk, rpm, semver, pep440 };

std::weak_ordering compare(Scheme scheme, std::string_view one, std::string_view other);

// Of an OSV ecosystem's first word ("Debian", "Go"); none: its versions are not ordered here.
Scheme scheme_of(std::string_view ecosystem);

} // namespace scan
