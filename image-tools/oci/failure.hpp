// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/failure.hpp - the failures of reading images: their codes, and how a name is quoted.
#pragma once

#include "image-tools/diagnostic/diagnostic.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace oci {

// The kinds of failure, by the codes that the diagnostics carry.
struct Fault {
    static constexpr diagnostic::Code reference{"E0401"};   // not a reference that is understood
    static constexpr diagnostic::Code not_there{"E0402"};   // no such layout or archive
    static constexpr diagnostic::Code tag{"E0403"};         // ambiguous or unknown tag
    static constexpr diagnostic::Code platform{"E0404"};    // not for this platform
    static constexpr diagnostic::Code malformed{"E0405"};   // index, manifest or config
    static constexpr diagnostic::Code media_type{"E0406"};  // a kind of object that is not read
    static constexpr diagnostic::Code digest{"E0407"};      // a blob is not what its descriptor says
    static constexpr diagnostic::Code diff_id{"E0408"};     // an unpacked layer is not what the config says
    static constexpr diagnostic::Code compression{"E0409"}; // a damaged gzip or zstd stream
    static constexpr diagnostic::Code tar{"E0410"};         // a damaged or ambiguous tar
    static constexpr diagnostic::Code path{"E0411"};        // an entry's path leaves the root
    static constexpr diagnostic::Code hard_link{"E0412"};   // a hard link's target is missing or outside
    static constexpr diagnostic::Code limit{"E0413"};       // more than is unpacked
    static constexpr diagnostic::Code user{"E0416"};        // no such user or group
    static constexpr diagnostic::Code output{"E0417"};      // will not overwrite
    static constexpr diagnostic::Code source{"E0418"};      // the tree given to `image create`
    static constexpr diagnostic::Code blob{"E0420"};        // a blob that the image names is not there
    static constexpr diagnostic::Code whiteout{"E0421"};    // a whiteout that names nothing in its directory
    static constexpr diagnostic::Code conflict{"E0422"};    // an entry cannot be placed
};

// Which image and layer a failure is about.
struct LayerContext {
    std::string image;
    std::size_t index = 0; // from 0
    std::size_t count = 0;
    std::string digest; // of the blob

    [[nodiscard]] std::string text() const; // "IMAGE: layer 2 of 3 (sha256:...)"
};

// A name from the image for a message: quoted, control bytes as \xNN, the middle of a long one left out.
std::string printable(std::string_view name);

} // namespace oci
