// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/image_loader.hpp - from a reference to one verified manifest and config.
//
// Steps: index.json -> the tag's descriptor -> nested indexes -> the platform's manifest -> config; or, for a
// docker-archive, manifest.json -> config. What the parts below return is checked but not yet an Image.
// Spec: OCI image specification 1.1, "Image Layout", "Image Index", "Image Manifest", "Image Configuration".
#pragma once

#include "image-tools/oci/image.hpp"
#include "image-tools/oci/store.hpp"
#include "image-tools/oci/strict_json.hpp"

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace oci {

Descriptor parse_descriptor(const JsonObject& object);
std::vector<Descriptor> parse_index(std::string_view text, const std::string& what, const Limits& limits);
ImageConfig parse_config(std::string_view text, const std::string& what, const Limits& limits);

struct Manifest {
    Descriptor config;
    std::vector<Descriptor> layers;
};
Manifest parse_manifest(std::string_view text, const std::string& what, const Limits& limits);

bool is_index(std::string_view media_type);
bool is_manifest(std::string_view media_type);
// Throws E0406 for a layer of another kind.
Compression layer_compression(std::string_view media_type, const std::string& what);

// "2023-11-14T22:13:20.5+01:00" -> seconds since 1970.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

class ImageLoader {
public:
    ImageLoader(const Reference& reference, const OpenOptions& options);

    Image load();
    std::vector<ImageEntry> list();

private:
    std::vector<Descriptor> top_index() const;
    Descriptor choose_tag(const std::vector<Descriptor>& index);
    Descriptor choose_platform(const std::vector<Descriptor>& candidates);
    void load_manifest(Image& image, const Descriptor& descriptor) const;
    void load_docker_archive(Image& image) const;
    void check_config(const Image& image) const;
    [[noreturn]] void no_platform() const;

    Reference reference_;
    OpenOptions options_;
    std::string name_;
    std::shared_ptr<const Store> store_;
    std::vector<Platform> platforms_;
};

} // namespace oci
