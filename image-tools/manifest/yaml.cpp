// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/yaml.cpp - libfyaml's events into a tree; everything a manifest may not contain is
// refused here.
//
// Spec: YAML 1.2.2 (the subset of yaml.hpp).
#include "image-tools/manifest/yaml.hpp"

#include <algorithm>
#include <cstdlib>
#include <libfyaml.h>
#include <memory>
#include <optional>
#include <utility>

namespace manifest {
namespace {

struct ParserDeleter {
    void operator()(fy_parser* parser) const { fy_parser_destroy(parser); }
};
struct DiagDeleter {
    void operator()(fy_diag* diag) const { fy_diag_destroy(diag); }
};
using Parser = std::unique_ptr<fy_parser, ParserDeleter>;
using Diag = std::unique_ptr<fy_diag, DiagDeleter>;

// Length of the well-formed UTF-8 character at `at`, 0 where there is none (RFC 3629: shortest form, no
// surrogates).
std::size_t utf8_length(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) -> unsigned {
        return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u;
    };
    const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
    const unsigned first = byte(0);
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        return tail(1) ? 2 : 0;
    if (first >= 0xE0 && first <= 0xEF) {
        const unsigned second = byte(1);
        if (!tail(1) || !tail(2) || (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F))
            return 0;
        return 3;
    }
    if (first >= 0xF0 && first <= 0xF4) {
        const unsigned second = byte(1);
        if (!tail(1) || !tail(2) || !tail(3) || (first == 0xF0 && second < 0x90) ||
            (first == 0xF4 && second > 0x8F))
            return 0;
        return 4;
    }
    return 0;
}

void check_text(const Source& source) {
    const std::string_view text = source.text();
    if (text.size() > max_text)
        source.fail({}, "E0307", "the manifest is larger than 1 MiB");
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = utf8_length(text, at);
        if (length == 0)
            source.fail(source.spot(at, 1), "E0306", "the manifest is not UTF-8",
                        "save the file with UTF-8 encoding");
        const auto byte = static_cast<unsigned char>(text[at]);
        if ((byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t') || byte == 0x7F)
            source.fail(source.spot(at, 1), "E0306", "a control character in the manifest");
        at += length;
    }
}

class Builder {
public:
    Builder(const Source& source, fy_parser* parser) : source_(source), parser_(parser) {}

    // The document's tree, or nothing after a syntax error (the parser's diagnostics say which).
    std::optional<Node> run() {
        for (;;) {
            fy_event* event = fy_parser_parse(parser_);
            if (event == nullptr)
                return fy_parser_get_stream_error(parser_) ? std::nullopt : std::move(root_);
            const std::unique_ptr<fy_event, EventDeleter> owned(event, EventDeleter{parser_});
            if (!take(*event))
                return std::move(root_);
        }
    }

    // Line of the innermost list or map that was open when the parser stopped; 0: none.
    // Where the innermost list or map that is not closed begins; line 0: none is open.
    [[nodiscard]] Spot open_spot() const { return stack_.empty() ? Spot{} : stack_.back().node.spot; }

private:
    struct EventDeleter {
        fy_parser* parser;
        void operator()(fy_event* event) const { fy_parser_event_free(parser, event); }
    };

    Spot spot_of(fy_event& event) const {
        const fy_mark* start = fy_event_start_mark(&event);
        const fy_mark* end = fy_event_end_mark(&event);
        if (start == nullptr)
            return {};
        const std::size_t bytes =
            end != nullptr && end->input_pos > start->input_pos ? end->input_pos - start->input_pos : 1;
        return source_.spot(start->input_pos, bytes);
    }

    // False at the end of the stream.
    bool take(fy_event& event) {
        switch (event.type) {
        case FYET_NONE:
        case FYET_STREAM_START:
        case FYET_DOCUMENT_END:
            return true;
        case FYET_STREAM_END:
            return false;
        case FYET_DOCUMENT_START:
            if (documents_++ > 0)
                source_.fail(spot_of(event), "E0304", "a second document in the manifest",
                             "one file describes one appliance: remove the second '---'");
            return true;
        case FYET_ALIAS:
            source_.fail(spot_of(event), "E0304", "aliases are not allowed in a manifest",
                         "write the value out");
        case FYET_SCALAR:
            scalar(event);
            return true;
        case FYET_SEQUENCE_START:
            open(event, Node::Kind::sequence);
            return true;
        case FYET_MAPPING_START:
            open(event, Node::Kind::mapping);
            return true;
        case FYET_SEQUENCE_END:
        case FYET_MAPPING_END:
            close();
            return true;
        }
        return true;
    }

    void refuse_properties(fy_event& event, fy_token* anchor, fy_token* tag) const {
        if (tag != nullptr)
            source_.fail(token_spot(event, tag), "E0304", "tags are not allowed in a manifest",
                         "write the value without '!'");
        if (anchor != nullptr)
            source_.fail(token_spot(event, anchor), "E0304", "anchors are not allowed in a manifest",
                         "write the value without '&'");
    }

    Spot token_spot(fy_event& event, fy_token* token) const {
        const fy_mark* start = fy_token_start_mark(token);
        const fy_mark* end = fy_token_end_mark(token);
        if (start == nullptr || end == nullptr)
            return spot_of(event);
        return source_.spot(start->input_pos,
                            std::max<std::size_t>(end->input_pos, start->input_pos + 1) - start->input_pos);
    }

    void scalar(fy_event& event) {
        refuse_properties(event, event.scalar.anchor, event.scalar.tag);
        Node node;
        node.kind = Node::Kind::scalar;
        node.spot = spot_of(event);
        if (event.scalar.value != nullptr) {
            std::size_t length = 0;
            const char* text = fy_token_get_text(event.scalar.value, &length);
            if (text != nullptr)
                node.text.assign(text, length);
            node.plain = fy_token_scalar_style(event.scalar.value) == FYSS_PLAIN;
        } else {
            node.plain = true;
        }
        if (expects_key()) {
            key(std::move(node));
            return;
        }
        if (node.plain && (node.text.empty() || node.text == "~" || node.text == "null"))
            node.kind = Node::Kind::null;
        add(std::move(node));
    }

    void key(Node node) {
        if (node.plain && node.text == "<<")
            source_.fail(node.spot, "E0304", "merge keys are not allowed in a manifest",
                         "write the keys out");
        for (const Entry& entry : stack_.back().node.entries)
            if (entry.key == node.text)
                source_.fail(node.spot, "E0303", "the key '" + node.text + "' is given twice", {},
                             {"first given in line " + std::to_string(entry.spot.line)});
        stack_.back().pending = Entry{std::move(node.text), node.spot, {}};
    }

    void open(fy_event& event, Node::Kind kind) {
        const bool map = kind == Node::Kind::mapping;
        refuse_properties(event, map ? event.mapping_start.anchor : event.sequence_start.anchor,
                          map ? event.mapping_start.tag : event.sequence_start.tag);
        const Spot spot = spot_of(event);
        if (expects_key())
            source_.fail(spot, "E0309", "a key must be a word, not a list or a map");
        if (stack_.size() == max_depth)
            source_.fail(spot, "E0307", "nested deeper than " + std::to_string(max_depth) + " levels");
        stack_.push_back({});
        stack_.back().node.kind = kind;
        stack_.back().node.spot = spot;
    }

    void close() {
        Node node = std::move(stack_.back().node);
        stack_.pop_back();
        add(std::move(node));
    }

    [[nodiscard]] bool expects_key() const {
        return !stack_.empty() && stack_.back().node.kind == Node::Kind::mapping && !stack_.back().pending;
    }

    void add(Node node) {
        if (stack_.empty()) {
            root_ = std::move(node);
            return;
        }
        Level& top = stack_.back();
        if (top.node.kind == Node::Kind::sequence) {
            top.node.items.push_back(std::move(node));
            return;
        }
        if (node.spot.line == 0)
            node.spot = top.pending->spot;
        top.pending->value = std::move(node);
        top.node.entries.push_back(std::move(*top.pending));
        top.pending.reset();
    }

    struct Level {
        Node node;
        std::optional<Entry> pending;
    };

    const Source& source_;
    fy_parser* parser_;
    std::vector<Level> stack_;
    std::optional<Node> root_;
    unsigned documents_ = 0;
};

// libfyaml's first complaint as a failure. Its lines and columns count from 1.
[[noreturn]] void syntax_error(const Source& source, fy_diag* diag, Spot open) {
    void* iterator = nullptr;
    if (const fy_diag_error* error = fy_diag_errors_iterate(diag, &iterator)) {
        Spot spot;
        spot.line = error->line > 0 ? static_cast<unsigned>(error->line) : 1;
        spot.column = error->column > 0 ? static_cast<unsigned>(error->column) : 1;
        if (spot.line > source.line_count()) // at the end of a file without a last line feed
            spot = source.spot(source.text().size(), 1);
        std::string message = error->msg != nullptr ? error->msg : "not YAML";
        while (!message.empty() && message.back() == '\n')
            message.pop_back();
        // The parser complains where it cannot go on; what is to be mended is the bracket.
        const std::string_view line = source.line(open.line);
        const char bracket = open.line != 0 && open.column <= line.size() ? line[open.column - 1] : ' ';
        if ((bracket == '{' || bracket == '[') && open.line != spot.line)
            source.fail({open.line, open.column, 1}, "E0301",
                        "this '" + std::string(1, bracket) + "' is not closed",
                        bracket == '{' ? "close it with '}'" : "close it with ']'",
                        {"noticed in line " + std::to_string(spot.line) + ": " + message});
        std::vector<std::string> notes;
        if (message.find("without") != std::string::npos && open.line != 0 && open.line != spot.line)
            notes.push_back("it was opened in line " + std::to_string(open.line));
        source.fail(spot, "E0301", "not valid YAML: " + message, {}, std::move(notes));
    }
    source.fail({1, 1, 1}, "E0301", "not valid YAML");
}

} // namespace

Source::Source(std::string file, std::string text) : file_(std::move(file)), text_(std::move(text)) {
    line_starts_.push_back(0);
    for (std::size_t i = 0; i < text_.size(); ++i)
        if (text_[i] == '\n')
            line_starts_.push_back(i + 1);
}

std::string_view Source::line(unsigned number) const {
    if (number == 0 || number > line_starts_.size())
        return {};
    const std::size_t start = line_starts_[number - 1];
    const std::size_t end = std::min(text_.find('\n', start), text_.size());
    std::string_view line = std::string_view(text_).substr(start, end - start);
    if (!line.empty() && line.back() == '\r')
        line.remove_suffix(1);
    return line;
}

Spot Source::spot(std::size_t offset, std::size_t bytes) const {
    offset = std::min(offset, text_.size());
    const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
    Spot spot;
    spot.line = static_cast<unsigned>(after - line_starts_.begin());
    const std::size_t start = line_starts_[spot.line - 1];
    const std::size_t end = start + line(spot.line).size();
    const auto characters = [&](std::size_t from, std::size_t to) {
        std::size_t count = 0;
        for (std::size_t i = from; i < std::min(to, text_.size()); ++i)
            count += (static_cast<unsigned char>(text_[i]) & 0xC0u) != 0x80u;
        return static_cast<unsigned>(count);
    };
    spot.column = characters(start, offset) + 1;
    spot.width = std::max(1u, characters(offset, std::min(offset + bytes, end)));
    return spot;
}

diagnostic::Place Source::place(Spot spot) const {
    return {file_, spot.line, spot.column, std::string(line(spot.line)), spot.width};
}

void Source::fail(Spot spot, diagnostic::Code code, std::string message, std::string help,
                  std::vector<std::string> notes) const {
    throw diagnostic::fail(code, std::move(message))
        .at(place(spot))
        .notes(std::move(notes))
        .help(std::move(help));
}

std::string_view kind_name(const Node& node) {
    switch (node.kind) {
    case Node::Kind::null:
        return "nothing";
    case Node::Kind::scalar:
        return "a word";
    case Node::Kind::sequence:
        return "a list";
    case Node::Kind::mapping:
        return "a map";
    }
    return "";
}

Node parse_yaml(const Source& source) {
    check_text(source);
    fy_diag_cfg diag_config{};
    fy_diag_cfg_default(&diag_config);
    diag_config.fp = nullptr;
    diag_config.colorize = false;
    const Diag diag(fy_diag_create(&diag_config));
    fy_parse_cfg config{};
    config.flags =
        static_cast<fy_parse_cfg_flags>(FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 |
                                        FYPCF_JSON_NONE | FYPCF_DISABLE_MMAP_OPT);
    config.diag = diag.get();
    const Parser parser(diag ? fy_parser_create(&config) : nullptr);
    if (!parser)
        throw std::bad_alloc();
    fy_diag_set_collect_errors(diag.get(), true);
    if (fy_parser_set_string(parser.get(), source.text().data(), source.text().size()) != 0)
        syntax_error(source, diag.get(), {});
    Builder builder(source, parser.get());
    std::optional<Node> root = builder.run();
    if (!root && fy_diag_got_error(diag.get()))
        syntax_error(source, diag.get(), builder.open_spot());
    if (!root || root->kind == Node::Kind::null)
        source.fail({}, "E0305", "the manifest is empty",
                    "see docs/manifest.md, or examples/hello/appliance.yaml for a small one");
    return std::move(*root);
}

} // namespace manifest
