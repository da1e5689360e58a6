// SPDX-License-Identifier: Apache-2.0
// image-tools/trust/signature.cpp - signatures beside an image, and whether they satisfy a policy.
#include "image-tools/trust/signature.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/limits.hpp"
#include "image-tools/oci/strict_json.hpp"

namespace trust {
namespace {

constexpr std::string_view payload_kind = "cosign container image signature";
constexpr std::string_view atomic_kind = "atomic container signature";
constexpr std::string_view bundle_type = "application/vnd.dev.sigstore.bundle.v0.3+json";

// What a signature turned out to say; `problem` empty: it is good and of this image.
struct Found {
    std::string problem;
    std::string identity; // empty: it names none
    std::string key;
};

const PublicKey* signer_of(const std::vector<std::shared_ptr<const PublicKey>>& keys,
                           std::string_view message, std::string_view signature) {
    for (const auto& key : keys)
        if (key->signed_this(message, signature))
            return key.get();
    return nullptr;
}

bool is_of(const Subject& subject, const std::optional<files::Digest>& digest) {
    return digest && (*digest == subject.digest || *digest == subject.manifest);
}

std::string other_image(const std::optional<files::Digest>& digest) {
    return digest ? "it is of another image, " + digest->text() : "it names no image by SHA-256";
}

Found look_at_simple(const Signature& signature, const Requirement& requirement, const Subject& subject) {
    const auto raw = from_base64(signature.signature);
    if (!raw)
        return {"its signature is not base64", {}, {}};
    const PublicKey* key = signer_of(requirement.keys, signature.payload, *raw);
    if (key == nullptr)
        return {"none of the policy's keys made it", {}, {}};
    const oci::JsonDocument document(signature.payload, signature.where, oci::Limits());
    const auto critical = document.top().object("critical");
    const auto image = critical ? critical->object("image") : std::nullopt;
    const auto identity = critical ? critical->object("identity") : std::nullopt;
    const std::string type = critical ? critical->text("type").value_or("") : std::string();
    if (!image || !identity || (type != payload_kind && type != atomic_kind))
        return {"what it signs is no statement about an image", {}, {}};
    const auto digest = files::Digest::parse(image->text("docker-manifest-digest").value_or(""));
    if (!is_of(subject, digest))
        return {other_image(digest), {}, {}};
    return {{}, identity->text("docker-reference").value_or(""), key->fingerprint()};
}

// Of a statement's subjects the one that is this image.
std::optional<std::string> name_in_statement(const oci::JsonObject& statement, const Subject& subject) {
    for (const oci::JsonObject& item : statement.objects("subject"))
        if (const auto digests = item.object("digest"))
            if (is_of(subject, files::Digest::parse("sha256:" + digests->text("sha256").value_or(""))))
                return item.text("name").value_or("");
    return std::nullopt;
}

Found look_at_bundle(const Signature& signature, const Requirement& requirement, const Subject& subject) {
    const oci::JsonDocument document(signature.payload, signature.where, oci::Limits());
    const oci::JsonObject top = document.top();
    if (top.text("mediaType").value_or("") != bundle_type)
        return {"it is no Sigstore bundle of version 0.3", {}, {}};
    const auto envelope = top.object("dsseEnvelope");
    if (!envelope)
        return {"the bundle has no DSSE envelope", {}, {}};
    const std::string type = envelope->text("payloadType").value_or("");
    const auto payload = from_base64(envelope->text("payload").value_or(""));
    if (!payload || type != in_toto_type)
        return {"the bundle's payload is no in-toto statement", {}, {}};
    const std::string message = pre_authentication(type, *payload);
    const PublicKey* key = nullptr;
    for (const oci::JsonObject& item : envelope->objects("signatures"))
        if (const auto raw = from_base64(item.text("sig").value_or("")); raw && key == nullptr)
            key = signer_of(requirement.keys, message, *raw);
    if (key == nullptr)
        return {"none of the policy's keys made it", {}, {}};
    const oci::JsonDocument inner(*payload, signature.where + ": statement", oci::Limits());
    const oci::JsonObject statement = inner.top();
    // cosign writes 0.1 still, which has the same fields.
    const std::string version = statement.text("_type").value_or("");
    if (version != "https://in-toto.io/Statement/v1" && version != "https://in-toto.io/Statement/v0.1")
        return {"what it signs is no in-toto statement of version 1", {}, {}};
    // A signed SBOM says what is in an image, not that it may run.
    if (const std::string predicate = statement.text("predicateType").value_or("");
        predicate != "https://sigstore.dev/cosign/sign/v1")
        return {"it attests " + oci::printable(predicate) + ", it does not sign the image", {}, {}};
    const auto name = name_in_statement(statement, subject);
    if (!name)
        return {"it is of another image", {}, {}};
    return {{}, *name, key->fingerprint()};
}

Found look_at(const Signature& signature, const Requirement& requirement, const Subject& subject) {
    try {
        Found found = signature.form == Signature::Form::simple
                          ? look_at_simple(signature, requirement, subject)
                          : look_at_bundle(signature, requirement, subject);
        if (!found.problem.empty() || requirement.identity.accepts(found.identity, subject))
            return found;
        return {found.identity.empty()
                    ? "it names no identity, and the policy asks for one"
                    : "its identity " + oci::printable(found.identity) + " is not what the policy asks for",
                {},
                {}};
    } catch (const diagnostic::Failure& failure) { // JSON
        return {failure.diagnostic().message, {}, {}};
    }
}

[[noreturn]] void refuse(const Subject& subject, const std::string& scope, const std::string& why,
                         std::vector<std::string> notes) {
    notes.insert(notes.begin(), "the policy's scope: " + scope);
    throw diagnostic::fail("E0513", subject.text() + " is not trusted: " + why)
        .notes(std::move(notes))
        .help("sign the image with a key of the policy (cosign sign --key), or change the policy (trust:)");
}

} // namespace

std::string pre_authentication(std::string_view type, std::string_view payload) {
    return "DSSEv1 " + std::to_string(type.size()) + " " + std::string(type) + " " +
           std::to_string(payload.size()) + " " + std::string(payload);
}

Verdict judge(const Policy& policy, const Subject& subject, const NextSignatures& next) {
    const Policy::Match match = policy.of(subject);
    Verdict out{"insecureAcceptAnything", subject.digest, {}, {}, match.scope, policy.digest()};
    std::vector<Signature> all;
    bool more = true;
    for (const Requirement& requirement : match.requirements) {
        if (requirement.kind == Requirement::Kind::reject)
            refuse(subject, match.scope, "the policy rejects it", {});
        if (requirement.kind == Requirement::Kind::accept_anything)
            continue;
        std::vector<std::string> notes;
        bool met = false;
        for (std::size_t at = 0; !met; ++at) {
            while (more && at == all.size()) {
                std::optional<std::vector<Signature>> place = next();
                more = place.has_value();
                if (more)
                    std::move(place->begin(), place->end(), std::back_inserter(all));
            }
            if (at == all.size())
                break;
            const Found found = look_at(all[at], requirement, subject);
            if (!found.problem.empty()) {
                notes.push_back(all[at].where + ": " + found.problem);
                continue;
            }
            out.how = "signed";
            out.key = found.key;
            out.identity = found.identity;
            met = true;
        }
        if (!met)
            refuse(subject, match.scope,
                   all.empty() ? "it has no signature" : "no signature meets what the policy asks for",
                   std::move(notes));
    }
    return out;
}

} // namespace trust
