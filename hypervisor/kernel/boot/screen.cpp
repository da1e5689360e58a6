// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/boot/screen.cpp - the machine's screen: found, cleared, and laid out (core/screen).
//
// Trust: what firmware says of its frame buffer is used only where it lies apart from memory and from everything that boot reaches.
// Spec:  UEFI 2.10 section 12.9; Multiboot2 specification 2.0 section 3.6.12; IBM VGA, graphics controller register 6.
#include "arch/x86_64/cpu/ports.hpp"
#include "build_id.hpp"
#include "hypervisor/core/screen/fit.hpp"
#include "hypervisor/core/screen/font.hpp"
#include "hypervisor/kernel/boot/stages.hpp"
#include "hypervisor/kernel/console/console.hpp"
#include "hypervisor/kernel/partition/partition.hpp"

#include <algorithm>

namespace hv {
namespace {

using screen::Colour;

constexpr cpu::Ports ports{};
constexpr screen::Font font = screen::font();
constexpr unsigned name_row = 1, first_row = 3, message_rows = 5;

constexpr unsigned row(unsigned number) {
    return number * screen::columns;
}

// VGA in a text mode, its memory where it is for colours. An adapter that is none reads as ones.
bool shows_vga_text() {
    constexpr std::uint16_t index = 0x3ce, data = 0x3cf;
    constexpr std::uint8_t miscellaneous = 6, graphics = 1, map = 3 << 2, at_b8000 = 3 << 2;
    ports.out8(index, miscellaneous);
    return (ports.in8(data) & (graphics | map)) == at_b8000;
}

void hide_vga_cursor() {
    constexpr std::uint16_t index = 0x3d4, data = 0x3d5;
    constexpr std::uint8_t cursor_start = 10, off = 1 << 5;
    ports.out8(index, cursor_start);
    ports.out8(data, off);
}

std::span<std::byte> cleared(std::uint64_t base, std::uint64_t bytes) {
    const auto memory = cpu::bytes_at(base::VirtAddr{base}, bytes);
    std::memset(memory.data(), 0, memory.size());
    return memory;
}

bool take_frame_buffer() {
    const loader::Screen& given = found().boot.screen;
    const auto fit = screen::fit(given);
    if (!fit || !may_be_device(given.base, given.bytes))
        return false;
    if (!found().boot.screen_is_black)
        (void)cleared(given.base, std::uint64_t{given.height} * fit->line_bytes);
    console::canvas = {cpu::bytes_at(base::VirtAddr{given.base + fit->offset}, fit->bytes), fit->line_bytes,
                       fit->scale, given.format == 0, font};
    return true;
}

bool take_vga_text() {
    constexpr std::uint64_t place = 0xb8000, bytes = screen::cells * sizeof(std::uint16_t);
    if (found().boot.screen.base != 0 || found().boot.loader_started != 0 || !may_be_device(place, bytes) ||
        !shows_vga_text())
        return false;
    hide_vga_cursor();
    console::canvas = {cleared(place, bytes), 0, 0, false, {}};
    return true;
}

// A name where there is room for `width` letters.
void label(unsigned at, std::string_view name, unsigned width) {
    console::grid.write(at, {name.data(), std::min<std::size_t>(name.size(), width)}, Colour::plain);
}

// One partition a row as long as there are few; the row behind them.
unsigned lay_out_states() {
    constexpr unsigned few = 8, side_by_side = 3, most = few * side_by_side, state_width = 13;
    const auto count = static_cast<unsigned>(machine().partitions.size());
    const unsigned a_row = count <= few ? 1 : side_by_side, width = count <= few ? 46 : 26;
    for (unsigned i = 0; i < std::min(count, most); ++i) {
        Partition& partition = *machine().partitions[i];
        const unsigned at = row(first_row + i / a_row) + i % a_row * width;
        label(at, partition.name, width - state_width);
        partition.output.state = &partition.state;
        partition.output.state_at = at + width - state_width;
    }
    const unsigned next = first_row + (std::min(count, most) + a_row - 1) / a_row;
    if (count <= most)
        return next;
    label(row(next), (base::Text<64>{} << "and " << count - most << " more").view(), screen::columns);
    return next + 1;
}

// What is left of the rows among those that want them: a title and a line at least.
void lay_out_panes(unsigned first) {
    constexpr unsigned end = screen::rows - message_rows, least = 2;
    const auto wants = [](const Partition* partition) {
        return partition->behaviour.has(plan::flag_console_screen);
    };
    const auto count = static_cast<unsigned>(std::ranges::count_if(machine().partitions, wants));
    const unsigned each = count == 0 ? 0 : std::max((end - first) / count, least);
    for (Partition* partition : machine().partitions)
        if (wants(partition) && first + each <= end) {
            console::grid.write(row(first), (base::Text<40>{} << partition->name << ':').view(),
                                Colour::title);
            partition->output.pane = {.grid = &console::grid, .first = first + 1, .count = each - 1};
            first += each;
        }
}

memory::Run shown_run() {
    const auto& memory = console::canvas.memory;
    if (memory.empty())
        return {0, 0};
    const std::uint64_t first = cpu::address_of(memory.front()).value();
    const std::uint64_t base = base::round_down(first, base::page_size);
    return {base, bytes::units(first + memory.size() - base, base::page_size) * base::page_size};
}

void close_screen(std::string_view why) {
    console::canvas.memory = {};
    console::messages.grid = nullptr;
    console::log((LogLine{} << "the screen is not used: " << why).view());
}

} // namespace

void open_screen() {
    if (!take_frame_buffer() && !take_vga_text())
        return;
    console::grid.write(0, "Caisson " CAISSON_BUILD_ID, Colour::title);
    console::messages = {.grid = &console::grid, .first = first_row, .count = screen::rows - first_row};
    console::at_once = true;
}

void show_appliance(const bundle::Signer& signer) {
    if (console::canvas.memory.empty())
        return;
    const bundle::Header& header = found().contents->header();
    const auto text = [](const std::array<char, 32>& field) {
        return std::string_view{field.data(),
                                static_cast<std::size_t>(std::ranges::find(field, '\0') - field.begin())};
    };
    base::Text<screen::columns> line;
    line << text(header.name) << ' ' << text(header.version) << ", ";
    const auto at = static_cast<unsigned>(line.view().size());
    console::grid.write(row(name_row), line.view(), Colour::title);
    line.clear();
    if (signer.development)
        line << "DEVELOPMENT KEY ";
    else
        line << "key ";
    constexpr std::string_view digits = "0123456789abcdef";
    for (const std::uint8_t byte : std::span{header.key_id}.first(8))
        line << digits[byte >> 4] << digits[byte & 15];
    console::grid.write(row(name_row) + at, line.view(), signer.development ? Colour::bad : Colour::plain);
}

void keep_screen_apart() {
    auto& devices = found().devices;
    const memory::Run run = shown_run();
    if (run.bytes == 0 || !devices.push_back(run))
        return;
    const bool apart = plan::check_devices(described_hardware()).ok();
    devices.erase(devices.size() - 1);
    if (!apart)
        close_screen("firmware says that it lies over another device");
}

base::Status<paging::Error> map_screen(AddressSpace& space) {
    for (const plan::BoundDevice& device : bound_plan().devices)
        for (const plan::BoundBar& bar : device.bars)
            if (memory::Run{bar.host, bar.bytes}.overlaps(shown_run()))
                close_screen("it belongs to a partition");
    const memory::Run run = shown_run();
    return run.bytes == 0 ? base::success
                          : space.add_device(base::PhysAddr{run.base}, run.bytes, paging::frame_buffer);
}

void show_partitions() {
    if (console::canvas.memory.empty())
        return;
    for (unsigned at = row(first_row); at < screen::cells; ++at)
        console::grid.put(at, 0);
    console::messages = {.grid = &console::grid, .first = screen::rows - message_rows, .count = message_rows};
    lay_out_panes(lay_out_states() + 1);
}

} // namespace hv
