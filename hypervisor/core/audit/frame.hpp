// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/frame.hpp - frames on the serial line (partitions/abi/console.h): the encoder.
//
// Pure. The reader is image-tools/channel/frame_decoder.hpp; its tests hold both against each other.
// Trust:      payloads are a guest's.
// Invariants: I1  RS and US are never bytes of a payload on the line: it can neither open nor close a frame
//             I2  a frame can be made a few bytes at a time; the same frame comes out
#pragma once

#include "hypervisor/base/text.hpp"
#include "hypervisor/core/audit/crc32c.hpp"
#include "partitions/abi/console.h"

#include <span>

namespace audit {

enum class FrameType : char {
    output = 'o', // of a partition, stream 1
    errors = 'r', // stream 2
    log = 'l',
    audit = 'a',
    exit = 'x',
    end = 'e',
    boot = 'b',
    kept = 'k' // bytes of the line before a reset (retained.hpp)
};
inline constexpr std::uint32_t hypervisor_id = 0xFFFFFFFF; // written as "hv"

struct FrameHeader {
    FrameType type = FrameType::log;
    std::uint32_t partition = hypervisor_id;
    std::uint64_t generation = 0;
};

// One frame after the other, as bytes.
class FrameEncoder {
public:
    // `payload`, at most CAISSON_FRAME_MAX bytes, must stay as it is until done(). A frame not done yet is given up.
    void begin(const FrameHeader& header, std::uint64_t number, std::span<const char> payload);
    [[nodiscard]] bool done() const { return at_ == text_.view().size() && closed_; }
    // The next bytes of the frame; returns how many.
    std::size_t fill(std::span<char> out);

private:
    [[nodiscard]] char next();
    void count(char byte);
    void close();

    // RS, type, number (20 digits), partition (10), generation (20) with their separators; then the trailer.
    base::Text<1 + 1 + 1 + 20 + 1 + 10 + 1 + 20 + 1> text_;
    std::size_t at_ = 0; // in text_
    std::span<const char> payload_;
    Crc32c crc_;
    std::uint32_t length_ = 0;
    bool escaped_ = false; // the payload's first byte, whose escape is out
    bool closed_ = true;   // text_ is the trailer
};

} // namespace audit
