// SPDX-License-Identifier: Apache-2.0
// image-tools/run/console.cpp - several consoles on one terminal.
#include "image-tools/run/console.hpp"

#include <algorithm>
#include <array>

namespace run {
namespace {

constexpr std::array<std::string_view, 6> colours{"\033[36m", "\033[33m", "\033[32m",
                                                  "\033[35m", "\033[34m", "\033[31m"};
constexpr std::string_view dim = "\033[2m";
constexpr std::string_view off = "\033[0m";
constexpr std::size_t longest_line = 16384; // a line without an end is shown in pieces

void put(std::FILE* to, std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), to);
}

} // namespace

std::string neutral(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0u;
        if (byte == '\n' || byte == '\t' || byte == '\r') {
            out += text[i];
        } else if (byte < 0x20 || byte == 0x7F) {
            out += '^';
            out += static_cast<char>(byte ^ 0x40);
        } else if (byte == 0xC2 && next >= 0x80 && next <= 0x9F) { // C1 in UTF-8
            constexpr std::string_view digits = "0123456789abcdef";
            out += "\\x";
            out += digits[next >> 4];
            out += digits[next & 15];
            ++i;
        } else {
            out += text[i];
        }
    }
    return out;
}

Console::Console(std::FILE* out, const std::vector<std::string>& names, ConsoleOptions options)
    : out_(out), names_(names), pending_(names.size()), options_(options) {
    for (const std::string& name : names)
        width_ = std::max(width_, name.size());
}

void Console::line(std::FILE* to, std::string_view name, std::size_t colour, std::string_view text) const {
    if (options_.colour)
        put(to, colour < names_.size() ? colours[colour % colours.size()] : dim);
    put(to, name);
    put(to, std::string(width_ - std::min(width_, name.size()), ' '));
    put(to, " |");
    if (options_.colour)
        put(to, off);
    if (!text.empty()) {
        put(to, " ");
        put(to, text);
    }
    put(to, "\n");
    std::fflush(to);
}

void Console::write(std::size_t partition, std::string_view bytes) {
    if (!options_.prefix) {
        put(out_, options_.raw ? std::string(bytes) : neutral(bytes));
        std::fflush(out_);
        return;
    }
    std::string& pending = pending_[partition];
    pending += bytes;
    std::size_t start = 0;
    for (;;) {
        const std::size_t end = pending.find('\n', start);
        if (end == std::string::npos && pending.size() - start < longest_line)
            break;
        const std::size_t stop = end == std::string::npos ? start + longest_line : end;
        std::string_view text = std::string_view(pending).substr(start, stop - start);
        if (text.ends_with('\r'))
            text.remove_suffix(1);
        line(out_, names_[partition], partition, options_.raw ? std::string(text) : neutral(text));
        start = end == std::string::npos ? stop : stop + 1;
    }
    pending.erase(0, start);
}

void Console::hypervisor_line(std::string_view text) {
    std::fflush(out_);
    while (text.ends_with('\n'))
        text.remove_suffix(1);
    line(stderr, "hv", names_.size(), neutral(text));
}

void Console::flush() {
    for (std::size_t i = 0; i < pending_.size(); ++i) {
        if (!pending_[i].empty())
            line(out_, names_[i], i, options_.raw ? pending_[i] : neutral(pending_[i]));
        pending_[i].clear();
    }
    std::fflush(out_);
}

} // namespace run
