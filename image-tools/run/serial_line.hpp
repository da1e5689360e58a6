// SPDX-License-Identifier: Apache-2.0
// image-tools/run/serial_line.hpp - what the emulator writes to its serial line, kept until it has been read.
//
// The emulator writes into a file without a name, so that it never waits for the tool, however slow the tool's own reader
// is or whether the tool is stopped: a serial port that waits loses bytes. What has been read gives its room back.
#pragma once

#include <cstdint>
#include <span>

namespace run {

class SerialLine {
public:
    SerialLine(); // throws E0602
    SerialLine(const SerialLine&) = delete;
    SerialLine& operator=(const SerialLine&) = delete;
    ~SerialLine();

    [[nodiscard]] int writer() const { return file_; }
    // Readable when more may have come; -1: ask now and then.
    [[nodiscard]] int wake() const { return notify_; }
    void woken() const;
    // What has come since, as much as fits; 0: nothing yet. Throws E0601.
    std::size_t read(std::span<std::uint8_t> to);
    [[nodiscard]] std::uint64_t waiting() const;
    // So much waits to be read, or so little room is left, that the emulator should pause.
    [[nodiscard]] bool crowded() const;

private:
    int file_ = -1;
    int notify_ = -1;
    std::uint64_t read_ = 0;     // bytes
    std::uint64_t released_ = 0; // bytes whose room was given back
};

} // namespace run
