// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/board.cpp - QEMU's q35 with SeaBIOS or direct PVH start.
//
// q35 keeps RAM below 2.75 GiB in one piece; with more, 2 GiB stay below 4 GiB and the rest is above.
// Firmware keeps the last 128 KiB below 4 GiB for its ACPI tables; a PVH module is put right under them, page
// aligned.
#include "image-tools/plan/board.hpp"

#include "hypervisor/base/address.hpp"

#include <algorithm>
#include <array>

namespace plan {

namespace {

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;
constexpr std::uint64_t gibibyte = std::uint64_t{1} << 30;
constexpr std::uint64_t four_gibibytes = 4 * gibibyte;
constexpr std::uint64_t low_limit = 0xB0000000;
constexpr std::uint64_t low_when_more = 0x80000000;
constexpr std::uint64_t firmware_tables = 128 * 1024;
constexpr std::uint64_t smallest = 16 * mebibyte;
constexpr std::uint64_t largest = 1024 * gibibyte;

std::uint64_t low_ram(std::uint64_t memory_bytes) {
    return memory_bytes < low_limit ? memory_bytes : low_when_more;
}

} // namespace

std::optional<Board> board_of(std::string_view name) {
    if (name == "qemu-q35")
        return Board::qemu_q35;
    return std::nullopt;
}

bool assumed_map(Board board, std::uint64_t memory_bytes, memory::Runs& map) {
    map.clear();
    if (board != Board::qemu_q35 || memory_bytes < smallest || memory_bytes > largest)
        return false;
    using memory::Kind;
    const std::uint64_t low = low_ram(memory_bytes);
    const std::array<memory::Range, 9> entries{{
        {0, 0x9FC00, Kind::usable},
        {0x9FC00, 0x400, Kind::reserved},
        {0xF0000, 0x10000, Kind::reserved},
        {mebibyte, low - mebibyte - firmware_tables, Kind::usable},
        {low - firmware_tables, firmware_tables, Kind::reserved},
        {0xB0000000, 0x10000000, Kind::reserved},
        {0xFED1C000, 0x4000, Kind::reserved},
        {0xFEFFC000, 0x1004000, Kind::reserved},
        {four_gibibytes, memory_bytes - low, Kind::usable},
    }};
    return memory::normalize(entries, map).ok();
}

void assumed_cpus(Board board, std::span<Cpu> cpus) {
    base::expects(board == Board::qemu_q35, "assumed_cpus: board");
    for (std::uint32_t i = 0; i < cpus.size(); ++i)
        cpus[i] = {i, 0, i, 0, i == 0};
}

std::span<const memory::Run> assumed_devices(Board board) {
    base::expects(board == Board::qemu_q35, "assumed_devices: board");
    static constexpr std::array<memory::Run, 3> devices{
        {{0xFEC00000, base::page_size}, {0xFED00000, base::page_size}, {0xFEE00000, base::page_size}}};
    return devices;
}

std::uint64_t assumed_bundle_base(Board board, std::uint64_t memory_bytes, std::uint64_t bundle_bytes) {
    base::expects(board == Board::qemu_q35, "assumed_bundle_base: board");
    const std::uint64_t top = low_ram(memory_bytes) - std::min(low_ram(memory_bytes), firmware_tables);
    if (bundle_bytes >= top || top - bundle_bytes < 2 * mebibyte)
        return 0;
    return base::round_down(top - bundle_bytes, base::page_size);
}

} // namespace plan
