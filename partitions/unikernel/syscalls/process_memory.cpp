// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/process_memory.cpp - process_vm_readv, process_vm_writev: between the memory of the
// caller and that of a process.
#include "partitions/unikernel/fs/seam.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

#include <algorithm>
#include <array>

namespace uk {

namespace {

// Calls `move(address, bytes)` for each piece; it says how many bytes went.
template <typename Move>
SyscallResult each_piece(std::span<const files::Segment> segments, std::uint64_t most, Move move) {
    std::uint64_t done = 0;
    for (const files::Segment& segment : segments) {
        std::uint64_t within = 0;
        while (within < segment.bytes && done < most) {
            constexpr std::uint64_t piece = 512;
            const std::uint64_t part = std::min({piece, segment.bytes - within, most - done});
            const std::uint64_t went = move(segment.base + within, part);
            within += went;
            done += went;
            if (went < part)
                return done > 0 ? SyscallResult{done} : base::Failure{Errno::fault};
        }
    }
    return done;
}

SyscallResult move_memory(const Arguments& arguments, bool to_process) {
    if (arguments[5] != 0)
        return base::Failure{Errno::inval};
    files::UserBuffers local, remote;
    CAISSON_TRY(local.read_vector(arguments.pointer(1), arguments[2]));
    CAISSON_TRY(remote.read_vector(arguments.pointer(3), arguments[4]));
    const int process = arguments.integer(0);
    const fs::Credentials* owner = fs::seam::credentials_of(process);
    if (owner == nullptr)
        return base::Failure{Errno::srch};
    const fs::Credentials& who = files::context().credentials;
    if (process != current_process().id && !who.may_trace(*owner, true))
        return base::Failure{Errno::perm};
    std::array<std::byte, 512> bytes;
    if (to_process) {
        fs::Origin from = local.origin();
        return each_piece(remote.segments(), local.bytes(), [&](std::uint64_t address, std::uint64_t part) {
            const std::uint64_t before = from.done();
            (void)from.take(std::span{bytes}.first(part));
            return fs::seam::write_memory_of(process, address, std::span{bytes}.first(from.done() - before));
        });
    }
    fs::Destination to = local.destination();
    return each_piece(remote.segments(), local.bytes(), [&](std::uint64_t address, std::uint64_t part) {
        const std::size_t got = fs::seam::read_memory_of(process, address, std::span{bytes}.first(part));
        const std::uint64_t before = to.done();
        (void)to.put(std::span{bytes}.first(got));
        return to.done() - before;
    });
}

} // namespace

SyscallResult sys_process_vm_readv(const Arguments& arguments) {
    return move_memory(arguments, false);
}

SyscallResult sys_process_vm_writev(const Arguments& arguments) {
    return move_memory(arguments, true);
}

} // namespace uk
