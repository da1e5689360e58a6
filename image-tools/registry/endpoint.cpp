// SPDX-License-Identifier: Apache-2.0
#include "image-tools/registry/endpoint.hpp"

#include "image-tools/oci/registry_name.hpp"
#include "image-tools/oci/strict_json.hpp"
#include "image-tools/registry/failure.hpp"

#include <algorithm>
#include <poll.h>
#include <utility>

namespace registry {
namespace {

constexpr const char* manifest_types =
    "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

// What the registry itself says went wrong: "MANIFEST_UNKNOWN: manifest unknown". Empty: nothing that can be read.
std::string said(const std::string& body) {
    try {
        const oci::JsonDocument document(body, "answer", {});
        const auto errors = document.top().objects("errors");
        if (errors.empty())
            return {};
        const std::string code = errors.front().text("code").value_or(""),
                          message = errors.front().text("message").value_or("");
        return code + (code.empty() || message.empty() ? "" : ": ") + message;
    } catch (const diagnostic::Failure&) {
        return {};
    }
}

diagnostic::Failure late(const std::string& what) {
    return diagnostic::fail(Fault::time_out, what + ": not done within --timeout")
        .help("what has arrived is kept: the next attempt goes on from there");
}

std::string address_of(const Place& place) {
    return place.host == oci::default_registry ? std::string(oci::default_registry_host) : place.host;
}

} // namespace

void check_deadline(const Deadline& deadline, const std::string& what) {
    if (deadline && std::chrono::steady_clock::now() >= *deadline)
        throw late(what);
}

Endpoint::Endpoint(Http& http, Place place, const Credentials& credentials, Deadline deadline, Rights rights)
    : http_(http), place_(std::move(place)), tls_(tls_for(place_)),
      authorization_(http, place_, tls_, credentials, rights), deadline_(deadline) {}

std::string Endpoint::url(const std::string& rest) const {
    return scheme_ + "://" + address_of(place_) + "/v2/" + rest;
}

Answer Endpoint::ask(Request request) {
    unsigned failures = 0, authorized = 0;
    for (;;) {
        check_deadline(deadline_, place_.host);
        request.authorization = authorization_.header();
        Answer answer = http_.perform(request);
        const Step step = next_step(answer, failures, std::chrono::system_clock::now());
        if (step.next == Next::authorize) {
            constexpr unsigned most = 2; // a token can have run out, a new one has not
            if (authorized++ == most || !authorization_.answer(answer, request.authorization))
                return answer;
        } else if (step.next == Next::again) {
            ++failures;
            if (deadline_ && std::chrono::steady_clock::now() + step.after > *deadline_)
                throw late(place_.host);
            ::poll(nullptr, 0, static_cast<int>(step.after.count()));
        } else {
            return answer;
        }
    }
}

void Endpoint::greet() {
    if (std::exchange(greeted_, true))
        return;
    Request request;
    request.url = url("");
    request.tls = tls_;
    Answer answer = ask(request);
    // Without TLS only where that was allowed, or on this machine.
    const bool may_be_plain = place_.insecure || place_.loopback();
    if (may_be_plain &&
        (answer.trouble == Trouble::no_tls || (place_.insecure && answer.trouble == Trouble::unreachable))) {
        scheme_ = "http";
        request.url = url("");
        answer = ask(request);
    }
    // Its status does not matter: some registries refuse this and give what is asked for.
    if (answer.trouble != Trouble::none) {
        greeted_ = false;
        throw failure(answer, place_.host);
    }
}

Endpoint::Document Endpoint::manifest(const std::string& reference, std::uint64_t most) {
    greet();
    Request request;
    request.url = url(place_.repository + "/manifests/" + reference);
    request.headers = {manifest_types};
    request.most_body = most;
    request.tls = tls_;
    const Answer answer = ask(request);
    const std::string what =
        place_.text() + (reference.find(':') == std::string::npos ? ":" : "@") + reference;
    if (answer.cut && answer.status == 200)
        throw diagnostic::fail(oci::Fault::limit,
                               what + ": its manifest is larger than " + std::to_string(most >> 20) + " MiB");
    if (!answer.good())
        throw failure(answer, what);
    const auto claimed = files::Digest::parse(answer.header("docker-content-digest"));
    const files::Digest found = files::sha256(answer.body);
    if (claimed && *claimed != found)
        throw diagnostic::fail(oci::Fault::digest, what + ": the manifest was damaged on its way")
            .notes({"the registry says " + claimed->text(), "what came is      " + found.text()})
            .help("try again; a proxy in between may be at fault");
    std::string type = answer.header("content-type");
    return {answer.body, type.substr(0, type.find(';'))};
}

Request Endpoint::blob_request(const files::Digest& digest) {
    greet();
    Request request;
    request.url = url(place_.repository + "/blobs/" + digest.text());
    request.tls = tls_;
    request.authorization = authorization_.header();
    return request;
}

void Endpoint::push_blob(const files::Digest& digest,
                         const std::variant<files::FileRange, std::string>& content) {
    greet();
    Request request;
    request.tls = tls_;
    request.method = "HEAD";
    request.url = url(place_.repository + "/blobs/" + digest.text());
    const std::string what = place_.text() + ": blob " + digest.brief();
    Answer answer = ask(request);
    if (answer.good())
        return;
    if (answer.trouble != Trouble::none || answer.status != 404)
        throw failure(answer, what);
    request.method = "POST";
    request.url = url(place_.repository + "/blobs/uploads/");
    answer = ask(request);
    const std::string location = resolved_url(request.url, answer.header("location"));
    if (!answer.good() || location.empty())
        throw failure(answer, what);
    request.method = "PUT";
    request.url = location + (location.find('?') == std::string::npos ? "?" : "&") +
                  "digest=" + percent_encoded(digest.text());
    request.headers = {"Content-Type: application/octet-stream", "Expect:"};
    if (const auto* file = std::get_if<files::FileRange>(&content))
        request.body = *file;
    else
        request.body = std::get<std::string>(content);
    answer = ask(request);
    if (!answer.good())
        throw failure(answer, what);
}

void Endpoint::push_manifest(const std::string& reference, const std::string& media_type,
                             const std::string& text) {
    greet();
    Request request;
    request.tls = tls_;
    request.method = "PUT";
    request.url = url(place_.repository + "/manifests/" + reference);
    request.headers = {"Content-Type: " + media_type};
    request.body = text;
    const Answer answer = ask(request);
    if (!answer.good())
        throw failure(answer, place_.text() + ": manifest " + reference);
}

diagnostic::Failure Endpoint::failure(const Answer& answer, const std::string& what) const {
    const std::string host = place_.host;
    switch (answer.trouble) {
    case Trouble::certificate:
        return diagnostic::fail(Fault::certificate, what + ": " + host + " is not trusted: " + answer.reason)
            .help("put its authority's certificate into /etc/containers/certs.d/" + host +
                  "/ca.crt, or name it by SSL_CERT_FILE");
    case Trouble::no_tls:
        return diagnostic::fail(Fault::unreachable,
                                what + ": " + host + " does not speak TLS: " + answer.reason)
            .help("if it is meant to be without, registries.conf can say insecure = true for it");
    case Trouble::redirects:
        return diagnostic::fail(Fault::answer, what + ": " + host + ": " + answer.reason);
    case Trouble::unreachable:
    case Trouble::broken_off:
    case Trouble::stopped:
    case Trouble::other:
        return diagnostic::fail(Fault::unreachable,
                                what + ": " + host + " cannot be reached: " + answer.reason)
            .help("look at the network and the proxy (https_proxy); --offline uses what is in the cache");
    case Trouble::none:
        break;
    }
    const std::string reason = said(answer.body);
    const auto with = [&](diagnostic::Failure failure) {
        if (!reason.empty())
            failure.note("it says " + oci::printable(reason));
        return failure;
    };
    if (answer.status == 401 || answer.status == 403) {
        const std::string& shown = authorization_.shown();
        return with(diagnostic::fail(Fault::refused,
                                     what + ": " + host + " refuses (" + std::to_string(answer.status) + ")"))
            .note(shown.empty() ? "no login for " + host + " is known" : "with the login of " + shown)
            .help("log in (docker login " + host + ", podman login), or look at the image's name");
    }
    if (answer.status == 404)
        return with(diagnostic::fail(reason.starts_with("MANIFEST_UNKNOWN") ? oci::Fault::tag
                                                                            : oci::Fault::not_there,
                                     what + ": " + host + " does not have it"))
            .help("look at the name and tag");
    if (const std::string wait = answer.header("retry-after"); answer.status == 429)
        return with(diagnostic::fail(Fault::answer, what + ": " + host + " answers 429: too many requests"))
            .help(wait.empty()
                      ? "try again later, or log in"
                      : "try again later (it says Retry-After: " + oci::printable(wait) + "), or log in");
    return with(
        diagnostic::fail(Fault::answer, what + ": " + host + " answers " + std::to_string(answer.status)));
}

} // namespace registry
