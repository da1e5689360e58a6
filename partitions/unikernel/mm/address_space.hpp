// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/address_space.hpp - a process's memory: its ranges and the page tables that show
// them.
//
// Pages appear at first touch: anonymous memory as zeroed frames; root-image pages in place, read-only; a
// private page is copied when it is first written. What a program reserves and never touches costs nothing
// (overcommit).
// Invariants: I1  a present user entry lies in a range whose protection allows what the entry allows
//             I2  an entry marked `counted` holds one use of its frame; others point into the root image
//             I3  no entry is writable whose frame another mapping sees as private
#pragma once

#include "partitions/unikernel/mm/frames.hpp"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/mm/vma.hpp"

#include <cstdint>

namespace uk::mm {

enum class Access : std::uint8_t { read, write, execute };

enum class Fault : std::uint8_t {
    resolved,
    unmapped,      // SIGSEGV, SEGV_MAPERR
    denied,        // SIGSEGV, SEGV_ACCERR
    past_end,      // SIGBUS, BUS_ADRERR
    out_of_memory, // SIGKILL
};

struct MapRequest {
    std::uint64_t address = 0; // a hint, unless fixed
    std::uint64_t bytes = 0;
    std::uint8_t protection = 0;
    VmaKind kind = VmaKind::plain;
    bool shared = false;
    bool shared_writable = false;
    bool fixed = false;
    bool no_replace = false;
    bool populate = false;
    fs::Node* node = nullptr;
    std::uint64_t offset = 0;
};

class AddressSpace {
public:
    AddressSpace() = default;
    AddressSpace(const AddressSpace&) = delete;
    AddressSpace& operator=(const AddressSpace&) = delete;
    ~AddressSpace();

    [[nodiscard]] Status create(); // empty, with the kernel's half
    void clear();                  // everything a program mapped goes; limits of a new program follow
    void activate() const;

    [[nodiscard]] Result<std::uint64_t> map(const MapRequest& request);
    [[nodiscard]] Status unmap(std::uint64_t start, std::uint64_t bytes);
    [[nodiscard]] Status protect(std::uint64_t start, std::uint64_t bytes, std::uint8_t protection);
    [[nodiscard]] Result<std::uint64_t> remap(std::uint64_t start, std::uint64_t old_bytes,
                                              std::uint64_t new_bytes, bool may_move);
    // Drops the contents of private memory: it reads as zeros, or as the file, again.
    [[nodiscard]] Status discard(std::uint64_t start, std::uint64_t bytes);
    [[nodiscard]] std::uint64_t set_break(std::uint64_t address); // gives the break that now holds

    // Makes the page present that a fault of the program, or of a user copy, asks for. A stack grows here.
    [[nodiscard]] Fault handle_fault(std::uint64_t address, Access access);
    // Makes one page present for a write of the kernel before the program runs (exec).
    [[nodiscard]] Status write_memory(std::uint64_t address, const void* from, std::size_t bytes);

    // Present pages only, for /proc. False: something is not there.
    [[nodiscard]] bool read_memory(std::uint64_t address, void* to, std::size_t bytes) const;

    // Shows a page that stays the kernel's (vDSO) inside a mapped range. False: out of memory.
    [[nodiscard]] bool show_kernel_page(std::uint64_t address, PhysAddr frame, std::uint8_t protection);

    // Pages [first_page, end_page) of `node` leave every mapping; private copies stay.
    void forget_pages(const fs::Node& node, std::uint64_t first_page, std::uint64_t end_page);

    [[nodiscard]] const VmaList& ranges() const { return ranges_; }
    [[nodiscard]] std::uint64_t resident_pages() const { return resident_; }
    [[nodiscard]] bool is_resident(std::uint64_t address) const;
    [[nodiscard]] std::uint64_t resident_in(const Vma& vma) const; // pages
    [[nodiscard]] std::uint64_t table_pages() const { return tables_; }

    // Where the next program puts things; set by exec before it maps.
    std::uint64_t mmap_top = 0;
    std::uint64_t break_start = 0, break_end = 0;
    std::uint64_t stack_top = 0, stack_limit = 0;
    std::uint64_t data_limit = ~std::uint64_t{0};
    std::uint64_t vdso = 0;
    // For /proc/self/{cmdline,environ,auxv}.
    std::uint64_t arguments_start = 0, arguments_end = 0, environment_start = 0, environment_end = 0;
    std::uint64_t auxiliary_start = 0, auxiliary_end = 0;

private:
    using Entry = std::uint64_t;
    [[nodiscard]] Entry* find_entry(std::uint64_t address) const; // nullptr: no table there
    [[nodiscard]] Entry* make_entry(std::uint64_t address);       // nullptr: out of memory
    void clear_pages(std::uint64_t start, std::uint64_t end);     // entries only; ranges stay
    void free_tables(std::uint64_t start, std::uint64_t end);     // those that no range needs any more
    void protect_pages(std::uint64_t start, std::uint64_t end, std::uint8_t protection);
    void drop_entry(Entry& entry);
    [[nodiscard]] Fault resolve(const Vma& vma, std::uint64_t page, Access access);
    [[nodiscard]] Fault resolve_file(const Vma& vma, std::uint64_t page, Access access, Entry& entry);
    [[nodiscard]] Fault copy_on_write(Entry& entry, std::uint8_t protection);
    void map_around(const Vma& vma, std::uint64_t page);
    void move_pages(std::uint64_t from, std::uint64_t to, std::uint64_t bytes);

    PhysAddr root_;
    bool created_ = false;
    VmaList ranges_;
    std::uint64_t resident_ = 0;
    std::uint64_t tables_ = 0;
};

// The address space whose tables are loaded; nullptr before the first process.
[[nodiscard]] AddressSpace* active_space();

} // namespace uk::mm
