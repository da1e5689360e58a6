// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/issue.hpp - what is wrong with a bundle, and where.
#pragma once

#include "hypervisor/base/result.hpp"

#include <cstdint>

namespace bundle {

enum class Error : std::uint8_t {
    // before a signature is looked at
    too_short,
    not_a_bundle,
    unsupported_format,
    bad_header_size,
    wrong_total_size, // cut off, or something appended
    // the trust anchor
    bad_key_table,
    no_trusted_key, // every slot is empty
    unknown_key,    // signed by a key that is in no slot
    bad_signature,
    revoked_key,
    security_version_too_low,
    bad_countersignature, // it is of another bundle, or its key is not there for that
    not_approved,         // a countersignature that the signer's slot demands is not there
    other_policies,       // than those that the slot demands
    policies_unmet,
    // what a good signature still may not say
    bundle_id_mismatch,
    unsupported_hash,
    reserved_not_zero,
    bad_name,
    bad_section_count,
    bad_section_type,
    bad_section_size,
    bad_section_alignment,
    bad_section_order, // not ascending, overlapping, or not behind the header
    section_outside_file,
    no_leaves_section,
    no_table_section,
    bad_leaf_count, // the leaves section's size is not the sum of all leaves
    // contents
    leaf_mismatch, // of section and leaf
    root_mismatch, // of section: its leaf list is not the one the header names
    gap_not_zero,  // in the gap behind section (or behind the header)
    unreadable,    // the source gave nothing
};

inline constexpr std::uint32_t no_index = 0xFFFFFFFF;

struct Issue {
    Error error;
    std::uint32_t section =
        no_index;           // index in the section list; of gap_not_zero: the section before the gap
    std::uint64_t leaf = 0; // of leaf_mismatch: leaf in the section; of gap_not_zero: offset in the file
};

template <typename T> using Result = base::Result<T, Issue>;
using Status = base::Status<Issue>;

constexpr base::Failure<Issue> failure(Error error, std::uint32_t section = no_index,
                                       std::uint64_t leaf = 0) {
    return {Issue{error, section, leaf}};
}

// For people, without section and leaf: "signature does not verify".
[[nodiscard]] const char* describe(Error error);

} // namespace bundle
