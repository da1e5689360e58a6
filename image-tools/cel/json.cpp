// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/json.cpp - JSON as values, and values as JSON.
#include "image-tools/cel/json.hpp"
#include "image-tools/cel/functions.hpp"

#include <charconv>
#include <cmath>
#include <optional>

namespace cel {
namespace {

class JsonReader {
public:
    explicit JsonReader(std::string_view text) : text_(text) {}

    std::variant<Value, Problem> document() {
        if (!valid_utf8(text_))
            return Problem{"the text is not UTF-8", 0, 1};
        Value out = value(0);
        skip();
        if (!problem_ && at_ != text_.size())
            wrong("more after the end of the document");
        if (problem_)
            return *problem_;
        return out;
    }

private:
    Value wrong(std::string message) {
        if (!problem_)
            problem_ = Problem{std::move(message), static_cast<std::uint32_t>(at_), 1};
        return {};
    }
    void skip() {
        while (at_ < text_.size() &&
               (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r'))
            ++at_;
    }
    bool take(char c) {
        skip();
        if (problem_ || at_ >= text_.size() || text_[at_] != c)
            return false;
        ++at_;
        return true;
    }

    Value value(unsigned depth) {
        if (depth > max_json_depth)
            return wrong("nested too deep");
        if (take('{'))
            return object(depth);
        if (take('['))
            return array(depth);
        if (take('"'))
            return Value::of_string(string());
        for (const auto& [word, meaning] : {std::pair<std::string_view, Value>{"true", Value::of_bool(true)},
                                            {"false", Value::of_bool(false)},
                                            {"null", Value()}})
            if (text_.substr(at_).starts_with(word)) {
                at_ += word.size();
                return meaning;
            }
        return number();
    }

    Value object(unsigned depth) {
        Entries entries;
        if (take('}'))
            return Value::of_map({});
        do {
            if (!take('"'))
                return wrong("a key is a string");
            Value key = Value::of_string(string());
            if (!take(':'))
                return wrong("a ':' is missing");
            Value item = value(depth + 1);
            if (problem_)
                return {};
            entries.emplace_back(std::move(key), std::move(item));
        } while (take(','));
        if (!take('}'))
            return wrong("a '}' is missing");
        Value out = Value::of_map(std::move(entries));
        return out.failed() ? wrong("an object has a key twice") : out;
    }

    Value array(unsigned depth) {
        Items items;
        if (take(']'))
            return Value::of_list({});
        do {
            items.push_back(value(depth + 1));
            if (problem_)
                return {};
        } while (take(','));
        return take(']') ? Value::of_list(std::move(items)) : wrong("a ']' is missing");
    }

    std::uint32_t hex4() {
        std::uint32_t out = 0;
        const std::string_view digits = text_.substr(at_, 4);
        const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), out, 16);
        if (digits.size() != 4 || result.ptr != digits.data() + 4)
            wrong("not an escape sequence");
        at_ += digits.size();
        return out;
    }

    std::string string() {
        std::string out;
        while (!problem_) {
            if (at_ >= text_.size() || static_cast<unsigned char>(text_[at_]) < 0x20) {
                wrong("a string does not end");
                break;
            }
            const char c = text_[at_++];
            if (c == '"')
                break;
            if (c != '\\') {
                out += c;
                continue;
            }
            const char escape = at_ < text_.size() ? text_[at_++] : '\0';
            static constexpr std::string_view names = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
            if (const std::size_t found = names.find(escape);
                escape != '\0' && found != std::string_view::npos)
                out += meanings[found];
            else if (escape == 'u')
                unicode(out);
            else
                wrong("not an escape sequence");
        }
        return out;
    }
    void unicode(std::string& out) {
        std::uint32_t point = hex4();
        if (point >= 0xD800 && point < 0xDC00 && text_.substr(at_).starts_with("\\u")) {
            at_ += 2;
            const std::uint32_t low = hex4();
            point =
                low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00) : 0xD800;
        }
        if (point >= 0xD800 && point < 0xE000)
            wrong("half of a surrogate pair");
        else
            append_utf8(out, point);
    }

