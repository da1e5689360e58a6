// SPDX-License-Identifier: Apache-2.0
// image-tools/channel/frame_decoder.hpp - the frames of hypervisor/core/audit/frame.hpp read back from the serial line.
//
// Trust:      the bytes are anything (firmware noise, a broken line).
// Invariants: decode(encode(x)) == x; never reads past its own fixed buffer.
#pragma once

#include "hypervisor/core/audit/frame.hpp"

#include <span>

namespace channel {

// Takes the line byte by byte.
class FrameDecoder {
public:
    enum class Got : std::uint8_t {
        nothing, // in the middle of a frame
        noise,   // a byte before the first frame: not Caisson's
        frame,   // header() and payload() are valid until the next push
        error,   // a byte that cannot stand here after the first frame; decoding goes on at the next RS
    };
    Got push(std::uint8_t byte);
    [[nodiscard]] const audit::FrameHeader& header() const { return header_; }
    [[nodiscard]] std::span<const char> payload() const { return {payload_.data(), length_}; }
    // True inside a frame: an end of the line now is a cut frame.
    [[nodiscard]] bool inside() const { return state_ != State::outside; }

private:
    enum class State : std::uint8_t {
        outside,
        type,
        type_space,
        partition,
        hypervisor, // the v of "hv"
        hypervisor_space,
        generation,
        length,
        payload,
        line_feed
    };
    Got outside_byte(std::uint8_t byte);
    Got header_byte(std::uint8_t byte);
    Got broken(std::uint8_t byte);
    Got begin_number(State field);
    Got digit(std::uint8_t byte, std::uint64_t limit);

    State state_ = State::outside;
    bool seen_frame_ = false;
    bool skipping_ = false; // after an error, one report is enough until the next RS
    audit::FrameHeader header_;
    std::uint64_t number_ = 0;
    std::uint32_t digits_ = 0;
    std::size_t length_ = 0, filled_ = 0;
    std::array<char, CAISSON_FRAME_MAX> payload_{};
};

} // namespace channel
