// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/host_seam.cpp - see host_seam.hpp.
#include "partitions/unikernel/mm/host_seam.hpp"

#include "partitions/unikernel/machine/local_timer.hpp"
#include "partitions/unikernel/machine/this_cpu.hpp"
#include "partitions/unikernel/mm/frame_setup.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <cstdlib>
#include <cstring>

namespace uk {

namespace {

using namespace mm::entry_bit;
constexpr std::uint64_t page_bytes = base::page_size, image_pages = 16;

std::byte* arena = nullptr;
std::uint64_t arena_pages = 0;
std::vector<std::byte> frame_table;
mm::PhysAddr loaded{};
// page -> entry, of the loaded tables, by CPU
std::map<const machine::Cpu*, std::map<std::uint64_t, std::uint64_t>> memories;
std::map<std::uint64_t, std::uint64_t>& remembered() {
    return memories[machine::host_cpu];
}
std::uint64_t flushes = 0;
std::uint64_t objects = 0, objects_most = 0;

std::uint64_t entry_of(std::uint64_t virt) {
    if (loaded.value() == 0)
        return 0;
    auto* table = reinterpret_cast<std::uint64_t*>(mm::frame_data(loaded));
    for (unsigned shift = 39; shift > 12; shift -= 9) {
        const std::uint64_t entry = table[virt >> shift & 511];
        if ((entry & present) == 0)
            return 0;
        table = reinterpret_cast<std::uint64_t*>(mm::frame_data(mm::PhysAddr{entry & address}));
    }
    return table[virt >> 12 & 511];
}

} // namespace

void machine::send_interrupt(std::uint32_t number, unsigned vector) {
    mm::host::interrupted(*machine::cpus[number], vector);
}

namespace mm {

void* allocate(std::size_t bytes) {
    if (objects >= objects_most)
        return nullptr;
    ++objects;
    return std::malloc(bytes);
}
void free(void* memory) {
    if (memory != nullptr)
        --objects;
    std::free(memory);
}

std::byte* frame_data(PhysAddr frame) {
    return arena + frame.value();
}

PhysAddr frame_of(const std::byte* data) {
    return PhysAddr{base::round_down(static_cast<std::uint64_t>(data - arena), base::page_size)};
}

void share_kernel_half(std::uint64_t*) {}

void load_tables(PhysAddr root) {
    loaded = root;
    remembered().clear();
}
void load_kernel_tables() {
    load_tables(PhysAddr{});
}
void forget_translation(std::uint64_t virt) {
    remembered().erase(virt & ~(page_bytes - 1));
}
void forget_user_translations() {
    ++flushes;
    remembered().clear();
}

namespace host {

void make_arena(std::uint64_t pages) {
    std::free(arena);
    arena_pages = pages + 1; // frame 0 is never given
    arena = static_cast<std::byte*>(std::aligned_alloc(page_bytes, (arena_pages + image_pages) * page_bytes));
    std::memset(arena, 0xA5, arena_pages * page_bytes);
    for (std::uint64_t i = 0; i < image_pages; ++i)
        std::memset(arena + (arena_pages + i) * page_bytes, static_cast<int>(i), page_bytes);
    frame_table.assign(frame_table_bytes(arena_pages * page_bytes), std::byte{0});
    set_up_frames(arena_pages * page_bytes, frame_table.data());
    add_frames(PhysAddr{page_bytes}, PhysAddr{arena_pages * page_bytes});
    load_kernel_tables();
    limit_heap(~std::uint64_t{0});
}

void limit_heap(std::uint64_t most) {
    objects_most = most;
}
std::uint64_t heap_objects() {
    return objects;
}

const std::byte* image_page(std::uint8_t value) {
    return arena + (arena_pages + value % image_pages) * page_bytes;
}

Seen look(const AddressSpace& space, std::uint64_t virt) {
    if (active_space() != &space)
        space.activate();
    const std::uint64_t page = virt & ~(page_bytes - 1);
    const auto known = remembered().find(page);
    const std::uint64_t entry = known != remembered().end() ? known->second : entry_of(page);
    if ((entry & present) == 0)
        return {};
    remembered()[page] = entry;
    return {true, (entry & writable) != 0,
            static_cast<std::uint8_t>(frame_data(PhysAddr{entry & address})[virt % page_bytes])};
}

Fault read(AddressSpace& space, std::uint64_t virt, std::uint8_t& value) {
    for (int tries = 0;; ++tries) {
        const Seen seen = look(space, virt);
        if (seen.present) {
            value = seen.value;
            return Fault::resolved;
        }
        base::expects(tries < 2, "a resolved fault comes again");
        if (const Fault fault = space.handle_fault(virt, Access::read); fault != Fault::resolved)
            return fault;
    }
}

Fault write(AddressSpace& space, std::uint64_t virt, std::uint8_t value) {
    for (int tries = 0;; ++tries) {
        const Seen seen = look(space, virt);
        if (seen.writable) {
            const std::uint64_t entry = remembered().at(virt & ~(page_bytes - 1));
            frame_data(PhysAddr{entry & address})[virt % page_bytes] = std::byte{value};
            return Fault::resolved;
        }
        base::expects(tries < 2, "a resolved fault comes again");
        remembered().erase(virt & ~(page_bytes - 1)); // a fault makes the CPU look again
        if (const Fault fault = space.handle_fault(virt, Access::write); fault != Fault::resolved)
            return fault;
    }
}

Fault fill(AddressSpace& space, std::uint64_t virt, std::uint8_t value) {
    const Fault fault = write(space, virt, value);
    if (fault == Fault::resolved)
        std::memset(frame_data(PhysAddr{remembered().at(virt) & address}), value, page_bytes);
    return fault;
}

std::uint64_t stale_translations() {
    std::uint64_t stale = 0;
    for (const auto& [page, entry] : remembered()) {
        const std::uint64_t now = entry_of(page);
        const bool more_rights = (entry & writable & ~now) != 0 || (now & present) == 0;
        stale += more_rights || ((entry ^ now) & address) != 0 ? 1 : 0;
    }
    return stale;
}

std::uint64_t full_flushes() {
    return flushes;
}

} // namespace host
} // namespace mm

namespace fs {

bool give_back_kept() {
    return false;
}

void Node::write(std::uint64_t page, std::uint8_t filling) {
    Page& here = pages.at(page);
    if (here.frame.value() == 0) {
        const auto frame = mm::allocate_frame(mm::Fill::none);
        base::expects(frame.has_value(), "host Node: no frame");
        here.frame = *frame;
        mm::forget_pages(mappings, page, page + 1, false);
    }
    std::memset(mm::frame_data(here.frame), filling, page_bytes);
}

void Node::cut(std::uint64_t page_count) {
    const std::uint64_t before = pages.size();
    for (std::uint64_t page = page_count; page < before; ++page)
        if (pages[page].frame.value() != 0)
            mm::release_frame(pages[page].frame);
    pages.resize(page_count);
    if (page_count < before)
        mm::forget_pages(mappings, page_count, before, true);
}

std::uint8_t Node::value(std::uint64_t page) const {
    const Page& here = pages.at(page);
    if (here.frame.value() != 0)
        return static_cast<std::uint8_t>(*mm::frame_data(here.frame));
    return here.image != nullptr ? static_cast<std::uint8_t>(*here.image) : 0;
}

void retain(Node& node) {
    ++node.references;
}
void release(Node& node) {
    --node.references;
}
mm::Mappings& mappings_of(Node& node) {
    return node.mappings;
}

Result<mm::MappedPage> map_page(Node& node, std::uint64_t page, mm::MapUse use) {
    if (page >= node.pages.size())
        return base::Failure{Errno::nxio};
    Node::Page& here = node.pages[page];
    if (use == mm::MapUse::shared_write && here.frame.value() == 0) {
        const auto frame = mm::allocate_frame(mm::Fill::zero);
        if (!frame)
            return base::Failure{Errno::nomem};
        if (here.image != nullptr)
            std::memcpy(mm::frame_data(*frame), here.image, page_bytes);
        here.frame = *frame;
        mm::forget_pages(node.mappings, page, page + 1, false);
    }
    mm::MappedPage out;
    if (here.frame.value() != 0) {
        out.kind = mm::MappedPage::Kind::frame;
        out.frame = here.frame;
        mm::retain_frame(here.frame);
    } else if (here.image != nullptr) {
        out.kind = mm::MappedPage::Kind::image;
        out.image = here.image;
    }
    return out;
}

} // namespace fs
} // namespace uk
