// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/verify.hpp - the loader's and the tool's one way to trust a bundle.
//
// HeaderBuffer buffer;                                        // private memory
// TRY(buffer.load(file));                                     // sizes and magic only
// Signer signer = TRY(verify_signature(buffer, keys, engine)); // then the signature, and only then
// Contents contents = TRY(Contents::parse(buffer, engine));    // what the header says
// TRY(verify_leaf_lists(contents, leaves, engine));           // `leaves`: private copy of the leaves section
// TRY(verify_section(contents, leaves, i, bytes, engine));    // any CPU, any section; or leaf by leaf
// for (i = 0; i < contents.gap_count(); ++i)
// TRY(verify_gap(contents, i, file));
//
// Pure.
// Trust:      every byte is hostile until the step that covers it has succeeded.
// Invariants: no section is looked at before the signature holds; offsets are ascending, inside the
//             file and never overlap; every byte of the file is covered by the signature, a leaf
//             hash or a gap check.
#pragma once

#include "hypervisor/core/bundle/hash.hpp"
#include "hypervisor/core/bundle/header_buffer.hpp"

#include <string_view>

namespace bundle {

// Every leaf of a bundle of the largest size, rounded up for each section's short last leaf.
inline constexpr std::uint64_t max_leaves = max_total_size / leaf_size + max_sections + 1;
inline constexpr std::uint64_t max_leaf_list_bytes = max_leaves * hash_size;

struct Signer {
    std::uint32_t slot;
    bool development; // say DEVELOPMENT KEY
    std::uint64_t security_version;
    std::uint64_t security_version_floor;
    std::uint32_t countersigned = 0; // purposes of the countersignatures by trusted keys
};

// What a countersignature signs.
using Approval = std::array<std::byte, sizeof(approval_domain) + sizeof(std::uint32_t) + hash_size>;
[[nodiscard]] Approval approval_of(const Hash& bundle_id, std::uint32_t purpose);

// Magic, counts, known purposes and flags, reserved bytes; a slot with purpose 0 must be all zero.
[[nodiscard]] Status check_keys(const KeyTable& keys);

// Which trusted key signed the header in `buffer`. Refuses unless a slot with purpose_bundle holds the key
// that the header names, the signature holds under it, the security version reaches that slot's floor, every
// countersignature by a trusted key holds, and what the slot demands (purposes, policies) is there.
[[nodiscard]] Result<Signer> verify_signature(const HeaderBuffer& buffer, const KeyTable& keys,
                                              crypto::Sha256Engine engine);

// The sections of a bundle whose header is signed. Keeps a reference to the buffer.
class Contents {
public:
    [[nodiscard]] static Result<Contents> parse(const HeaderBuffer& buffer, crypto::Sha256Engine engine);

    [[nodiscard]] const Header& header() const { return buffer_->header(); }
    [[nodiscard]] std::uint32_t section_count() const { return header().section_count; }
    // index < section_count()
    [[nodiscard]] const Section& section(std::uint32_t index) const;
    // "web.root"; into the buffer.
    [[nodiscard]] std::string_view section_name(std::uint32_t index) const {
        return section(index).name.data();
    }
    [[nodiscard]] std::uint64_t leaf_count(std::uint32_t index) const;
    [[nodiscard]] static constexpr std::uint32_t leaves_section() { return 0; }
    [[nodiscard]] std::uint32_t table_section() const { return table_; }
    // Where the leaf hashes of that section start inside the leaves section. Not for the leaves section
    // itself.
    [[nodiscard]] std::uint64_t leaf_list_offset(std::uint32_t index) const;

    struct Gap {
        std::uint64_t offset;
        std::uint64_t length;
        std::uint32_t after; // section before it, or no_index: the header
    };
    // The bytes of the file that belong to nothing, some of them empty.
    [[nodiscard]] std::uint32_t gap_count() const { return section_count() + 1; }
    [[nodiscard]] Gap gap(std::uint32_t index) const;

private:
    explicit Contents(const HeaderBuffer& buffer) : buffer_(&buffer) {}
    [[nodiscard]] Status check_sections();

    const HeaderBuffer* buffer_;
    std::uint32_t table_ = no_index;
};

// The bytes of one section, out of the whole file.
[[nodiscard]] Result<bytes::Source> section_bytes(const Contents& contents, std::uint32_t index,
                                                  const bytes::Source& file);

// `leaves`: the leaves section's bytes. Checks its own hash and every section's list against its root hash.
[[nodiscard]] Status verify_leaf_lists(const Contents& contents, std::span<const std::byte> leaves,
                                       crypto::Sha256Engine engine);

// One leaf of one section. `section` is that section's bytes (in the file, or the copy that will run),
// `leaves` what verify_leaf_lists() accepted. Not for the leaves section.
[[nodiscard]] Status verify_leaf(const Contents& contents, std::span<const std::byte> leaves,
                                 std::uint32_t index, std::uint64_t leaf, const bytes::Source& section,
                                 crypto::Sha256Engine engine);

// All leaves of one section.
[[nodiscard]] Status verify_section(const Contents& contents, std::span<const std::byte> leaves,
                                    std::uint32_t index, const bytes::Source& section,
                                    crypto::Sha256Engine engine);

[[nodiscard]] Status verify_gap(const Contents& contents, std::uint32_t gap, const bytes::Source& file);

} // namespace bundle
