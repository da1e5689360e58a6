// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/line_discipline_fuzz.cpp - anything typed, written and set, in any order. 0xFF begins a command.
#include "partitions/unikernel/fs/files/line_discipline.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    uk::fs::LineDiscipline line;
    std::array<std::byte, 64> buffer{};
    std::size_t typed = 0, read = 0;
    for (std::size_t i = 0; i < size; ++i) {
        if (data[i] != 0xFF || i + 3 >= size) {
            (void)line.type(data[i]);
            ++typed;
            continue;
        }
        const std::uint8_t command = data[i + 1], low = data[i + 2], high = data[i + 3];
        i += 3;
        if (command % 4 == 0) {
            uk::fs::TerminalModes modes = line.modes;
            modes.local = low | (std::uint32_t{high} << 8);
            modes.input = (modes.input ^ low) & 0x7FFF;
            modes.output = (modes.output ^ high) & 0x183F;
            line.set_modes(modes);
        } else if (command % 4 == 1) {
            read += line.read(std::span{buffer}.first(low % buffer.size()));
        } else if (command % 4 == 2) {
            (void)line.take_output(std::span{buffer}.first(low % buffer.size()));
        } else {
            (void)line.write(std::as_bytes(std::span{data + i - 3, 4}));
        }
        if (line.waiting() > uk::fs::LineDiscipline::input_bytes)
            std::abort();
    }
    if (read > typed)
        std::abort();
    return 0;
}
