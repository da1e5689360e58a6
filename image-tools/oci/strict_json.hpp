// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/strict_json.hpp - JSON of images: duplicate keys, deep nesting and large documents are
// refused.
//
// nlohmann::json alone keeps the last of two equal keys silently, so two readers could see two documents.
// Spec: RFC 8259; OCI image specification.
#pragma once

#include "image-tools/oci/limits.hpp"

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace oci {

// `what` names the document in messages: "IMAGE: manifest sha256:...". Throws E0405, E0413.
nlohmann::json parse_json(std::string_view text, const std::string& what, const Limits& limits);

// Typed access; null counts as absent, a value of another type is E0405.
class JsonObject {
public:
    JsonObject(const nlohmann::json& value, std::string what);

    [[nodiscard]] std::optional<std::string> text(const char* key) const;
    [[nodiscard]] std::string required_text(const char* key) const;
    [[nodiscard]] std::uint64_t required_number(const char* key) const;
    [[nodiscard]] std::vector<std::string> texts(const char* key) const;
    [[nodiscard]] std::vector<std::string> keys(const char* key) const; // of an object
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> pairs(const char* key) const;
    [[nodiscard]] std::vector<JsonObject> objects(const char* key) const;
    [[nodiscard]] std::optional<JsonObject> object(const char* key) const;
    [[nodiscard]] std::vector<std::string> names() const; // its own keys
    [[nodiscard]] bool has(const char* key) const { return find(key) != nullptr; }
    [[nodiscard]] const std::string& what() const { return what_; }

private:
    [[nodiscard]] const nlohmann::json* find(const char* key) const;
    [[noreturn]] void wrong(const char* key, const char* expected) const;

    const nlohmann::json* value_; // outlives this
    std::string what_;
};

// A document and what it stands on, for those who only read: they do without the library's large header.
class JsonDocument {
public:
    // Throws as parse_json().
    JsonDocument(std::string_view text, const std::string& what, const Limits& limits);
    JsonDocument(const JsonDocument&) = delete;
    JsonDocument& operator=(const JsonDocument&) = delete;
    ~JsonDocument();

    [[nodiscard]] JsonObject top() const; // valid while this lives; E0405 where it is no object

private:
    std::unique_ptr<const nlohmann::json> value_;
    std::string what_;
};

} // namespace oci
