// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/kernel_tables.cpp - see kernel_tables.hpp.
// Spec: AMD APM vol. 2 "Long-Mode Page Translation".
#include "partitions/unikernel/mm/kernel_tables.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/machine/layout.hpp"
#include "partitions/unikernel/machine/stubs.hpp"
#include "partitions/unikernel/machine/this_cpu.hpp"
#include "partitions/unikernel/mm/frames.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace uk::mm {

namespace {

using namespace entry_bit;
constexpr std::uint64_t table_bits = present | writable;   // leaves decide
constexpr std::uint64_t small_end = base::large_page_size; // below: 4 KiB pages, because the image is there

PhysAddr root;
TakePage take_page = nullptr;
std::uint64_t* stack_directory = nullptr; // of the window of kernel stacks
std::array<std::uint64_t, machine::stack_slots / 64> slots_taken{};
constexpr std::uint64_t global_pages = 1 << 7; // in CR4

std::uint64_t* table_at(PhysAddr frame) {
    return reinterpret_cast<std::uint64_t*>(frame_data(frame));
}

std::uint64_t* next_level(std::uint64_t& entry) {
    if ((entry & present) == 0)
        entry = take_page().value() | table_bits;
    return table_at(PhysAddr{entry & address});
}

// The entry for `virt` in the table of the given level (1: 4 KiB, 2: 2 MiB); tables above are made.
std::uint64_t& entry_for(std::uint64_t virt, unsigned level) {
    std::uint64_t* table = table_at(root);
    for (unsigned at = 4;; --at) {
        std::uint64_t& entry = table[virt >> (12 + 9 * (at - 1)) & 511];
        if (at == level)
            return entry;
        table = next_level(entry);
    }
}

bool is_constant_image(std::uint64_t physical) {
    return physical >= machine::image_physical(text_start) && physical < machine::image_physical(rodata_end);
}

void map_image() {
    for (std::uint64_t at = machine::image_physical(text_start); at < machine::image_physical(image_end);
         at += base::page_size) {
        std::uint64_t bits = present | accessed | global;
        if (at >= machine::image_physical(text_end))
            bits |= no_execute;
        if (at >= machine::image_physical(rodata_end))
            bits |= writable | dirty;
        entry_for(machine::kernel_base + at, 1) = at | bits;
    }
}

void map_direct(const MappedRange& range) {
    const std::uint64_t base_bits = present | no_execute | accessed | dirty | global;
    const std::uint64_t bits = base_bits | (range.writable ? writable : 0);
    std::uint64_t at = range.start;
    for (; at < range.end && at < small_end; at += base::page_size)
        entry_for(machine::direct_map + at, 1) = at | (is_constant_image(at) ? base_bits : bits);
    // Large pages may reach past a range's ends; nothing there is ever used.
    for (at = base::round_down(at, base::large_page_size); at < range.end; at += base::large_page_size) {
        std::uint64_t& entry = entry_for(machine::direct_map + at, 2);
        entry = at | bits | large | (entry & writable);
    }
}

} // namespace

void build_kernel_tables(std::span<const MappedRange> ranges, TakePage take) {
    take_page = take;
    root = take();
    map_image();
    for (const MappedRange& range : ranges)
        map_direct(range);
    std::uint64_t& stacks = table_at(PhysAddr{table_at(root)[511] & address})[511];
    stack_directory = next_level(stacks);
    // SAFETY: the new tables map the code, the data and the stack in use (image) where they are now.
    cpu::write_cr<3>(root.value());
    // Only now, so that nothing of the first tables stays behind.
    cpu::write_cr<4>(cpu::read_cr<4>() | global_pages);
}

void share_kernel_half(std::uint64_t* top_level) {
    std::memcpy(top_level + 256, table_at(root) + 256, 256 * 8);
}

void load_tables(PhysAddr top_level) {
    // SAFETY: every top level has the kernel's half, where all of the kernel's memory is.
    cpu::write_cr<3>(top_level.value());
}

void load_kernel_tables() {
    load_tables(root);
}

void forget_translation(std::uint64_t virt) {
    cpu::invlpg(virt);
}

void forget_user_translations() {
    cpu::write_cr<3>(cpu::read_cr<3>()); // the kernel's are global and stay
}

std::uint64_t map_kernel_stack() {
    catch_up_with_stacks(machine::this_cpu());
    std::size_t word = 0;
    while (word < slots_taken.size() && slots_taken[word] == ~std::uint64_t{0})
        ++word;
    if (word == slots_taken.size())
        return 0;
    const auto slot = word * 64 + static_cast<unsigned>(std::countr_one(slots_taken[word]));
    const std::uint64_t top = machine::stack_window + (slot + 1) * machine::stack_slot_bytes;
    const std::uint64_t bottom = top - machine::stack_pages * base::page_size;
    std::uint64_t& directory_entry = stack_directory[bottom >> 21 & 511];
    if ((directory_entry & present) == 0) {
        const auto table = allocate_frame(Fill::zero);
        if (!table)
            return 0;
        directory_entry = table->value() | table_bits;
    }
    std::uint64_t* table = table_at(PhysAddr{directory_entry & address});
    slots_taken[word] |= std::uint64_t{1} << slot % 64;
    for (std::uint64_t at = bottom; at < top; at += base::page_size) {
        const auto frame = allocate_frame(Fill::none);
        if (!frame) {
            unmap_kernel_stack(top);
            return 0;
        }
        table[at >> 12 & 511] = frame->value() | present | writable | no_execute | accessed | dirty | global;
    }
    return top;
}

void forget_stacks() {
    machine::this_cpu().kernel_seen = stacks_unmapped;
    // SAFETY: every translation is forgotten, the kernel's too; nothing else changes.
    const std::uint64_t bits = cpu::read_cr<4>();
    cpu::write_cr<4>(bits & ~global_pages);
    cpu::write_cr<4>(bits);
}

void unmap_kernel_stack(std::uint64_t top) {
    catch_up_with_stacks(machine::this_cpu());
    for (std::uint64_t at = top - machine::stack_pages * base::page_size; at < top; at += base::page_size) {
        std::uint64_t& entry = table_at(PhysAddr{stack_directory[at >> 21 & 511] & address})[at >> 12 & 511];
        if ((entry & present) == 0)
            continue;
        const PhysAddr frame{entry & address};
        entry = 0;
        cpu::invlpg(at);
        release_frame(frame);
    }
    machine::this_cpu().kernel_seen = ++stacks_unmapped;
    const std::uint64_t slot = (top - machine::stack_window) / machine::stack_slot_bytes - 1;
    slots_taken[slot / 64] &= ~(std::uint64_t{1} << slot % 64);
}

} // namespace uk::mm
