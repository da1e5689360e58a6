// SPDX-License-Identifier: Apache-2.0
// image-tools/channel/frame_decoder.hpp - the frames of hypervisor/core/audit/frame.hpp read back from the serial line.
//
// Trust:      the bytes are anything (firmware noise, a line that loses, adds and changes bytes).
// Invariants: decode(encode(x)) == x; never reads past its own fixed buffer; a frame that comes out was sent so.
// Spec:       partitions/abi/console.h.
#pragma once

#include "hypervisor/core/audit/frame.hpp"

#include <array>
#include <span>

namespace channel {

// Takes the line byte by byte.
class FrameDecoder {
public:
    enum class Got : std::uint8_t {
        nothing, // in the middle of a frame
        noise,   // a byte before the first frame: not Caisson's
        frame,   // header(), number(), missing() and payload() are valid until the next push
        error,   // a byte that cannot stand here after the first frame; decoding goes on at the next RS
    };
    Got push(std::uint8_t byte);
    [[nodiscard]] const audit::FrameHeader& header() const { return header_; }
    [[nodiscard]] std::span<const char> payload() const { return {payload_.data(), filled_}; }
    [[nodiscard]] std::uint64_t number() const { return frame_number_; }
    // How many frames before this one did not arrive: the numbers just below number().
    [[nodiscard]] std::uint64_t missing() const { return missing_; }
    // The number that the next frame should have.
    [[nodiscard]] std::uint64_t expected() const { return expected_; }
    // True inside a frame: an end of the line now is a cut frame.
    [[nodiscard]] bool inside() const { return state_ != State::outside; }

private:
    enum class State : std::uint8_t {
        outside,
        type,
        type_end,
        number,
        partition,
        hypervisor, // the v of "hv"
        hypervisor_end,
        generation,
        payload,
        escaped,
        length,
        checksum,
        line_feed
    };
    Got outside_byte(std::uint8_t byte);
    Got header_byte(std::uint8_t byte);
    Got payload_byte(std::uint8_t byte);
    Got trailer_byte(std::uint8_t byte);
    Got store(std::uint8_t byte);
    Got whole();
    Got broken(std::uint8_t byte);
    Got begin_number(State field);
    Got digit(std::uint8_t byte, std::uint64_t limit);

    State state_ = State::outside;
    bool seen_frame_ = false;
    bool skipping_ = false; // after an error, one report is enough until the next RS
    audit::FrameHeader header_;
    std::uint64_t value_ = 0; // of the field being read
    std::uint32_t digits_ = 0;
    std::uint64_t frame_number_ = 0, expected_ = 0, missing_ = 0;
    audit::Crc32c crc_;
    std::uint32_t counted_ = 0; // bytes that length and crc_ cover
    std::size_t filled_ = 0;
    std::array<char, CAISSON_FRAME_MAX> payload_{};
};

} // namespace channel
