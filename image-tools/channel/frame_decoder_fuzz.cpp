// SPDX-License-Identifier: Apache-2.0
// image-tools/channel/frame_decoder_fuzz.cpp - any bytes on the line; what decodes must encode to itself, and a
// frame of our own after it must come through.
#include "hypervisor/core/audit/whole_frame_test.hpp"
#include "image-tools/channel/frame_decoder.hpp"
#include "image-tools/channel/record_reader.hpp"

#include <cstdlib>
#include <cstring>
#include <string_view>

namespace {

void require(bool condition) {
    if (!condition)
        std::abort();
}

void check_frame(const channel::FrameDecoder& decoder) {
    const std::string_view payload{decoder.payload().data(), decoder.payload().size()};
    const std::string out = audit::encode_frame(decoder.header(), decoder.number(), payload);
    channel::FrameDecoder again;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto got = again.push(static_cast<std::uint8_t>(out[i]));
        require(got == (i + 1 == out.size() ? channel::FrameDecoder::Got::frame
                                            : channel::FrameDecoder::Got::nothing));
    }
    require(again.payload().size() == payload.size());
    static_cast<void>(channel::parse_exit(payload));
    static_cast<void>(channel::parse_end(payload));
    static_cast<void>(channel::parse_boot(payload));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    channel::FrameDecoder decoder;
    for (std::size_t i = 0; i < size; ++i)
        if (decoder.push(data[i]) == channel::FrameDecoder::Got::frame)
            check_frame(decoder);
    // Nothing that came before can swallow a whole frame.
    bool frame = false;
    for (const char c : audit::encode_frame({audit::FrameType::log}, decoder.expected(), "ok"))
        frame = decoder.push(static_cast<std::uint8_t>(c)) == channel::FrameDecoder::Got::frame;
    require(frame);
    return 0;
}
