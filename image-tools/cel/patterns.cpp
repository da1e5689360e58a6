// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/patterns.cpp - regular expressions, by RE2: time in proportion to the text, whatever the pattern.
#include "image-tools/cel/functions.hpp"
#include "image-tools/cel/lexer.hpp"

#include <algorithm>
#include <re2/re2.h>

namespace cel {
namespace {

constexpr std::size_t most_patterns = 64; // kept compiled
constexpr std::size_t longest_pattern = 4096;
constexpr std::int64_t pattern_memory = 1 << 20;
constexpr std::size_t failed_pattern_cost = 10'000; // at the most all of that memory was written

} // namespace

Meter::Meter(std::int64_t limit) : limit_(limit), left_(limit) {}
Meter::~Meter() = default;

const re2::RE2* Meter::pattern(const std::string& text, std::string& error) {
    const auto known = patterns_.find(text);
    if (known != patterns_.end())
        return known->second.get();
    if (text.size() > longest_pattern) {
        error = "a pattern has at most " + std::to_string(longest_pattern) + " bytes";
        return nullptr;
    }
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(pattern_memory);
    auto made = std::make_unique<re2::RE2>(text, options);
    // Making it costs what was made: an expression can put another pattern together in each turn.
    spend(made->ok() ? static_cast<std::size_t>(made->ProgramSize()) : failed_pattern_cost);
    if (!made->ok()) {
        error = "not a regular expression: " + made->error();
        return nullptr;
    }
    if (patterns_.size() >= most_patterns)
        patterns_.clear();
    return patterns_.emplace(text, std::move(made)).first->second.get();
}

Value call_pattern(Function function, std::span<const Value> arguments, Meter& meter) {
    if (!arguments[0].is(Kind::text) || !arguments[1].is(Kind::text))
        return no_overload();
    const std::string& text = arguments[0].text();
    const std::string& wanted = arguments[1].text();
    // As Kubernetes counts: a tenth for each byte of the text, times a quarter for each byte of the pattern.
    if (!meter.spend((text.size() / 10 + 1) * (wanted.size() / 4 + 1)))
        return Meter::exhausted();
    std::string error;
    const re2::RE2* pattern = meter.pattern(wanted, error);
    if (meter.left() < 0)
        return Meter::exhausted();
    if (pattern == nullptr)
        return Value::error(error);
    if (function == Function::matches)
        return Value::of_bool(re2::RE2::PartialMatch(text, *pattern));
    std::int64_t most = function == Function::find ? 1 : -1;
    if (arguments.size() == 3) {
        if (!arguments[2].is(Kind::integer))
            return no_overload();
        most = arguments[2].integer();
    }
    Items found;
    re2::StringPiece piece;
    for (std::size_t at = 0; most != 0 && at <= text.size();) {
        if (!pattern->Match(text, at, text.size(), re2::RE2::UNANCHORED, &piece, 1))
            break;
        found.push_back(Value::of_string(std::string(piece.data(), piece.size())));
        if (!meter.spend(1 + (text.size() - at) / 100))
            return Meter::exhausted();
        const auto begin = static_cast<std::size_t>(piece.data() - text.data());
        std::size_t step = piece.size();
        if (step == 0 && begin < text.size()) // nothing was found there: on by one character
            decode_utf8(text, begin, step);
        at = begin + std::max<std::size_t>(step, 1);
        most -= most > 0 ? 1 : 0;
    }
    if (function == Function::find)
        return found.empty() ? Value::of_string("") : found.front();
    return Value::of_list(std::move(found));
}

} // namespace cel
