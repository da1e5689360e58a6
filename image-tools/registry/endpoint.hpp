// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/endpoint.hpp - one place where a repository is read: the registry itself, or a mirror.
//
// Trust: what it answers is hostile; documents are returned with the digest of what came, and nothing more is claimed.
// Spec:  OCI distribution specification 1.1, "Pull".
#pragma once

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/digest.hpp"
#include "image-tools/registry/authorization.hpp"
#include "image-tools/registry/http.hpp"
#include "image-tools/registry/retry.hpp"
#include "image-tools/registry/settings.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace registry {

// When the whole must be done; nothing: whenever.
using Deadline = std::optional<std::chrono::steady_clock::time_point>;
// Throws E0905 when it has passed.
void check_deadline(const Deadline& deadline, const std::string& what);

class Endpoint {
public:
    Endpoint(Http& http, Place place, const Credentials& credentials, Deadline deadline,
             Rights rights = Rights::read);

    [[nodiscard]] const Place& place() const { return place_; }
    [[nodiscard]] Authorization& authorization() { return authorization_; }

    // A manifest or index by tag or digest; at most `most` bytes. Throws E0402, E0403, E0407 (the registry's own digest of
    // it is another), E0413, E0508, E0510, E0604, E0605, E0606, E0905.
    struct Document {
        std::string text;
        std::string media_type;
    };
    Document manifest(const std::string& reference, std::uint64_t most);
    // How to ask for a blob, once it is known how this place is spoken to. Throws as manifest() does.
    Request blob_request(const files::Digest& digest);
    // Sends a blob that is not there yet; a manifest under a tag or its digest. Throw as manifest() does.
    void push_blob(const files::Digest& digest, const std::variant<files::FileRange, std::string>& content);
    void push_manifest(const std::string& reference, const std::string& media_type, const std::string& text);
    // What an answer that nothing can be done about means; `what`: "IMAGE: manifest sha256:...".
    [[nodiscard]] diagnostic::Failure failure(const Answer& answer, const std::string& what) const;

private:
    // TLS or not, and what it asks for.
    void greet();
    // With authorization and retries, to an answer that is good or final.
    Answer ask(Request request);
    [[nodiscard]] std::string url(const std::string& rest) const;

    Http& http_;
    Place place_;
    Tls tls_;
    Authorization authorization_;
    Deadline deadline_;
    bool greeted_ = false;
    std::string scheme_ = "https";
};

} // namespace registry
