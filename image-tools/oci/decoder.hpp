// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/decoder.hpp - a blob's bytes, decompressed as they are read: plain, gzip (ISA-L), zstd.
//
// gzip of several members (pigz, eStargz) and zstd of several frames with skippable ones (zstd:chunked) are
// one stream. A stream that ends early, has a wrong checksum or anything after its end is damaged.
// Spec: RFC 1951, RFC 1952, RFC 8878.
#pragma once

#include "image-tools/files/range.hpp"
#include "image-tools/oci/image.hpp"

#include <memory>
#include <span>
#include <stdexcept>

namespace oci {

// The caller knows which image and layer it is about.
struct DecodeError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Decoder {
public:
    Decoder(files::FileRange blob, Compression compression);
    ~Decoder();
    Decoder(Decoder&&) noexcept;
    Decoder& operator=(Decoder&&) noexcept;

    // So many runs, the newest included, stay as they are.
    static constexpr std::size_t runs_kept = 4;

    // The next run of unpacked bytes; empty at the end. Throws DecodeError.
    std::span<const std::uint8_t> next();
    [[nodiscard]] std::uint64_t packed_read() const;

    // By the first bytes, for blobs without a media type.
    static Compression detect(const files::FileRange& blob);

    class Codec;

private:
    std::unique_ptr<Codec> codec_;
};

} // namespace oci
