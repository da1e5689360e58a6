// SPDX-License-Identifier: Apache-2.0
// image-tools/cel/times.cpp - timestamps and durations: their texts, their parts.
//
// Spec: RFC 3339; protobuf's JSON form of durations. Names of time zones are refused: what they mean changes with the
// machine's data, and a verdict must not.
#include "image-tools/cel/functions.hpp"

#include <array>
#include <charconv>
#include <chrono>

namespace cel {
namespace {

constexpr std::int64_t one_second = 1'000'000'000;

class TimeReader {
public:
    explicit TimeReader(std::string_view text) : text_(text) {}
    // So many digits as a number; the reader fails where there are none.
    int number(std::size_t digits) {
        int out = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            const char c = next();
            if (c < '0' || c > '9')
                bad = true;
            out = out * 10 + (c - '0');
        }
        return out;
    }
    void must(std::string_view one_of) { bad = bad || one_of.find(next()) == std::string_view::npos; }
    [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    char next() { return at_ < text_.size() ? text_[at_++] : '\0'; }
    [[nodiscard]] bool ended() const { return at_ == text_.size(); }
    bool bad = false;

private:
    std::string_view text_;
    std::size_t at_ = 0;
};

// "+02:00" in seconds.
int offset(TimeReader& reader) {
    const int sign = reader.peek() == '-' ? -1 : 1;
    if (reader.peek() == '+' || reader.peek() == '-')
        reader.next();
    const int hours = reader.number(2);
    reader.must(":");
    const int minutes = reader.number(2);
    reader.bad = reader.bad || hours > 23 || minutes > 59;
    return sign * (hours * 3600 + minutes * 60);
}

struct Parts {
    std::chrono::year_month_day date;
    std::int64_t days = 0;
    std::int64_t in_day = 0; // seconds
};
Parts parts(std::int64_t seconds) {
    Parts out;
    out.days = seconds / 86400 - (seconds % 86400 < 0 ? 1 : 0);
    out.in_day = seconds - out.days * 86400;
    out.date = std::chrono::sys_days(std::chrono::days(static_cast<int>(out.days)));
    return out;
}

std::string digits(std::int64_t value, std::size_t width) {
    std::string out = std::to_string(value);
    return out.size() < width ? std::string(width - out.size(), '0') + out : out;
}

// ".25" of nanoseconds, nothing of none.
std::string fraction(std::int64_t nanoseconds) {
    if (nanoseconds == 0)
        return "";
    std::string out = "." + digits(nanoseconds, 9);
    out.erase(out.find_last_not_of('0') + 1);
    return out;
}

Value of_timestamp(Function function, const Value& time, std::int64_t shift) {
    const Parts at = parts(time.seconds() + shift);
    const auto first = std::chrono::sys_days(at.date.year() / 1 / 1);
    switch (function) {
    case Function::full_year:
        return Value::of_int(static_cast<int>(at.date.year()));
    case Function::month:
        return Value::of_int(static_cast<std::int64_t>(static_cast<unsigned>(at.date.month())) - 1);
    case Function::date:
        return Value::of_int(static_cast<std::int64_t>(static_cast<unsigned>(at.date.day())));
    case Function::day_of_month:
        return Value::of_int(static_cast<std::int64_t>(static_cast<unsigned>(at.date.day())) - 1);
    case Function::day_of_week:
        return Value::of_int(((at.days + 4) % 7 + 7) % 7); // 1970-01-01 was a Thursday
    case Function::day_of_year:
        return Value::of_int(at.days - first.time_since_epoch().count());
    case Function::hours:
        return Value::of_int(at.in_day / 3600);
    case Function::minutes:
        return Value::of_int(at.in_day / 60 % 60);
    case Function::seconds:
        return Value::of_int(at.in_day % 60);
    case Function::milliseconds:
        return Value::of_int(time.nanoseconds() / 1'000'000);
    default:
        return no_overload();
    }
}

} // namespace

Value parse_timestamp(std::string_view text) {
    TimeReader reader(text);
    const int year = reader.number(4);
    reader.must("-");
    const int month = reader.number(2);
    reader.must("-");
    const int day = reader.number(2);
    reader.must("Tt");
    const int hours = reader.number(2);
    reader.must(":");
    const int minutes = reader.number(2);
    reader.must(":");
    const int seconds = reader.number(2);
    std::int32_t nanoseconds = 0;
    if (reader.peek() == '.') {
        reader.next();
        std::int32_t worth = 100'000'000;
        if (reader.peek() < '0' || reader.peek() > '9')
            reader.bad = true;
        for (; reader.peek() >= '0' && reader.peek() <= '9'; worth /= 10)
            nanoseconds += worth * (reader.next() - '0');
    }
    int shift = 0;
    if (reader.peek() == '+' || reader.peek() == '-')
        shift = offset(reader);
    else
        reader.must("Zz");
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month < 0 ? 0 : month)},
                                           std::chrono::day{static_cast<unsigned>(day < 0 ? 0 : day)}};
    if (reader.bad || !reader.ended() || !date.ok() || hours > 23 || minutes > 59 || seconds > 59)
        return Value::error("'" + std::string(text.substr(0, 40)) +
                            "' is no timestamp in the range of years 1 to 9999, as 2026-01-31T12:00:00Z");
    const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
    return Value::of_timestamp(days * 86400 + hours * 3600 + minutes * 60 + seconds - shift, nanoseconds);
}

