// SPDX-License-Identifier: Apache-2.0
#include "image-tools/registry/source.hpp"

#include "image-tools/oci/image_loader.hpp"
#include "image-tools/registry/blob_fetch.hpp"
#include "image-tools/registry/failure.hpp"

#include <utility>

namespace registry {

Source::Source(Http& http, const Cache& cache, oci::RegistryName name, std::vector<Endpoint>& endpoints,
               SourceOptions options)
    : http_(http), cache_(cache), name_(std::move(name)), endpoints_(endpoints),
      options_(std::move(options)) {}

oci::Descriptor Source::resolve(const std::string& reference) {
    const std::string what = name_.text();
    std::vector<std::string> before;
    for (std::size_t i = 0;; ++i) {
        try {
            const Endpoint::Document document = endpoints_[i].manifest(reference, options_.limits.json_bytes);
            oci::Descriptor found =
                describe_document(document.text, document.media_type, what, options_.limits);
            const auto wanted = files::Digest::parse(reference);
            if (wanted && found.digest != *wanted)
                throw diagnostic::fail(oci::Fault::digest, what + ": what came is not what was asked for")
                    .notes({"expected " + wanted->text(), "found    " + found.digest.text()})
                    .help("the registry, or somebody between, is at fault");
            cache_.put(found.digest, document.text);
            fetched_ += document.text.size();
            return found;
        } catch (diagnostic::Failure& failure) {
            if (failure.diagnostic().exit == diagnostic::ExitCode::time_out)
                throw;
            if (i + 1 == endpoints_.size()) {
                for (const std::string& note : before)
                    failure.note(note);
                throw;
            }
            before.push_back("before that, the mirror: " + failure.diagnostic().message);
        }
    }
}

void Source::fetch(const std::vector<oci::Descriptor>& blobs) {
    BlobFetch(*this, blobs).run();
}

std::vector<Endpoint> endpoints_at(Http& http, const std::vector<Place>& places,
                                   const Credentials& credentials, const Deadline& deadline) {
    std::vector<Endpoint> out;
    out.reserve(places.size());
    for (const Place& place : places)
        out.emplace_back(http, place, credentials, deadline);
    return out;
}

oci::Descriptor describe_document(std::string_view text, const std::string& said, const std::string& what,
                                  const oci::Limits& limits) {
    const oci::JsonDocument document(text, what + ": manifest", limits);
    const oci::JsonObject object = document.top();
    const bool index = object.has("manifests"), manifest = object.has("layers") || object.has("config");
    const std::string own = object.text("mediaType").value_or("");
    if (object.has("fsLayers") || object.has("signatures"))
        throw diagnostic::fail(oci::Fault::media_type,
                               what + ": its manifest is of schema 1, which is obsolete")
            .help("push the image again with a tool of today");
    if (index == manifest)
        throw diagnostic::fail(index ? oci::Fault::malformed : oci::Fault::media_type,
                               what + (index ? ": it is a manifest and an index at once"
                                             : ": it is neither an image's manifest nor an index"));
    // Both known kinds of each mean the same to every reader.
    std::string type = !own.empty() ? own
                       : index      ? "application/vnd.oci.image.index.v1+json"
                                    : "application/vnd.oci.image.manifest.v1+json";
    const bool agrees = index ? oci::is_index(type) : oci::is_manifest(type);
    const bool sender_agrees = index ? !oci::is_manifest(said) : !oci::is_index(said);
    if (!agrees || !sender_agrees)
        throw diagnostic::fail(oci::Fault::malformed, what + ": it is called " +
                                                          oci::printable(agrees ? said : type) +
                                                          " and is not that");
    return {std::move(type), files::sha256(text), text.size(), {}, {}};
}

} // namespace registry
