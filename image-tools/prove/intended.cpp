// SPDX-License-Identifier: Apache-2.0
// image-tools/prove/intended.cpp - from the bundle's table and the board to what must be.
#include "image-tools/prove/intended.hpp"

#include "hypervisor/core/plan/bind.hpp"
#include "hypervisor/core/plan/plan.hpp"
#include "image-tools/plan/board.hpp"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <memory>

namespace prove {
namespace {

constexpr std::uint64_t page = 4096;

std::uint64_t page_up(std::uint64_t value) {
    return (value + page - 1) / page * page;
}

template <typename T> std::optional<T> load(std::span<const std::byte> bytes, std::uint64_t offset) {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T))
        return std::nullopt;
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

std::string name_of(const std::array<char, 32>& field) {
    return {field.data(),
            static_cast<std::size_t>(std::find(field.begin(), field.end(), '\0') - field.begin())};
}

} // namespace

std::string hex(std::uint64_t value) {
    std::string out;
    do
        out.insert(out.begin(), "0123456789abcdef"[value & 15]);
    while ((value >>= 4) != 0);
    return "0x" + out;
}

std::string size_text(std::uint64_t bytes) {
    constexpr std::uint64_t mebibyte = 1 << 20;
    return bytes % mebibyte == 0 && bytes != 0 ? std::to_string(bytes / mebibyte) + " MiB"
                                               : std::to_string(bytes / 1024) + " KiB";
}

std::optional<LoaderImage> read_loader(std::span<const char> elf) {
    const auto bytes = std::as_bytes(elf);
    const auto head = load<Elf64_Ehdr>(bytes, 0);
    if (!head || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_phentsize != sizeof(Elf64_Phdr))
        return std::nullopt;
    LoaderImage out;
    std::uint64_t lowest = ~std::uint64_t{0}, highest = 0, shift = 0;
    for (std::uint64_t i = 0; i < head->e_phnum; ++i) {
        const auto segment = load<Elf64_Phdr>(bytes, head->e_phoff + i * sizeof(Elf64_Phdr));
        if (!segment)
            return std::nullopt;
        if (segment->p_type != PT_LOAD)
            continue;
        const std::uint64_t base = segment->p_paddr / page * page;
        const std::uint64_t end = page_up(segment->p_paddr + segment->p_memsz);
        lowest = std::min(lowest, base);
        highest = std::max(highest, end);
        shift = segment->p_vaddr - segment->p_paddr;
        constexpr std::uint32_t boot = 0x100000, constant = 0x200000;
        if ((segment->p_flags & boot) != 0)
            out.boot.push_back({base, end - base});
        else if ((segment->p_flags & PF_X) != 0)
            out.executable.push_back({base, end - base});
        if ((segment->p_flags & constant) != 0)
            out.constant.push_back({base, end - base});
    }
    if (highest == 0)
        return std::nullopt;
    out.all = {lowest, highest - lowest};
    out.linked = {lowest + shift, highest - lowest};
    return out;
}

std::optional<std::string> read_table(std::span<const std::byte> table, std::vector<Guest>& guests,
                                      std::vector<Lane>& lanes, std::vector<Wish>& wishes) {
    const auto header = load<plan::Header>(table, 0);
    if (!header || header->magic != plan::magic || header->format != plan::format_version)
        return "this is not a plan of format " + std::to_string(plan::format_version);
    if (header->total_size != table.size() || header->partition_entsize != sizeof(plan::Partition))
        return "its sizes are wrong";
    for (std::uint64_t i = 0; i < header->partition_count; ++i) {
        const auto record = load<plan::Partition>(table, sizeof(plan::Header) + i * sizeof(plan::Partition));
        if (!record || record->region_count > plan::max_regions)
            return "partition " + std::to_string(i) + " is not all there";
        Guest guest;
        guest.name = name_of(record->name);
        guest.cpu_count = record->cpu_count;
        guest.cpu_set = record->cpu_set;
        guest.memory_bytes = record->memory_bytes;
        guest.regions.assign(record->regions.begin(), record->regions.begin() + record->region_count);
        guest.root_section = record->root_section;
        guest.shares_cores = record->behaviour.has(plan::flag_smt_shared);
        const std::uint64_t loads = sizeof(plan::Header) + header->partition_count * sizeof(plan::Partition);
        for (std::uint64_t l = record->first_load; l < std::uint64_t{record->first_load} + record->load_count;
             ++l) {
            const auto one = load<plan::Load>(table, loads + l * sizeof(plan::Load));
            if (!one || l >= header->load_count)
                return "what '" + guest.name + "' starts with is not all there";
            guest.loads.push_back(*one);
        }
        guests.push_back(std::move(guest));
    }
    const std::uint64_t wires = sizeof(plan::Header) + header->partition_count * sizeof(plan::Partition) +
                                std::uint64_t{header->load_count} * sizeof(plan::Load);
    for (std::uint64_t i = 0; i < header->wire_count; ++i) {
        const auto wire = load<plan::Wire>(table, wires + i * sizeof(plan::Wire));
        if (!wire || wire->partitions[0] >= guests.size() || wire->partitions[1] >= guests.size())
            return "wire " + std::to_string(i) + " is not all there";
        const auto& [first, second] = wire->partitions;
        lanes.push_back({first, second, wire->gpa[0], wire->gpa[1], 0, wire->lane_bytes});
        if ((wire->flags & plan::wire_one_way) == 0)
            lanes.push_back({second, first, wire->gpa[1] + wire->lane_bytes, wire->gpa[0] + wire->lane_bytes,
                             0, wire->lane_bytes});
    }
    const std::uint64_t devices = wires + std::uint64_t{header->wire_count} * sizeof(plan::Wire);
    for (std::uint64_t i = 0; i < header->device_count; ++i) {
        const auto device = load<plan::Device>(table, devices + i * sizeof(plan::Device));
        if (!device || device->partition >= guests.size())
            return "device " + std::to_string(i) + " is not all there";
        wishes.push_back({device->partition, device->vendor, device->device, device->place,
                          (device->flags & plan::device_by_address) != 0,
                          (device->flags & plan::device_any_card) != 0});
    }
    return std::nullopt;
}

