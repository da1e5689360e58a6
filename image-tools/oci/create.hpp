// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/create.hpp - a single-layer OCI layout from a directory or a tar file, without root or
// Docker.
//
// Deterministic: entries sorted by name, one time stamp, owners 0:0 (unless kept), no host names: the same
// tree gives the same bytes wherever it lies. The root directory itself is 0755. index.json is replaced last
// and at once; runs of zeros of 64 KiB and more (rootfs/holes.hpp says which) are sparse; an existing layout gets the tag added (or moved), anything else that exists is refused
// (E0417).
#pragma once

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/digest.hpp"
#include "image-tools/oci/reference.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace oci {

struct CreateOptions {
    std::filesystem::path
        from;     // directory, or tar file (plain, gzip, zstd; taken as it is, after a strict reading)
    Reference to; // oci:DIR[:TAG]; no tag: "latest"
    std::vector<std::string> entrypoint;
    std::vector<std::string> cmd;
    std::vector<std::string> env;
    std::map<std::string, std::string> labels;
    std::string user;
    std::string working_dir;
    std::string stop_signal;
    std::string architecture = "amd64";
    std::int64_t epoch = 0; // SOURCE_DATE_EPOCH: every mtime and the image's creation time
    bool keep_owner = false;
    bool compress = true;          // gzip; else a plain tar layer
    diagnostic::Progress progress; // phase "pack": bytes of the tar, holes left out
};

struct CreatedImage {
    Reference reference;
    files::Digest manifest;
    files::Digest layer;
    std::uint64_t layer_bytes = 0; // in the layout
    std::uint64_t entries = 0;
};

CreatedImage create_image(const CreateOptions& options);

} // namespace oci
