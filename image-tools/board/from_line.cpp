// SPDX-License-Identifier: Apache-2.0
#include "image-tools/board/from_line.hpp"

#include "hypervisor/core/board/facts.hpp"
#include "image-tools/channel/frame_decoder.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"

#include <memory>

namespace board {

std::optional<std::string> description_on(std::string_view line, const std::string& file) {
    using Got = channel::FrameDecoder::Got;
    const auto decoder = std::make_unique<channel::FrameDecoder>();
    std::optional<std::string> out;
    const auto broken = [&file](const char* what) {
        throw diagnostic::fail("E0903", file + ": " + what)
            .help("record the line again; nothing of the description may be lost");
    };
    for (const char byte : line) {
        const Got got = decoder->push(static_cast<std::uint8_t>(byte));
        if (got == Got::error && out)
            broken("a frame of the description is damaged");
        if (got != Got::frame)
            continue;
        if (decoder->missing() != 0 && out)
            broken("frames of the description are missing");
        if (decoder->header().type != static_cast<audit::FrameType>(frame_type)) {
            if (out)
                return out;
            continue;
        }
        if (!out && (decoder->payload().empty() || decoder->payload().front() != '{'))
            broken("the beginning of the description is missing");
        if (!out)
            out.emplace();
        out->append(decoder->payload().data(), decoder->payload().size());
    }
    if (out)
        broken("the line ends in the middle of the description");
    return out;
}

} // namespace board
