// SPDX-License-Identifier: Apache-2.0
// image-tools/channel/frame_decoder.cpp - frames off the line, a byte at a time.
#include "image-tools/channel/frame_decoder.hpp"

namespace channel {
namespace {

constexpr std::string_view types = "olaxeb";
constexpr std::uint64_t partition_limit = audit::hypervisor_id - 1;

} // namespace

// A byte that cannot stand inside a frame. A new RS starts over; what follows otherwise is skipped up to the
// next one.
FrameDecoder::Got FrameDecoder::broken(std::uint8_t byte) {
    state_ = byte == CAISSON_FRAME_START ? State::type : State::outside;
    skipping_ = state_ == State::outside;
    return seen_frame_ ? Got::error : Got::noise;
}

FrameDecoder::Got FrameDecoder::outside_byte(std::uint8_t byte) {
    if (byte == CAISSON_FRAME_START) {
        state_ = State::type;
        skipping_ = false;
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
    number_ = 0;
    digits_ = 0;
    return Got::nothing;
}

// A digit of a decimal number without leading zeros.
FrameDecoder::Got FrameDecoder::digit(std::uint8_t byte, std::uint64_t limit) {
    if (byte < '0' || byte > '9' || (digits_ > 0 && number_ == 0))
        return broken(byte);
    const std::uint64_t value = static_cast<std::uint64_t>(byte - '0');
    if (value > limit || number_ > (limit - value) / 10)
        return broken(byte);
    number_ = number_ * 10 + value;
    ++digits_;
    return Got::nothing;
}

FrameDecoder::Got FrameDecoder::header_byte(std::uint8_t byte) {
    const bool number_ends = byte == ' ' && digits_ > 0;
    switch (state_) {
    case State::type:
        if (types.find(static_cast<char>(byte)) == std::string_view::npos)
            return broken(byte);
        header_ = {.type = static_cast<audit::FrameType>(byte)};
        state_ = State::type_space;
        return Got::nothing;
    case State::type_space:
        return byte == ' ' ? begin_number(State::partition) : broken(byte);
    case State::partition:
        if (digits_ == 0 && byte == 'h') {
            state_ = State::hypervisor;
            return Got::nothing;
        }
        if (!number_ends)
            return digit(byte, partition_limit);
        header_.partition = static_cast<std::uint32_t>(number_);
        return begin_number(State::generation);
    case State::hypervisor:
        if (byte != 'v')
            return broken(byte);
        state_ = State::hypervisor_space;
        return Got::nothing;
    case State::hypervisor_space:
        header_.partition = audit::hypervisor_id;
        return byte == ' ' ? begin_number(State::generation) : broken(byte);
    case State::generation:
        if (!number_ends)
            return digit(byte, UINT64_MAX);
        header_.generation = number_;
        return begin_number(State::length);
    default: // length
        if (!number_ends)
            return digit(byte, CAISSON_FRAME_MAX);
        length_ = static_cast<std::size_t>(number_);
        filled_ = 0;
        state_ = length_ == 0 ? State::line_feed : State::payload;
        return Got::nothing;
    }
}

FrameDecoder::Got FrameDecoder::push(std::uint8_t byte) {
    switch (state_) {
    case State::outside:
        return outside_byte(byte);
    case State::payload:
        payload_[filled_++] = static_cast<char>(byte);
        if (filled_ == length_)
            state_ = State::line_feed;
        return Got::nothing;
    case State::line_feed:
        if (byte != '\n')
            return broken(byte);
        state_ = State::outside;
        seen_frame_ = true;
        return Got::frame;
    default:
        return header_byte(byte);
    }
}

} // namespace channel
