// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/fault.cpp - AddressSpace: what happens at the first touch of a page, and
// copy-on-write.
#include "partitions/unikernel/mm/address_space.hpp"

#include <algorithm>
#include <cstring>

namespace uk::mm {

namespace {

using namespace entry_bit;
// Root-image pages shown with one fault; they cost no memory but table entries.
constexpr std::uint64_t around_pages = 16;
// How near a stack may come to what is below it.
constexpr std::uint64_t stack_guard_gap = std::uint64_t{256} * base::page_size;

std::uint64_t rights(std::uint8_t bits) {
    return (bits != 0 ? present : 0) | user | accessed | ((bits & protection::execute) != 0 ? 0 : no_execute);
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

const Vma* AddressSpace::grow_stack(std::uint64_t page) {
    const Vma* above = ranges_.first_at_or_after(page);
    if (above == nullptr || !above->grows_down || above->end - page > limits.stack ||
        !has_room(above->start - page, false))
        return nullptr;
    const Vma* below = above->previous;
    if (below != nullptr && !below->grows_down && below->protection != 0 &&
        page - below->end < stack_guard_gap)
        return nullptr;
    return ranges_.extend_down(above->start, page) ? ranges_.find(page) : nullptr;
}

Fault AddressSpace::handle_fault(std::uint64_t virt, Access access) {
    if (virt >= user_end)
        return Fault::unmapped;
    const std::uint64_t page = base::round_down(virt, base::page_size);
    const Vma* vma = ranges_.find(virt);
    if (vma == nullptr && (vma = grow_stack(page)) == nullptr)
        return Fault::unmapped;
    if (!allows(vma->protection, access)) {
        // As on Linux a fetch makes a page present that may be read, and is refused when it comes again.
        if (access != Access::execute || vma->protection == 0 || is_resident(page))
            return Fault::denied;
        access = Access::read;
    }
    return resolve(*vma, page, access);
}

Fault AddressSpace::populate(std::uint64_t start, std::uint64_t end, Access access, Between between) {
    constexpr std::uint64_t piece = 64 * base::page_size;
    for (std::uint64_t at = start; at < end; at += base::page_size) {
        if (between != nullptr && at > start && (at - start) % piece == 0)
            between();
        if (!is_resident(at))
            if (const Fault fault = handle_fault(at, access); fault != Fault::resolved)
                return fault;
    }
    return Fault::resolved;
}

Fault AddressSpace::resolve(const Vma& vma, std::uint64_t page, Access access) {
    Entry* entry = table_.make(page);
    if (entry == nullptr)
        return Fault::out_of_memory;
    // Another CPU was there first, or this one remembered what allowed less.
    if ((*entry & present) != 0 && (access != Access::write || (*entry & writable) != 0) &&
        (access != Access::execute || (*entry & no_execute) == 0)) {
        forget(page);
        return Fault::resolved;
    }
    if (*entry != 0 && !vma.shared) {
        if (access == Access::write && (*entry & writable) == 0)
            return copy_on_write(*entry, page, vma.protection);
        *entry = (*entry & ~no_execute) | rights(vma.protection); // rights given back by mprotect
        forget(page);
        return Fault::resolved;
    }
    if (vma.node != nullptr)
        return resolve_file(vma, page, access, *entry);
    const auto frame = allocate_frame(Fill::zero);
    if (!frame)
        return Fault::out_of_memory;
    *entry =
        frame->value() | counted | own | rights(vma.protection) | (vma.writable() ? writable | dirty : 0);
    ++resident_;
    return Fault::resolved;
}

Fault AddressSpace::resolve_file(const Vma& vma, std::uint64_t page, Access access, Entry& entry) {
    const MapUse use = !vma.shared           ? MapUse::private_copy
                       : vma.shared_writable ? MapUse::shared_write
                                             : MapUse::shared_read;
    const auto source = fs::map_page(*vma.node, vma.offset_of(page) / base::page_size, use);
    if (!source.ok())
        return fault_of(source.error());
    const bool is_frame = source->kind == MappedPage::Kind::frame;
    const bool is_hole = source->kind == MappedPage::Kind::hole;
    const bool anew = entry != 0; // a shared page
    if (anew)
        drop_entry(entry);
    if (!vma.shared && access == Access::write) {
        const auto frame = allocate_frame(is_hole ? Fill::zero : Fill::none);
        if (frame && !is_hole)
            std::memcpy(frame_data(*frame), is_frame ? frame_data(source->frame) : source->image,
                        base::page_size);
        if (is_frame)
            release_frame(source->frame);
        if (!frame)
            return Fault::out_of_memory;
        entry = frame->value() | counted | own | rights(vma.protection) | writable | dirty;
    } else if (is_hole) { // once it is written the file says so, and the page is asked for anew
        const auto frame = zero_frame();
        if (!frame)
            return Fault::out_of_memory;
        entry = frame->value() | rights(vma.protection);
    } else if (is_frame) {
        const bool write = vma.shared && vma.shared_writable && vma.writable();
        entry = source->frame.value() | counted | rights(vma.protection) | (write ? writable | dirty : 0);
    } else {
        entry = frame_of(source->image).value() | rights(vma.protection);
        if (!vma.shared)
            map_around(vma, page);
    }
    ++resident_;
    if (anew)
        replaced(page);
    else
        forget(page);
    return Fault::resolved;
}

void AddressSpace::map_around(const Vma& vma, std::uint64_t page) {
    const std::uint64_t block = around_pages * base::page_size; // never crosses a table
    const std::uint64_t start = std::max(vma.start, base::round_down(page, block));
    const std::uint64_t end = std::min(vma.end, base::round_down(page, block) + block);
    for (std::uint64_t at = start; at < end;) {
        const auto source =
            fs::map_page(*vma.node, vma.offset_of(at) / base::page_size, MapUse::private_copy);
        if (!source.ok())
            return;
        if (source->kind == MappedPage::Kind::frame)
            release_frame(source->frame);
        if (source->kind != MappedPage::Kind::image) {
            at += base::page_size;
            continue;
        }
        std::uint64_t frame = frame_of(source->image).value();
        for (std::uint64_t i = 0; i < source->pages && at < end;
             ++i, at += base::page_size, frame += base::page_size) {
            Entry* entry = table_.find(at);
            if (entry == nullptr || *entry != 0)
                continue;
            *entry = frame | rights(vma.protection);
            ++resident_;
        }
    }
}

Fault AddressSpace::copy_on_write(Entry& entry, std::uint64_t page, std::uint8_t protection_bits) {
    const PhysAddr old{entry & address};
    const bool held = (entry & counted) != 0;
    if (held && frame_users(old) == 1) {
        entry = (entry & ~no_execute) | own | rights(protection_bits) | writable | dirty;
    } else {
        const bool is_zero = !held && zero_frame() == old;
        const auto frame = allocate_frame(is_zero ? Fill::zero : Fill::none);
        if (!frame)
            return Fault::out_of_memory;
        if (!is_zero)
            std::memcpy(frame_data(*frame), frame_data(old), base::page_size);
        entry = frame->value() | counted | own | rights(protection_bits) | writable | dirty;
        if (held)
            release_frame(old);
    }
    replaced(page);
    return Fault::resolved;
}

std::size_t AddressSpace::read_pages(std::uint64_t virt, std::span<std::byte> to) {
    std::size_t done = 0;
    while (done < to.size()) {
        const std::size_t part =
            std::min<std::size_t>(to.size() - done, base::page_size - virt % base::page_size);
        if (!is_resident(virt) && handle_fault(virt, Access::read) != Fault::resolved)
            break;
        if (!read_memory(virt, to.data() + done, part))
            break;
        virt += part;
        done += part;
    }
    return done;
}

std::size_t AddressSpace::write_pages(std::uint64_t virt, std::span<const std::byte> from) {
    std::size_t done = 0;
    while (done < from.size()) {
        const std::size_t part =
            std::min<std::size_t>(from.size() - done, base::page_size - virt % base::page_size);
        if (!write_memory(virt, from.data() + done, part).ok())
            break;
        virt += part;
        done += part;
    }
    return done;
}

bool AddressSpace::read_memory(std::uint64_t virt, void* to, std::size_t bytes) const {
    auto* out = static_cast<std::byte*>(to);
    while (bytes > 0) {
        const Entry* entry = table_.find(virt);
        if (entry == nullptr || *entry == 0)
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
    Entry* entry = table_.make(virt);
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
        Entry* entry = table_.find(page);
        if (entry == nullptr || (*entry & writable) == 0) {
            if (handle_fault(virt, Access::write) != Fault::resolved)
                return base::Failure{Errno::fault};
            entry = table_.find(page);
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
