// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/image_loader.hpp - from a reference to one verified manifest and config.
//
// Steps: the store's table of contents -> the entry that is meant -> nested indexes -> the platform's manifest ->
// config. What the parts below return is checked but not yet an Image.
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

Manifest parse_manifest(std::string_view text, const std::string& what, const Limits& limits);

bool is_index(std::string_view media_type);
bool is_manifest(std::string_view media_type);
bool is_image_config(std::string_view media_type);
// Throws E0406 for a layer of another kind.
Compression layer_compression(std::string_view media_type, const std::string& what);

// "2023-11-14T22:13:20.5+01:00" -> seconds since 1970.
std::optional<std::int64_t> parse_rfc3339(std::string_view text);

class ImageLoader {
public:
    ImageLoader(const Reference& reference, std::shared_ptr<const Store> store, const OpenOptions& options);

    Image load();
    std::vector<ImageEntry> list();

private:
    // The entry that the reference means, among those that are images.
    Descriptor choose_entry();
    [[noreturn]] void say_which(const std::vector<StoredImage>& found) const;
    Descriptor choose_platform(const std::vector<Descriptor>& candidates);
    // Of an index's entry, or where that says none, of the image's config.
    std::optional<Platform> platform_of(const Descriptor& candidate) const;
    ImageConfig config_of(const Manifest& manifest) const;
    void load_manifest(Image& image, const Descriptor& descriptor) const;
    void look_at_layers(Image& image, const Manifest& manifest) const;
    void check_config(Image& image) const;
    [[noreturn]] void no_platform() const;

    Reference reference_;
    OpenOptions options_;
    std::string name_;
    std::shared_ptr<const Store> store_;
    std::vector<Platform> platforms_;
    std::optional<Platform> promised_; // what the index said of the chosen image
};

} // namespace oci
