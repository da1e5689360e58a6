// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/board/json_lines.hpp - JSON without a heap: outer objects and lists have a line a member, inner ones one line.
//
// Pure: `sink(text)` takes the bytes piece by piece.
#pragma once

#include "hypervisor/base/text.hpp"

namespace board {

template <typename Sink> class JsonLines {
public:
    explicit JsonLines(Sink& sink) : sink_(sink) {}

    void end() { sink_(std::string_view{"\n"}); }
    template <typename... Parts> void raw(const Parts&... parts) {
        base::Text<160> out;
        (out << ... << parts);
        sink_(out.view());
    }
    // The next member or item, on a line of its own where the one around it has lines.
    void next(std::string_view key) {
        if (!first_)
            sink_(std::string_view{","});
        first_ = false;
        if (depth_ != 0 && lines_ >= depth_)
            new_line();
        if (!key.empty())
            raw('"', key, "\":");
    }
    void open(std::string_view key, char bracket, bool lines = true) {
        next(key);
        raw(bracket);
        ++depth_;
        if (lines && lines_ + 1 == depth_)
            lines_ = depth_;
        first_ = true;
    }
    void close(char bracket) {
        --depth_;
        if (lines_ > depth_) {
            lines_ = depth_;
            if (!first_)
                new_line();
        }
        raw(bracket);
        first_ = false;
    }
    void text(std::string_view key, std::string_view value) {
        next(key);
        sink_(std::string_view{"\""});
        for (const char c : value)
            if (c == '"' || c == '\\')
                raw('\\', c);
            else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f)
                sink_(std::string_view{"?"});
            else
                raw(c);
        sink_(std::string_view{"\""});
    }
    void number(std::string_view key, std::uint64_t value) {
        next(key);
        raw(value);
    }
    void address(std::string_view key, std::uint64_t value) {
        next(key);
        raw('"', base::hex(value), '"');
    }
    void flag(std::string_view key, bool value) {
        next(key);
        raw(value ? "true" : "false");
    }
    void nothing(std::string_view key) {
        next(key);
        raw("null");
    }

private:
    void new_line() {
        sink_(std::string_view{"\n"});
        for (unsigned i = 0; i < depth_; ++i)
            sink_(std::string_view{" "});
    }

    Sink& sink_;
    unsigned depth_ = 0, lines_ = 0;
    bool first_ = true;
};

} // namespace board
