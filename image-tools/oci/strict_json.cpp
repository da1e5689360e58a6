// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/strict_json.hpp"

#include "image-tools/oci/failure.hpp"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace oci {

using nlohmann::json;

json parse_json(std::string_view text, const std::string& what, const Limits& limits) {
    if (text.size() > limits.json_bytes) {
        throw diagnostic::fail(Fault::limit,
                               what + " is larger than " + std::to_string(limits.json_bytes >> 20) + " MiB");
    }
    std::vector<std::set<std::string>> open; // keys of the objects around the current place
    unsigned depth = 0;
    const auto check = [&](int, json::parse_event_t event, json& parsed) {
        switch (event) {
        case json::parse_event_t::object_start:
        case json::parse_event_t::array_start:
            if (++depth > limits.json_depth) {
                throw diagnostic::fail(Fault::malformed,
                                       what + ": nested deeper than " + std::to_string(limits.json_depth));
            }
            open.emplace_back();
            break;
        case json::parse_event_t::object_end:
        case json::parse_event_t::array_end:
            --depth;
            open.pop_back();
            break;
        case json::parse_event_t::key:
            if (!open.back().insert(parsed.get<std::string>()).second) {
                throw diagnostic::fail(Fault::malformed, what + ": the key " +
                                                             printable(parsed.get<std::string>()) +
                                                             " appears twice");
            }
            break;
        case json::parse_event_t::value:
            break;
        }
        return true;
    };
    try {
        return json::parse(text.begin(), text.end(), check);
    } catch (const json::exception& error) {
        std::string cause = error.what();
        cause = cause.substr(cause.find("] ") == std::string::npos ? 0 : cause.find("] ") + 2);
        throw diagnostic::fail(Fault::malformed, what + " is not valid JSON: " + cause);
    }
}

JsonObject::JsonObject(const json& value, std::string what) : value_(&value), what_(std::move(what)) {
    if (!value.is_object()) {
        throw diagnostic::fail(Fault::malformed, what_ + " is not a JSON object");
    }
}

const json* JsonObject::find(const char* key) const {
    const auto found = value_->find(key);
    return found == value_->end() || found->is_null() ? nullptr : &*found;
}

void JsonObject::wrong(const char* key, const char* expected) const {
    throw diagnostic::fail(Fault::malformed,
                           what_ + ": " + printable(key) + " is missing or not " + expected);
}

std::optional<std::string> JsonObject::text(const char* key) const {
    const json* value = find(key);
    if (value == nullptr) {
        return std::nullopt;
    }
    if (!value->is_string()) {
        wrong(key, "a string");
    }
    return value->get<std::string>();
}

std::string JsonObject::required_text(const char* key) const {
    auto value = text(key);
    if (!value) {
        wrong(key, "a string");
    }
    return *std::move(value);
}

std::uint64_t JsonObject::required_number(const char* key) const {
    const json* value = find(key);
    if (value == nullptr || !value->is_number_unsigned()) {
        wrong(key, "a whole number");
    }
    return value->get<std::uint64_t>();
}

std::vector<std::string> JsonObject::texts(const char* key) const {
    std::vector<std::string> list;
    if (const json* value = find(key)) {
        if (!value->is_array()) {
            wrong(key, "a list of strings");
        }
        for (const json& item : *value) {
            if (!item.is_string()) {
                wrong(key, "a list of strings");
            }
            list.push_back(item.get<std::string>());
        }
    }
    return list;
}

std::vector<std::string> JsonObject::names() const {
    std::vector<std::string> list;
    for (const auto& item : value_->items()) {
        list.push_back(item.key());
    }
    return list;
}

std::vector<std::string> JsonObject::keys(const char* key) const {
    std::vector<std::string> list;
    if (const json* value = find(key)) {
        if (!value->is_object()) {
            wrong(key, "an object");
        }
        for (const auto& item : value->items()) {
            list.push_back(item.key());
        }
    }
    return list;
}

std::vector<std::pair<std::string, std::string>> JsonObject::pairs(const char* key) const {
    std::vector<std::pair<std::string, std::string>> list;
    if (const json* value = find(key)) {
        if (!value->is_object()) {
            wrong(key, "an object of strings");
        }
        for (const auto& item : value->items()) {
            if (!item.value().is_string()) {
                wrong(key, "an object of strings");
            }
            list.emplace_back(item.key(), item.value().get<std::string>());
        }
    }
    return list;
}

std::vector<JsonObject> JsonObject::objects(const char* key) const {
    std::vector<JsonObject> list;
    if (const json* value = find(key)) {
        if (!value->is_array()) {
            wrong(key, "a list of objects");
        }
        for (const json& item : *value) {
            list.emplace_back(item, what_ + ": " + key + "[" + std::to_string(list.size()) + "]");
        }
    }
    return list;
}

std::optional<JsonObject> JsonObject::object(const char* key) const {
    const json* value = find(key);
    return value == nullptr ? std::nullopt : std::optional(JsonObject(*value, what_ + ": " + key));
}

JsonDocument::JsonDocument(std::string_view text, const std::string& what, const Limits& limits)
    : value_(std::make_unique<const nlohmann::json>(parse_json(text, what, limits))), what_(what) {}
JsonDocument::~JsonDocument() = default;

JsonObject JsonDocument::top() const {
    return JsonObject(*value_, what_);
}

} // namespace oci
