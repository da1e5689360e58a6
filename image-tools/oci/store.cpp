// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/store.hpp"

#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/image_loader.hpp"
#include "image-tools/oci/store_kinds.hpp"

#include <algorithm>
#include <system_error>

namespace oci {
namespace {

constexpr const char* fetch_again = "fetch or build the image again";

void check_digest(const files::Digest& got, const files::Digest& expected, const std::string& what) {
    if (got != expected) {
        throw diagnostic::fail(Fault::digest, what + ": the blob's digest does not match its content")
            .notes({"expected " + expected.text(), "found    " + got.text()})
            .help(fetch_again);
    }
}

} // namespace

std::shared_ptr<const Store> Store::open(const Reference& reference, const Limits& limits) {
    const std::string image = reference.text();
    if (reference.transport == Transport::registry) {
        throw diagnostic::fail(Fault::not_there, image + " is in a registry, not on this machine")
            .help("copy it first:  skopeo copy " + image + " oci:DIR:TAG");
    }
    std::error_code error;
    const auto status = std::filesystem::status(reference.path, error);
    if (!std::filesystem::exists(status)) {
        throw diagnostic::fail(Fault::not_there, image + ": " + reference.path + " does not exist")
            .help("paths are relative to the manifest's folder");
    }
    if (reference.transport == Transport::layout) {
        if (!std::filesystem::is_directory(status)) {
            throw diagnostic::fail(Fault::not_there, image + ": " + reference.path + " is not a directory")
                .help("an archive is written oci-archive:FILE or docker-archive:FILE");
        }
        return layout_store(image, files_of_directory(reference.path), limits);
    }
    if (std::filesystem::is_directory(status)) {
        throw diagnostic::fail(Fault::not_there, image + ": " + reference.path + " is a directory")
            .help("a layout is written oci:DIR");
    }
    auto archive = files::FileRange::open(reference.path);
    if (!archive) {
        throw diagnostic::fail(Fault::not_there, image + ": " + reference.path + " cannot be opened");
    }
    auto files = files_of_archive(*std::move(archive), image, limits);
    return reference.transport == Transport::archive ? layout_store(image, std::move(files), limits)
                                                     : docker_archive_store(image, std::move(files), limits);
}

bool Store::is_called(const StoredImage& image, const std::string& name) const {
    return std::find(image.names.begin(), image.names.end(), name) != image.names.end();
}

Manifest Store::manifest(const Descriptor& image) const {
    if (!is_manifest(image.media_type)) {
        throw diagnostic::fail(Fault::media_type, name_ + ": " + printable(image.media_type) +
                                                      " is not an image manifest or index");
    }
    const std::string what = name_ + ": manifest " + image.digest.text();
    return parse_manifest(document(image, what), what, limits_);
}

files::FileRange Store::sized(const Descriptor& descriptor, const std::string& what) const {
    auto blob = find(descriptor);
    if (!blob) {
        auto failure = diagnostic::fail(Fault::blob, what + ": the blob is missing").help(fetch_again);
        if (!descriptor.urls.empty()) {
            failure.notes({"it is a foreign layer, kept at " + printable(descriptor.urls.front())});
        }
        throw failure;
    }
    if (blob->size != descriptor.size) {
        throw diagnostic::fail(Fault::digest,
                               what + ": the blob has the wrong size, so it is truncated or altered")
            .notes({"expected " + std::to_string(descriptor.size) + " bytes",
                    "found    " + std::to_string(blob->size) + " bytes"})
            .help(fetch_again);
    }
    return *std::move(blob);
}

files::FileRange Store::blob(const Descriptor& descriptor, const std::string& what) const {
    files::FileRange range = sized(descriptor, what);
    check_digest(range.digest(), descriptor.digest, what);
    return range;
}

void Store::expect(const Descriptor& descriptor, const std::string& what) const {
    static_cast<void>(sized(descriptor, what));
}

std::string Store::document(const Descriptor& descriptor, const std::string& what) const {
    if (descriptor.size > limits_.json_bytes) {
        throw diagnostic::fail(Fault::limit,
                               what + " is larger than " + std::to_string(limits_.json_bytes >> 20) + " MiB");
    }
    std::string text = read_range(sized(descriptor, what));
    check_digest(files::sha256(text), descriptor.digest, what);
    return text;
}

std::vector<std::string> Store::notes(const Descriptor&) const {
    return {};
}

} // namespace oci
