// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/heap.cpp - size classes in single frames, runs of frames for what is larger. See
// heap.hpp.
//
// Each frame of the heap starts with a header, so free() finds the class from the address alone. A frame
// whose last object is freed goes back to the frame allocator, except one a class, so that one object does
// not bounce.
#include "partitions/unikernel/mm/heap.hpp"

#include "hypervisor/base/address.hpp"
#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/mm/frames.hpp"

#include <array>
#include <cstdint>

namespace uk::mm {

namespace {

constexpr std::array<std::uint16_t, 12> class_bytes{32, 48, 64, 96, 128, 192, 256, 384, 576, 800, 1344, 2016};
constexpr std::uint32_t slab_mark = 0x51ab51ab, run_mark = 0x72756e21;

struct FreeObject {
    FreeObject* next;
};

struct alignas(16) Header {
    std::uint32_t mark;
    std::uint16_t size_class;
    std::uint16_t used;   // slab: objects handed out
    std::uint64_t frames; // run
    FreeObject* free;     // slab
    Header* next;         // slab: list of the class's frames with free objects
    Header* previous;
};
constexpr std::size_t run_header_bytes = 16;
static_assert(sizeof(Header) == 48);

std::array<Header*, class_bytes.size()> partial{};
std::size_t frames_held = 0;

PhysAddr address_of(const Header* header) {
    return frame_of(reinterpret_cast<const std::byte*>(header));
}

void link(Header* header) {
    Header*& head = partial[header->size_class];
    header->previous = nullptr;
    header->next = head;
    if (head != nullptr)
        head->previous = header;
    head = header;
}

void unlink(Header* header) {
    if (header->previous != nullptr)
        header->previous->next = header->next;
    else
        partial[header->size_class] = header->next;
    if (header->next != nullptr)
        header->next->previous = header->previous;
}

Header* make_slab(std::size_t size_class) {
    const auto frame = allocate_frame(Fill::none);
    if (!frame)
        return nullptr;
    ++frames_held;
    std::byte* page = frame_data(*frame);
    auto* header = std::construct_at(reinterpret_cast<Header*>(page));
    *header = {slab_mark, static_cast<std::uint16_t>(size_class), 0, 0, nullptr, nullptr, nullptr};
    const std::size_t bytes = class_bytes[size_class];
    const std::size_t count = (base::page_size - sizeof(Header)) / bytes;
    for (std::size_t i = count; i-- > 0;) {
        auto* object = reinterpret_cast<FreeObject*>(page + sizeof(Header) + i * bytes);
        object->next = header->free;
        header->free = object;
    }
    link(header);
    return header;
}

void* allocate_run(std::size_t bytes) {
    if (bytes > std::size_t{1} << 40)
        return nullptr;
    const std::size_t frames = (bytes + run_header_bytes + base::page_size - 1) / base::page_size;
    const auto first = allocate_frames(frames, Fill::none);
    if (!first)
        return nullptr;
    frames_held += frames;
    std::byte* page = frame_data(*first);
    auto* header = reinterpret_cast<Header*>(page);
    header->mark = run_mark;
    header->frames = frames;
    return page + run_header_bytes;
}

} // namespace

void* allocate(std::size_t bytes) {
    for (std::size_t i = 0; i < class_bytes.size(); ++i) {
        if (bytes > class_bytes[i])
            continue;
        Header* header = partial[i] != nullptr ? partial[i] : make_slab(i);
        if (header == nullptr)
            return nullptr;
        FreeObject* object = header->free;
        header->free = object->next;
        ++header->used;
        if (header->free == nullptr)
            unlink(header);
        return object;
    }
    return allocate_run(bytes);
}

void free(void* memory) {
    if (memory == nullptr)
        return;
    // SAFETY: what allocate gave lies in a frame of the heap, which begins with a header.
    auto* header =
        reinterpret_cast<Header*>(reinterpret_cast<std::uint64_t>(memory) & ~(base::page_size - 1));
    if (header->mark == run_mark) {
        const std::uint64_t frames = header->frames;
        header->mark = 0;
        frames_held -= frames;
        for (std::uint64_t i = 0; i < frames; ++i)
            release_frame(PhysAddr{address_of(header).value() + i * base::page_size});
        return;
    }
    base::expects(header->mark == slab_mark && header->used > 0, "heap: freed what it did not give");
    auto* object = static_cast<FreeObject*>(memory);
    if (header->free == nullptr)
        link(header);
    object->next = header->free;
    header->free = object;
    if (--header->used == 0 && (header->next != nullptr || header->previous != nullptr)) {
        unlink(header);
        header->mark = 0;
        --frames_held;
        release_frame(address_of(header));
    }
}

std::size_t heap_bytes() {
    return frames_held * base::page_size;
}

} // namespace uk::mm
