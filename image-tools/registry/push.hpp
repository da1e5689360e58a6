// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/push.hpp - artifacts into a registry: blobs, a manifest, and what refers to it.
//
// Invariants: a manifest is sent when all its blobs are there; a tag is set last. Nothing is sent twice that the registry has.
// Spec:       OCI distribution specification 1.1, "Push", "Pushing Manifests with Subject", "Referrers Tag Schema"; OCI image
//             specification 1.1, "Guidelines for Artifact Usage".
#pragma once

#include "image-tools/files/range.hpp"
#include "image-tools/oci/image.hpp"
#include "image-tools/registry/images.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace registry {

class Endpoint;

// A file or a text, with the name that clients write it under.
struct ArtifactBlob {
    std::string media_type, title;
    std::variant<files::FileRange, std::string> content;
};

class Pusher {
public:
    // `where`: in a registry; its tag is what push() sets. Throws E0101 for another place, and as Images::open().
    Pusher(const oci::Reference& where, const ImagesOptions& options);
    Pusher(const Pusher&) = delete;
    Pusher& operator=(const Pusher&) = delete;
    ~Pusher();

    // The artifact's manifest, under the reference's tag.
    oci::Descriptor push(const std::string& artifact_type, const std::vector<ArtifactBlob>& blobs);
    // One that refers to it: found by the referrers' API, or where a registry has none by the tag sha256-HEX.
    oci::Descriptor push_referrer(const std::string& artifact_type, const std::vector<ArtifactBlob>& blobs,
                                  const oci::Descriptor& subject);
    [[nodiscard]] std::string name() const; // "docker://HOST/REPOSITORY"

private:
    oci::Descriptor send(const std::string& artifact_type, const std::vector<ArtifactBlob>& blobs,
                         const oci::Descriptor* subject, const std::string& tag);
    void note_referrer(const oci::Descriptor& referrer, const std::string& artifact_type,
                       const files::Digest& subject);

    struct Session;
    std::unique_ptr<Session> session_;
};

// The files of an artifact that this or a tool like it pushed, into a folder; their names. `reference`: by digest or tag. Throws
// E0406 for what is no artifact of that type, and as Images::open().
std::vector<std::filesystem::path> pull_artifact(const oci::Reference& reference,
                                                 const std::string& artifact_type,
                                                 const std::filesystem::path& folder,
                                                 const ImagesOptions& options, files::Digest& digest);

} // namespace registry
