// SPDX-License-Identifier: Apache-2.0
// image-tools/trust/policy.hpp - which images are trusted, and who must have signed them: containers' policy.json.
//
// Trust:      the policy is the user's own file; what is not understood is refused, never passed over.
// Invariants: a list of requirements is never empty, and all of them must hold.
// Spec:       containers-policy.json(5): default, transports, scopes; insecureAcceptAnything, reject, sigstoreSigned with keyPath,
//             keyPaths, keyData, keyDatas and signedIdentity.
#pragma once

#include "image-tools/files/digest.hpp"
#include "image-tools/trust/public_key.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace trust {

// An image as policies and signatures name it.
struct Subject {
    std::string transport; // "docker", "oci", "oci-archive", "docker-archive"
    std::string name;      // in a registry "HOST/REPOSITORY", else the path
    std::string tag;       // empty: none
    files::Digest digest;  // what the reference names: an index or a manifest
    files::Digest manifest{};
    bool by_digest = false; // the reference names it so

    [[nodiscard]] std::string text() const;
};

// What a signature must say that it is of.
struct Identity {
    enum class Form : unsigned char {
        repo_digest_or_exact,
        exact,
        repository,
        exact_reference,
        exact_repository,
        remap,
        any
    };
    Form form = Form::repo_digest_or_exact;
    std::string reference{}; // exactReference, exactRepository; remapIdentity: the prefix here
    std::string signed_prefix{};

    // `said`: "HOST/REPOSITORY[:TAG]", as the signature has it.
    [[nodiscard]] bool accepts(const std::string& said, const Subject& subject) const;
};

struct Requirement {
    enum class Kind : unsigned char { accept_anything, reject, signed_by };
    Kind kind{};
    std::vector<std::shared_ptr<const PublicKey>> keys{}; // one of them must have signed
    Identity identity{};
};

class Policy {
public:
    // Gives the text of a key's file.
    using ReadKey = std::function<std::string(const std::string& path)>;
    // Throws E0433, E0514, E0601. Paths of keys are relative to the policy's folder.
    static Policy load(const std::filesystem::path& file);
    static Policy parse(std::string_view text, const std::string& name, const ReadKey& read);

    struct Match {
        const std::vector<Requirement>& requirements;
        std::string scope; // "transports.docker.HOST/x", "default": for messages
    };
    // The most exact scope counts, and only that.
    [[nodiscard]] Match of(const Subject& subject) const;
    [[nodiscard]] const files::Digest& digest() const { return digest_; } // of the file's text

private:
    std::vector<Requirement> default_;
    std::map<std::string, std::map<std::string, std::vector<Requirement>>> transports_;
    files::Digest digest_;
};

} // namespace trust
