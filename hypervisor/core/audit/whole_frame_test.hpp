// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/whole_frame_test.hpp - whole frames and lines of them, for tests and fuzz targets; the
// hypervisor sends them in pieces.
#pragma once

#include "hypervisor/core/audit/frame.hpp"

#include <string>

namespace audit {

inline std::string encode_frame(const FrameHeader& header, std::uint64_t number, std::string_view payload) {
    FrameEncoder encoder;
    encoder.begin(header, number, payload);
    std::string out;
    std::array<char, 64> piece{};
    while (!encoder.done())
        out.append(piece.data(), encoder.fill(piece));
    return out;
}

// Frames in a row, numbered from 0.
class FrameLine {
public:
    [[nodiscard]] std::string frame(const FrameHeader& header, std::string_view payload) {
        return encode_frame(header, number_++, payload);
    }

private:
    std::uint64_t number_ = 0;
};

} // namespace audit
