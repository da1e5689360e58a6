// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/issue.cpp
#include "hypervisor/core/bundle/issue.hpp"

#include <array>

namespace bundle {
namespace {

struct Text {
    Error error;
    const char* text;
};
constexpr std::array texts{
    Text{Error::too_short, "the file is too short for a bundle"},
    Text{Error::not_a_bundle, "this is not a bundle"},
    Text{Error::unsupported_format, "the bundle has a format this version does not know"},
    Text{Error::bad_header_size, "the header's size is not allowed"},
    Text{Error::wrong_total_size,
         "the file's size is not the one the header says: it is cut off or something was appended"},
    Text{Error::bad_key_table, "the table of trusted keys is malformed"},
    Text{Error::no_trusted_key, "no key is trusted: every key slot is empty"},
    Text{Error::unknown_key, "the bundle is signed with a key that is not trusted"},
    Text{Error::bad_signature, "the signature does not verify"},
    Text{Error::security_version_too_low, "the security version is below the floor of its key"},
    Text{Error::bundle_id_mismatch, "the bundle ID does not belong to this header"},
    Text{Error::unsupported_hash, "the hash algorithm or leaf size is not supported"},
    Text{Error::reserved_not_zero, "a reserved field is not zero"},
    Text{Error::bad_name, "a name is not NUL-padded printable text"},
    Text{Error::bad_section_count, "the number or size of section entries is not allowed"},
    Text{Error::bad_section_type, "the type or owner of a section is not allowed"},
    Text{Error::bad_section_size, "the size of a section is not allowed"},
    Text{Error::bad_section_alignment, "a section is not aligned"},
    Text{Error::bad_section_order, "sections overlap or are out of order"},
    Text{Error::section_outside_file, "a section does not lie inside the file"},
    Text{Error::no_leaves_section, "the first section is not the only list of leaf hashes"},
    Text{Error::no_table_section, "there is not exactly one plan"},
    Text{Error::bad_leaf_count, "the list of leaf hashes has the wrong size"},
    Text{Error::leaf_mismatch, "hash mismatch"},
    Text{Error::root_mismatch, "the leaf hashes are not those the header names"},
    Text{Error::gap_not_zero, "bytes between sections are not zero"},
    Text{Error::unreadable, "the bundle cannot be read"},
};

} // namespace

const char* describe(Error error) {
    for (const Text& entry : texts)
        if (entry.error == error)
            return entry.text;
    return "unknown error";
}

} // namespace bundle
