// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/sections.hpp - writes a bundle: sections one after the other, their hashes, the signed
// header.
//
// Streaming: a section's content is read once, in 1 MiB pieces; one that lies in the bundle already is only hashed.
// The same input and key give the same bytes.
// Spec: hypervisor/core/bundle/format.hpp.
#pragma once

#include "hypervisor/core/bundle/format.hpp"
#include "image-tools/bundle/signing_key.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bundle {

// One section of the bundle as bind wants to know it, in the bundle's order.
struct SectionShape {
    std::uint32_t type;
    std::uint32_t partition;
    std::uint64_t offset;
    std::uint64_t size;
};

// A section's content: bytes in memory, or a whole file.
struct SectionInput {
    SectionType type{};
    std::uint32_t partition = no_partition;
    std::string name;
    std::string bytes;
    std::optional<files::FileRange> file; // instead of bytes; may lie in the bundle, at its place
    std::uint64_t size = 0;               // of bytes or file
};

SectionInput section(SectionType type, std::uint32_t partition, std::string name, std::string bytes);
SectionInput section_of_file(SectionType type, std::uint32_t partition, std::string name,
                             files::FileRange file);

// What the policies said by which the plan was judged, as the header has it.
struct PolicyMark {
    Hash set{};              // zeros: there were none
    std::uint32_t marks = 0; // policy_not_met, policy_excepted
};

struct BundleInfo {
    std::string name;
    std::string version;
    std::uint64_t security_version = 0;
    std::uint64_t build_epoch = 0;
    PolicyMark policy{};
    std::vector<Countersignature> countersignatures{}; // three at the most; nobody looks at whether they hold
};

struct WrittenBundle {
    std::uint64_t total_size = 0;
    Hash id{};
    std::vector<SectionShape> sections; // with the leaves section, in the bundle's order
};

// Index of sections[0] in the bundle: the leaves section stands before it.
inline constexpr std::uint32_t first_input_section = 1;

// Writes all of it; `sections` without a leaves section, one of type table among them. Throws E0803 (over 1.9
// GiB).
WrittenBundle write_bundle(files::AtomicFile& out, const BundleInfo& info,
                           const std::vector<SectionInput>& sections, const SigningKey& key,
                           const diagnostic::Progress& progress);

// Where the first of `sections` begins in a bundle of `section_count` sections: root images can be written there
// before their sizes, and so the length of the leaves section, are known.
[[nodiscard]] std::uint64_t first_section_offset(std::size_t section_count);

// The shapes write_bundle would give.
std::vector<SectionShape> layout_sections(const std::vector<SectionInput>& sections,
                                          std::uint64_t& total_size);

} // namespace bundle