std::optional<std::string> intend(const std::vector<std::byte>& table,
                                  const std::vector<bundle::SectionShape>& sections,
                                  std::uint64_t bundle_bytes, const LoaderImage& loader, const Board& board,
                                  Intended& out) {
    out = {};
    if (const auto problem = read_table(table, out.guests, out.lanes, out.wishes))
        return "the plan's table: " + *problem;
    const auto parsed = plan::Plan::parse(table);
    if (!parsed)
        return std::string(plan::describe(parsed.error().error));
    std::vector<plan::Cpu> cpus(board.cpus);
    plan::assumed_cpus(plan::Board::qemu_q35, cpus);
    std::vector<plan::SectionExtent> extents;
    for (const bundle::SectionShape& section : sections)
        extents.push_back({section.type, section.partition, section.offset, section.size});
    memory::Runs map;
    if (!plan::assumed_map(plan::Board::qemu_q35, board.memory, map))
        return "the board cannot have " + size_text(board.memory) + " of memory";
    const memory::Run image{loader.all.base, loader.all.bytes};
    plan::Machine machine;
    machine.map = &map;
    machine.cpus = cpus;
    machine.reserved = {&image, 1};
    machine.bundle_base = board.bundle_base != 0
                              ? board.bundle_base
                              : plan::assumed_bundle_base(plan::Board::qemu_q35, board.memory, bundle_bytes);
    machine.bundle_bytes = bundle_bytes;
    machine.sections = extents;
    machine.devices = plan::assumed_devices(plan::Board::qemu_q35);
    // What the hypervisor takes lies as high as it may and partitions fill memory from below: its amount moves none of theirs.
    plan::Options options;
    options.huge_pages = board.huge_pages;
    options.frames_fixed = 256;
    options.frames_per_cpu = 16;
    options.frames_per_partition = options.frames_per_vcpu = 8;
    const auto bound = std::make_unique<plan::BoundPlan>();
    if (const auto status = plan::bind(*parsed, machine, options, *bound); !status)
        return std::string(plan::describe(status.error().error));

    for (const plan::Piece& piece : bound->pieces)
        out.backings.push_back({piece.partition, piece.gpa, piece.host.base, piece.host.bytes,
                                piece.kind == plan::RegionKind::root_image});
    std::size_t lane = 0;
    for (const memory::Run& run : bound->wires)
        for (std::uint64_t at = 0; at < run.bytes && lane < out.lanes.size(); at += out.lanes[lane++].bytes)
            out.lanes[lane].frame = run.base + at;
    for (const plan::BoundCpu& cpu : bound->cpus)
        out.processors.push_back(
            {cpu.apic_id, cpu.partition == plan::no_index ? nobody : cpu.partition, cpu.vcpu, cpu.core});
    out.hypervisor.push_back(loader.all);
    for (const memory::Run& run : bound->pool.runs())
        out.hypervisor.push_back({run.base, run.bytes});
    out.hypervisor.push_back({bound->retained.base, bound->retained.bytes});
    out.bundle = {machine.bundle_base, bundle_bytes};
    for (const memory::Run& run : map.view())
        out.usable.push_back({run.base, run.bytes});
    for (const memory::Run& run : machine.devices)
        out.devices.push_back({run.base, run.bytes});
    out.sections = sections;
    return std::nullopt;
}

} // namespace prove
