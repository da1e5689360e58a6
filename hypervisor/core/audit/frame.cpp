// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/audit/frame.hpp"

#include "hypervisor/base/fail.hpp"
#include "hypervisor/base/weakness.hpp"

namespace audit {
namespace {

constexpr bool is_special(char byte) {
    return byte == CAISSON_FRAME_START || byte == CAISSON_FRAME_FIELD || byte == CAISSON_FRAME_ESCAPE;
}

} // namespace

void FrameEncoder::begin(const FrameHeader& header, std::uint64_t number, std::span<const char> payload) {
    base::expects(payload.size() <= CAISSON_FRAME_MAX, "frame: too long");
    constexpr char field = CAISSON_FRAME_FIELD;
    text_.clear();
    text_ << static_cast<char>(CAISSON_FRAME_START) << static_cast<char>(header.type) << field << number
          << field;
    if (header.partition == hypervisor_id)
        text_ << "hv";
    else
        text_ << header.partition;
    text_ << field << header.generation << field;
    at_ = 0;
    payload_ = payload;
    crc_ = {};
    length_ = 0;
    escaped_ = closed_ = false;
    for (std::size_t i = 1; i < text_.view().size(); ++i)
        count(text_.view()[i]);
}

void FrameEncoder::count(char byte) {
    crc_.add(static_cast<std::uint8_t>(byte));
    ++length_;
}

void FrameEncoder::close() {
    text_.clear();
    text_ << static_cast<char>(CAISSON_FRAME_FIELD) << length_ << static_cast<char>(CAISSON_FRAME_FIELD);
    for (int shift = 28; shift >= 0; shift -= 4)
        text_ << "0123456789abcdef"[crc_.value() >> shift & 15];
    text_ << '\n';
    at_ = 0;
    closed_ = true;
}

char FrameEncoder::next() {
    if (at_ == text_.view().size() && payload_.empty())
        close();
    if (at_ < text_.view().size())
        return text_.view()[at_++];
    char byte = payload_.front();
    const bool escape = is_special(byte) && !escaped_ && !base::weak("unframed");
    if (escaped_)
        byte = static_cast<char>(byte ^ CAISSON_FRAME_FLIP);
    escaped_ = escape;
    if (escape)
        byte = CAISSON_FRAME_ESCAPE;
    else
        payload_ = payload_.subspan(1);
    count(byte);
    return byte;
}

std::size_t FrameEncoder::fill(std::span<char> out) {
    std::size_t filled = 0;
    while (filled < out.size() && !done())
        out[filled++] = next();
    return filled;
}

} // namespace audit
