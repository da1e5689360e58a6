// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/issue.cpp
#include "hypervisor/core/bundle/issue.hpp"

namespace bundle {

const char* describe(Error error) {
    switch (error) {
    case Error::too_short:
        return "the file is too short for a bundle";
    case Error::not_a_bundle:
        return "this is not a bundle";
    case Error::unsupported_format:
        return "the bundle has a format this version does not know";
    case Error::bad_header_size:
        return "the header's size is not allowed";
    case Error::wrong_total_size:
        return "the file's size is not the one the header says: it is cut off or something was appended";
    case Error::bad_key_table:
        return "the table of trusted keys is malformed";
    case Error::no_trusted_key:
        return "no key is trusted: every key slot is empty";
    case Error::unknown_key:
        return "the bundle is signed with a key that is not trusted";
    case Error::bad_signature:
        return "the signature does not verify";
    case Error::security_version_too_low:
        return "the security version is below the floor of its key";
    case Error::bundle_id_mismatch:
        return "the bundle ID does not belong to this header";
    case Error::unsupported_hash:
        return "the hash algorithm or leaf size is not supported";
    case Error::reserved_not_zero:
        return "a reserved field is not zero";
    case Error::bad_name:
        return "a name is not NUL-padded printable text";
    case Error::bad_section_count:
        return "the number or size of section entries is not allowed";
    case Error::bad_section_type:
        return "the type or owner of a section is not allowed";
    case Error::bad_section_size:
        return "the size of a section is not allowed";
    case Error::bad_section_alignment:
        return "a section is not aligned";
    case Error::bad_section_order:
        return "sections overlap or are out of order";
    case Error::section_outside_file:
        return "a section does not lie inside the file";
    case Error::no_leaves_section:
        return "the first section is not the only list of leaf hashes";
    case Error::no_table_section:
        return "there is not exactly one plan";
    case Error::bad_leaf_count:
        return "the list of leaf hashes has the wrong size";
    case Error::leaf_mismatch:
        return "hash mismatch";
    case Error::root_mismatch:
        return "the leaf hashes are not those the header names";
    case Error::gap_not_zero:
        return "bytes between sections are not zero";
    case Error::unreadable:
        return "the bundle cannot be read";
    }
    return "unknown error";
}

} // namespace bundle
