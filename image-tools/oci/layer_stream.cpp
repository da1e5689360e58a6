// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/layer_stream.hpp"

#include "image-tools/files/zeros.hpp"

#include <utility>

namespace oci {

LayerStream::LayerStream(files::FileRange blob, Compression compression, const files::Digest& diff_id,
                         LayerContext context, const Limits& limits)
    : decoder_(std::make_unique<AheadDecoder>(blob, compression)), diff_id_(diff_id),
      context_(std::move(context)), packed_bytes_(blob.size), most_(limits.unpacked_bytes),
      most_inflated_(limits.inflated_bytes), free_bytes_(limits.free_bytes), ratio_(limits.ratio) {}

std::span<const std::uint8_t> LayerStream::next() {
    if (ended_) {
        return {};
    }
    std::span<const std::uint8_t> run;
    try {
        run = decoder_->next();
    } catch (const DecodeError& error) {
        throw diagnostic::fail(Fault::compression, context_.text() + ": " + error.what())
            .help("fetch or build the image again");
    }
    if (run.empty()) {
        ended_ = true;
        const files::Digest got = hash_.finish();
        if (got != diff_id_) {
            throw diagnostic::fail(Fault::diff_id,
                                   context_.text() +
                                       ": the unpacked layer is not the one its config names (diff_id)")
                .notes({"expected " + diff_id_.text(), "found    " + got.text()})
                .help("the image is inconsistent: build or fetch it again");
        }
        return run;
    }
    unpacked_ += run.size();
    counted_ += run.size() - files::zero_bytes(run); // zeros cost nothing: they become holes
    if (unpacked_ > most_inflated_) {
        throw diagnostic::fail(Fault::limit, context_.text() + ": the layer unpacks to more than " +
                                                 std::to_string(most_inflated_ >> 30) +
                                                 " GiB, zeros included");
    }
    if (counted_ > most_) {
        throw diagnostic::fail(Fault::limit, context_.text() +
                                                 ": the image unpacks to more than the limit, " +
                                                 std::to_string(most_ >> 20) + " MiB left for this layer");
    }
    if (counted_ > free_bytes_ && counted_ / ratio_ > packed_bytes_) {
        throw diagnostic::fail(Fault::limit, context_.text() + ": " + std::to_string(packed_bytes_) +
                                                 " bytes unpack to more than " + std::to_string(counted_) +
                                                 " that are not zero, a ratio over " +
                                                 std::to_string(ratio_) + ": a decompression bomb")
            .help("if the layer is meant to be like this, give the partition  unpackLimit: " +
                  std::to_string((counted_ >> 30) + 16) + "GiB");
    }
    hash_.update(run);
    return run;
}

} // namespace oci
