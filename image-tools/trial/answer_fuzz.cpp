// SPDX-License-Identifier: Apache-2.0
// image-tools/trial/answer_fuzz.cpp - whatever a server sends is an answer within its bytes, or none.
#include "image-tools/trial/answer.hpp"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(data, data + size);
    for (const bool complete : {false, true})
        if (const auto answer = trial::read_http_answer(text, complete)) {
            const char* const end = text.data() + text.size();
            if (answer->status < 100 || answer->status > 999 || answer->body.data() < text.data() ||
                answer->body.data() + answer->body.size() > end)
                std::abort();
        }
    // A part without a line's end is in a line just where it is in the text.
    if (trial::has_line(text, "ready") != (text.find("ready") != std::string::npos))
        std::abort();
    if (trial::last_line(text).size() > 100)
        std::abort();
    return 0;
}
