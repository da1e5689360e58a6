// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/holes.hpp"

#include "image-tools/files/zeros.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace rootfs {

namespace {

constexpr std::array<std::uint8_t, 4> elf_magic{0x7f, 'E', 'L', 'F'};
constexpr std::uint64_t unit_blocks = hole_unit / block_size;
constexpr unsigned unit_bits = 4;
constexpr unsigned largest_chunk_bits = 18; // 1 GiB
static_assert(unit_blocks == 1 << unit_bits);

std::uint64_t units_of(std::uint64_t bytes) {
    return (bytes + hole_unit - 1) / hole_unit;
}

} // namespace

void HoleWriter::write(std::span<const std::uint8_t> data) {
    for (std::size_t i = 0; at_ + i < elf_magic.size() && i < data.size(); ++i) {
        elf_bytes_ += data[i] == elf_magic[static_cast<std::size_t>(at_) + i] ? 1 : 0;
    }
    while (!data.empty()) {
        const auto part =
            static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), hole_unit - at_ % hole_unit));
        write_in_unit(data.first(part));
        data = data.subspan(part);
    }
}

void HoleWriter::write_in_unit(std::span<const std::uint8_t> data) {
    if (!has_data_ && elf_bytes_ != elf_magic.size() && files::all_zero(data)) {
        zeros_ += data.size();
    } else {
        store(data);
    }
    at_ += data.size();
    if (at_ % hole_unit == 0) {
        end_unit();
    }
}

void HoleWriter::store(std::span<const std::uint8_t> data) {
    if (!has_data_) {
        const std::uint64_t unit = at_ / hole_unit;
        if (extents_.empty() || extents_.back().first + extents_.back().units != unit) {
            extents_.push_back({unit, 0});
        }
        ++extents_.back().units;
        spool_.append_zeros(zeros_);
        has_data_ = true;
    }
    spool_.append(data);
}

void HoleWriter::end_unit() {
    last_was_hole_ = !has_data_;
    has_data_ = false;
    zeros_ = 0;
}

void HoleWriter::finish(Inode& inode) {
    const std::uint64_t rest = at_ % hole_unit;
    if (rest != 0 && !has_data_ && !last_was_hole_) { // too short for a hole
        at_ -= rest;
        zeros_ -= rest;
        static const std::vector<std::uint8_t> zeros(hole_unit);
        store(std::span(zeros).first(static_cast<std::size_t>(rest)));
        at_ += rest;
    }
    spool_.align();
    const std::uint64_t units = units_of(at_);
    const bool whole = extents_.size() == 1 && extents_.front().units == units;
    inode.first_block = at_ == 0 ? 0 : first_block_;
    if (at_ == 0 || whole) {
        return;
    }
    // The largest chunks that begin and end with the extents.
    std::uint64_t edges = std::uint64_t{1} << (largest_chunk_bits - unit_bits);
    for (const Extent& extent : extents_) {
        edges |= extent.first;
        edges |= extent.first + extent.units < units ? extent.first + extent.units : 0;
    }
    const auto bits = static_cast<unsigned>(std::countr_zero(edges));
    const std::uint64_t chunk = std::uint64_t{1} << bits; // in units
    auto map = std::make_unique<ChunkMap>();
    map->chunk_bits = static_cast<std::uint8_t>(bits + unit_bits);
    map->chunks.assign(static_cast<std::size_t>((units + chunk - 1) / chunk), ChunkMap::hole);
    std::uint64_t block = first_block_;
    for (const Extent& extent : extents_) {
        for (std::uint64_t unit = extent.first; unit < extent.first + extent.units; unit += chunk) {
            map->chunks[static_cast<std::size_t>(unit / chunk)] = static_cast<std::uint32_t>(block);
            block += chunk * unit_blocks;
        }
    }
    inode.first_block = 0;
    inode.chunks = std::move(map);
}

} // namespace rootfs
