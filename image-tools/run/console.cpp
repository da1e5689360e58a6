// SPDX-License-Identifier: Apache-2.0
// image-tools/run/console.cpp - several consoles on one terminal.
#include "image-tools/run/console.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace run {
namespace {

constexpr std::array<std::string_view, 6> colours{"\033[36m", "\033[33m", "\033[32m",
                                                  "\033[35m", "\033[34m", "\033[31m"};
constexpr std::string_view dim = "\033[2m";
constexpr std::string_view off = "\033[0m";
constexpr std::size_t longest_line = 16384; // a line without an end is shown in pieces

// Where to cut a line that is too long: never inside a character.
std::size_t cut(std::string_view text) {
    std::size_t at = longest_line;
    while (at > longest_line - 4 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80)
        --at;
    return at;
}

} // namespace

Console::Console(Sink out, Sink errors, const std::vector<std::string>& names, ConsoleOptions options)
    : out_(std::move(out)), errors_(std::move(errors)), names_(names), streams_(2 * names.size()),
      options_(options) {
    for (const std::string& name : names)
        width_ = std::max(width_, name.size());
}

void Console::line(const Sink& to, std::string_view name, std::size_t colour, std::string_view text) const {
    std::string out;
    if (options_.colour)
        out += colour < names_.size() ? colours[colour % colours.size()] : dim;
    out += name;
    out.append(width_ - std::min(width_, name.size()), ' ');
    out += " |";
    if (options_.colour)
        out += off;
    if (!text.empty()) {
        out += ' ';
        out += text;
    }
    out += '\n';
    to(out);
}

void Console::write(std::size_t partition, std::string_view bytes, unsigned stream) {
    const std::size_t index = 2 * partition + (stream == 2 ? 1 : 0);
    if (options_.raw)
        show(index, bytes, false);
    else
        show(index, streams_[index].neutral.feed(bytes), false);
}

// `last`: the line without an end is shown too.
void Console::show(std::size_t index, std::string_view text, bool last) {
    const std::size_t partition = index / 2;
    const Sink& to = options_.merge || index % 2 == 0 ? out_ : errors_;
    if (!options_.prefix) {
        if (!text.empty())
            to(text);
        return;
    }
    std::string& pending = streams_[index].pending;
    pending += text;
    std::size_t start = 0;
    for (;;) {
        const std::string_view rest = std::string_view(pending).substr(start);
        const std::size_t end = rest.find('\n');
        if (end == std::string_view::npos && rest.size() <= longest_line && !(last && !rest.empty()))
            break;
        const std::size_t whole = std::min(end, rest.size());
        const std::size_t length = whole > longest_line ? cut(rest) : whole;
        std::string_view shown = rest.substr(0, length);
        if (shown.ends_with('\r'))
            shown.remove_suffix(1);
        line(to, names_[partition], partition, shown);
        start += length + (length == end ? 1 : 0);
    }
    pending.erase(0, start);
}

void Console::hypervisor_line(std::string_view text) {
    while (text.ends_with('\n'))
        text.remove_suffix(1);
    line(errors_, "hv", names_.size(), diagnostic::neutral(text));
}

void Console::flush() {
    for (std::size_t i = 0; i < streams_.size(); ++i)
        show(i, streams_[i].neutral.finish(), true);
}

} // namespace run
