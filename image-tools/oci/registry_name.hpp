// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/registry_name.hpp - names of images in registries: [HOST[:PORT]/]REPOSITORY[:TAG][@sha256:DIGEST]
//
// Trust: text written by the user, or read from a lock file.
// Spec:  the OCI distribution specification, "Pulling manifests"; for what is a host, the reference grammar of the
//        distribution project: a first part with a dot, a colon, capitals, or "localhost".
#pragma once

#include "image-tools/files/digest.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace oci {

// What a name without a host means to everybody. The only registry that is named in this tree; another one is chosen in
// registries.conf.
inline constexpr std::string_view default_registry = "docker.io";
inline constexpr std::string_view default_registry_host = "registry-1.docker.io"; // where it answers
inline constexpr std::string_view default_registry_login =
    "https://index.docker.io/v1/";                               // its key in config.json
inline constexpr std::string_view default_namespace = "library"; // of its repositories with one part

struct RegistryName {
    std::string host; // with the port, if there is one; empty: not named
    std::string repository;
    std::string tag; // empty: none
    std::optional<files::Digest> digest{};

    [[nodiscard]] std::string text() const; // as it was written
};

// Nothing where it is no such name; then `problem` says what is wrong with it.
std::optional<RegistryName> parse_registry_name(std::string_view text, std::string& problem);

} // namespace oci
