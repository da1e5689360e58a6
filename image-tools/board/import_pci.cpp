// SPDX-License-Identifier: Apache-2.0
// image-tools/board/import_pci.cpp - PCI functions from lspci's text or from sysfs.
#include "image-tools/board/import.hpp"
#include "image-tools/board/lines.hpp"
#include "image-tools/board/read.hpp"

#include <algorithm>
#include <cstring>

namespace board {
namespace {

constexpr std::size_t least_config = 64;

std::uint32_t word(const std::string& config, std::uint32_t offset) {
    std::uint32_t value = UINT32_MAX; // registers that were not shown answer as absent ones
    if (offset + sizeof value <= config.size())
        std::memcpy(&value, config.data() + offset, sizeof value);
    return value;
}

// "0x00000000f7d00000 0x00000000f7dfffff 0x0000000000140204": lines of sysfs, a BAR each; 0x200 says memory.
void take_resources(std::string_view text, unsigned bars, pci::Function& out) {
    constexpr std::uint64_t in_memory = 0x200;
    const auto lines = lines_of(text);
    for (std::size_t i = 0; i < lines.size() && i < bars; ++i) {
        const auto parts = words_of(lines[i]);
        if (parts.size() != 3)
            break;
        std::array<std::uint64_t, 3> numbers{};
        for (std::size_t n = 0; n < numbers.size(); ++n)
            numbers[n] = parts[n].starts_with("0x") ? hex_of(parts[n].substr(2)).value_or(0) : 0;
        if ((numbers[2] & in_memory) != 0 && numbers[1] >= numbers[0] &&
            numbers[1] - numbers[0] != UINT64_MAX)
            out.bars[i] = {numbers[0], numbers[1] - numbers[0] + 1};
    }
}

std::uint64_t size_of(std::string_view text) {
    constexpr std::string_view mark = "[size=";
    const std::size_t start = text.find(mark);
    if (start == std::string_view::npos)
        return 0;
    std::uint64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + start + mark.size(), end, value, 10);
    const char unit = stop == end ? ']' : *stop;
    return error != std::errc{} || value > (std::uint64_t{1} << 20) ? 0
           : unit == 'K'                                            ? value << 10
           : unit == 'M'                                            ? value << 20
           : unit == 'G'                                            ? value << 30
                                                                    : value;
}

// One function of lspci's text, as sysfs would show it.
struct Shown {
    PciFiles files;
    std::array<std::string, 6> bars;

    // "Region 0: Memory at f7d00000 (64-bit, non-prefetchable) [size=1M]"
    void take_region(std::string_view line) {
        constexpr std::string_view region = "Region ", memory = "Memory at ";
        const std::size_t start = line.find(memory);
        const std::uint64_t bytes = size_of(line);
        if (start == std::string_view::npos || bytes == 0 || line.size() <= region.size())
            return;
        const auto index = static_cast<std::size_t>(line[region.size()] - '0');
        const std::string_view rest = line.substr(start + memory.size());
        const auto base = hex_of(rest.substr(0, rest.find(' ')));
        if (index >= bars.size() || !base)
            return;
        bars[index] = "0x" + text(*base) + " 0x" + text(*base + bytes - 1) + " 0x200";
    }
    [[nodiscard]] PciFiles done() {
        for (const std::string& bar : bars)
            files.resource += (bar.empty() ? "0x0 0x0 0x0" : bar) + "\n";
        return files;
    }

private:
    static std::string text(std::uint64_t value) {
        base::Text<24> out;
        out << base::hex(value);
        return std::string(out.view().substr(2));
    }
};

} // namespace

bool take_functions(const std::map<pci::Requester, PciFiles>& files, Facts& out) {
    const auto words = [&files](pci::Requester at, std::uint32_t offset) {
        const auto found = files.find(at);
        return found == files.end() ? UINT32_MAX : word(found->second.config, offset);
    };
    for (const auto& [at, one] : files) {
        if (one.config.size() < least_config || (words(at, 0) & 0xffff) == 0xffff)
            continue;
        pci::Description description{at, words};
        Function function{description.function(), {}};
        function.capabilities = description.capabilities();
        take_resources(one.resource, description.bars(), function.function);
        if (!out.functions.push_back(function)) {
            out.too_many_functions = true;
            break;
        }
    }
    constexpr std::uint32_t i6300esb = 0x808625ab;
    for (const Function& one : out.functions)
        if ((std::uint32_t{one.function.vendor} << 16 | one.function.device) == i6300esb)
            out.watchdog = Watchdog::i6300esb;
    out.pci_known = !out.functions.empty();
    return out.pci_known;
}

bool take_lspci(std::string_view text, Facts& out) {
    std::map<pci::Requester, PciFiles> files;
    std::optional<pci::Requester> at;
    Shown shown;
    const auto finish = [&] {
        if (at)
            files[*at] = shown.done();
        at.reset();
        shown = {};
    };
    for (std::string_view line : lines_of(text)) {
        std::string_view head = line.substr(0, line.find(' '));
        const bool has_domain = head.starts_with("0000:") && head.size() > 7;
        if (has_domain)
            head.remove_prefix(5);
        if (const auto found = requester_of(head)) {
            finish();
            at = found;
            continue;
        }
        if (!at)
            continue;
        const std::string_view plain = trimmed(line);
        if (plain.starts_with("Region "))
            shown.take_region(plain);
        // "00: 86 80 10 15 ..."
        const std::size_t colon = line.find(": ");
        const auto offset = colon == std::string_view::npos ? std::nullopt : hex_of(line.substr(0, colon));
        if (!offset || *offset != shown.files.config.size())
            continue;
        for (const std::string_view byte : words_of(line.substr(colon + 2)))
            if (const auto value = hex_of(byte); value && *value < 256 && shown.files.config.size() < 4096)
                shown.files.config += static_cast<char>(*value);
    }
    finish();
    return take_functions(files, out);
}

} // namespace board
