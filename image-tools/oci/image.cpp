// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/image.hpp"

#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/image_loader.hpp"
#include "image-tools/oci/layer_stream.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace oci {

namespace {

constexpr const char* tag_annotation = "org.opencontainers.image.ref.name";

std::string tag_of(const Descriptor& descriptor) {
    const auto found = descriptor.annotations.find(tag_annotation);
    return found == descriptor.annotations.end() ? "" : found->second;
}

std::string joined(const std::vector<std::string>& list) {
    std::string text;
    for (const std::string& item : list) {
        text += (text.empty() ? "" : ", ") + item;
    }
    return text.empty() ? "none" : text;
}

// "redis:7", "library/redis:7" and "docker.io/library/redis:7" are one name; without a tag it is "latest".
std::string full_docker_name(std::string name) {
    const auto slash = name.rfind('/');
    if (name.find(':', slash == std::string::npos ? 0 : slash) == std::string::npos &&
        name.find('@') == std::string::npos) {
        name += ":latest";
    }
    const auto first = name.find('/');
    const std::string host = name.substr(0, first);
    const bool has_host =
        first != std::string::npos && (host.find_first_of(".:") != std::string::npos || host == "localhost");
    if (!has_host) {
        name = (first == std::string::npos ? "docker.io/library/" : "docker.io/") + name;
    }
    return name;
}

// Attestations that build tools put beside the platforms are no platform.
bool is_platform(const Platform& platform) {
    return !platform.os.empty() && platform.os != "unknown";
}

// One tag on manifests of different platforms stands for an index of them.
bool one_per_platform(const std::vector<const Descriptor*>& found) {
    std::set<Platform> platforms;
    for (const Descriptor* item : found) {
        const bool counts =
            item->platform && !tag_of(*item).empty() && tag_of(*item) == tag_of(*found.front());
        if (!counts || !platforms.insert(*item->platform).second) {
            return false;
        }
    }
    return !found.empty();
}

struct DockerImage {
    std::string config;
    std::vector<std::string> tags;
    std::vector<std::string> layers;
};

std::vector<DockerImage> docker_images(const Store& store, const std::string& name, const Limits& limits) {
    const std::string what = name + ": manifest.json";
    const auto text = store.read("manifest.json", limits.json_bytes, what);
    if (!text) {
        throw diagnostic::fail(Fault::not_there, name + " is not a docker-archive: it has no manifest.json")
            .help("an archive of an OCI layout is written oci-archive:FILE");
    }
    const nlohmann::json document = parse_json(*text, what, limits);
    if (!document.is_array()) {
        throw diagnostic::fail(Fault::malformed, what + " is not a list");
    }
    std::vector<DockerImage> images;
    for (const nlohmann::json& item : document) {
        const JsonObject object(item, what + ": image " + std::to_string(images.size()));
        images.push_back({object.required_text("Config"), object.texts("RepoTags"), object.texts("Layers")});
    }
    return images;
}

const DockerImage& choose_docker_image(const std::vector<DockerImage>& images, const Reference& reference) {
    std::vector<std::string> tags;
    for (const DockerImage& image : images) {
        for (const std::string& tag : image.tags) {
            tags.push_back(tag);
            if (!reference.tag.empty() && full_docker_name(tag) == full_docker_name(reference.tag)) {
                return image;
            }
        }
    }
    if (reference.tag.empty() && images.size() == 1) {
        return images.front();
    }
    if (reference.tag.empty()) {
        throw diagnostic::fail(Fault::tag, reference.text() + " holds " + std::to_string(images.size()) +
                                               " images; say which")
            .notes({"names there: " + joined(tags)})
            .help("write docker-archive:" + reference.path + ":NAME");
    }
    throw diagnostic::fail(Fault::tag, reference.text() + ": no image of that name in the archive")
        .notes({"names there: " + joined(tags)});
}

} // namespace

