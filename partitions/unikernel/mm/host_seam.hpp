// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/host_seam.hpp - memory on the host, for tests: RAM is an arena that frames.cpp
// manages, the CPU's memory of translations is a table that notices what was not forgotten, files are arrays
// of pages.
#pragma once

#include "partitions/unikernel/machine/this_cpu.hpp"
#include "partitions/unikernel/mm/address_space.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

namespace uk::fs {

// A file of whole pages; each is a frame of its own, a page of the "root image", or a hole.
struct Node {
    explicit Node(std::uint64_t page_count) : pages(page_count) {}
    ~Node() { cut(0); }
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    void write(std::uint64_t page, std::uint8_t value); // fills it
    void cut(std::uint64_t page_count);
    [[nodiscard]] std::uint8_t value(std::uint64_t page) const;

    int references = 0;
    struct Page {
        mm::PhysAddr frame{};
        const std::byte* image = nullptr;
    };
    std::vector<Page> pages;
    mm::Mappings mappings;
};

} // namespace uk::fs

namespace uk::mm::host {

// Gives `pages` frames; every one must be free again when the next arena is made.
void make_arena(std::uint64_t pages);
// How many objects the heap gives at a time, and has given.
void limit_heap(std::uint64_t objects);
[[nodiscard]] std::uint64_t heap_objects();
// A page behind RAM, as of the root image, filled with `value` (1 ... 15).
[[nodiscard]] const std::byte* image_page(std::uint8_t value);

// What a program would see at `address`, by the tables alone: the byte, or nothing where the CPU faults. Goes
// by what the CPU remembers where it does.
struct Seen {
    bool present = false, writable = false;
    std::uint8_t value = 0;
};
[[nodiscard]] Seen look(const AddressSpace& space, std::uint64_t address);
// An access of the program, with the faults it takes: resolved and the byte, or why not.
[[nodiscard]] Fault read(AddressSpace& space, std::uint64_t address, std::uint8_t& value);
[[nodiscard]] Fault write(AddressSpace& space, std::uint64_t address, std::uint8_t value);
// The same for every byte of the page at `address`.
[[nodiscard]] Fault fill(AddressSpace& space, std::uint64_t address, std::uint8_t value);
// Translations that the CPU remembers although the tables say otherwise.
[[nodiscard]] std::uint64_t stale_translations();
[[nodiscard]] std::uint64_t full_flushes();
// What happens on another CPU when it is interrupted.
inline std::function<void(machine::Cpu& cpu, unsigned vector)> interrupted;

} // namespace uk::mm::host
