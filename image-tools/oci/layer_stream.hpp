// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/layer_stream.hpp - one layer's tar bytes; the limits and the diff_id are enforced as they
// pass.
//
// Invariant: an empty run is returned only after the whole layer's SHA-256 was found equal to its diff_id.
#pragma once

#include "image-tools/files/digest.hpp"
#include "image-tools/oci/ahead.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/limits.hpp"

#include <cstdint>
#include <memory>
#include <span>

namespace oci {

class LayerStream {
public:
    LayerStream(files::FileRange blob, Compression compression, const files::Digest& diff_id,
                LayerContext context, const Limits& limits);

    std::span<const std::uint8_t> next();
    [[nodiscard]] const LayerContext& context() const { return context_; }
    [[nodiscard]] std::uint64_t packed_read() const { return decoder_->packed_read(); }
    [[nodiscard]] std::uint64_t unpacked() const { return unpacked_; }
    [[nodiscard]] std::uint64_t counted() const { return counted_; } // towards the limits: not zeros

private:
    std::unique_ptr<AheadDecoder> decoder_; // its thread knows its address
    files::Sha256 hash_;
    files::Digest diff_id_;
    LayerContext context_;
    std::uint64_t packed_bytes_;
    std::uint64_t unpacked_ = 0;
    std::uint64_t counted_ = 0;
    std::uint64_t most_;
    std::uint64_t most_inflated_;
    std::uint64_t free_bytes_;
    std::uint64_t ratio_;
    bool ended_ = false;
};

} // namespace oci
