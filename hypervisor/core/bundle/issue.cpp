// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/issue.cpp
#include "hypervisor/core/bundle/issue.hpp"

#include <array>

namespace bundle {
namespace {

// In the order of Error.
constexpr std::array texts{
    "the file is too short for a bundle",
    "this is not a bundle",
    "the bundle has a format this version does not know",
    "the header's size is not allowed",
    "the file's size is not the one the header says: it is cut off or something was appended",
    "the table of trusted keys is malformed",
    "no key is trusted: every key slot is empty",
    "the bundle is signed with a key that is not trusted",
    "the signature does not verify",
    "the key that signed it is revoked",
    "the security version is below the floor of its key",
    "a countersignature is not of this bundle, or its key is not for that purpose",
    "it is not approved: a countersignature that the loader demands is missing",
    "it was judged by other policies than the loader demands",
    "a rule of its policies was not met, and the loader demands that all are",
    "the bundle ID does not belong to this header",
    "the hash algorithm or leaf size is not supported",
    "a reserved field is not zero",
    "a name is not NUL-padded printable text",
    "the number or size of section entries is not allowed",
    "the type or owner of a section is not allowed",
    "the size of a section is not allowed",
    "a section is not aligned",
    "sections overlap or are out of order",
    "a section does not lie inside the file",
    "the first section is not the only list of leaf hashes",
    "there is not exactly one plan",
    "the list of leaf hashes has the wrong size",
    "hash mismatch",
    "the leaf hashes are not those the header names",
    "bytes between sections are not zero",
    "the bundle cannot be read",
};

static_assert(texts.size() == static_cast<std::size_t>(Error::unreadable) + 1);

} // namespace

const char* describe(Error error) {
    return texts[static_cast<std::size_t>(error)];
}

} // namespace bundle
