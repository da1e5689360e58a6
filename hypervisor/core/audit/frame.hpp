// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/frame.hpp - frames on the serial line (partitions/abi/console.h): the encoder.
//
// Pure. The reader is image-tools/channel/frame_decoder.hpp; its tests hold both against each other.
// Trust:      payloads are a guest's.
// Invariants: I1  no payload byte can open or close a frame: the length alone decides
#pragma once

#include "hypervisor/base/fail.hpp"
#include "hypervisor/base/text.hpp"
#include "partitions/abi/console.h"

namespace audit {

enum class FrameType : char { output = 'o', log = 'l', audit = 'a', exit = 'x', end = 'e', boot = 'b' };
inline constexpr std::uint32_t hypervisor_id = 0xFFFFFFFF; // written as "hv"

struct FrameHeader {
    FrameType type = FrameType::log;
    std::uint32_t partition = hypervisor_id;
    std::uint64_t generation = 0;
};

// RS, type, three spaces, partition (10 digits), generation (20), length (4), space.
using FrameHead = base::Text<1 + 1 + 1 + 10 + 1 + 20 + 1 + 4 + 1>;

// What goes before a payload of `length` bytes (at most CAISSON_FRAME_MAX); a line feed goes behind it.
[[nodiscard]] inline FrameHead encode_head(const FrameHeader& header, std::size_t length) {
    base::expects(length <= CAISSON_FRAME_MAX, "frame: too long");
    FrameHead text;
    text << static_cast<char>(CAISSON_FRAME_START) << static_cast<char>(header.type) << ' ';
    if (header.partition == hypervisor_id)
        text << "hv";
    else
        text << header.partition;
    text << ' ' << header.generation << ' ' << length << ' ';
    return text;
}

} // namespace audit
