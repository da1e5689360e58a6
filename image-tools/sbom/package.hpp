// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/package.hpp - what a root image was made of: packages as their own databases name them.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace sbom {

// Who says so; the order is the documents'.
enum class Kind : std::uint8_t { deb, apk, rpm, golang, cargo, pypi, npm, maven };
inline constexpr std::size_t kinds = 8;
// The type of its package URL: "deb".
std::string_view word(Kind kind);

struct Package {
    Kind kind{};
    std::string name;    // as the kind writes it: "@scope/name", "group:artifact", "github.com/a/b"
    std::string version; // with epoch and revision; empty: it says none
    std::string architecture{};
    std::string source{}, source_version{}; // what it was built from, where that has another name or version
    std::string licence{};                  // as the package says; empty: it says nothing
    std::string supplier{};
    std::string sum{};                // a module's "h1:...", as Go has it
    std::string place{};              // the file that says so
    std::vector<std::string> files{}; // its own, where the database lists them

    friend auto operator<=>(const Package& one, const Package& other) {
        return std::tie(one.kind, one.name, one.version, one.architecture, one.place) <=>
               std::tie(other.kind, other.name, other.version, other.architecture, other.place);
    }
    friend bool operator==(const Package& one, const Package& other) { return (one <=> other) == 0; }
};

// Whose packages deb, apk and rpm are (os-release).
struct Distribution {
    std::string id;      // "debian"; empty: the image does not say
    std::string version; // "12"
    std::string name{};  // "Debian GNU/Linux 12 (bookworm)"
};
Distribution parse_os_release(std::string_view text);

// All that was found in one root image.
struct Inventory {
    Distribution distribution;
    std::vector<Package> packages;  // sorted, each once
    std::vector<std::string> notes; // what is there and could not be read
};

// What a plan says of it.
struct Summary {
    std::string distribution; // "debian:12"; empty: the image does not say
    std::uint64_t packages = 0;
    std::vector<std::pair<std::string, std::uint64_t>> kinds; // "deb", how many; in the order of Kind
    std::vector<std::string> licences;                        // in SPDX's words where there are any; sorted
    std::vector<std::string> not_read;
};
Summary summary_of(const Inventory& inventory);

// Spec: Package URL specification, with its types' rules.
std::string purl(const Package& package, const Distribution& distribution);

} // namespace sbom
