// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/address_space.hpp - a process's memory: its ranges and the page tables that show
// them.
//
// Pages appear at first touch: anonymous memory as zeroed frames; root-image pages in place, read-only; a
// private page is copied when it is first written. What a program reserves and never touches costs nothing
// (overcommit).
// Invariants: I1  an entry that the CPU sees lies in a range whose protection allows what the entry allows
//             I2  an entry marked `counted` holds one use of its frame; others point into the root image, to
//                 the page of zeros or to pages of the kernel's (vDSO)
//             I3  no entry is writable whose frame another mapping sees as private
#pragma once

#include "partitions/unikernel/mm/frames.hpp"
#include "partitions/unikernel/mm/page_table.hpp"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/mm/vma.hpp"

#include <cstdint>
#include <span>

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
    bool grows_down = false;
    bool locked = false;
    fs::Node* node = nullptr; // shared memory always has one
    std::uint64_t offset = 0;
};

// mremap(2).
struct RemapRequest {
    std::uint64_t start = 0, old_bytes = 0, new_bytes = 0;
    std::uint64_t target = 0; // fixed
    bool may_move = false;
    bool fixed = false;
    bool keep_old = false; // MREMAP_DONTUNMAP
};

// Bytes; RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_MEMLOCK.
struct SpaceLimits {
    std::uint64_t total = ~std::uint64_t{0}, data = ~std::uint64_t{0}, stack = ~std::uint64_t{0},
                  locked = ~std::uint64_t{0};
};

// Shared by the threads of a process; freed with its last Ref.
class AddressSpace {
public:
    // Empty, with the kernel's half, and not yet referenced. nullptr: out of memory.
    [[nodiscard]] static AddressSpace* make();
    AddressSpace() = default;
    AddressSpace(const AddressSpace&) = delete;
    AddressSpace& operator=(const AddressSpace&) = delete;
    ~AddressSpace();

    [[nodiscard]] Status create(); // empty, with the kernel's half
    void clear();                  // everything a program mapped goes; limits of a new program follow
    void activate() const;

    // What takes long is done in pieces of some 100 microseconds, lowest address first. `between` is called after each but the
    // last; nothing is half done then. nullptr: all at once. Other threads may then touch pages, and change what is mapped
    // except during copy_from (in the parent) and remap: `ranges_held` says so to who would (sched/held_space.hpp).
    using Between = void (*)();
    // Becomes what fork(2) makes of `parent`: private pages are shared until one of the two writes. This space is empty;
    // nomem: it is again.
    [[nodiscard]] Status copy_from(AddressSpace& parent, Between between);
    [[nodiscard]] Result<std::uint64_t> map(const MapRequest& request, Between between = nullptr);
    [[nodiscard]] Status unmap(std::uint64_t start, std::uint64_t bytes, Between between = nullptr);
    // As on Linux, what lies before a hole, or before a range that may not be so, has the new protection
    // even where the call fails. `from_stack_bottom`: PROT_GROWSDOWN.
    [[nodiscard]] Status protect(std::uint64_t start, std::uint64_t bytes, std::uint8_t protection,
                                 bool from_stack_bottom = false, Between between = nullptr);
    [[nodiscard]] Result<std::uint64_t> remap(const RemapRequest& request, Between between = nullptr);
    // Drops the contents of private memory: it reads as zeros, or as the file, again. Shared memory only
    // leaves the tables. inval: a locked range is in it; nomem: a hole; both after the rest was done.
    [[nodiscard]] Status discard(std::uint64_t start, std::uint64_t bytes, bool locked_too = false,
                                 Between between = nullptr);
    // Unmaps all of a large space, for its last user: what is left for its end does not take long.
    void shed(Between between);
    // Marks [start, end) as locked or not; nomem where there is a hole.
    [[nodiscard]] Status set_locked(std::uint64_t start, std::uint64_t end, bool on);
    // What children get of [start, end); nomem where there is a hole.
    [[nodiscard]] Status set_on_fork(std::uint64_t start, std::uint64_t end, OnFork what);
    [[nodiscard]] std::uint64_t set_break(std::uint64_t address,
                                          Between between = nullptr); // gives the break that now holds

    // Makes the page present that a fault of the program, or of a user copy, asks for. A stack grows here.
    [[nodiscard]] Fault handle_fault(std::uint64_t address, Access access);
    // handle_fault for each page of [start, end) that is not there yet, as far as it goes.
    Fault populate(std::uint64_t start, std::uint64_t end, Access access, Between between = nullptr);
    // Makes one page present for a write of the kernel before the program runs (exec).
    [[nodiscard]] Status write_memory(std::uint64_t address, const void* from, std::size_t bytes);

    // The pages that the range shows, made present: as many bytes as can be had, for /proc/PID/mem and its like.
    [[nodiscard]] std::size_t read_pages(std::uint64_t address, std::span<std::byte> to);
    [[nodiscard]] std::size_t write_pages(std::uint64_t address, std::span<const std::byte> from);
    // Present pages only, for /proc. False: something is not there.
    [[nodiscard]] bool read_memory(std::uint64_t address, void* to, std::size_t bytes) const;

