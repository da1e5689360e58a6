// SPDX-License-Identifier: Apache-2.0
// Any bytes as each of the texts that an import reads; what comes out can be written and read back.
#include "image-tools/board/import.hpp"
#include "image-tools/board/read.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const std::string text(static_cast<const char*>(static_cast<const void*>(data + 1)), size - 1);
    const auto facts = std::make_unique<board::Facts>();
    switch (data[0] % 6) {
    case 0:
        board::take_tables(board::tables_of_dump(text), *facts);
        break;
    case 1:
        (void)board::take_cpuid(text, *facts);
        break;
    case 2:
        (void)board::take_cpuinfo(text, *facts);
        break;
    case 3:
        (void)board::take_e820(text, *facts);
        break;
    case 4:
        (void)board::take_lspci(text, *facts);
        break;
    default:
        board::take_tables({text}, *facts);
    }
    const std::string written = board::to_text(*facts);
    if (board::to_text(*board::read(written, "again")) != written)
        std::abort();
    return 0;
}
