// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/frame.hpp - frames on the serial line (partitions/abi/console.h): encoder and
// decoder.
//
// Pure. The hypervisor encodes, `caisson run` and the test harness decode: one definition for both.
// Trust:      payloads are a guest's; the decoder's bytes are anything (firmware noise, a broken line).
// Invariants: I1  no payload byte can open or close a frame: the length alone decides
//             I2  decode(encode(x)) == x; the decoder never reads past its own fixed buffer
#pragma once

#include "partitions/abi/console.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace audit {

enum class FrameType : char { output = 'o', log = 'l', audit = 'a', exit = 'x', end = 'e', boot = 'b' };
inline constexpr std::uint32_t hypervisor_id = 0xFFFFFFFF; // written as "hv"

struct FrameHeader {
    FrameType type = FrameType::log;
    std::uint32_t partition = hypervisor_id;
    std::uint64_t generation = 0;
};

// RS, type, three spaces, partition (10 digits), generation (20), length (4), space; then payload and LF.
inline constexpr std::size_t frame_header_max = 1 + 1 + 1 + 10 + 1 + 20 + 1 + 4 + 1;
inline constexpr std::size_t frame_max = frame_header_max + CAISSON_FRAME_MAX + 1;

// Writes the bytes that go before the payload; 0 when `out` is too small or `length` over CAISSON_FRAME_MAX.
[[nodiscard]] std::size_t encode_header(std::span<char> out, const FrameHeader& header, std::size_t length);
// The whole frame; 0 when it does not fit.
[[nodiscard]] std::size_t encode_frame(std::span<char> out, const FrameHeader& header,
                                       std::span<const char> payload);

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
    [[nodiscard]] const FrameHeader& header() const { return header_; }
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
    FrameHeader header_;
    std::uint64_t number_ = 0;
    std::uint32_t digits_ = 0;
    std::size_t length_ = 0, filled_ = 0;
    std::array<char, CAISSON_FRAME_MAX> payload_{};
};

} // namespace audit
