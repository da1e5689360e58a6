// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/splice.cpp - splice(2), tee(2) and vmsplice(2): from and to pipes without a buffer between.
//
// What one side reads is what the other takes at that moment, so nothing is lost when one of them stops early.
#include "partitions/unikernel/fs/files/pipe.hpp"
#include "partitions/unikernel/syscalls/sockets.hpp"

#include <algorithm>

namespace uk {

using fs::File;

namespace {

constexpr std::uint32_t move = 1, non_block = 2, more = 4, gift = 8,
                        all_flags = move | non_block | more | gift;

fs::Pipe& pipe_of(const File& file) {
    return *file.node->pipe;
}

std::uint64_t take_from_pipe(void* pipe, std::uint64_t, std::span<std::byte> bytes) {
    fs::Destination to{bytes};
    const auto got = static_cast<fs::Pipe*>(pipe)->read(to);
    return got.ok() ? *got : 0;
}

std::uint64_t put_into_pipe(void* pipe, std::uint64_t, std::span<const std::byte> bytes) {
    fs::Origin from{bytes};
    const auto sent = static_cast<fs::Pipe*>(pipe)->write(from, false);
    return sent.ok() ? *sent : 0;
}

// Until the pipe has bytes, or room. again: it has not, and nobody waits. True: it has.
Result<bool> wait_for_pipe(const File& file, bool to_read, bool waits) {
    fs::Pipe& pipe = pipe_of(file);
    for (;;) {
        if (!to_read && pipe.readers == 0)
            return base::Failure{Errno::pipe};
        if (to_read ? pipe.bytes() > 0 : !pipe.full())
            return true;
        if (to_read && pipe.writers == 0)
            return false;
        if (!waits)
            return base::Failure{Errno::again};
        CAISSON_TRY(sched::wait(pipe.changed, never));
    }
}

// The same for who writes into it: with SIGPIPE where nobody reads.
Status wait_for_room(const File& file, bool waits) {
    const auto room = wait_for_pipe(file, false, waits);
    if (!room.ok() && room.error() == Errno::pipe)
        files::send_broken_pipe();
    return room.ok() ? Status{base::success} : base::Failure{room.error()};
}

SyscallResult pipe_to(File& pipe_file, File& to, const std::uint64_t* offset, std::uint64_t bytes,
                      bool waits) {
    if (!CAISSON_TRY(wait_for_pipe(pipe_file, true, waits && !pipe_file.non_blocking())))
        return 0ul;
    fs::Pipe& pipe = pipe_of(pipe_file);
    fs::Origin from{take_from_pipe, &pipe, std::min(bytes, pipe.bytes())};
    return offset != nullptr ? fs::write_file_at(to, *offset, from) : files::write_whole(to, from);
}

SyscallResult to_pipe(File& from, const std::uint64_t* offset, File& pipe_file, std::uint64_t bytes,
                      bool waits) {
    CAISSON_TRY(wait_for_room(pipe_file, waits && !pipe_file.non_blocking()));
    fs::Pipe& pipe = pipe_of(pipe_file);
    fs::Destination to{put_into_pipe, &pipe, std::min(bytes, pipe.capacity() - pipe.bytes())};
    const SyscallResult done =
        offset != nullptr ? fs::read_file_at(from, *offset, to) : files::read_whole(from, to);
    return !done.ok() && done.error() == Errno::fault ? SyscallResult{base::Failure{Errno::again}} : done;
}

// An offset is for the side that is no pipe.
Result<std::uint64_t> read_offset(const File& file, mm::UserAddress at) {
    if (file.is(fs::pipe_file))
        return base::Failure{Errno::spipe};
    if (file.operations->positions != fs::Positions::kept)
        return base::Failure{Errno::inval};
    return mm::read_user<std::uint64_t>(at);
}

} // namespace

SyscallResult sys_splice(const Arguments& arguments) {
    if ((arguments.word(5) & ~all_flags) != 0)
        return base::Failure{Errno::inval};
    if (arguments[4] == 0)
        return 0ul;
    const Ref<File> from = CAISSON_TRY(files::usable(arguments.integer(0)));
    const Ref<File> to = CAISSON_TRY(files::usable(arguments.integer(2)));
    if (!from->readable || !to->writable)
        return base::Failure{Errno::badf};
    std::array<std::uint64_t, 2> offsets{};
    if (arguments[1] != 0)
        offsets[0] = CAISSON_TRY(read_offset(*from, arguments.pointer(1)));
    if (arguments[3] != 0)
        offsets[1] = CAISSON_TRY(read_offset(*to, arguments.pointer(3)));
    const bool from_pipe = from->is(fs::pipe_file), into_pipe = to->is(fs::pipe_file);
    if ((!from_pipe && !into_pipe) || (from_pipe && into_pipe && from->node == to->node))
        return base::Failure{Errno::inval};
    if (from_pipe && (to->flags & fs::open_flag::append) != 0)
        return base::Failure{Errno::inval};
    const std::uint64_t bytes = std::min(arguments[4], files::most_bytes);
    const bool waits = (arguments.word(5) & non_block) == 0;
    const std::uint64_t done =
        CAISSON_TRY(from_pipe ? pipe_to(*from, *to, arguments[3] != 0 ? &offsets[1] : nullptr, bytes, waits)
                              : to_pipe(*from, arguments[1] != 0 ? &offsets[0] : nullptr, *to, bytes, waits));
    if (arguments[1] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(1), offsets[0] + done));
    if (arguments[3] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(3), offsets[1] + done));
    return done;
}

SyscallResult sys_tee(const Arguments& arguments) {
    if ((arguments.word(3) & ~all_flags) != 0)
        return base::Failure{Errno::inval};
    if (arguments[2] == 0)
        return 0ul;
    const Ref<File> from = CAISSON_TRY(files::usable(arguments.integer(0)));
    const Ref<File> to = CAISSON_TRY(files::usable(arguments.integer(1)));
    if (!from->readable || !to->writable)
        return base::Failure{Errno::badf};
    if (!from->is(fs::pipe_file) || !to->is(fs::pipe_file) || from->node == to->node)
        return base::Failure{Errno::inval};
    const bool waits = (arguments.word(3) & non_block) == 0 && !from->non_blocking() && !to->non_blocking();
    for (;;) {
        if (!CAISSON_TRY(wait_for_pipe(*from, true, waits)))
            return 0ul;
        CAISSON_TRY(wait_for_room(*to, waits));
        if (const std::uint64_t bytes = pipe_of(*from).share_with(pipe_of(*to), arguments[2]); bytes > 0)
            return bytes; // else somebody read it while we waited for room
    }
}

// Memory is copied: what the program does to it afterwards does not change what is in the pipe.
SyscallResult sys_vmsplice(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    if ((arguments.word(3) & ~all_flags) != 0)
        return base::Failure{Errno::inval};
    if (!file->is(fs::pipe_file))
        return base::Failure{Errno::badf};
    files::UserBuffers buffers;
    CAISSON_TRY(buffers.read_vector(arguments.pointer(1), arguments[2]));
    const bool waits = (arguments.word(3) & non_block) == 0 && !file->non_blocking();
    (void)CAISSON_TRY(wait_for_pipe(*file, file->readable, waits));
    if (file->readable) {
        fs::Destination to = buffers.destination();
        return files::read_whole(*file, to);
    }
    fs::Origin from = buffers.origin();
    return files::write_whole(*file, from);
}

} // namespace uk
