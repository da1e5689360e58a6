// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/reference.hpp - where an image is:  oci:DIR[:TAG]  oci-archive:FILE[:TAG]
// docker-archive:FILE[:TAG]; instead of a tag also @sha256:DIGEST. In a registry: docker://NAME, or NAME alone
// (registry_name.hpp).
//
// The path ends at the first colon after the transport, as in skopeo; a docker-archive's tag is a
// whole name ("docker.io/library/redis:7", or "redis:7").
// Trust:      text written by the user.
// Spec:       containers-transports(5).
#pragma once

#include "image-tools/files/digest.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace oci {

// Where an OCI image layout has a tag (OCI image specification 1.1, "Annotation Rules").
inline constexpr const char* tag_annotation = "org.opencontainers.image.ref.name";

enum class Transport {
    layout,         // oci:
    archive,        // oci-archive:
    docker_archive, // docker-archive:
    registry,       // docker://, or a name without a transport
};

struct Reference {
    Transport transport = Transport::layout;
    std::string path; // in a registry: [HOST[:PORT]/]REPOSITORY
    std::string tag;  // empty: the only one; in a registry: latest, unless a digest is named
    std::optional<files::Digest> digest{}; // of manifest or index; a docker-archive's: of the config

    // As written by the user, but with its transport.
    [[nodiscard]] std::string text() const;
    // The same with a relative path taken from `directory` (that of the manifest).
    [[nodiscard]] Reference resolved_from(const std::filesystem::path& directory) const;
};

// "redis:7", "library/redis:7" and "docker.io/library/redis:7" are one name; without a tag it is "latest".
std::string full_docker_name(std::string name);

// Throws E0401 with the accepted forms, and the command that brings an image from where only other tools can read it.
Reference parse_reference(std::string_view text);

} // namespace oci
