// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/fault.cpp - AddressSpace: what happens at the first touch of a page, and
// copy-on-write.
#include "partitions/unikernel/fs/overlay/node.hpp"
#include "partitions/unikernel/mm/address_space.hpp"
#include "partitions/unikernel/mm/kernel_tables.hpp"

#include "arch/x86_64/cpu/instructions.hpp"

#include <algorithm>
#include <cstring>

namespace uk::mm {

namespace {

using namespace entry_bit;
// Root-image pages shown with one fault; they cost no memory but table entries.
constexpr std::uint64_t around_pages = 16;
// How far below its present end a stack may grow at once; farther is taken for a wild access.
constexpr std::uint64_t stack_guard_gap = std::uint64_t{256} * base::page_size;

std::uint64_t rights(std::uint8_t bits) {
    return present | user | accessed | ((bits & protection::execute) != 0 ? 0 : no_execute);
}

Fault fault_of(Errno error) {
    switch (error) {
    case Errno::nomem:
        return Fault::out_of_memory;
    default:
        return Fault::past_end;
    }
}

bool allows(std::uint8_t bits, Access access) {
    switch (access) {
    case Access::read:
        return bits != 0; // x86 has no execute-only or write-only pages
    case Access::write:
        return (bits & protection::write) != 0;
    case Access::execute:
        return (bits & protection::execute) != 0;
    }
    return false;
}

} // namespace

Fault AddressSpace::handle_fault(std::uint64_t virt, Access access) {
    if (virt >= user_end)
        return Fault::unmapped;
    const Vma* vma = ranges_.find(virt);
    const std::uint64_t page = base::round_down(virt, base::page_size);
    if (vma == nullptr) {
        const Vma* above = ranges_.first_at_or_after(virt);
        if (above == nullptr || above->kind != VmaKind::stack || stack_top - page > stack_limit)
            return Fault::unmapped;
        // Never up to a neighbour: a gap stays between the stack and what is below it.
        const std::uint64_t gap_start = page > stack_guard_gap ? page - stack_guard_gap : 0;
        if (!ranges_.is_free(gap_start, above->start) || !ranges_.extend_down(above->start, page))
            return Fault::unmapped;
        vma = ranges_.find(virt);
    }
    if (!allows(vma->protection, access))
        return Fault::denied;
    return resolve(*vma, page, access);
}

Fault AddressSpace::resolve(const Vma& vma, std::uint64_t page, Access access) {
    Entry* entry = make_entry(page);
    if (entry == nullptr)
        return Fault::out_of_memory;
    if ((*entry & present) != 0 && !(vma.shared && vma.node != nullptr)) {
        if (access == Access::write && (*entry & writable) == 0)
            return copy_on_write(*entry, vma.protection);
        *entry = (*entry & ~no_execute) | rights(vma.protection); // rights given back by mprotect
        cpu::invlpg(page);
        return Fault::resolved;
    }
    if (vma.node != nullptr)
        return resolve_file(vma, page, access, *entry);
    const auto frame = allocate_frame(Fill::zero);
    if (!frame)
        return Fault::out_of_memory;
    *entry = frame->value() | counted | own | rights(vma.protection) |
             ((vma.protection & protection::write) != 0 ? writable | dirty : 0);
    ++resident_;
    return Fault::resolved;
}

Fault AddressSpace::resolve_file(const Vma& vma, std::uint64_t page, Access access, Entry& entry) {
    const fs::MapUse use = !vma.shared           ? fs::MapUse::private_copy
                           : vma.shared_writable ? fs::MapUse::shared_write
                                                 : fs::MapUse::shared_read;
    const auto source = fs::map_page(*vma.node, vma.offset_of(page) / base::page_size, use);
    if (!source.ok())
        return fault_of(source.error());
    const bool is_frame = source->kind == fs::MappedPage::Kind::frame;
    const bool is_hole = source->kind == fs::MappedPage::Kind::hole;
    const std::uint64_t base_rights = rights(vma.protection);
    const bool write_allowed = (vma.protection & protection::write) != 0;
    if ((entry & present) != 0) // a shared page, asked for anew
        drop_entry(entry);
    if (!vma.shared && (access == Access::write || is_hole)) {
        const auto frame = allocate_frame(is_hole ? Fill::zero : Fill::none);
        if (frame && !is_hole)
            std::memcpy(frame_data(*frame), is_frame ? frame_data(source->frame) : source->image,
                        base::page_size);
        if (is_frame)
            release_frame(source->frame);
        if (!frame)
            return Fault::out_of_memory;
        entry = frame->value() | counted | own | base_rights | (write_allowed ? writable | dirty : 0);
    } else if (is_hole) { // shared, never written: the file is asked again once it is
        const auto frame = allocate_frame(Fill::zero);
        if (!frame)
            return Fault::out_of_memory;
        entry = frame->value() | counted | base_rights;
    } else if (is_frame) {
        const bool write = vma.shared_writable && write_allowed;
        entry = source->frame.value() | counted | base_rights | (write ? writable | dirty : 0);
    } else {
        entry = frame_of(source->image).value() | base_rights;
        if (!vma.shared)
            map_around(vma, page);
    }
    ++resident_;
    cpu::invlpg(page);
    return Fault::resolved;
}

void AddressSpace::map_around(const Vma& vma, std::uint64_t page) {
    const std::uint64_t block = around_pages * base::page_size; // never crosses a table
    const std::uint64_t start = std::max(vma.start, base::round_down(page, block));
    const std::uint64_t end = std::min(vma.end, base::round_down(page, block) + block);
    for (std::uint64_t at = start; at < end;) {
        const auto source =
            fs::map_page(*vma.node, vma.offset_of(at) / base::page_size, fs::MapUse::private_copy);
        if (!source.ok())
            return;
        if (source->kind == fs::MappedPage::Kind::frame)
            release_frame(source->frame);
        if (source->kind != fs::MappedPage::Kind::image) {
            at += base::page_size;
            continue;
        }
        std::uint64_t frame = frame_of(source->image).value();
        for (std::uint64_t i = 0; i < source->pages && at < end;
             ++i, at += base::page_size, frame += base::page_size) {
            Entry* entry = find_entry(at);
            if (entry == nullptr || (*entry & present) != 0)
                continue;
            *entry = frame | rights(vma.protection);
            ++resident_;
        }
    }
}

Fault AddressSpace::copy_on_write(Entry& entry, std::uint8_t protection_bits) {
    const PhysAddr old{entry & address};
    const bool owned = (entry & counted) != 0;
    if (owned && frame_users(old) == 1) {
        entry = (entry & ~no_execute) | own | rights(protection_bits) | writable | dirty;
    } else {
        const auto frame = allocate_frame(Fill::none);
        if (!frame)
            return Fault::out_of_memory;
        std::memcpy(frame_data(*frame), frame_data(old), base::page_size);
        entry = frame->value() | counted | own | rights(protection_bits) | writable | dirty;
        if (owned)
            release_frame(old);
    }
    cpu::write_cr<3>(cpu::read_cr<3>());
    return Fault::resolved;
}

bool AddressSpace::read_memory(std::uint64_t virt, void* to, std::size_t bytes) const {
    auto* out = static_cast<std::byte*>(to);
    while (bytes > 0) {
        const Entry* entry = find_entry(virt);
        if (entry == nullptr || (*entry & present) == 0)
            return false;
        const std::uint64_t within = virt % base::page_size;
        const std::size_t part = std::min<std::size_t>(bytes, base::page_size - within);
        std::memcpy(out, frame_data(PhysAddr{*entry & address}) + within, part);
        virt += part;
        out += part;
        bytes -= part;
    }
    return true;
}

bool AddressSpace::show_kernel_page(std::uint64_t virt, PhysAddr frame, std::uint8_t bits) {
    Entry* entry = make_entry(virt);
    if (entry == nullptr)
        return false;
    *entry = frame.value() | rights(bits);
    ++resident_;
    return true;
}

Status AddressSpace::write_memory(std::uint64_t virt, const void* from, std::size_t bytes) {
    const auto* data = static_cast<const std::byte*>(from);
    while (bytes > 0) {
        const std::uint64_t page = base::round_down(virt, base::page_size);
        Entry* entry = find_entry(page);
        if (entry == nullptr || (*entry & present) == 0 || (*entry & writable) == 0) {
            if (handle_fault(virt, Access::write) != Fault::resolved)
                return base::Failure{Errno::fault};
            entry = find_entry(page);
        }
        const std::size_t part = std::min<std::size_t>(bytes, base::page_size - (virt - page));
        std::memcpy(frame_data(PhysAddr{*entry & address}) + (virt - page), data, part);
        virt += part;
        data += part;
        bytes -= part;
    }
    return base::success;
}

} // namespace uk::mm
