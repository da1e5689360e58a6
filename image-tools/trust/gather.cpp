// SPDX-License-Identifier: Apache-2.0
// image-tools/trust/gather.cpp - an image's signatures, from its registry or layout, and the verdict on it.
//
// Spec: cosign, SIGNATURE_SPEC.md (the tag sha256-HEX.sig); OCI distribution specification 1.1, "Referrers Tag Schema".
#include "image-tools/trust/gather.hpp"

#include <algorithm>

namespace trust {
namespace {

constexpr std::string_view simple_type = "application/vnd.dev.cosign.simplesigning.v1+json";
constexpr std::string_view bundle_prefix = "application/vnd.dev.sigstore.bundle";
constexpr const char* signature_annotation = "dev.cosignproject.cosign/signature";

std::string transport_of(oci::Transport transport) {
    switch (transport) {
    case oci::Transport::layout:
        return "oci";
    case oci::Transport::archive:
        return "oci-archive";
    case oci::Transport::docker_archive:
        return "docker-archive";
    case oci::Transport::registry:
        break;
    }
    return "docker";
}

Subject subject_of(const oci::Reference& reference, const oci::Image& image) {
    Subject out{transport_of(reference.transport),
                reference.path,
                reference.tag,
                image.named_digest(),
                image.manifest_digest(),
                reference.digest.has_value()};
    if (reference.transport != oci::Transport::registry)
        return out;
    // docker://HOST/REPOSITORY:TAG
    std::string whole = registry::whole_name(reference).substr(std::string_view("docker://").size());
    whole.erase(std::min(whole.find('@'), whole.size()));
    const std::size_t slash = whole.rfind('/'), colon = whole.rfind(':');
    if (colon != std::string::npos && (slash == std::string::npos || colon > slash)) {
        out.tag = whole.substr(colon + 1);
        whole.erase(colon);
    }
    out.name = whole;
    return out;
}

// Place after place: cosign's own tag of each digest, then what refers to it.
class Places {
public:
    Places(const oci::Reference& reference, const Subject& subject, registry::Images& images,
           registry::Ask ask)
        : reference_(reference), images_(images), ask_(ask), digests_{subject.digest} {
        if (subject.manifest != subject.digest)
            digests_.push_back(subject.manifest);
    }

    std::optional<std::vector<Signature>> next() {
        if (at_ == 2 * digests_.size())
            return std::nullopt;
        const std::string tag = "sha256-" + digests_[at_ / 2].hex();
        return at_++ % 2 == 0 ? simple(tag + ".sig") : bundles(tag);
    }

private:
    std::vector<Signature> simple(const std::string& tag) {
        std::vector<Signature> out;
        for (const registry::Attached& blob : images_.attached(reference_, tag, ask_)) {
            const auto signature = blob.annotations.find(signature_annotation);
            if (blob.media_type == simple_type && signature != blob.annotations.end())
                out.push_back({Signature::Form::simple, blob.bytes, signature->second, blob.where});
        }
        return out;
    }
    std::vector<Signature> bundles(const std::string& tag) {
        std::vector<Signature> out;
        for (const registry::Attached& blob : images_.attached(reference_, tag, ask_))
            if (blob.media_type.starts_with(bundle_prefix))
                out.push_back({Signature::Form::bundle, blob.bytes, {}, blob.where});
        return out;
    }

    const oci::Reference& reference_;
    registry::Images& images_;
    registry::Ask ask_;
    std::vector<files::Digest> digests_;
    std::size_t at_ = 0;
};

} // namespace

Verdict judge_image(const Policy& policy, const oci::Reference& reference, const oci::Image& image,
                    registry::Images& images, registry::Ask ask) {
    const Subject subject = subject_of(reference, image);
    const auto with = [&](registry::Ask how) {
        Places places(reference, subject, images, how);
        return judge(policy, subject, [&] { return places.next(); });
    };
    const bool can_ask = reference.transport == oci::Transport::registry && !images.options().offline;
    if (ask == registry::Ask::when_missing && can_ask)
        try {
            return with(ask);
        } catch (const diagnostic::Failure& failure) {
            if (failure.diagnostic().code != "E0513")
                throw;
        }
    return with(registry::Ask::always);
}

} // namespace trust
