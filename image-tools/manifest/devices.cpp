// SPDX-License-Identifier: Apache-2.0
#include "image-tools/manifest/devices.hpp"

#include "hypervisor/core/plan/format.hpp"

#include <charconv>

namespace manifest {
namespace {

constexpr std::string_view examples = "write for example pci:8086:10d3 (vendor and device), pci:8086:10d3#1 "
                                      "(the second of them) or pci:0000:00:1f.2 (segment, bus, "
                                      "device and function)";

// A number of exactly so many hexadecimal digits (0: any number of decimal ones), taken from the front of `text`.
std::optional<std::uint32_t> take_number(std::string_view& text, std::size_t digits) {
    std::uint32_t value = 0;
    const std::size_t length = digits == 0 ? text.size() : std::min(digits, text.size());
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + length, value, digits == 0 ? 10 : 16);
    const auto used = static_cast<std::size_t>(end - text.data());
    if (error != std::errc{} || used == 0 || (digits != 0 && used != digits))
        return std::nullopt;
    text.remove_prefix(used);
    return value;
}
bool take(std::string_view& text, char what) {
    if (!text.starts_with(what))
        return false;
    text.remove_prefix(1);
    return true;
}

// vendor:device, vendor:device#n
std::optional<DeviceName> by_ids(std::string_view text) {
    DeviceName out;
    const auto vendor = take_number(text, 4);
    const bool colon = take(text, ':');
    const auto device = take_number(text, 4);
    if (!vendor || !colon || !device)
        return std::nullopt;
    out.vendor = static_cast<std::uint16_t>(*vendor);
    out.device = static_cast<std::uint16_t>(*device);
    if (take(text, '#')) {
        const auto place = take_number(text, 0);
        if (!place || *place > 0xff)
            return std::nullopt;
        out.place = *place;
    }
    return text.empty() && *vendor != 0xffff ? std::optional{out} : std::nullopt;
}

// segment:bus:device.function
std::optional<DeviceName> by_address(std::string_view text) {
    const auto segment = take_number(text, 4);
    const bool first = take(text, ':');
    const auto bus = take_number(text, 2);
    const bool second = take(text, ':');
    const auto device = take_number(text, 2);
    const bool dot = take(text, '.');
    const auto function = take_number(text, 1);
    if (!segment || !first || !bus || !second || !device || !dot || !function || !text.empty() ||
        *segment != 0 || *device > 31 || *function > 7)
        return std::nullopt;
    DeviceName out;
    out.by_address = true;
    out.place = *bus << 8 | *device << 3 | *function;
    return out;
}

DeviceName read_name(const Binder& binder, const Node& node) {
    const std::string text = binder.non_empty(node, "devices");
    constexpr std::string_view prefix = "pci:";
    std::optional<DeviceName> out;
    if (text == "auto") {
        out.emplace().any_card = true;
    } else if (text.starts_with(prefix)) {
        const std::string_view rest = std::string_view{text}.substr(prefix.size());
        out = rest.find('.') != std::string_view::npos ? by_address(rest) : by_ids(rest);
    }
    if (!out)
        binder.wrong(node, "'" + text + "' does not name a device", std::string(examples));
    out->text = text;
    out->spot = node.spot;
    return *out;
}

} // namespace

DeviceName read_device(const Binder& binder, const Node& node) {
    if (node.kind != Node::Kind::mapping)
        return read_name(binder, node);
    std::optional<DeviceName> out;
    bool firmware_memory = false;
    static constexpr std::array<std::string_view, 1> allow{"allow"};
    const std::array keys{Key{"device", [&](const Node& value) { out = read_name(binder, value); }},
                          Key{"firmwareMemory", [&](const Node& value) {
                                  firmware_memory = binder.word(value, "firmwareMemory", allow, 1) == 0;
                              }}};
    binder.map(node, "a device", keys, {});
    if (!out)
        binder.wrong(node, "a device needs 'device'", std::string(examples));
    out->firmware_memory = firmware_memory;
    return *out;
}

std::vector<DeviceName> read_devices(const Binder& binder, const Node& node) {
    if (node.kind != Node::Kind::sequence)
        binder.wrong(node, "'devices' must be a list, not " + std::string(kind_name(node)),
                     "write [\"pci:8086:10d3\"]");
    std::vector<DeviceName> out;
    for (const Node& item : node.items)
        binder.attempt([&] { out.push_back(read_device(binder, item)); });
    if (out.size() > plan::max_devices_of_one)
        binder.wrong(node, "'devices' has room for " + std::to_string(plan::max_devices_of_one));
    return out;
}

void check_devices(const Binder& binder, const Manifest& manifest) {
    std::vector<const DeviceName*> seen;
    for (const Partition& partition : manifest.partitions)
        for (const DeviceName& device : partition.devices) {
            for (const DeviceName* other : seen)
                if (other->by_address == device.by_address && other->any_card == device.any_card &&
                    other->vendor == device.vendor && other->device == device.device &&
                    other->place == device.place)
                    binder.source().fail(device.spot, "E0309", "'" + device.text + "' is named twice", "",
                                         {"the other stands in line " + std::to_string(other->spot.line)});
            seen.push_back(&device);
        }
    if (seen.size() > plan::max_devices)
        binder.source().fail(seen.back()->spot, "E0309",
                             std::to_string(seen.size()) + " devices; a plan has room for " +
                                 std::to_string(plan::max_devices));
}

} // namespace manifest
