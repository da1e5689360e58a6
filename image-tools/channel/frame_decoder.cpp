// SPDX-License-Identifier: Apache-2.0
// image-tools/channel/frame_decoder.cpp - frames off the line, a byte at a time.
#include "image-tools/channel/frame_decoder.hpp"

namespace channel {
namespace {

constexpr std::string_view types = "orlaxebkd";
constexpr std::uint64_t partition_limit = audit::hypervisor_id - 1;
constexpr std::uint64_t length_limit = 128 + 2 * CAISSON_FRAME_MAX; // a head and a payload of escapes
constexpr std::uint32_t checksum_digits = 8;

} // namespace

// A byte that cannot stand inside a frame. A new RS starts over; what follows otherwise is skipped up to the
// next one.
FrameDecoder::Got FrameDecoder::broken(std::uint8_t byte) {
    state_ = State::outside;
    skipping_ = true;
    if (byte == CAISSON_FRAME_START)
        (void)outside_byte(byte);
    return seen_frame_ ? Got::error : Got::noise;
}

FrameDecoder::Got FrameDecoder::outside_byte(std::uint8_t byte) {
    if (byte == CAISSON_FRAME_START) {
        state_ = State::type;
        skipping_ = false;
        crc_ = {};
        counted_ = 0;
        filled_ = 0;
        return Got::nothing;
    }
    if (!seen_frame_)
        return Got::noise;
    const bool reported = skipping_;
    skipping_ = true;
    return reported ? Got::nothing : Got::error;
}

FrameDecoder::Got FrameDecoder::begin_number(State field) {
    state_ = field;
    value_ = 0;
    digits_ = 0;
    return Got::nothing;
}

// A digit of a decimal number without leading zeros.
FrameDecoder::Got FrameDecoder::digit(std::uint8_t byte, std::uint64_t limit) {
    if (byte < '0' || byte > '9' || (digits_ > 0 && value_ == 0))
        return broken(byte);
    const std::uint64_t value = static_cast<std::uint64_t>(byte - '0');
    if (value > limit || value_ > (limit - value) / 10)
        return broken(byte);
    value_ = value_ * 10 + value;
    ++digits_;
    return Got::nothing;
}

FrameDecoder::Got FrameDecoder::header_byte(std::uint8_t byte) {
    const bool number_ends = byte == CAISSON_FRAME_FIELD && digits_ > 0;
    switch (state_) {
    case State::type:
        if (types.find(static_cast<char>(byte)) == std::string_view::npos)
            return broken(byte);
        header_ = {.type = static_cast<audit::FrameType>(byte)};
        state_ = State::type_end;
        return Got::nothing;
    case State::type_end:
        return byte == CAISSON_FRAME_FIELD ? begin_number(State::number) : broken(byte);
    case State::number:
        if (!number_ends)
            return digit(byte, UINT64_MAX - 1);
        frame_number_ = value_;
        return begin_number(State::partition);
    case State::partition:
        if (digits_ == 0 && byte == 'h') {
            state_ = State::hypervisor;
            return Got::nothing;
        }
        if (!number_ends)
            return digit(byte, partition_limit);
        header_.partition = static_cast<std::uint32_t>(value_);
        return begin_number(State::generation);
    case State::hypervisor:
        if (byte != 'v')
            return broken(byte);
        state_ = State::hypervisor_end;
        return Got::nothing;
    case State::hypervisor_end:
        return byte == CAISSON_FRAME_FIELD ? begin_number(State::generation) : broken(byte);
    default: // generation
        if (!number_ends)
            return digit(byte, UINT64_MAX);
        header_.generation = value_;
        state_ = State::payload;
        return Got::nothing;
    }
}

FrameDecoder::Got FrameDecoder::store(std::uint8_t byte) {
    if (filled_ == payload_.size())
        return broken(byte);
    payload_[filled_++] = static_cast<char>(byte);
    state_ = State::payload;
    return Got::nothing;
}

FrameDecoder::Got FrameDecoder::payload_byte(std::uint8_t byte) {
    if (state_ == State::escaped) {
        const auto meant = static_cast<std::uint8_t>(byte ^ CAISSON_FRAME_FLIP);
        const bool special =
            meant == CAISSON_FRAME_START || meant == CAISSON_FRAME_FIELD || meant == CAISSON_FRAME_ESCAPE;
        return special ? store(meant) : broken(byte);
    }
    if (byte == CAISSON_FRAME_START)
        return broken(byte);
    if (byte != CAISSON_FRAME_ESCAPE)
        return store(byte);
    state_ = State::escaped;
    return Got::nothing;
}

FrameDecoder::Got FrameDecoder::trailer_byte(std::uint8_t byte) {
    if (state_ == State::length) {
        if (byte != CAISSON_FRAME_FIELD || digits_ == 0)
            return digit(byte, length_limit);
        return value_ == counted_ ? begin_number(State::checksum) : broken(byte);
    }
    if (state_ == State::line_feed)
        return byte == '\n' ? whole() : broken(byte);
    const std::size_t nibble = std::string_view{"0123456789abcdef"}.find(static_cast<char>(byte));
    if (nibble == std::string_view::npos)
        return broken(byte);
    value_ = value_ << 4 | nibble;
    if (++digits_ < checksum_digits)
        return Got::nothing;
    if (value_ != crc_.value())
        return broken(byte);
    state_ = State::line_feed;
    return Got::nothing;
}

// Numbers go up by one; 0 is the first of a boot, also where a machine starts again.
FrameDecoder::Got FrameDecoder::whole() {
    if (frame_number_ != 0 && frame_number_ < expected_)
        return broken('\n');
    state_ = State::outside;
    seen_frame_ = true;
    missing_ = frame_number_ > expected_ ? frame_number_ - expected_ : 0;
    expected_ = frame_number_ + 1;
    return Got::frame;
}

FrameDecoder::Got FrameDecoder::push(std::uint8_t byte) {
    if (state_ == State::outside)
        return outside_byte(byte);
    if (state_ >= State::length)
        return trailer_byte(byte);
    const bool payload = state_ >= State::payload;
    if (state_ == State::payload && byte == CAISSON_FRAME_FIELD)
        return begin_number(State::length);
    crc_.add(byte);
    ++counted_;
    return payload ? payload_byte(byte) : header_byte(byte);
}

} // namespace channel