std::string Platform::text() const {
    return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

ImageLoader::ImageLoader(const Reference& reference, const OpenOptions& options)
    : reference_(reference), options_(options), name_(reference.text()),
      store_(Store::open(reference, options.limits)) {}

std::vector<Descriptor> ImageLoader::top_index() const {
    const std::string what = name_ + ": index.json";
    const auto text = store_->read("index.json", options_.limits.json_bytes, what);
    if (!text) {
        throw diagnostic::fail(Fault::not_there, name_ + " is not an OCI layout: it has no index.json")
            .help("an archive made by docker save is written docker-archive:FILE");
    }
    return parse_index(*text, what, options_.limits);
}

Descriptor ImageLoader::choose_tag(const std::vector<Descriptor>& index) {
    std::vector<const Descriptor*> found;
    std::vector<std::string> tags;
    for (const Descriptor& descriptor : index) {
        const std::string tag = tag_of(descriptor);
        if (reference_.tag.empty() || tag == reference_.tag) {
            found.push_back(&descriptor);
        }
        if (!tag.empty() && std::find(tags.begin(), tags.end(), tag) == tags.end()) {
            tags.push_back(tag);
        }
    }
    if (found.size() == 1) {
        return *found.front();
    }
    if (one_per_platform(found)) {
        std::vector<Descriptor> candidates;
        for (const Descriptor* item : found) {
            candidates.push_back(*item);
        }
        return choose_platform(candidates);
    }
    const std::string how = "write " + Reference{reference_.transport, reference_.path, "TAG"}.text();
    if (found.empty() && index.empty()) {
        throw diagnostic::fail(Fault::tag, name_ + ": the layout holds no image");
    }
    if (found.empty()) {
        throw diagnostic::fail(Fault::tag, name_ + ": no such tag").notes({"tags there: " + joined(tags)});
    }
    throw diagnostic::fail(Fault::tag, name_ + " holds " + std::to_string(found.size()) + " images" +
                                           (reference_.tag.empty() ? "" : " with this tag") + "; say which")
        .notes({"tags there: " + joined(tags)})
        .help(how);
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

Descriptor ImageLoader::choose_platform(const std::vector<Descriptor>& candidates) {
    const Descriptor* best = nullptr;
    const Descriptor* unnamed = nullptr;
    unsigned unnamed_count = 0;
    for (const Descriptor& candidate : candidates) {
        if (!candidate.platform) {
            unnamed = &candidate;
            ++unnamed_count;
            continue;
        }
        if (!is_platform(*candidate.platform)) {
            continue;
        }
        platforms_.push_back(*candidate.platform);
        const bool fits = candidate.platform->os == options_.platform.os &&
                          candidate.platform->architecture == options_.platform.architecture;
        // Without a variant is the plainest (amd64 before amd64/v3).
        if (fits && (best == nullptr || candidate.platform->variant < best->platform->variant)) {
            best = &candidate;
        }
    }
    if (best == nullptr && unnamed_count == 1 && platforms_.empty()) {
        best = unnamed; // the config will tell
    }
    if (best == nullptr) {
        no_platform();
    }
    return *best;
}

Image ImageLoader::load() {
    Image image;
    image.reference_ = reference_;
    image.name_ = name_;
    image.store_ = store_;
    if (reference_.transport == Transport::docker_archive) {
        load_docker_archive(image);
    } else {
        Descriptor descriptor = choose_tag(top_index());
        for (unsigned depth = 0; is_index(descriptor.media_type); ++depth) {
            if (depth == options_.limits.index_depth) {
                throw diagnostic::fail(Fault::malformed,
                                       name_ + ": indexes nested deeper than " + std::to_string(depth));
            }
            const std::string what = name_ + ": index " + descriptor.digest.text();
            const std::string text = store_->verified_text(descriptor, options_.limits.json_bytes, what);
            descriptor = choose_platform(parse_index(text, what, options_.limits));
        }
        if (!is_manifest(descriptor.media_type)) {
            throw diagnostic::fail(Fault::media_type, name_ + ": " + printable(descriptor.media_type) +
                                                          " is not an image manifest or index");
        }
        load_manifest(image, descriptor);
    }
    check_config(image);
    image.platforms_ = platforms_;
    if (image.platforms_.empty()) {
        image.platforms_.push_back({image.config_.os, image.config_.architecture, image.config_.variant});
    }
    return image;
}

void ImageLoader::load_manifest(Image& image, const Descriptor& descriptor) const {
    const Limits& limits = options_.limits;
    const std::string what = name_ + ": manifest " + descriptor.digest.text();
    const Manifest manifest =
        parse_manifest(store_->verified_text(descriptor, limits.json_bytes, what), what, limits);
    image.manifest_digest_ = descriptor.digest;
    const std::string config_name = name_ + ": config " + manifest.config.digest.text();
    image.config_ = parse_config(store_->verified_text(manifest.config, limits.json_bytes, config_name),
                                 config_name, limits);
    image.config_.digest = manifest.config.digest;
    if (image.config_.diff_ids.size() != manifest.layers.size()) {
        throw diagnostic::fail(Fault::malformed,
                               name_ + ": the manifest has " + std::to_string(manifest.layers.size()) +
                                   " layers, the config names " +
                                   std::to_string(image.config_.diff_ids.size()) + " (diff_ids)");
    }
    for (const Descriptor& blob : manifest.layers) {
        const LayerContext context{name_, image.layers_.size(), manifest.layers.size(), blob.digest.text()};
        image.layers_.push_back({blob, image.config_.diff_ids[image.layers_.size()],
                                 layer_compression(blob.media_type, context.text())});
    }
}

void ImageLoader::load_docker_archive(Image& image) const {
    const Limits& limits = options_.limits;
    const auto images = docker_images(*store_, name_, limits);
    const DockerImage& chosen = choose_docker_image(images, reference_);
    const std::string what = name_ + ": config " + printable(chosen.config);
    const auto text = store_->read(chosen.config, limits.json_bytes, what);
    if (!text) {
        throw diagnostic::fail(Fault::blob, what + " is missing from the archive");
    }
    // Docker names the config by its digest, with or without ".json" after it.
    std::string hex = chosen.config.substr(chosen.config.rfind('/') + 1);
    hex = hex.ends_with(".json") ? hex.substr(0, hex.size() - 5) : hex;
    const files::Digest digest = files::sha256(*text);
    if (digest.hex() != hex) {
        throw diagnostic::fail(Fault::digest, what + ": its digest does not match its name")
            .notes({"found    " + digest.text()})
            .help("save the image again");
    }
    image.config_ = parse_config(*text, what, limits);
    image.config_.digest = digest;
    image.manifest_digest_ = digest;
    if (image.config_.diff_ids.size() != chosen.layers.size() || chosen.layers.size() > limits.layers) {
        throw diagnostic::fail(Fault::malformed,
                               name_ + ": manifest.json has " + std::to_string(chosen.layers.size()) +
                                   " layers, the config names " +
                                   std::to_string(image.config_.diff_ids.size()) + "; at most " +
                                   std::to_string(limits.layers) + " are accepted");
    }
    for (const std::string& layer : chosen.layers) {
        const files::Digest& diff_id = image.config_.diff_ids[image.layers_.size()];
        const LayerContext context{name_, image.layers_.size(), chosen.layers.size(), diff_id.text()};
        const auto member = store_->find_linked(layer);
        if (!member) {
            throw diagnostic::fail(Fault::blob, context.text() + ": the member " + printable(layer) +
                                                    " is missing from the archive");
        }
        Descriptor blob{layer, diff_id, member->size, {}, {}};
        image.layers_.push_back({blob, diff_id, Decoder::detect(*member)});
    }
}

void ImageLoader::check_config(const Image& image) const {
    const ImageConfig& config = image.config_;
    if (config.os != options_.platform.os || config.architecture != options_.platform.architecture) {
        ImageLoader described = *this;
        if (described.platforms_.empty()) {
            described.platforms_.push_back({config.os, config.architecture, config.variant});
        }
        described.no_platform();
    }
}

std::vector<ImageEntry> ImageLoader::list() {
    std::vector<ImageEntry> entries;
    if (reference_.transport == Transport::docker_archive) {
        for (const DockerImage& image : docker_images(*store_, name_, options_.limits)) {
            ImageEntry entry;
            entry.tag = image.tags.empty() ? "" : joined(image.tags);
            const std::string what = name_ + ": config " + printable(image.config);
            if (const auto text = store_->read(image.config, options_.limits.json_bytes, what)) {
                const ImageConfig config = parse_config(*text, what, options_.limits);
                entry.descriptor.digest = files::sha256(*text);
                entry.descriptor.size = text->size();
                entry.platforms.push_back({config.os, config.architecture, config.variant});
            }
            entries.push_back(std::move(entry));
        }
        return entries;
    }
    for (const Descriptor& descriptor : top_index()) {
        ImageEntry entry{tag_of(descriptor), descriptor, {}};
        if (descriptor.platform) {
            entry.platforms.push_back(*descriptor.platform);
        } else if (is_index(descriptor.media_type)) {
            const std::string what = name_ + ": index " + descriptor.digest.text();
            const std::string text = store_->verified_text(descriptor, options_.limits.json_bytes, what);
            for (const Descriptor& item : parse_index(text, what, options_.limits)) {
                if (item.platform && is_platform(*item.platform)) {
                    entry.platforms.push_back(*item.platform);
                }
            }
        }
        entries.push_back(std::move(entry));
    }
    return entries;
}

Image Image::open(const Reference& reference, const OpenOptions& options) {
    return ImageLoader(reference, options).load();
}

std::vector<ImageEntry> list_images(const Reference& reference, const Limits& limits) {
    OpenOptions options;
    options.limits = limits;
    return ImageLoader(reference, options).list();
}

std::uint64_t Image::packed_bytes() const {
    std::uint64_t sum = 0;
    for (const Layer& layer : layers_) {
        sum += layer.blob.size;
    }
    return sum;
}

LayerStream Image::open_layer(std::size_t index, const Limits& limits) const {
    const Layer& layer = layers_[index];
    LayerContext context{name_, index, layers_.size(), layer.blob.digest.text()};
    files::FileRange blob;
    if (reference_.transport != Transport::docker_archive) {
        blob = store_->verified(layer.blob, context.text());
    } else {
        const auto member = store_->find_linked(layer.blob.media_type);
        if (!member) {
            throw diagnostic::fail(Fault::blob, context.text() + ": missing from the archive");
        }
        blob = *member;
        if (layer.compression == Compression::none && digest_of(blob) != layer.diff_id) {
            throw diagnostic::fail(Fault::diff_id,
                                   context.text() + ": the layer is not the one its config names (diff_id)")
                .help("save the image again");
        }
    }
    return LayerStream(std::move(blob), layer.compression, layer.diff_id, std::move(context), limits);
}

} // namespace oci
