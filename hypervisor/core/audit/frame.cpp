// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/frame.cpp - frames on the line.
#include "hypervisor/core/audit/frame.hpp"

#include "hypervisor/base/text.hpp"

#include <algorithm>

namespace audit {
std::size_t encode_header(std::span<char> out, const FrameHeader& header, std::size_t length) {
    if (length > CAISSON_FRAME_MAX)
        return 0;
    base::Text<frame_header_max> text;
    text << static_cast<char>(CAISSON_FRAME_START) << static_cast<char>(header.type) << ' ';
    if (header.partition == hypervisor_id)
        text << "hv";
    else
        text << header.partition;
    text << ' ' << header.generation << ' ' << length << ' ';
    const std::string_view bytes = text.view();
    if (bytes.size() > out.size())
        return 0;
    std::ranges::copy(bytes, out.begin());
    return bytes.size();
}

std::size_t encode_frame(std::span<char> out, const FrameHeader& header, std::span<const char> payload) {
    const std::size_t head = encode_header(out, header, payload.size());
    if (head == 0 || out.size() - head < payload.size() + 1)
        return 0;
    std::ranges::copy(payload, out.begin() + static_cast<std::ptrdiff_t>(head));
    out[head + payload.size()] = '\n';
    return head + payload.size() + 1;
}

} // namespace audit
