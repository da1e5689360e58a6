// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/reference.hpp - where an image is:  oci:DIR[:TAG]  oci-archive:FILE[:TAG]
// docker-archive:FILE[:TAG]
//
// The path ends at the first colon after the transport, as in skopeo; a docker-archive's tag is a
// whole name ("docker.io/library/redis:7", or "redis:7").
// Trust:      text written by the user.
// Spec:       containers-transports(5).
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace oci {

enum class Transport {
    layout,         // oci:
    archive,        // oci-archive:
    docker_archive, // docker-archive:
};

struct Reference {
    Transport transport = Transport::layout;
    std::string path;
    std::string tag; // empty: the only one

    // As written by the user.
    [[nodiscard]] std::string text() const;
    // The same with a relative path taken from `directory` (that of the manifest).
    [[nodiscard]] Reference resolved_from(const std::filesystem::path& directory) const;
};

// Throws E0401 with the accepted forms; a registry name gets the skopeo line that fetches it.
Reference parse_reference(std::string_view text);

} // namespace oci
