// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/image.hpp - one image of a layout or archive: index, platform, manifest, config,
// layers.
//
// Trust:      every byte is hostile. Nothing is parsed before its size and digest were checked; a
//             layer's blob is checked when it is opened and its diff_id when its last byte has been
//             read.
// Invariants: an Image exists only if index, manifest and config are well formed and agree on the
//             layers.
// Errors:     diagnostic::Failure, E0401-E0419; the message names the image, the layer (number and
//             digest), the entry.
// Spec:       OCI image specification 1.1; Docker image manifest v2 schema 2; docker-archive as
//             written by `docker save` and skopeo.
#pragma once

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/digest.hpp"
#include "image-tools/files/range.hpp"
#include "image-tools/oci/limits.hpp"
#include "image-tools/oci/reference.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace oci {

class Store;
class LayerStream;

struct Platform {
    std::string os;
    std::string architecture;
    std::string variant;

    [[nodiscard]] std::string text() const; // "linux/arm64/v8"
    // As containerd and Docker understand it: lower case, x86_64 is amd64, aarch64 is arm64.
    [[nodiscard]] Platform normal() const;
    friend auto operator<=>(const Platform&, const Platform&) = default;
};

struct Descriptor {
    std::string media_type;
    files::Digest digest;
    std::uint64_t size = 0;
    std::optional<Platform> platform;
    std::map<std::string, std::string> annotations;
    std::vector<std::string> urls{}; // of a foreign layer: where it is, when it is not here
    std::string artifact_type{};     // not empty: no image
};

// What the image says about running it. Absent and empty are told apart where Docker does.
struct ImageConfig {
    std::string architecture;
    std::string os;
    std::string variant;
    std::vector<std::string> entrypoint;
    std::vector<std::string> cmd;
    std::vector<std::string> env; // "NAME=value", in the image's order
    std::string working_dir;
    std::string user; // "user[:group]", names or numbers; rootfs::resolve_user
    std::string stop_signal;
    std::vector<std::string> exposed_ports; // "80/tcp"
    std::vector<std::string> volumes;
    bool health_check = false; // Docker's; OCI has none
    std::map<std::string, std::string> labels;
    std::string created;                       // as written
    std::optional<std::int64_t> created_epoch; // seconds since 1970
    std::vector<files::Digest> diff_ids;
    files::Digest digest;
};

enum class Compression { none, gzip, zstd };

struct Layer {
    Descriptor blob; // docker-archive: digest is the diff_id, size that of the member
    files::Digest diff_id;
};

struct OpenOptions {
    Limits limits;
    Platform platform{"linux", "amd64", ""};
};

class Image {
public:
    static Image open(const Reference& reference, const OpenOptions& options = {});
    // The same from a store that its owner has opened: a registry's.
    static Image open(const Reference& reference, std::shared_ptr<const Store> store,
                      const OpenOptions& options);

    [[nodiscard]] const Reference& reference() const { return reference_; }
    [[nodiscard]] const std::string& name() const { return name_; } // for messages: the reference's text
    // docker-archive: there is no manifest, this is the config's digest (Docker's image ID).
    [[nodiscard]] const files::Digest& manifest_digest() const { return manifest_digest_; }
    // What the reference names: the index, where the manifest was chosen from one.
    [[nodiscard]] const files::Digest& named_digest() const { return named_digest_; }
    [[nodiscard]] const ImageConfig& config() const { return config_; }
    [[nodiscard]] const std::vector<Layer>& layers() const { return layers_; }
    // Those of the index the manifest was chosen from; only its own if there is none.
    [[nodiscard]] const std::vector<Platform>& platforms() const { return platforms_; }
    [[nodiscard]] std::uint64_t packed_bytes() const; // of all layers
    // What the image is not quite right in, though it can be read.
    [[nodiscard]] const std::vector<std::string>& notes() const { return notes_; }

    // A layer's blob, found to be what its descriptor says. On any thread.
    [[nodiscard]] files::FileRange checked_blob(std::size_t index) const;
    // For who needs none of their bytes: the layers' blobs are there, or can be had. Throws E0407, E0420.
    void expect_layers() const;
    // The tar in a checked blob. Reads are sequential; the last one verifies the diff_id.
    [[nodiscard]] LayerStream open_layer(std::size_t index, const Limits& limits,
                                         files::FileRange blob) const;
    [[nodiscard]] LayerStream open_layer(std::size_t index, const Limits& limits) const;

private:
    friend class ImageLoader;
    Image() = default;

    Reference reference_;
    std::string name_;
    files::Digest manifest_digest_;
    files::Digest named_digest_;
    ImageConfig config_;
    std::vector<Layer> layers_;
    std::vector<Platform> platforms_;
    std::vector<std::string> notes_;
    std::shared_ptr<const Store> store_;
};

// What a layout or archive holds, for `image ls`.
struct ImageEntry {
    std::string tag; // empty: none
    Descriptor descriptor;
    std::vector<Platform> platforms; // of a nested index: all; otherwise the descriptor's, if it says
};
std::vector<ImageEntry> list_images(const Reference& reference, const Limits& limits = {});

} // namespace oci