    Value number() {
        const std::size_t end = std::min(text_.find_first_not_of("+-.0123456789eE", at_), text_.size());
        const std::string_view digits = text_.substr(at_, end - at_);
        const std::string_view bare = digits.starts_with('-') ? digits.substr(1) : digits;
        if (bare.empty() || bare[0] < '0' || bare[0] > '9' ||
            (bare.size() > 1 && bare[0] == '0' && bare[1] >= '0' && bare[1] <= '9'))
            return wrong("a value is missing");
        const char* const last = digits.data() + digits.size();
        if (digits.find_first_of(".eE") == std::string_view::npos) {
            std::int64_t whole = 0;
            std::uint64_t natural = 0;
            Value out;
            if (const auto read = std::from_chars(digits.data(), last, whole);
                read.ec == std::errc{} && read.ptr == last)
                out = Value::of_int(whole);
            else if (const auto more = std::from_chars(digits.data(), last, natural);
                     more.ec == std::errc{} && more.ptr == last)
                out = Value::of_uint(natural);
            if (!out.is(Kind::null)) {
                at_ = end;
                return out;
            }
        }
        double real = 0;
        const auto read = std::from_chars(digits.data(), last, real);
        if (read.ec != std::errc{} || read.ptr != last || bare.back() == '.' ||
            bare.find(".e") != std::string_view::npos)
            return wrong("not a number");
        at_ = end;
        return Value::of_double(real);
    }

    std::string_view text_;
    std::size_t at_ = 0;
    std::optional<Problem> problem_;
};

void append_text(std::string& out, std::string_view text) {
    static constexpr std::string_view hex = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (static_cast<unsigned char>(c) < 0x20) {
            out += "\\u00";
            out += hex[static_cast<unsigned char>(c) >> 4];
            out += hex[static_cast<unsigned char>(c) & 15];
        } else {
            out += c;
        }
    }
    out += '"';
}

void append(std::string& out, const Value& value) {
    switch (value.kind()) {
    case Kind::null:
        out += "null";
        return;
    case Kind::boolean:
        out += value.boolean() ? "true" : "false";
        return;
    case Kind::integer:
        out += std::to_string(value.integer());
        return;
    case Kind::natural:
        out += std::to_string(value.natural());
        return;
    case Kind::real:
        if (std::isfinite(value.real()))
            out += double_text(value.real());
        else
            append_text(out, double_text(value.real()));
        return;
    case Kind::list: {
        out += '[';
        for (const Value& item : value.items()) {
            if (&item != &value.items().front())
                out += ',';
            append(out, item);
        }
        out += ']';
        return;
    }
    case Kind::map: {
        out += '{';
        for (const Entry& entry : value.entries()) {
            if (&entry != &value.entries().front())
                out += ',';
            if (entry.first.is(Kind::text)) {
                append_text(out, entry.first.text());
            } else {
                out += '"';
                append(out, entry.first);
                out += '"';
            }
            out += ':';
            append(out, entry.second);
        }
        out += '}';
        return;
    }
    case Kind::optional:
        if (value.inside() != nullptr)
            append(out, *value.inside());
        else
            out += "null";
        return;
    case Kind::timestamp:
        append_text(out, timestamp_text(value));
        return;
    case Kind::duration:
        append_text(out, duration_text(value.integer()));
        return;
    case Kind::bytes: {
        Meter meter(INT32_MAX);
        append_text(out, call_string(Function::base64_encode, std::span(&value, 1), meter).text());
        return;
    }
    case Kind::text:
    case Kind::type:
    case Kind::error:
        append_text(out, value.text());
        return;
    }
}

} // namespace

std::variant<Value, Problem> read_json(std::string_view text) {
    return JsonReader(text).document();
}

std::string to_json(const Value& value) {
    std::string out;
    append(out, value);
    return out;
}

} // namespace cel
