// SPDX-License-Identifier: Apache-2.0
// image-tools/trust/provenance.hpp - what a bundle was built from, as a signed statement that other tools read too.
//
// Invariants: the same inputs and key give the same bytes: no time but the build epoch, no host, no path.
// Spec:       in-toto Statement v1; SLSA Provenance v1.0; DSSE 1.0 (JSON envelope).
#pragma once

#include "image-tools/bundle/signing_key.hpp"
#include "image-tools/files/digest.hpp"

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace trust {

// Something by its digest: an output, or what went in.
struct Artifact {
    std::string name;
    files::Digest digest;
    friend auto operator<=>(const Artifact&, const Artifact&) = default;
};

struct BuildFacts {
    std::vector<Artifact> outputs; // the bundle first
    std::vector<Artifact> inputs;
    std::vector<std::pair<std::string, std::string>> parameters; // of the manifest
    std::uint64_t epoch = 0;
    std::string tool; // its build id
};

// Images, kernels and the policy that a bundle's meta section names. Throws E0515 where it cannot be read.
std::vector<Artifact> inputs_of_meta(const std::string& meta);

// The payloadType of a list of evidence (caisson evidence).
inline constexpr std::string_view evidence_type = "application/vnd.caisson.evidence+json";
// A DSSE envelope of that payload.
std::string enveloped(std::string_view type, const std::string& payload, const bundle::SigningKey& key);

// What is in one of that type, and who of `keys` signed it. Throws E0515.
struct Opened {
    std::string payload;
    bundle::PublicKey key;
};
Opened opened(std::string_view type, std::string_view envelope, const std::string& name,
              std::span<const bundle::PublicKey> keys);

// The DSSE envelope.
std::string provenance(const BuildFacts& facts, const bundle::SigningKey& key);

// The key that signed it, one of `keys`. Throws E0515 where none did, where it is not of `output`, or where it does not name all
// of `inputs`. `name`: of the envelope's file.
bundle::PublicKey check_provenance(std::string_view envelope, const std::string& name,
                                   std::span<const bundle::PublicKey> keys, const files::Digest& output,
                                   const std::vector<Artifact>& inputs);

} // namespace trust
