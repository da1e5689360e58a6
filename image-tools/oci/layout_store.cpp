// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/layout_store.cpp - an OCI image layout, in a directory or an archive.
//
// Spec: OCI image specification 1.1, "Image Layout".
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/image_loader.hpp"
#include "image-tools/oci/store_kinds.hpp"

#include <utility>

namespace oci {
namespace {

// The whole name, where Docker 25 and later and containerd give several images one tag.
constexpr const char* name_annotation = "io.containerd.image.name";

class LayoutStore : public Store {
public:
    LayoutStore(std::string name, std::unique_ptr<const NamedFiles> files, const Limits& limits)
        : Store(std::move(name), limits), files_(std::move(files)) {
        const std::string what = this->name() + ": index.json";
        const auto text = files_->read("index.json", limits.json_bytes, what);
        if (!text) {
            throw diagnostic::fail(Fault::not_there,
                                   this->name() + " is not an OCI layout: it has no index.json")
                .help(files_->find("manifest.json") ? "it is a docker-archive: write docker-archive:FILE"
                                                    : "a root file system alone becomes an image by: caisson "
                                                      "image create --from PATH oci:DIR");
        }
        for (Descriptor& descriptor : parse_index(*text, what, limits)) {
            StoredImage image{{}, std::move(descriptor)};
            for (const char* annotation : {tag_annotation, name_annotation}) {
                const auto found = image.descriptor.annotations.find(annotation);
                if (found != image.descriptor.annotations.end()) {
                    image.names.push_back(found->second);
                }
            }
            contents_.push_back(std::move(image));
        }
    }

    [[nodiscard]] std::vector<StoredImage> contents() const override { return contents_; }
    [[nodiscard]] bool is_called(const StoredImage& image, const std::string& name) const override {
        const auto whole = image.descriptor.annotations.find(name_annotation);
        return Store::is_called(image, name) || (whole != image.descriptor.annotations.end() &&
                                                 full_docker_name(whole->second) == full_docker_name(name));
    }
    [[nodiscard]] std::optional<files::FileRange> find(const Descriptor& blob) const override {
        return files_->find("blobs/sha256/" + blob.digest.hex());
    }

private:
    std::unique_ptr<const NamedFiles> files_;
    std::vector<StoredImage> contents_;
};

} // namespace

std::shared_ptr<const Store> layout_store(std::string name, std::unique_ptr<const NamedFiles> files,
                                          const Limits& limits) {
    return std::make_shared<LayoutStore>(std::move(name), std::move(files), limits);
}

} // namespace oci
