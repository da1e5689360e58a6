// SPDX-License-Identifier: Apache-2.0
// image-tools/trust/signature.hpp - signatures beside an image, and whether they satisfy a policy.
//
// Two forms: cosign's simple signing (a payload that names image and identity, signed as it is; the tag sha256-HEX.sig) and
// Sigstore's bundles of a DSSE envelope with an in-toto statement (found by the image's referrers).
// Trust:  payloads and signatures are whoever's; nothing of a payload counts before its signature was verified.
// Spec:   cosign, SIGNATURE_SPEC.md; containers-signature(5); Sigstore bundle v0.3; DSSE 1.0; in-toto Statement v1.
#pragma once

#include "image-tools/trust/policy.hpp"

#include <optional>
#include <string>
#include <vector>

namespace trust {

struct Signature {
    enum class Form : unsigned char { simple, bundle };
    Form form{};
    std::string payload;   // simple: the signed document; bundle: the bundle's JSON
    std::string signature; // simple: base64
    std::string where{};   // for messages
};

// Why an image is trusted: goes into the bundle's meta section and the lock file.
struct Verdict {
    std::string how; // "signed", "insecureAcceptAnything"
    files::Digest digest;
    std::string key;      // fingerprint; empty: nobody's
    std::string identity; // as the signature says it
    std::string scope;    // of the policy
    files::Digest policy;
};

// The signatures of one more place, nothing when there is no more. Asking costs requests: it is asked until one suffices.
using NextSignatures = std::function<std::optional<std::vector<Signature>>()>;

// Throws E0513 with every signature's reason where a requirement is not met.
Verdict judge(const Policy& policy, const Subject& subject, const NextSignatures& next);

// The payloadType of an in-toto statement in a DSSE envelope.
inline constexpr std::string_view in_toto_type = "application/vnd.in-toto+json";

// What DSSE signs: the type and the payload, each with its length.
std::string pre_authentication(std::string_view type, std::string_view payload);

} // namespace trust
