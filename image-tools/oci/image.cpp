// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/image.hpp"

#include "image-tools/oci/decoder.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/image_loader.hpp"
#include "image-tools/oci/layer_stream.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace oci {

namespace {

std::string joined(const std::vector<std::string>& list) {
    std::string text;
    for (const std::string& item : list) {
        text += (text.empty() ? "" : ", ") + item;
    }
    return text.empty() ? "none" : text;
}

// What stands beside images without being one: attestations of build tools, signatures, other artifacts.
bool is_beside(const Descriptor& descriptor) {
    return descriptor.annotations.contains("vnd.docker.reference.type") ||
           !descriptor.artifact_type.empty() ||
           (descriptor.platform && descriptor.platform->normal().os == "unknown");
}

// Manifests of different platforms under the same names, or under none, stand for an index of them.
bool one_per_platform(const std::vector<StoredImage>& found) {
    std::set<Platform> platforms;
    for (const StoredImage& item : found) {
        if (!item.descriptor.platform || item.names != found.front().names ||
            !platforms.insert(item.descriptor.platform->normal()).second) {
            return false;
        }
    }
    return !found.empty();
}

// "v1, v2 (sha256:...)" of each.
std::vector<std::string> entries_of(const std::vector<StoredImage>& images) {
    std::vector<std::string> out;
    for (const StoredImage& image : images) {
        out.push_back((image.names.empty() ? "without a name" : joined(image.names)) + " (" +
                      image.descriptor.digest.text() + ")");
    }
    return out;
}

std::string lower(std::string text) {
    for (char& c : text) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return text;
}

} // namespace

