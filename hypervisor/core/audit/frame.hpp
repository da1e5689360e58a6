// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/frame.hpp - frames on the serial line (partitions/abi/console.h): the encoder.
//
// Pure. The reader is image-tools/channel/frame_decoder.hpp; its tests hold both against each other.
// Trust:      payloads are a guest's.
// Invariants: I1  no payload byte can open or close a frame: the length alone decides
#pragma once

#include "partitions/abi/console.h"

#include <array>
#include <cstddef>
#include <cstdint>
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

} // namespace audit
