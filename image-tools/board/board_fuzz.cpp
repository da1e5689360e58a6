// SPDX-License-Identifier: Apache-2.0
// Any bytes as a board's description: read or refused; what is read is written and read back as the same bytes, is graded, and may
// be asked what it would refuse.
#include "image-tools/board/check.hpp"
#include "image-tools/board/read.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{static_cast<const char*>(static_cast<const void*>(data)), size};
    try {
        const auto facts = board::read(text, "board");
        const std::string again = board::to_text(*facts);
        if (board::to_text(*board::read(again, "again")) != again)
            std::abort();
        (void)board::grade(*facts);
    } catch (const diagnostic::Failure&) { // an answer
    }
    return 0;
}
