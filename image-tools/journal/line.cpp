// SPDX-License-Identifier: Apache-2.0
// image-tools/journal/line.cpp - records and their two writings.
#include "image-tools/journal/line.hpp"

#include "image-tools/channel/record_reader.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace journal {
namespace {

using Json = nlohmann::ordered_json;

using Kind = std::pair<std::string_view, std::string_view>;
constexpr auto kinds = std::to_array<Kind>({{"boot", "configuration"},
                                            {"integrity", "integrity"},
                                            {"ended", "stop"},
                                            {"refused", "refusal"},
                                            {"dma_refused", "refusal"},
                                            {"stopped", "fault"},
                                            {"quarantined", "fault"},
                                            {"machine_check", "fault"},
                                            {"platform_nmi", "fault"},
                                            {"closed", "close"}});
constexpr std::array<std::string_view, 6> own{"event", "seq", "time", "kind", "hash", "mac"};

// What a person or a program chose is text, also where it looks like a number.
constexpr std::array<std::string_view, 8> words{"name",   "version", "partition", "text",
                                                "reason", "detail",  "build",     "section"};

std::string hex(std::span<const std::uint8_t> bytes) {
    std::string out;
    for (const std::uint8_t byte : bytes) {
        out += "0123456789abcdef"[byte >> 4];
        out += "0123456789abcdef"[byte & 15];
    }
    return out;
}

bool printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F && c != '='; });
}

// Reads the pairs that every record has, in their order; false where one is missing or wrong.
class Pairs {
public:
    explicit Pairs(std::vector<std::pair<std::string, std::string>> pairs) : pairs_(std::move(pairs)) {}
    bool number(std::string_view key, std::uint64_t& out) {
        const auto value = take_first(key);
        const auto number = value ? channel::number(*value) : std::nullopt;
        out = number.value_or(0);
        return number.has_value();
    }
    std::optional<std::string> take_first(std::string_view key) {
        if (first_ == pairs_.size() || pairs_[first_].first != key)
            return std::nullopt;
        return pairs_[first_++].second;
    }
    std::optional<std::string> take_last(std::string_view key) {
        if (first_ == pairs_.size() || pairs_.back().first != key)
            return std::nullopt;
        std::string value = std::move(pairs_.back().second);
        pairs_.pop_back();
        return value;
    }
    std::vector<std::pair<std::string, std::string>> rest() const {
        return {pairs_.begin() + static_cast<std::ptrdiff_t>(first_), pairs_.end()};
    }

private:
    std::vector<std::pair<std::string, std::string>> pairs_;
    std::size_t first_ = 0;
};

std::optional<Record> from_pairs(Pairs pairs) {
    Record out;
    const auto event = pairs.take_first("event");
    if (!event || event->empty() || !pairs.number("seq", out.seq) || !pairs.number("time", out.time))
        return std::nullopt;
    out.event = *event;
    if (const auto mac = pairs.take_last("mac"); mac && !unhex(*mac, out.mac.emplace()))
        return std::nullopt;
    if (const auto hash = pairs.take_last("hash"); !hash || !unhex(*hash, out.hash))
        return std::nullopt;
    out.pairs = pairs.rest();
    for (std::size_t i = 0; i < out.pairs.size(); ++i) {
        const auto& [key, value] = out.pairs[i];
        const auto same = [&wanted = key](const auto& other) { return other.first == wanted; };
        if (key.empty() || !printable(key) || !printable(value) || std::ranges::find(own, key) != own.end() ||
            std::any_of(out.pairs.begin(), out.pairs.begin() + static_cast<std::ptrdiff_t>(i), same))
            return std::nullopt;
    }
    return printable(out.event) ? std::optional(std::move(out)) : std::nullopt;
}

Json shown(const std::string& key, const std::string& value) {
    const auto number = channel::number(value);
    return number && std::ranges::find(words, key) == words.end() ? Json(*number) : Json(value);
}

} // namespace

std::string_view Record::value(std::string_view key) const {
    for (const auto& [name, text] : pairs)
        if (name == key)
            return text;
    return {};
}

std::string Record::text() const {
    std::string out = "event=" + event + " seq=" + std::to_string(seq) + " time=" + std::to_string(time);
    for (const auto& [key, text] : pairs)
        out.append(" ").append(key).append("=").append(text);
    return out;
}

std::string_view kind_of(std::string_view event) {
    for (const auto& [name, kind] : kinds)
        if (name == event)
            return kind;
    return event;
}

bool unhex(std::string_view text, std::span<std::uint8_t> out) {
    constexpr std::string_view digits = "0123456789abcdef";
    if (text.size() != 2 * out.size())
        return false;
    for (std::size_t i = 0; i < out.size(); ++i) {
        const std::size_t high = digits.find(text[2 * i]), low = digits.find(text[2 * i + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos)
            return false;
        out[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return true;
}

std::optional<Record> from_payload(std::string_view payload) {
    std::vector<std::pair<std::string, std::string>> pairs;
    channel::PairReader reader{payload};
    while (const auto pair = reader.next())
        pairs.emplace_back(pair->key, pair->value);
    return reader.bad() ? std::nullopt : from_pairs(Pairs(std::move(pairs)));
}

std::string to_line(const Record& record) {
    Json out{
        {"seq", record.seq}, {"time", record.time}, {"kind", kind_of(record.event)}, {"event", record.event}};
    for (const auto& [key, value] : record.pairs)
        out[key] = shown(key, value);
    out["hash"] = hex(record.hash);
    if (record.mac)
        out["mac"] = hex(*record.mac);
    return out.dump();
}

std::optional<Record> from_line(std::string_view line) {
    if (line.size() > longest_line)
        return std::nullopt;
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("event"))
        return std::nullopt;
    std::vector<std::pair<std::string, std::string>> pairs{{"event", {}}};
    for (const auto& [key, value] : json.items()) {
        std::string text;
        if (value.is_string())
            text = value.get<std::string>();
        else if (value.is_number_unsigned())
            text = std::to_string(value.get<std::uint64_t>());
        else
            return std::nullopt;
        if (key == "event")
            pairs.front().second = std::move(text);
        else if (key != "kind")
            pairs.emplace_back(key, std::move(text));
    }
    auto record = from_pairs(Pairs(std::move(pairs)));
    return record && to_line(*record) == line ? std::move(record) : std::nullopt;
}

} // namespace journal
