// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/source.hpp - one repository, from its mirrors or its registry into the cache.
//
// A place that fails is left for the next, the registry itself is the last; its failure is told, with those before it as
// notes. What arrives is checked against its digest wherever it comes from.
#pragma once

#include "image-tools/oci/image.hpp"
#include "image-tools/oci/limits.hpp"
#include "image-tools/registry/cache.hpp"
#include "image-tools/registry/endpoint.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace registry {

struct SourceOptions {
    oci::Limits limits;
    diagnostic::Progress progress; // of blobs: "fetch", bytes, of bytes
    Deadline deadline;
};

class Source {
public:
    // `endpoints`: its mirrors and its registry; who keeps them for the next source need not be greeted again.
    Source(Http& http, const Cache& cache, oci::RegistryName name, std::vector<Endpoint>& endpoints,
           SourceOptions options);

    // What tag or digest names now; the document is in the cache then. Throws as Endpoint::manifest(), and E0407.
    oci::Descriptor resolve(const std::string& reference);
    // Brings what is not in the cache yet, several at once.
    void fetch(const std::vector<oci::Descriptor>& blobs);

    [[nodiscard]] std::uint64_t fetched_bytes() const { return fetched_; }

private:
    friend class BlobFetch;

    Http& http_;
    const Cache& cache_;
    oci::RegistryName name_;
    std::vector<Endpoint>& endpoints_;
    SourceOptions options_;
    std::uint64_t fetched_ = 0;
};

std::vector<Endpoint> endpoints_at(Http& http, const std::vector<Place>& places,
                                   const Credentials& credentials, const Deadline& deadline);

// What kind of document this is, by its content: the media type that its descriptor has. `said`: by its sender, may be
// empty. Throws E0405 where they contradict each other, E0406 where it is neither manifest nor index.
oci::Descriptor describe_document(std::string_view text, const std::string& said, const std::string& what,
                                  const oci::Limits& limits);

} // namespace registry
