// SPDX-License-Identifier: Apache-2.0
// image-tools/channel/frame_decoder_fuzz.cpp - any bytes on the line; what decodes must encode to itself, and a
// frame of our own behind it must come through.
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
    const std::string out = audit::encode_frame(decoder.header(), payload);
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
    // At most one frame's worth of bytes can be swallowed by what came before.
    for (std::size_t i = 0; i < CAISSON_FRAME_MAX + 64; ++i)
        static_cast<void>(decoder.push('.'));
    bool frame = false;
    for (const char c : std::string_view{"\x1El hv 0 2 ok\n"})
        frame = decoder.push(static_cast<std::uint8_t>(c)) == channel::FrameDecoder::Got::frame;
    require(frame);
    return 0;
}
