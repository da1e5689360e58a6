// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/memory.cpp - mmap and its relatives.
#include "partitions/unikernel/fs/files/file.hpp"
#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/mm/address_space.hpp"
#include "partitions/unikernel/sched/held_space.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>

namespace uk {

namespace {

namespace map_flag {
constexpr std::uint32_t shared = 1, private_copy = 2, shared_validate = 3, type_mask = 0xF, fixed = 0x10,
                        anonymous = 0x20, grows_down = 0x100, deny_write = 0x800, executable = 0x1000,
                        locked = 0x2000, no_reserve = 0x4000, populate = 0x8000, non_block = 0x10000,
                        stack = 0x20000, huge = 0x40000, fixed_no_replace = 0x100000,
                        uninitialized = 0x4000000;
// What MAP_SHARED_VALIDATE knows of.
constexpr std::uint32_t known = type_mask | fixed | anonymous | grows_down | deny_write | executable |
                                locked | no_reserve | populate | non_block | stack | huge | fixed_no_replace |
                                uninitialized | 0x3Fu << 26;
} // namespace map_flag
constexpr std::uint64_t protection_mask =
    mm::protection::read | mm::protection::write | mm::protection::execute;
constexpr std::uint64_t grows_down_protection = 0x01000000, grows_up_protection = 0x02000000;

namespace advice {
constexpr int normal = 0, random = 1, sequential = 2, will_need = 3, dont_need = 4, free = 8, remove = 9,
              dont_fork = 10, do_fork = 11, mergeable = 12, unmergeable = 13, huge_page = 14,
              no_huge_page = 15, dont_dump = 16, do_dump = 17, wipe_on_fork = 18, keep_on_fork = 19,
              cold = 20, page_out = 21, populate_read = 22, populate_write = 23, dont_need_locked = 24;
} // namespace advice

// The process's memory with the limits that hold now.
mm::AddressSpace& limited_space() {
    Process& process = current_process();
    process.space->limits = memory_limits(process);
    return *process.space;
}

// Shared memory without a file: a node without a name, which ranges and futexes can tell from others.
Result<Ref<fs::Node>> make_shared_memory(std::uint64_t bytes) {
    auto node = CAISSON_TRY(fs::Tree::current().make_anonymous(fs::mode::regular | 0600));
    node->target = "/dev/zero (deleted)"; // as /proc/self/maps shows it
    node->size = bytes;
    return node;
}

Status use_file(mm::MapRequest& request, int descriptor, std::uint64_t offset, Ref<fs::Node>& node) {
    const auto file = CAISSON_TRY(current_process().files->get(descriptor));
    const bool write = (request.protection & mm::protection::write) != 0;
    const bool as_anonymous = CAISSON_TRY(fs::check_mapping(*file, request.shared, write));
    if (as_anonymous)
        return base::success;
    node = file->node;
    request.offset = offset;
    request.shared_writable = request.shared && fs::map_use(*file, true) == mm::MapUse::shared_write;
    return base::success;
}

// [start, start + bytes) for the calls that take any length; the error where it is none.
Result<std::uint64_t> end_of(std::uint64_t start, std::uint64_t bytes, Errno error) {
    const auto rounded = base::round_up(bytes, base::page_size);
    if (!rounded || *rounded > mm::user_end || start > mm::user_end - *rounded)
        return base::Failure{error};
    return start + *rounded;
}

Errno errno_of(mm::Fault fault) {
    switch (fault) {
    case mm::Fault::unmapped:
    case mm::Fault::out_of_memory:
        return Errno::nomem;
    case mm::Fault::resolved:
    case mm::Fault::denied:
    case mm::Fault::past_end:
        break;
    }
    return Errno::fault;
}

// Makes pages present in pieces; behind each, other threads may have changed what is mapped.
constexpr std::uint64_t piece_bytes = 256 * 1024;

Status populate(mm::AddressSpace& space, std::uint64_t start, std::uint64_t end, bool write) {
    while (start < end) {
        const mm::Vma* vma = space.ranges().find(start);
        if (vma == nullptr)
            return base::Failure{Errno::nomem};
        if (!(write ? vma->writable() : vma->protection != 0))
            return base::Failure{Errno::inval};
        const std::uint64_t stop = std::min({vma->end, end, start + piece_bytes});
        const mm::Fault fault = space.populate(start, stop, write ? mm::Access::write : mm::Access::read);
        if (fault != mm::Fault::resolved)
            return base::Failure{errno_of(fault)};
        start = stop;
        if (start < end)
            sched::preemption_point();
    }
    return base::success;
}

// MADV_FREE is done at once: nothing is gained by waiting for memory to run short.
Status free_pages(mm::AddressSpace& space, std::uint64_t start, std::uint64_t end) {
    for (const mm::Vma* vma = space.ranges().first_at_or_after(start); vma != nullptr && vma->start < end;
         vma = vma->next)
        if (vma->node != nullptr)
            return base::Failure{Errno::inval};
    return space.discard(start, end - start, false, &sched::preemption_point);
}

// MADV_REMOVE: a hole in the file.
Status remove_pages(mm::AddressSpace& space, std::uint64_t start, std::uint64_t end) {
    for (const mm::Vma* vma = space.ranges().first_at_or_after(start); start < end; vma = vma->next) {
        if (vma == nullptr || vma->start > start)
            return base::Failure{Errno::nomem};
        if (vma->locked || vma->node == nullptr)
            return base::Failure{Errno::inval};
        if (!vma->shared_writable || !vma->writable())
            return base::Failure{Errno::acces};
        const std::uint64_t stop = std::min(vma->end, end);
        CAISSON_TRY(fs::clear_node(*vma->node, vma->offset_of(start), stop - start));
        start = stop;
    }
    return base::success;
}

// Locks and makes present what is mapped of [start, end); nomem where there is a hole or a page cannot come.
Status lock(mm::AddressSpace& space, std::uint64_t start, std::uint64_t end) {
    CAISSON_TRY(space.set_locked(start, end, true));
    while (start < end) {
        const mm::Vma* vma = space.ranges().first_at_or_after(start);
        if (vma == nullptr || vma->start >= end)
            break;
        start = std::max(vma->start, start);
        const std::uint64_t stop = std::min({vma->end, end, start + piece_bytes});
        const mm::Access access = vma->writable() && !vma->shared ? mm::Access::write : mm::Access::read;
        if (vma->protection != 0 && space.populate(start, stop, access) != mm::Fault::resolved)
            return base::Failure{Errno::nomem};
        start = stop;
        if (start < end)
            sched::preemption_point();
    }
    return base::success;
}

} // namespace

SyscallResult sys_mmap(const Arguments& arguments) {
    const std::uint64_t offset = arguments[5];
    const std::uint32_t flags = arguments.word(3), type = flags & map_flag::type_mask;
    if (offset % base::page_size != 0)
        return base::Failure{Errno::inval};
    mm::MapRequest request;
    request.address = arguments[0];
    request.bytes = arguments[1];
    request.protection = static_cast<std::uint8_t>(arguments[2] & protection_mask);
    request.shared = type != map_flag::private_copy;
    request.fixed = (flags & map_flag::fixed) != 0;
    request.no_replace = (flags & map_flag::fixed_no_replace) != 0;
    request.locked = (flags & map_flag::locked) != 0;
    request.grows_down = (flags & map_flag::grows_down) != 0;
    const bool anonymous = (flags & map_flag::anonymous) != 0;
    if (!anonymous)
        (void)CAISSON_TRY(current_process().files->get(arguments.integer(4)));
    if (arguments[1] == 0 ||
        (type != map_flag::shared && type != map_flag::private_copy && type != map_flag::shared_validate) ||
        (request.grows_down && request.shared) || (anonymous && type == map_flag::shared_validate))
        return base::Failure{Errno::inval};
    if (type == map_flag::shared_validate && (flags & ~map_flag::known) != 0)
        return base::Failure{Errno::opnotsupp};
    if ((flags & map_flag::huge) != 0)
        return base::Failure{Errno::nomem}; // there are no huge pages, as on a machine that reserves none
    const sched::HeldSpace space{limited_space()}; // which may wait: what the file allows is asked after it
    Ref<fs::Node> node;
    if (!anonymous) {
        std::uint64_t end = 0;
        if (__builtin_add_overflow(offset, arguments[1], &end))
            return base::Failure{Errno::overflow};
        CAISSON_TRY(use_file(request, arguments.integer(4), offset, node));
    }
    if (request.shared && !node) {
        if (arguments[1] > mm::user_end)
            return base::Failure{Errno::nomem};
        node = CAISSON_TRY(make_shared_memory(*base::round_up(arguments[1], base::page_size)));
        request.shared_writable = true;
    }
    request.node = node.get();
    const std::uint64_t address = CAISSON_TRY(space->map(request, &sched::preemption_point));
    if ((flags & map_flag::populate) != 0) // as far as it goes: the mapping stands in any case
        (void)populate(*space, address, address + *base::round_up(request.bytes, base::page_size),
                       (request.protection & mm::protection::write) != 0);
    return address;
}

SyscallResult sys_munmap(const Arguments& arguments) {
    const sched::HeldSpace space{*current_process().space};
    CAISSON_TRY(space->unmap(arguments[0], arguments[1], &sched::preemption_point));
    return 0;
}

SyscallResult sys_mprotect(const Arguments& arguments) {
    if ((arguments[2] & ~protection_mask & ~(grows_down_protection | grows_up_protection)) != 0 ||
        (arguments[2] & grows_up_protection) != 0)
        return base::Failure{Errno::inval};
    const sched::HeldSpace space{limited_space()};
    CAISSON_TRY(space->protect(arguments[0], arguments[1],
                               static_cast<std::uint8_t>(arguments[2] & protection_mask),
                               (arguments[2] & grows_down_protection) != 0, &sched::preemption_point));
    return 0;
}

// There are no protection keys, as on a processor without them.
SyscallResult sys_pkey_alloc(const Arguments& arguments) {
    constexpr std::uint64_t rights = 3;
    return base::Failure{arguments[0] != 0 || (arguments[1] & ~rights) != 0 ? Errno::inval : Errno::nospc};
}

SyscallResult sys_pkey_free(const Arguments&) {
    return base::Failure{Errno::inval};
}

SyscallResult sys_pkey_mprotect(const Arguments& arguments) {
    constexpr int no_key = -1;
    if (arguments.integer(3) != no_key)
        return base::Failure{Errno::inval};
    return sys_mprotect(arguments);
}

SyscallResult sys_mremap(const Arguments& arguments) {
    constexpr std::uint64_t may_move = 1, fixed = 2, dont_unmap = 4;
    const std::uint64_t flags = arguments[3];
    if ((flags & ~(may_move | fixed | dont_unmap)) != 0 ||
        ((flags & (fixed | dont_unmap)) != 0 && (flags & may_move) == 0) ||
        ((flags & dont_unmap) != 0 && arguments[1] != arguments[2]))
        return base::Failure{Errno::inval};
    mm::RemapRequest request;
    request.start = arguments[0];
    request.old_bytes = arguments[1];
    request.new_bytes = arguments[2];
    request.target = arguments[4];
    request.may_move = (flags & may_move) != 0;
    request.fixed = (flags & fixed) != 0;
    request.keep_old = (flags & dont_unmap) != 0;
    const sched::HeldSpace space{limited_space()};
    return space->remap(request, &sched::preemption_point);
}

namespace {

SyscallResult set_on_fork(mm::AddressSpace& space, std::uint64_t start, std::uint64_t end, int wanted) {
    const bool private_only = wanted == advice::wipe_on_fork; // and anonymous
    for (const mm::Vma* vma = space.ranges().first_at_or_after(start);
         private_only && vma != nullptr && vma->start < end; vma = vma->next)
        if (vma->shared || vma->node != nullptr)
            return base::Failure{Errno::inval};
    CAISSON_TRY(space.set_on_fork(start, end,
                                  wanted == advice::dont_fork      ? mm::OnFork::leave_out
                                  : wanted == advice::wipe_on_fork ? mm::OnFork::wipe
                                                                   : mm::OnFork::copy));
    return 0;
}

} // namespace

SyscallResult sys_madvise(const Arguments& arguments) {
    const sched::HeldSpace held{*current_process().space};
    mm::AddressSpace& space = *held;
    const std::uint64_t start = arguments[0];
    switch (arguments.integer(2)) {
    case advice::normal:
    case advice::random:
    case advice::sequential:
    case advice::will_need:
    case advice::dont_need:
    case advice::dont_need_locked:
    case advice::free:
    case advice::remove:
    case advice::dont_fork:
    case advice::do_fork:
    case advice::mergeable:
    case advice::unmergeable:
    case advice::huge_page:
    case advice::no_huge_page:
    case advice::dont_dump:
    case advice::do_dump:
    case advice::wipe_on_fork:
    case advice::keep_on_fork:
    case advice::cold:
    case advice::page_out:
    case advice::populate_read:
    case advice::populate_write:
        break;
    default:
        return base::Failure{Errno::inval};
    }
    if (start % base::page_size != 0)
        return base::Failure{Errno::inval};
    const std::uint64_t end = CAISSON_TRY(end_of(start, arguments[1], Errno::inval));
    if (start == end)
        return 0;
    switch (arguments.integer(2)) {
    case advice::dont_need:
    case advice::dont_need_locked:
        CAISSON_TRY(space.discard(start, end - start, arguments.integer(2) == advice::dont_need_locked,
                                  &sched::preemption_point));
        return 0;
    case advice::free:
        CAISSON_TRY(free_pages(space, start, end));
        return 0;
    case advice::remove:
        CAISSON_TRY(remove_pages(space, start, end));
        return 0;
    case advice::dont_fork:
    case advice::do_fork:
    case advice::wipe_on_fork:
    case advice::keep_on_fork:
        return set_on_fork(space, start, end, arguments.integer(2));
    case advice::populate_read:
    case advice::populate_write:
        CAISSON_TRY(populate(space, start, end, arguments.integer(2) == advice::populate_write));
        return 0;
    default: // nothing to do about it
        return space.ranges().is_covered(start, end) ? SyscallResult{0}
                                                     : SyscallResult{base::Failure{Errno::nomem}};
    }
}

SyscallResult sys_brk(const Arguments& arguments) {
    const sched::HeldSpace space{limited_space()};
    return space->set_break(arguments[0], &sched::preemption_point);
}

// Nothing is ever paged out, so what is present stays; the call makes the rest present, unless that is to wait for a touch.
SyscallResult sys_mlock2(const Arguments& arguments) {
    constexpr std::uint64_t on_fault = 1;
    const std::uint64_t flags = arguments.word(2);
    if ((flags & ~on_fault) != 0)
        return base::Failure{Errno::inval};
    const sched::HeldSpace held{limited_space()};
    mm::AddressSpace& space = *held;
    const std::uint64_t start = base::round_down(arguments[0], base::page_size);
    const std::uint64_t end = CAISSON_TRY(end_of(start, arguments[1] + (arguments[0] - start), Errno::nomem));
    if (space.limits.locked == 0)
        return base::Failure{Errno::perm};
    if (end - start > space.limits.locked || space.ranges().locked() > space.limits.locked - (end - start))
        return base::Failure{Errno::nomem};
    CAISSON_TRY(flags == on_fault ? space.set_locked(start, end, true) : lock(space, start, end));
    return 0;
}

SyscallResult sys_mlock(const Arguments& arguments) {
    return sys_mlock2({{arguments[0], arguments[1], 0, 0, 0, 0}});
}

SyscallResult sys_munlock(const Arguments& arguments) {
    const std::uint64_t start = base::round_down(arguments[0], base::page_size);
    const std::uint64_t end = CAISSON_TRY(end_of(start, arguments[1] + (arguments[0] - start), Errno::nomem));
    CAISSON_TRY(sched::HeldSpace { *current_process().space } -> set_locked(start, end, false));
    return 0;
}

SyscallResult sys_mlockall(const Arguments& arguments) {
    constexpr std::uint64_t present = 1, future = 2, on_fault = 4;
    const sched::HeldSpace held{limited_space()};
    mm::AddressSpace& space = *held;
    const std::uint64_t flags = arguments[0];
    if (flags == 0 || (flags & ~(present | future | on_fault)) != 0 || flags == on_fault)
        return base::Failure{Errno::inval};
    if (space.limits.locked == 0)
        return base::Failure{Errno::perm};
    if ((flags & present) != 0 && space.ranges().total() > space.limits.locked)
        return base::Failure{Errno::nomem};
    space.lock_future = (flags & future) != 0;
    if ((flags & present) == 0)
        return 0;
    for (const mm::Vma* vma = space.ranges().first_at_or_after(0); vma != nullptr;) {
        const std::uint64_t end = vma->end; // locking may join ranges
        if (vma->kind != mm::VmaKind::vdso)
            (void)lock(space, vma->start, end); // as on Linux: what cannot come is left
        vma = space.ranges().first_at_or_after(end);
    }
    return 0;
}

SyscallResult sys_munlockall(const Arguments&) {
    const sched::HeldSpace held{*current_process().space};
    mm::AddressSpace& space = *held;
    space.lock_future = false;
    for (const mm::Vma* vma = space.ranges().first_at_or_after(0); vma != nullptr;) {
        const std::uint64_t end = vma->end;
        CAISSON_TRY(space.set_locked(vma->start, end, false));
        vma = space.ranges().first_at_or_after(end);
    }
    return 0;
}

// Shared file pages are the file: there is nothing to write back.
SyscallResult sys_msync(const Arguments& arguments) {
    constexpr std::uint64_t flags_known = 7, async_and_sync = 5;
    if (arguments[0] % base::page_size != 0 || (arguments[2] & ~flags_known) != 0 ||
        (arguments[2] & async_and_sync) == async_and_sync)
        return base::Failure{Errno::inval};
    const std::uint64_t end = CAISSON_TRY(end_of(arguments[0], arguments[1], Errno::nomem));
    if (!current_process().space->ranges().is_covered(arguments[0], end))
        return base::Failure{Errno::nomem};
    return 0;
}

SyscallResult sys_mincore(const Arguments& arguments) {
    const sched::HeldSpace held{*current_process().space};
    const mm::AddressSpace& space = *held;
    if (arguments[0] % base::page_size != 0)
        return base::Failure{Errno::inval};
    const std::uint64_t end = CAISSON_TRY(end_of(arguments[0], arguments[1], Errno::nomem));
    if (!space.ranges().is_covered(arguments[0], end))
        return base::Failure{Errno::nomem};
    constexpr std::uint64_t pages_a_piece = 512;
    for (std::uint64_t page = 0; page < (end - arguments[0]) / base::page_size; ++page) {
        if (page % pages_a_piece == pages_a_piece - 1)
            sched::preemption_point();
        const auto present =
            static_cast<std::uint8_t>(space.is_resident(arguments[0] + page * base::page_size));
        CAISSON_TRY(mm::write_user(mm::UserAddress{arguments[2] + page}, present));
    }
    return 0;
}

} // namespace uk