Value parse_duration(std::string_view text) {
    const Value wrong =
        Value::error("'" + std::string(text.substr(0, 40)) + "' is no duration in range, as 1h30m or 2.5s");
    std::string_view rest = text;
    const bool negative = rest.starts_with('-');
    if (negative || rest.starts_with('+'))
        rest.remove_prefix(1);
    if (rest == "0")
        return Value::of_duration(0);
    if (rest.empty())
        return wrong;
    static constexpr std::array<std::pair<std::string_view, std::int64_t>, 7> units{
        {{"ns", 1},
         {"us", 1'000},
         {"\u00b5s", 1'000},
         {"ms", 1'000'000},
         {"s", one_second},
         {"m", 60 * one_second},
         {"h", 3600 * one_second}}};
    std::int64_t total = 0;
    while (!rest.empty()) {
        std::int64_t whole = 0;
        const auto read = std::from_chars(rest.data(), rest.data() + rest.size(), whole);
        const bool has_whole = read.ec == std::errc{} && rest.front() != '-';
        if (!has_whole && !(rest.front() == '.' && read.ec == std::errc::invalid_argument))
            return wrong;
        rest.remove_prefix(static_cast<std::size_t>(read.ptr - rest.data()));
        std::string_view part;
        if (rest.starts_with('.')) {
            rest.remove_prefix(1);
            part = rest.substr(0, rest.find_first_not_of("0123456789"));
            rest.remove_prefix(part.size());
            if (part.empty() && !has_whole)
                return wrong;
        }
        std::int64_t unit = 0;
        for (const auto& [name, worth] : units)
            if (unit == 0 && rest.starts_with(name) && (name != "m" || !rest.starts_with("ms"))) {
                unit = worth;
                rest.remove_prefix(name.size());
            }
        std::int64_t nanoseconds = 0;
        if (unit == 0 || __builtin_mul_overflow(whole, unit, &nanoseconds) ||
            __builtin_add_overflow(total, nanoseconds, &total))
            return wrong;
        std::int64_t worth = unit;
        for (const char c : part) {
            worth /= 10;
            if (__builtin_add_overflow(total, worth * (c - '0'), &total))
                return wrong;
        }
    }
    return Value::of_duration(negative ? -total : total);
}

std::string timestamp_text(const Value& value) {
    const Parts at = parts(value.seconds());
    return digits(static_cast<int>(at.date.year()), 4) + "-" +
           digits(static_cast<unsigned>(at.date.month()), 2) + "-" +
           digits(static_cast<unsigned>(at.date.day()), 2) + "T" + digits(at.in_day / 3600, 2) + ":" +
           digits(at.in_day / 60 % 60, 2) + ":" + digits(at.in_day % 60, 2) + fraction(value.nanoseconds()) +
           "Z";
}

std::string duration_text(std::int64_t nanoseconds) {
    const bool negative = nanoseconds < 0;
    const auto magnitude =
        negative ? 0 - static_cast<std::uint64_t>(nanoseconds) : static_cast<std::uint64_t>(nanoseconds);
    return (negative ? "-" : "") + std::to_string(magnitude / one_second) +
           fraction(static_cast<std::int64_t>(magnitude % one_second)) + "s";
}

Value call_time(Function function, std::span<const Value> arguments) {
    const Value& time = arguments[0];
    if (time.is(Kind::duration)) {
        if (arguments.size() != 1)
            return no_overload();
        const std::int64_t value = time.integer();
        switch (function) {
        case Function::hours:
            return Value::of_int(value / (3600 * one_second));
        case Function::minutes:
            return Value::of_int(value / (60 * one_second));
        case Function::seconds:
            return Value::of_int(value / one_second);
        case Function::milliseconds:
            return Value::of_int(value / 1'000'000 % 1000);
        default:
            return no_overload();
        }
    }
    if (!time.is(Kind::timestamp))
        return no_overload();
    std::int64_t shift = 0;
    if (arguments.size() == 2) {
        if (!arguments[1].is(Kind::text))
            return no_overload();
        const std::string& zone = arguments[1].text();
        if (zone != "UTC") {
            TimeReader reader(zone);
            shift = offset(reader);
            if (reader.bad || !reader.ended())
                return Value::error("'" + zone.substr(0, 40) +
                                    "' is no time zone that is known: write UTC or a difference as +02:00");
        }
    }
    return of_timestamp(function, time, shift);
}

} // namespace cel
