// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/failure.hpp - the failures of reading images (E04xx): one place for codes, exits and
// wording.
#pragma once

#include "image-tools/diagnostic/diagnostic.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace oci {

// The kinds of failure; the number is the diagnostic's code.
enum class Fault : unsigned {
    reference = 401,   // not a reference of ours
    not_there = 402,   // no such layout, archive or blob; cannot be read
    tag = 403,         // ambiguous or unknown tag
    platform = 404,    // not for this platform
    malformed = 405,   // index, manifest or config
    media_type = 406,  // a kind of object we do not read
    digest = 407,      // a blob is not what its descriptor says
    diff_id = 408,     // an unpacked layer is not what the config says
    compression = 409, // a damaged gzip or zstd stream
    tar = 410,         // a damaged or ambiguous tar
    path = 411,        // an entry's path leaves the root
    hard_link = 412,   // a hard link's target is missing or outside
    limit = 413,       // more than we are willing to unpack
    whiteout = 414,    // a whiteout that names nothing in its directory
    conflict = 415,    // an entry cannot be placed
    user = 416,        // no such user or group
    output = 417,      // will not overwrite
    source = 418,      // the tree given to `image create`
};

// Which image and layer a failure is about.
struct LayerContext {
    std::string image;
    std::size_t index = 0; // from 0
    std::size_t count = 0;
    std::string digest; // of the blob

    [[nodiscard]] std::string text() const; // "IMAGE: layer 2 of 3 (sha256:...)"
};

[[noreturn]] void fail(Fault fault, std::string message, std::string help = {},
                       std::vector<std::string> notes = {});
[[noreturn]] void fail_system(Fault fault, const std::string& what, int error, std::string help = {});

// A name from the image for a message: quoted, control bytes as \xNN, the middle of a long one left out.
std::string printable(std::string_view name);

} // namespace oci
