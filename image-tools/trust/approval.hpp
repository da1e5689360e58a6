// SPDX-License-Identifier: Apache-2.0
// image-tools/trust/approval.hpp - a countersignature of a bundle: of its ID, for a purpose, by a second person's key.
//
// Invariants: it says the same of every bundle with that ID, whoever signed it; building the same again keeps it.
// Spec:       hypervisor/core/bundle/format.hpp, Countersignature.
#pragma once

#include "image-tools/bundle/signing_key.hpp"
#include "image-tools/bundle/verify.hpp"

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace trust {

inline constexpr std::array<std::pair<const char*, std::uint32_t>, 2> approval_purposes{
    {{"approve", bundle::purpose_approve}, {"vendor", bundle::purpose_vendor}}};
// "approve", "vendor"; of what is none of these, its number.
std::string purpose_word(std::uint32_t purpose);

struct Approval {
    bundle::Hash bundle_id{};  // its own
    std::string name, version; // of the appliance, for people
    bundle::Countersignature signature{};

    // A file of its own, caisson.approval/1.
    [[nodiscard]] std::string text() const;
    // Throws E0516 where it is of another bundle.
    void expect(const bundle::Hash& id) const;
};

// `verified`: what was shown.
Approval approve(const bundle::BundleSummary& verified, std::uint32_t purpose, const bundle::SigningKey& key);
// Throws E0516 where the file holds no approval, E0601.
Approval read_approval(const std::filesystem::path& file);
// Into the header of that bundle, in place of an earlier one by the same key. Throws E0516 where it is another bundle, or has three
// by others; E0601, E0602.
void add_to_bundle(const std::filesystem::path& file, const Approval& approval);

// SHA-256 of a bundle's file as it was built: what countersigns it counts as zeros. What provenance is of.
files::Digest built_digest(const files::FileRange& file);

} // namespace trust
