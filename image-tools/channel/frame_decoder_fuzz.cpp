// SPDX-License-Identifier: Apache-2.0
// image-tools/channel/frame_decoder_fuzz.cpp - any bytes on the line; what decodes must encode to itself, and a
// frame of our own behind it must come through.
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

void check_frame(const audit::FrameDecoder& decoder) {
    std::array<char, audit::frame_max> out{};
    const std::size_t length = audit::encode_frame(out, decoder.header(), decoder.payload());
    require(length > 0);
    audit::FrameDecoder again;
    for (std::size_t i = 0; i < length; ++i) {
        const auto got = again.push(static_cast<std::uint8_t>(out[i]));
        require(got ==
                (i + 1 == length ? audit::FrameDecoder::Got::frame : audit::FrameDecoder::Got::nothing));
    }
    require(again.payload().size() == decoder.payload().size());
    const std::string_view payload{decoder.payload().data(), decoder.payload().size()};
    if (const auto exit = audit::parse_exit(payload))
        require(audit::parse_exit(audit::build(*exit).view()).has_value() || audit::build(*exit).truncated());
    static_cast<void>(audit::parse_end(payload));
    static_cast<void>(audit::parse_boot(payload));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    audit::FrameDecoder decoder;
    for (std::size_t i = 0; i < size; ++i)
        if (decoder.push(data[i]) == audit::FrameDecoder::Got::frame)
            check_frame(decoder);
    // At most one frame's worth of bytes can be swallowed by what came before.
    for (std::size_t i = 0; i < CAISSON_FRAME_MAX + 64; ++i)
        static_cast<void>(decoder.push('.'));
    bool frame = false;
    for (const char c : std::string_view{"\x1El hv 0 2 ok\n"})
        frame = decoder.push(static_cast<std::uint8_t>(c)) == audit::FrameDecoder::Got::frame;
    require(frame);
    return 0;
}