    // Shows a page that stays the kernel's (vDSO) inside a mapped range. False: out of memory.
    [[nodiscard]] bool show_kernel_page(std::uint64_t address, PhysAddr frame, std::uint8_t protection);

    // Pages [first, end) of the range's file leave the tables (mm::forget_pages).
    void forget_pages_of(const Vma& vma, std::uint64_t first, std::uint64_t end, bool copies_too);

    [[nodiscard]] const VmaTree& ranges() const { return ranges_; }
    [[nodiscard]] std::uint64_t resident_pages() const { return resident_; }
    [[nodiscard]] bool is_resident(std::uint64_t address) const;
    [[nodiscard]] std::uint64_t resident_in(const Vma& vma) const; // pages
    [[nodiscard]] std::uint64_t table_pages() const { return table_.tables(); }

    std::uint32_t references = 0;
    std::uint64_t generation = 0; // one more with each change after which a CPU must forget something
    bool ranges_held = false;     // a call in pieces counts on what is mapped
    std::uint32_t barriers = 0;   // which of membarrier(2)'s were asked for; fork keeps them
    // Where the next program puts things; set by exec before it maps.
    std::uint64_t mmap_top = 0;
    std::uint64_t break_start = 0, break_end = 0;
    std::uint64_t stack_top = 0;
    SpaceLimits limits;
    bool lock_future = false; // mlockall(MCL_FUTURE)
    std::uint64_t vdso = 0;
    // For /proc/self/{cmdline,environ,auxv}.
    std::uint64_t arguments_start = 0, arguments_end = 0, environment_start = 0, environment_end = 0;
    std::uint64_t auxiliary_start = 0, auxiliary_end = 0;

private:
    using Entry = PageTable::Entry;
    class Flush;
    friend class ThisCpu;
    [[nodiscard]] bool has_room(std::uint64_t bytes, bool data) const;
    [[nodiscard]] Result<std::uint64_t> choose_place(const MapRequest& request, std::uint64_t bytes) const;
    [[nodiscard]] std::uint64_t piece_end(std::uint64_t start, std::uint64_t end, Between between) const;
    [[nodiscard]] Status unmap_piece(std::uint64_t start, std::uint64_t end);
    [[nodiscard]] Status discard_piece(std::uint64_t start, std::uint64_t end, bool locked_too);
    // How far a protection can be set from the start on, why no further, and the bytes that it makes data.
    struct Reach {
        std::uint64_t end = 0;
        Status why = base::success;
        std::uint64_t more_data = 0;
    };
    [[nodiscard]] Reach reach_of(std::uint64_t start, std::uint64_t end, std::uint8_t protection) const;
    [[nodiscard]] Status protect_piece(std::uint64_t start, const Reach& reach, std::uint8_t protection);
    void drop_pages(std::uint64_t start, std::uint64_t end, Flush& flush); // entries only; ranges stay
    void free_tables_around(std::uint64_t start, std::uint64_t end, Flush& flush);
    void protect_pages(std::uint64_t start, std::uint64_t end, std::uint8_t protection);
    void drop_entry(Entry& entry);         // no frame is had before others forgot what it showed
    void forget(std::uint64_t virt) const; // one translation, where this space is in force
    void replaced(std::uint64_t virt);     // the same, where it led elsewhere: on every CPU
    template <typename Work>
    void in_pieces(std::uint64_t start, std::uint64_t end, Between between, Work work);
    [[nodiscard]] Result<std::uint64_t> move_range(const Vma& vma, const RemapRequest& request,
                                                   Between between);
    [[nodiscard]] Result<std::uint64_t> remap_to(RemapRequest request, Between between);
    [[nodiscard]] Result<const Vma*> range_to_resize(const RemapRequest& request) const;
    [[nodiscard]] Status copy_range(AddressSpace& parent, const Vma& vma, Between between,
                                    std::uint64_t& left);
    [[nodiscard]] Status copy_pages(AddressSpace& parent, std::uint64_t start, std::uint64_t end,
                                    bool shared);
    [[nodiscard]] Fault resolve(const Vma& vma, std::uint64_t page, Access access);
    [[nodiscard]] Fault resolve_file(const Vma& vma, std::uint64_t page, Access access, Entry& entry);
    [[nodiscard]] Fault copy_on_write(Entry& entry, std::uint64_t page, std::uint8_t protection);
    [[nodiscard]] const Vma* grow_stack(std::uint64_t page);
    void map_around(const Vma& vma, std::uint64_t page);
    void move_pages(std::uint64_t from, std::uint64_t to, std::uint64_t bytes);

    PageTable table_;
    VmaTree ranges_{this};
    std::uint64_t resident_ = 0;
};

void retain(AddressSpace& space);
void release(AddressSpace& space);

// The address space whose tables this CPU has loaded; nullptr: the kernel's alone.
[[nodiscard]] AddressSpace* active_space();
void leave_spaces(); // to the kernel's alone
// Every CPU that runs a program of the space orders its memory accesses once before this returns.
void order_accesses(AddressSpace& space);

} // namespace uk::mm
