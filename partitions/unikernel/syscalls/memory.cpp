// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/memory.cpp - mmap and its relatives.
#include "partitions/unikernel/fs/files/file.hpp"
#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/mm/address_space.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>

namespace uk {

namespace {

namespace map_flag {
constexpr std::uint32_t shared = 1, private_copy = 2, shared_validate = 3, type_mask = 0xF, fixed = 0x10,
                        anonymous = 0x20, locked = 0x2000, populate = 0x8000, huge = 0x40000,
                        fixed_no_replace = 0x100000;
}
constexpr std::uint64_t protection_mask =
    mm::protection::read | mm::protection::write | mm::protection::execute;
constexpr std::uint64_t grows_down_protection = 0x01000000, grows_up_protection = 0x02000000;

namespace advice {
constexpr int normal = 0, random = 1, sequential = 2, will_need = 3, dont_need = 4, free = 8, dont_fork = 10,
              do_fork = 11, mergeable = 12, unmergeable = 13, huge_page = 14, no_huge_page = 15,
              dont_dump = 16, do_dump = 17, wipe_on_fork = 18, keep_on_fork = 19, cold = 20, page_out = 21,
              populate_read = 22, populate_write = 23;
}

// What RLIMIT_AS and the size of the user half leave room for.
Status check_room(const Process& process, std::uint64_t bytes) {
    const std::uint64_t limit = process.limits[static_cast<unsigned>(Resource::address_space)].soft;
    if (bytes > limit || process.space.ranges().total() > limit - bytes)
        return base::Failure{Errno::nomem};
    return base::success;
}

Result<mm::MapRequest> file_request(mm::MapRequest request, int descriptor, std::uint64_t offset,
                                    Ref<fs::Node>& node) {
    Process& process = current_process();
    const auto file = CAISSON_TRY(process.files.get(descriptor));
    const bool write = (request.protection & mm::protection::write) != 0;
    const bool as_anonymous = CAISSON_TRY(fs::check_mapping(*file, request.shared, write));
    if (as_anonymous)
        return request;
    node = file->node;
    request.node = node.get();
    request.offset = offset;
    request.shared_writable = request.shared && fs::map_use(*file, true) == fs::MapUse::shared_write;
    return request;
}

} // namespace

SyscallResult sys_mmap(const Arguments& arguments) {
    const std::uint64_t offset = arguments[5];
    const std::uint32_t flags = arguments.word(3), type = flags & map_flag::type_mask;
    if (arguments[1] == 0 || offset % base::page_size != 0 ||
        (type != map_flag::shared && type != map_flag::private_copy && type != map_flag::shared_validate))
        return base::Failure{Errno::inval};
    if ((flags & map_flag::huge) != 0)
        return base::Failure{Errno::nomem}; // there are no huge pages, as on a machine that reserves none
    mm::MapRequest request;
    request.address = arguments[0];
    request.bytes = arguments[1];
    request.protection = static_cast<std::uint8_t>(arguments[2] & protection_mask);
    request.shared = type != map_flag::private_copy;
    request.fixed = (flags & map_flag::fixed) != 0;
    request.no_replace = (flags & map_flag::fixed_no_replace) != 0;
    request.populate = (flags & (map_flag::populate | map_flag::locked)) != 0;
    Ref<fs::Node> node;
    if ((flags & map_flag::anonymous) == 0) {
        std::uint64_t end = 0;
        if (__builtin_add_overflow(offset, arguments[1], &end))
            return base::Failure{Errno::overflow};
        request = CAISSON_TRY(file_request(request, arguments.integer(4), offset, node));
    }
    Process& process = current_process();
    CAISSON_TRY(check_room(process, arguments[1]));
    return process.space.map(request);
}

SyscallResult sys_munmap(const Arguments& arguments) {
    CAISSON_TRY(current_process().space.unmap(arguments[0], arguments[1]));
    return 0;
}

SyscallResult sys_mprotect(const Arguments& arguments) {
    if ((arguments[2] & ~protection_mask & ~(grows_down_protection | grows_up_protection)) != 0 ||
        (arguments[2] & grows_up_protection) != 0)
        return base::Failure{Errno::inval};
    CAISSON_TRY(current_process().space.protect(arguments[0], arguments[1],
                                                static_cast<std::uint8_t>(arguments[2] & protection_mask)));
    return 0;
}

SyscallResult sys_mremap(const Arguments& arguments) {
    constexpr std::uint64_t may_move = 1, fixed = 2, dont_unmap = 4;
    if ((arguments[3] & (fixed | dont_unmap)) != 0 || (arguments[3] & ~(may_move | fixed | dont_unmap)) != 0)
        return base::Failure{Errno::inval};
    Process& process = current_process();
    if (arguments[2] > arguments[1])
        CAISSON_TRY(check_room(process, arguments[2] - arguments[1]));
    return process.space.remap(arguments[0], arguments[1], arguments[2], (arguments[3] & may_move) != 0);
}

SyscallResult sys_madvise(const Arguments& arguments) {
    mm::AddressSpace& space = current_process().space;
    const auto bytes = base::round_up(arguments[1], base::page_size);
    if (!bytes || arguments[0] % base::page_size != 0 || *bytes > mm::user_end ||
        arguments[0] > mm::user_end - *bytes)
        return base::Failure{Errno::inval};
    const std::uint64_t end = arguments[0] + *bytes;
    switch (arguments.integer(2)) {
    case advice::dont_need:
    case advice::free: // at once: nothing is gained by waiting for memory to run short
        if (*bytes != 0)
            CAISSON_TRY(space.discard(arguments[0], *bytes));
        return 0;
    case advice::populate_read:
    case advice::populate_write: {
        const mm::Access access =
            arguments.integer(2) == advice::populate_read ? mm::Access::read : mm::Access::write;
        for (std::uint64_t at = arguments[0]; at < end; at += base::page_size)
            if (!space.is_resident(at) && space.handle_fault(at, access) != mm::Fault::resolved)
                return base::Failure{space.ranges().find(at) == nullptr ? Errno::nomem : Errno::fault};
        return 0;
    }
    case advice::normal:
    case advice::random:
    case advice::sequential:
    case advice::will_need:
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
        if (!space.ranges().is_covered(arguments[0], end))
            return base::Failure{Errno::nomem};
        return 0;
    default:
        return base::Failure{Errno::inval};
    }
}

SyscallResult sys_brk(const Arguments& arguments) {
    Process& process = current_process();
    const std::uint64_t now = process.space.break_end;
    if (arguments[0] > now && !check_room(process, arguments[0] - now).ok())
        return now;
    return process.space.set_break(arguments[0]);
}

// Nothing is ever paged out, so what is present is locked; the call makes the rest present.
SyscallResult sys_mlock(const Arguments& arguments) {
    mm::AddressSpace& space = current_process().space;
    const std::uint64_t start = base::round_down(arguments[0], base::page_size);
    if (arguments[1] > mm::user_end || start > mm::user_end - arguments[1])
        return base::Failure{Errno::nomem};
    for (std::uint64_t at = start; at < arguments[0] + arguments[1]; at += base::page_size) {
        const mm::Vma* vma = space.ranges().find(at);
        if (vma == nullptr)
            return base::Failure{Errno::nomem};
        const bool write = !vma->shared && (vma->protection & mm::protection::write) != 0;
        if (!space.is_resident(at) &&
            space.handle_fault(at, write ? mm::Access::write : mm::Access::read) != mm::Fault::resolved)
            return base::Failure{Errno::nomem};
    }
    return 0;
}
SyscallResult sys_munlock(const Arguments&) {
    return 0;
}
SyscallResult sys_mlockall(const Arguments&) {
    return 0;
}
SyscallResult sys_munlockall(const Arguments&) {
    return 0;
}

// Shared file pages are the file: there is nothing to write back.
SyscallResult sys_msync(const Arguments& arguments) {
    constexpr std::uint64_t flags_known = 7, async_and_sync = 5;
    const auto bytes = base::round_up(arguments[1], base::page_size);
    if (arguments[0] % base::page_size != 0 || (arguments[2] & ~flags_known) != 0 ||
        (arguments[2] & async_and_sync) == async_and_sync)
        return base::Failure{Errno::inval};
    if (!bytes || *bytes > mm::user_end || arguments[0] > mm::user_end - *bytes ||
        !current_process().space.ranges().is_covered(arguments[0], arguments[0] + *bytes))
        return base::Failure{Errno::nomem};
    return 0;
}

SyscallResult sys_mincore(const Arguments& arguments) {
    const mm::AddressSpace& space = current_process().space;
    const auto bytes = base::round_up(arguments[1], base::page_size);
    if (arguments[0] % base::page_size != 0)
        return base::Failure{Errno::inval};
    if (!bytes || *bytes > mm::user_end || arguments[0] > mm::user_end - *bytes ||
        !space.ranges().is_covered(arguments[0], arguments[0] + *bytes))
        return base::Failure{Errno::nomem};
    for (std::uint64_t page = 0; page < *bytes / base::page_size; ++page) {
        const auto present =
            static_cast<std::uint8_t>(space.is_resident(arguments[0] + page * base::page_size));
        CAISSON_TRY(mm::write_user(mm::UserAddress{arguments[2] + page}, present));
    }
    return 0;
}

} // namespace uk
