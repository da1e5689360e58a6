// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/binder.hpp - typed values out of YAML nodes, with errors that point at them.
//
// For image-tools/manifest, and for other files in the same strict YAML.
#pragma once

#include "hypervisor/core/plan/behaviour_rules.hpp"
#include "image-tools/manifest/values.hpp"
#include "image-tools/manifest/yaml.hpp"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace manifest {

// What a map may hold: keys with what is done about them, and keys that are reserved for later.
struct Key {
    std::string_view name;
    std::function<void(const Node&)> bind;
};

class Binder {
public:
    explicit Binder(const Source& source) : source_(source) {}

    // Does something of which a failure leaves the rest of the manifest readable: it is kept, and told with the others
    // by throw_failures(). False: it failed.
    bool attempt(const std::function<void()>& action) const;
    [[nodiscard]] std::size_t failures() const { return failures_.size(); }
    void throw_failures() const;

    // Binds every entry of `node`, which must be a map. `what` names it in messages ("a partition").
    // Keys that start with "x-" are left alone. What is wrong with one key does not hide the others.
    void map(const Node& node, std::string_view what, std::span<const Key> keys,
             std::span<const std::string_view> reserved) const;

    [[nodiscard]] std::string text(const Node& node, std::string_view what) const; // a scalar without NUL
    [[nodiscard]] std::string non_empty(const Node& node, std::string_view what) const;
    [[nodiscard]] bool boolean(const Node& node, std::string_view what) const;
    [[nodiscard]] std::uint64_t number(const Node& node, std::string_view what, std::uint64_t low,
                                       std::uint64_t high) const;
    [[nodiscard]] std::uint64_t size(const Node& node, std::string_view what) const;
    [[nodiscard]] std::vector<std::string> list(const Node& node, std::string_view what) const;
    // Index of the word among `words`; those from `first_reserved` on are known, not yet supported.
    [[nodiscard]] std::size_t word(const Node& node, std::string_view what,
                                   std::span<const std::string_view> words, std::size_t first_reserved) const;
    // The enumerator whose word it is; `words` are in the order of the enumerators, the first of which is 0.
    template <typename Enum>
    Enum choice(const Node& node, std::string_view what, std::span<const std::string_view> words) const {
        return static_cast<Enum>(word(node, what, words, words.size()));
    }
    [[nodiscard]] std::uint32_t duration_ms(const Node& node, std::string_view what,
                                            plan::Bounds bounds) const;

    // The value, or the error at the node.
    template <typename T> T take(const Node& node, Value<T> value) const {
        if (const auto* error = std::get_if<ValueError>(&value))
            wrong(node, error->message, error->help);
        return std::get<T>(std::move(value));
    }
    [[noreturn]] void wrong(const Node& node, std::string message, std::string help = {}) const;
    [[noreturn]] void not_yet(Spot spot, std::string_view what) const;
    [[nodiscard]] const Source& source() const { return source_; }

private:
    void bind(const Entry& entry, std::string_view what, std::span<const Key> keys,
              std::span<const std::string_view> reserved) const;

    const Source& source_;
    mutable std::vector<diagnostic::Diagnostic> failures_;
};

} // namespace manifest
