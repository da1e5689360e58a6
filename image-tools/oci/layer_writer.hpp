// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/layer_writer.hpp - one layer's blob while it is written: tar bytes in, gzip and both
// digests out.
//
// zlib at a fixed level with an empty header: the same tar gives the same blob.
#pragma once

#include "image-tools/files/digest.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace oci {

class LayerWriter {
public:
    LayerWriter(const std::filesystem::path& file, bool compress); // created, must not exist
    ~LayerWriter();
    LayerWriter(const LayerWriter&) = delete;
    LayerWriter& operator=(const LayerWriter&) = delete;

    void write(std::span<const std::uint8_t> data);

    struct Result {
        files::Digest diff_id;
        files::Digest blob;
        std::uint64_t bytes = 0; // of the blob
    };
    Result finish();

private:
    struct Deflate;
    void deflate_all(std::span<const std::uint8_t> data, int flush);
    void emit(std::span<const std::uint8_t> data);

    std::filesystem::path path_;
    int descriptor_ = -1;
    std::unique_ptr<Deflate> deflate_;
    files::Sha256 tar_hash_;
    files::Sha256 blob_hash_;
    std::uint64_t bytes_ = 0;
};

} // namespace oci
