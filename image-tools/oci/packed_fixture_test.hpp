// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/packed_fixture_test.hpp - for tests only: bytes packed by zlib.
#pragma once

#include <string>
#include <zlib.h>

namespace oci::test {

// window_bits: as deflateInit2 has them; -15 is bare deflate, 15 zlib's own form, 31 gzip.
inline std::string packed(const std::string& text, int window_bits) {
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
    std::string in = text, out(deflateBound(&stream, text.size()) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(out.size() - stream.avail_out);
    deflateEnd(&stream);
    return out;
}

} // namespace oci::test