std::string Platform::text() const {
    return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

Platform Platform::normal() const {
    Platform out{lower(os), lower(architecture), lower(variant)};
    if (out.architecture == "x86_64" || out.architecture == "x86-64") {
        out.architecture = "amd64";
    } else if (out.architecture == "aarch64") {
        out.architecture = "arm64";
    }
    if (out.architecture == "amd64" && out.variant == "v1") {
        out.variant.clear();
    }
    return out;
}

ImageLoader::ImageLoader(const Reference& reference, std::shared_ptr<const Store> store,
                         const OpenOptions& options)
    : reference_(reference), options_(options), name_(reference.text()), store_(std::move(store)) {}

Descriptor ImageLoader::choose_entry() {
    const std::vector<StoredImage> all = store_->contents();
    std::vector<StoredImage> found;
    for (const StoredImage& image : all) {
        const bool meant = (!reference_.digest || image.descriptor.digest == *reference_.digest) &&
                           (reference_.tag.empty() || store_->is_called(image, reference_.tag));
        const bool named = reference_.digest || !reference_.tag.empty();
        const bool known = std::any_of(found.begin(), found.end(), [&](const StoredImage& other) {
            return other.descriptor.digest == image.descriptor.digest &&
                   other.descriptor.platform == image.descriptor.platform;
        });
        if (meant && !known && (named || !is_beside(image.descriptor))) {
            found.push_back(image);
        }
    }
    if (found.size() == 1) {
        promised_ = found.front().descriptor.platform;
        return found.front().descriptor;
    }
    if (one_per_platform(found)) {
        std::vector<Descriptor> candidates;
        for (const StoredImage& item : found) {
            candidates.push_back(item.descriptor);
        }
        return choose_platform(candidates);
    }
    if (all.empty()) {
        throw diagnostic::fail(Fault::tag, name_ + ": it holds no image");
    }
    if (found.empty()) {
        throw diagnostic::fail(Fault::tag, name_ + ": no image of that name")
            .notes({"there: " + joined(entries_of(all))});
    }
    say_which(found);
}

void ImageLoader::say_which(const std::vector<StoredImage>& found) const {
    const Reference by_name{reference_.transport, reference_.path, "NAME"};
    throw diagnostic::fail(Fault::tag, name_ + " holds " + std::to_string(found.size()) + " images" +
                                           (reference_.tag.empty() ? "" : " of this name") + "; say which")
        .notes({"there: " + joined(entries_of(found))})
        .help("write " + by_name.text() + " or " +
              Reference{reference_.transport, reference_.path, {}}.text() + "@sha256:DIGEST");
}

void ImageLoader::no_platform() const {
    std::vector<std::string> names;
    for (const Platform& platform : platforms_) {
        names.push_back(platform.text());
    }
    throw diagnostic::fail(Fault::platform, name_ + " is not for " + options_.platform.text())
        .notes({"platforms there: " + joined(names)})
        .help("fetch it with  skopeo --override-os " + options_.platform.os + " --override-arch " +
              options_.platform.architecture + " copy ...");
}

std::optional<Platform> ImageLoader::platform_of(const Descriptor& candidate) const {
    if (candidate.platform && !candidate.platform->os.empty()) {
        return candidate.platform->normal();
    }
    if (is_index(candidate.media_type)) {
        return std::nullopt;
    }
    try {
        const ImageConfig config = config_of(store_->manifest(candidate));
        return Platform{config.os, config.architecture, config.variant};
    } catch (const diagnostic::Failure&) {
        return std::nullopt; // no image, or not here: another entry may be meant
    }
}

Descriptor ImageLoader::choose_platform(const std::vector<Descriptor>& candidates) {
    const Descriptor* best = nullptr;
    std::string variant;
    unsigned images = 0;
    const Descriptor* last = nullptr;
    for (const Descriptor& candidate : candidates) {
        if (is_beside(candidate)) {
            continue;
        }
        ++images;
        last = &candidate;
        const auto platform = platform_of(candidate);
        if (!platform) {
            continue;
        }
        platforms_.push_back(*platform);
        const bool fits =
            platform->os == options_.platform.os && platform->architecture == options_.platform.architecture;
        // Without a variant is the plainest (amd64 before amd64/v3).
        if (fits && (best == nullptr || platform->variant < variant)) {
            best = &candidate;
            variant = platform->variant;
        }
    }
    if (best == nullptr && images == 1 && !last->platform) {
        best = last; // what it is, its own reading will tell
    }
    if (best == nullptr) {
        no_platform();
    }
    promised_ = best->platform;
    return *best;
}

Image ImageLoader::load() {
    Image image;
    image.reference_ = reference_;
    image.name_ = name_;
    image.store_ = store_;
    Descriptor descriptor = choose_entry();
    image.named_digest_ = descriptor.digest;
    for (unsigned depth = 0; is_index(descriptor.media_type); ++depth) {
        if (depth == options_.limits.index_depth) {
            throw diagnostic::fail(Fault::malformed,
                                   name_ + ": indexes nested deeper than " + std::to_string(depth));
        }
        const std::string what = name_ + ": index " + descriptor.digest.text();
        descriptor = choose_platform(parse_index(store_->document(descriptor, what), what, options_.limits));
    }
    load_manifest(image, descriptor);
    check_config(image);
    image.platforms_ = platforms_;
    if (image.platforms_.empty()) {
        image.platforms_.push_back({image.config_.os, image.config_.architecture, image.config_.variant});
    }
    return image;
}

ImageConfig ImageLoader::config_of(const Manifest& manifest) const {
    const std::string what = name_ + ": config " + manifest.config.digest.text();
    ImageConfig config = parse_config(store_->document(manifest.config, what), what, options_.limits);
    config.digest = manifest.config.digest;
    return config;
}

void ImageLoader::load_manifest(Image& image, const Descriptor& descriptor) const {
    const Manifest manifest = store_->manifest(descriptor);
    image.manifest_digest_ = descriptor.digest;
    image.config_ = config_of(manifest);
    image.notes_ = store_->notes(descriptor);
    if (!is_image_config(manifest.config.media_type)) {
        image.notes_.push_back("its config is typed " + printable(manifest.config.media_type) +
                               "; by its content it is an image's");
    }
    if (image.config_.diff_ids.size() != manifest.layers.size()) {
        throw diagnostic::fail(Fault::malformed,
                               name_ + ": the manifest has " + std::to_string(manifest.layers.size()) +
                                   " layers, the config names " +
                                   std::to_string(image.config_.diff_ids.size()) + " (diff_ids)");
    }
    look_at_layers(image, manifest);
}

// How a layer is packed its content says, and its diff_id whether that was understood: the media type is often wrong.
void ImageLoader::look_at_layers(Image& image, const Manifest& manifest) const {
    for (const Descriptor& blob : manifest.layers) {
        const std::size_t index = image.layers_.size();
        const LayerContext context{name_, index, manifest.layers.size(), blob.digest.text()};
        const Compression said = layer_compression(blob.media_type, context.text());
        const auto range = store_->find(blob);
        if (range && reference_.transport != Transport::docker_archive && Decoder::detect(*range) != said) {
            image.notes_.push_back(
                "layer " + std::to_string(index + 1) + " of " + std::to_string(manifest.layers.size()) +
                " is not packed as its media type " + printable(blob.media_type) + " says");
        }
        image.layers_.push_back({blob, image.config_.diff_ids[index]});
    }
}

void ImageLoader::check_config(Image& image) const {
    ImageConfig& config = image.config_;
    if (config.os.empty() || config.architecture.empty()) {
        image.notes_.push_back("its config does not say what machine it is for; it is taken for " +
                               options_.platform.text());
        config.os = config.os.empty() ? options_.platform.os : config.os;
        config.architecture =
            config.architecture.empty() ? options_.platform.architecture : config.architecture;
    }
    if (config.os == options_.platform.os && config.architecture == options_.platform.architecture) {
        return;
    }
    const Platform own{config.os, config.architecture, config.variant};
    if (promised_ && promised_->normal().architecture == options_.platform.architecture) {
        throw diagnostic::fail(Fault::platform, name_ + ": the index says " + promised_->normal().text() +
                                                    ", the image's own config " + own.text())
            .help("the image was built or tagged wrongly: fetch or build it again");
    }
    ImageLoader described = *this;
    if (described.platforms_.empty()) {
        described.platforms_.push_back(own);
    }
    described.no_platform();
}

std::vector<ImageEntry> ImageLoader::list() {
    std::vector<ImageEntry> entries;
    for (const StoredImage& image : store_->contents()) {
        ImageEntry entry{image.names.empty() ? "" : joined(image.names), image.descriptor, {}};
        if (is_index(image.descriptor.media_type)) {
            const std::string what = name_ + ": index " + image.descriptor.digest.text();
            const std::string text = store_->document(image.descriptor, what);
            for (const Descriptor& item : parse_index(text, what, options_.limits)) {
                if (const auto platform = is_beside(item) ? std::nullopt : platform_of(item)) {
                    entry.platforms.push_back(*platform);
                }
            }
        } else if (const auto platform = platform_of(image.descriptor)) {
            entry.platforms.push_back(*platform);
        }
        entries.push_back(std::move(entry));
    }
    return entries;
}

Image Image::open(const Reference& reference, const OpenOptions& options) {
    return open(reference, Store::open(reference, options.limits), options);
}

Image Image::open(const Reference& reference, std::shared_ptr<const Store> store,
                  const OpenOptions& options) {
    return ImageLoader(reference, std::move(store), options).load();
}

std::vector<ImageEntry> list_images(const Reference& reference, const Limits& limits) {
    OpenOptions options;
    options.limits = limits;
    return ImageLoader(reference, Store::open(reference, limits), options).list();
}

std::uint64_t Image::packed_bytes() const {
    std::uint64_t sum = 0;
    for (const Layer& layer : layers_) {
        sum += layer.blob.size;
    }
    return sum;
}

files::FileRange Image::checked_blob(std::size_t index) const {
    const Layer& layer = layers_[index];
    return store_->blob(layer.blob,
                        LayerContext{name_, index, layers_.size(), layer.blob.digest.text()}.text());
}

void Image::expect_layers() const {
    for (std::size_t i = 0; i < layers_.size(); ++i)
        store_->expect(layers_[i].blob,
                       LayerContext{name_, i, layers_.size(), layers_[i].blob.digest.text()}.text());
}

LayerStream Image::open_layer(std::size_t index, const Limits& limits, files::FileRange blob) const {
    const Layer& layer = layers_[index];
    const Compression compression = Decoder::detect(blob);
    return LayerStream(std::move(blob), compression, layer.diff_id,
                       {name_, index, layers_.size(), layer.blob.digest.text()}, limits);
}

LayerStream Image::open_layer(std::size_t index, const Limits& limits) const {
    return open_layer(index, limits, checked_blob(index));
}

} // namespace oci
