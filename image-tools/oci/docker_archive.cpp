// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/docker_archive.cpp - a docker-archive: manifest.json names a config and layers by their members.
//
// It has no digest of an image from outside: the identity is the SHA-256 of the config's bytes, which names every layer
// by its diff_id. A config whose name is a digest must have it; where an index.json lies beside (Docker 25 and later),
// both must speak of the same config.
// Spec: Docker image specification 1.2, "Combined Image JSON + Filesystem Changeset Format".
#include "image-tools/oci/decoder.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/image_loader.hpp"
#include "image-tools/oci/store_kinds.hpp"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

namespace oci {
namespace {

constexpr const char* docker_config_type = "application/vnd.docker.container.image.v1+json";
constexpr const char* docker_layer_type = "application/vnd.docker.image.rootfs.diff.tar";

bool is_hex_digest(std::string_view text) {
    return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// The digest that a member's name claims: HEX, HEX.json, blobs/sha256/HEX, sha256:HEX. Empty: none.
std::string claimed_digest(const std::string& member) {
    std::string name = member.substr(member.rfind('/') + 1);
    if (name.ends_with(".json")) {
        name.resize(name.size() - 5);
    }
    if (name.starts_with("sha256:")) {
        name.erase(0, 7);
    }
    return is_hex_digest(name) ? name : "";
}

class DockerArchive : public Store {
public:
    DockerArchive(std::string name, std::unique_ptr<const NamedFiles> files, const Limits& limits)
        : Store(std::move(name), limits), files_(std::move(files)) {
        const std::string what = this->name() + ": manifest.json";
        const auto text = files_->read("manifest.json", limits.json_bytes, what);
        if (!text) {
            throw diagnostic::fail(Fault::not_there,
                                   this->name() + " is not a docker-archive: it has no manifest.json")
                .help(files_->find("index.json")
                          ? "an archive of an OCI layout is written oci-archive:FILE"
                          : "a root file system (podman export, docker export) becomes "
                            "an image by: caisson image create --from FILE oci:DIR");
        }
        const nlohmann::json document = parse_json(*text, what, limits);
        if (!document.is_array()) {
            throw diagnostic::fail(Fault::malformed, what + " is not a list");
        }
        for (const nlohmann::json& item : document) {
            add(JsonObject(item, what + ": image " + std::to_string(contents_.size())));
        }
        compare_with_index();
    }

    [[nodiscard]] std::vector<StoredImage> contents() const override { return contents_; }
    [[nodiscard]] bool is_called(const StoredImage& image, const std::string& name) const override {
        return std::any_of(image.names.begin(), image.names.end(), [&](const std::string& own) {
            return full_docker_name(own) == full_docker_name(name);
        });
    }

    [[nodiscard]] Manifest manifest(const Descriptor& image) const override {
        const std::string what = name() + ": config " + image.digest.text();
        const ImageConfig config = parse_config(document(image, what), what, limits());
        const std::vector<std::string>& layers = layers_.at(image.digest);
        if (config.diff_ids.size() != layers.size() || layers.size() > limits().layers) {
            throw diagnostic::fail(Fault::malformed,
                                   name() + ": manifest.json has " + std::to_string(layers.size()) +
                                       " layers, the config names " + std::to_string(config.diff_ids.size()) +
                                       "; at most " + std::to_string(limits().layers) + " are accepted");
        }
        Manifest out{image, {}};
        for (std::size_t i = 0; i < layers.size(); ++i) {
            const files::Digest& diff_id = config.diff_ids[i];
            const auto member = files_->find(layers[i]);
            if (!member) {
                throw diagnostic::fail(
                    Fault::blob, LayerContext{name(), i, layers.size(), diff_id.text()}.text() +
                                     ": the member " + printable(layers[i]) + " is missing from the archive");
            }
            members_.insert_or_assign(diff_id, *member);
            out.layers.push_back({docker_layer_type, diff_id, member->size, {}, {}});
        }
        return out;
    }

    [[nodiscard]] std::optional<files::FileRange> find(const Descriptor& blob) const override {
        const auto found = members_.find(blob.digest);
        return found == members_.end() ? std::nullopt : std::optional(found->second);
    }

    // A layer's digest here is its diff_id: of a packed one only its end can tell.
    [[nodiscard]] files::FileRange blob(const Descriptor& descriptor,
                                        const std::string& what) const override {
        files::FileRange range = sized(descriptor, what);
        if (Decoder::detect(range) == Compression::none && range.digest() != descriptor.digest) {
            throw diagnostic::fail(Fault::diff_id,
                                   what + ": the layer is not the one its config names (diff_id)")
                .help("save the image again");
        }
        return range;
    }

    [[nodiscard]] std::vector<std::string> notes(const Descriptor&) const override {
        return {
            "a docker-archive has no digest from outside: nothing but its own config vouches for the image"};
    }

private:
    void add(const JsonObject& object) {
        const std::string config = object.required_text("Config");
        const std::string what = name() + ": config " + printable(config);
        const auto member = files_->find(config);
        if (!member) {
            throw diagnostic::fail(Fault::blob, what + " is missing from the archive");
        }
        const auto text = files_->read(config, limits().json_bytes, what);
        const files::Digest digest = files::sha256(*text);
        const std::string claimed = claimed_digest(config);
        if (!claimed.empty() && claimed != digest.hex()) {
            throw diagnostic::fail(Fault::digest, what + ": its digest does not match its name")
                .notes({"found    " + digest.text()})
                .help("save the image again");
        }
        const std::vector<std::string> layers = object.texts("Layers");
        const auto known = layers_.find(digest);
        if (known != layers_.end() && known->second != layers) {
            throw diagnostic::fail(Fault::malformed, what + " is named twice, with different layers");
        }
        layers_.emplace(digest, layers);
        members_.insert_or_assign(digest, *member);
        contents_.push_back({object.texts("RepoTags"), {docker_config_type, digest, text->size(), {}, {}}});
    }

    // Configs that an index beside manifest.json leads to; entries that are no images, or not here, lead nowhere.
    void configs_of(const std::vector<Descriptor>& index, unsigned depth,
                    std::vector<files::Digest>& out) const {
        for (const Descriptor& entry : index) {
            const auto file = files_->find("blobs/sha256/" + entry.digest.hex());
            if (!file || file->size != entry.size || file->size > limits().json_bytes) {
                continue;
            }
            const std::string what = name() + ": " + entry.digest.text();
            const std::string text = read_range(*file);
            if (is_index(entry.media_type) && depth < limits().index_depth) {
                configs_of(parse_index(text, what, limits()), depth + 1, out);
            } else if (is_manifest(entry.media_type)) {
                const nlohmann::json document = parse_json(text, what, limits());
                if (const auto config = JsonObject(document, what).object("config")) {
                    out.push_back(parse_descriptor(*config).digest);
                }
            }
        }
    }

    void compare_with_index() const {
        const std::string what = name() + ": index.json";
        const auto text = files_->read("index.json", limits().json_bytes, what);
        if (!text) {
            return;
        }
        std::vector<files::Digest> configs;
        configs_of(parse_index(*text, what, limits()), 0, configs);
        for (const StoredImage& image : contents_) {
            if (std::find(configs.begin(), configs.end(), image.descriptor.digest) == configs.end()) {
                throw diagnostic::fail(Fault::malformed,
                                       name() +
                                           ": index.json and manifest.json disagree: only the latter names "
                                           "the config " +
                                           image.descriptor.digest.text())
                    .help("save the image again");
            }
        }
    }

    std::unique_ptr<const NamedFiles> files_;
    std::vector<StoredImage> contents_;
    std::map<files::Digest, std::vector<std::string>> layers_;  // of each config
    mutable std::map<files::Digest, files::FileRange> members_; // configs, and layers by their diff_id
};

} // namespace

std::shared_ptr<const Store> docker_archive_store(std::string name, std::unique_ptr<const NamedFiles> files,
                                                  const Limits& limits) {
    return std::make_shared<DockerArchive>(std::move(name), std::move(files), limits);
}

} // namespace oci
