// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/lock_file.hpp - appliance.lock: which image every reference of a manifest is, by digest.
//
// JSON of schema caisson.lock/1; written by `caisson lock`, read by everything that builds; equal content is equal bytes.
// Trust: kept beside the manifest, and trusted as much; checked for its form.
#pragma once

#include "image-tools/files/digest.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace registry {

struct Pin {
    std::string reference;  // as oci::Reference::text() writes it: "docker://nginx:1.27"
    std::string platform;   // "linux/amd64"
    files::Digest digest;   // what the reference names: an index or a manifest
    files::Digest manifest; // the platform's
    std::string
        signed_by{}; // fingerprint of the key that the policy (trust:) found; empty: no policy, or nobody's

    friend auto operator<=>(const Pin&, const Pin&) = default;
};

class LockFile {
public:
    // "appliance.yaml" -> "appliance.lock".
    static std::filesystem::path beside(const std::filesystem::path& manifest);
    // Nothing: there is none. Throws E0423, E0601.
    static std::optional<LockFile> load(const std::filesystem::path& file);
    static LockFile parse(std::string_view text, const std::string& name); // throws E0423

    void pin(Pin entry); // replaces that of the same reference and platform
    [[nodiscard]] const Pin* find(const std::string& reference, const std::string& platform) const;
    [[nodiscard]] const std::vector<Pin>& pins() const { return pins_; } // in order
    [[nodiscard]] std::string text() const;

private:
    std::vector<Pin> pins_;
};

} // namespace registry
