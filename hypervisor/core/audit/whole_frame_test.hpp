// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/whole_frame_test.hpp - a frame in one piece, for tests and fuzz targets; the hypervisor sends its parts.
#pragma once

#include "hypervisor/core/audit/frame.hpp"

#include <string>

namespace audit {

inline std::string encode_frame(const FrameHeader& header, std::string_view payload) {
    return std::string{encode_head(header, payload.size()).view()} + std::string{payload} + '\n';
}

} // namespace audit
