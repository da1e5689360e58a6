// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/cel_fuzz.cpp - any text as an expression over a document: a value or an error within the cost limit.
#include "image-tools/cel/evaluate.hpp"
#include "image-tools/cel/json.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

// The text up to a zero byte is the expression, the rest a JSON document named `object`.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view all(static_cast<const char*>(static_cast<const void*>(data)), size);
    const std::size_t end = all.find('\0');
    cel::Variables variables;
    if (end != std::string_view::npos)
        if (auto read = cel::read_json(all.substr(end + 1));
            const auto* value = std::get_if<cel::Value>(&read)) {
            variables.set("object", *value);
            const std::string text = cel::to_json(*value);
            if (!std::holds_alternative<cel::Value>(cel::read_json(text)))
                std::abort(); // what was written is not read
        }
    cel::Ast ast;
    if (cel::parse(all.substr(0, end), ast))
        return 0;
    constexpr std::int64_t limit = 20'000;
    cel::Meter meter(limit);
    const cel::Value value = cel::evaluate(ast, variables, meter);
    if (meter.spent() > limit && !(value.failed() && value.is_exhausted()))
        std::abort(); // more was spent than there was, and nobody was told
    if (value.failed() && value.place() == cel::nowhere)
        std::abort();
    cel::to_json(value);
    return 0;
}
