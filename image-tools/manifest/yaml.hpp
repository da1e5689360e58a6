// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/yaml.hpp - the strict YAML that manifests are written in, as a tree with
// places.
//
// Trust:      the text is untrusted: size, depth and encoding are checked here, syntax by libfyaml.
// Invariants: one document, not empty, no tags, anchors, aliases or merge keys, keys are scalars
//             and unique in their map. Whatever is refused is a diagnostic::Failure (exit 3) with
//             the place, the line and a caret.
#pragma once

#include "image-tools/diagnostic/diagnostic.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace manifest {

inline constexpr std::size_t max_text = 1 << 20;
inline constexpr std::size_t max_depth = 32;

// Where something stands in the file; line 0: nowhere.
struct Spot {
    unsigned line = 0;
    unsigned column = 0;
    unsigned width = 1;
};

// A file's name and text, to turn spots into places.
class Source {
public:
    Source() = default;
    Source(std::string file, std::string text);
    [[nodiscard]] const std::string& file() const { return file_; }
    [[nodiscard]] std::string_view text() const { return text_; }
    [[nodiscard]] std::string_view line(unsigned number) const;
    [[nodiscard]] std::size_t line_count() const { return line_starts_.size(); }
    [[nodiscard]] diagnostic::Place place(Spot spot) const;
    // The spot of a byte range; columns count characters.
    [[nodiscard]] Spot spot(std::size_t offset, std::size_t bytes) const;
    // Throws.
    [[noreturn]] void fail(Spot spot, diagnostic::Code code, std::string message, std::string help = {},
                           std::vector<std::string> notes = {}) const;

private:
    std::string file_;
    std::string text_;
    std::vector<std::size_t> line_starts_;
};

struct Entry;

struct Node {
    enum class Kind { null, scalar, sequence, mapping };
    Kind kind = Kind::null;
    Spot spot;
    bool plain = false;         // a scalar without quotes
    std::string text;           // scalar
    std::vector<Node> items;    // sequence
    std::vector<Entry> entries; // mapping, in the order of the file
};

struct Entry {
    std::string key;
    Spot spot;
    Node value;
};

// "a list", "a map", ... for messages.
std::string_view kind_name(const Node& node);

// The one document of `source`. Throws diagnostic::Failure.
Node parse_yaml(const Source& source);

} // namespace manifest
