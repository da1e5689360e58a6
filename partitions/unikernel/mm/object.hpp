// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/object.hpp - what memory asks of a file: its pages, and the ranges that show it.
//
// A file is a memory object: a range shows the pages of one node, named or not (shared anonymous memory is a
// node without a name). The functions of namespace fs are link-time seams: the file systems have them, tests have
// their own.
#pragma once

#include "partitions/unikernel/base/errno.hpp"
#include "partitions/unikernel/mm/frames.hpp"

#include <cstdint>

namespace uk::fs {
struct Node;
}

namespace uk::mm {

struct Vma;

enum class MapUse : std::uint8_t {
    private_copy, // MAP_PRIVATE: whatever holds the bytes now
    shared_read,  // MAP_SHARED by a descriptor that cannot write
    shared_write, // MAP_SHARED by one that can, also while it is mapped without PROT_WRITE
};

struct MappedPage {
    enum class Kind : std::uint8_t {
        image, // a page of the root image: immutable, lives for ever; by its kernel address
        frame, // a frame with one use added for the caller (release_frame); writable for shared_write only
        hole,  // all zero; never for shared_write
    };
    Kind kind = Kind::hole;
    const std::byte* image = nullptr;
    PhysAddr frame{};
    std::uint64_t pages = 1; // image: so many pages from the asked one on lie in a row
};

// The ranges of all address spaces that show one file: part of every node.
class Mappings {
public:
    Mappings() = default;
    Mappings(const Mappings&) = delete;
    Mappings& operator=(const Mappings&) = delete;
    void add(Vma& vma);
    void remove(Vma& vma);
    [[nodiscard]] Vma* first() const { return first_; }
    [[nodiscard]] bool empty() const { return first_ == nullptr; }

private:
    Vma* first_ = nullptr;
};

// Pages [first, end) of the file lie elsewhere now, or are gone: they leave the page tables of all spaces and
// are asked for again. `copies_too`: private copies of them go as well (the file was cut off before them).
void forget_pages(Mappings& mappings, std::uint64_t first, std::uint64_t end, bool copies_too);

} // namespace uk::mm

namespace uk::fs {

void retain(Node& node);
void release(Node& node);
[[nodiscard]] mm::Mappings& mappings_of(Node& node);
// No frame is free: gives back what is kept for speed only. False: there was nothing.
[[nodiscard]] bool give_back_kept();
// Errors: nxio beyond the last page (SIGBUS), nospc, nomem, io.
[[nodiscard]] Result<mm::MappedPage> map_page(Node& node, std::uint64_t page, mm::MapUse use);

} // namespace uk::fs
