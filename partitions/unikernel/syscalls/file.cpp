// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/file.cpp - reading, writing and placing: read, write, lseek, sendfile and relatives.
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

#include <algorithm>

namespace uk {

using fs::File;

namespace {

// For /proc/PID/io.
SyscallResult count_read(const SyscallResult& result) {
    InputOutput& moved = current_process().input_output;
    ++moved.reads;
    moved.bytes_read += result.ok() ? *result : 0;
    return result;
}

SyscallResult count_written(const SyscallResult& result) {
    InputOutput& moved = current_process().input_output;
    ++moved.writes;
    moved.bytes_written += result.ok() ? *result : 0;
    return result;
}

} // namespace

SyscallResult sys_read(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    files::UserBuffers buffers;
    buffers.set(arguments.pointer(1), arguments[2]);
    fs::Destination to = buffers.destination();
    return count_read(files::read_whole(*file, to));
}

SyscallResult sys_write(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    files::UserBuffers buffers;
    buffers.set(arguments.pointer(1), arguments[2]);
    fs::Origin from = buffers.origin();
    return count_written(files::write_whole(*file, from));
}

SyscallResult sys_readv(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    files::UserBuffers buffers;
    CAISSON_TRY(buffers.read_vector(arguments.pointer(1), arguments[2]));
    fs::Destination to = buffers.destination();
    return count_read(files::read_whole(*file, to));
}

SyscallResult sys_writev(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    files::UserBuffers buffers;
    CAISSON_TRY(buffers.read_vector(arguments.pointer(1), arguments[2]));
    fs::Origin from = buffers.origin();
    return count_written(files::write_whole(*file, from));
}

SyscallResult sys_pread64(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    files::UserBuffers buffers;
    buffers.set(arguments.pointer(1), arguments[2]);
    fs::Destination to = buffers.destination();
    return count_read(fs::read_file_at(*file, arguments[3], to));
}

SyscallResult sys_pwrite64(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    files::UserBuffers buffers;
    buffers.set(arguments.pointer(1), arguments[2]);
    fs::Origin from = buffers.origin();
    return count_written(fs::write_file_at(*file, arguments[3], from));
}

SyscallResult sys_preadv(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    files::UserBuffers buffers;
    CAISSON_TRY(buffers.read_vector(arguments.pointer(1), arguments[2]));
    fs::Destination to = buffers.destination();
    return count_read(fs::read_file_at(*file, arguments[3], to));
}

SyscallResult sys_pwritev(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    files::UserBuffers buffers;
    CAISSON_TRY(buffers.read_vector(arguments.pointer(1), arguments[2]));
    fs::Origin from = buffers.origin();
    return count_written(fs::write_file_at(*file, arguments[3], from));
}

namespace {
namespace rw_flag { // RWF_...
constexpr std::uint32_t high_priority = 1, data_sync = 2, sync = 4, no_wait = 8, append = 16;
constexpr std::uint32_t promises = high_priority | data_sync | sync;
} // namespace rw_flag
} // namespace

// preadv2 and pwritev2: offset -1 is the file's position; flags that promise nothing here are taken.
SyscallResult sys_preadv2(const Arguments& arguments) {
    if ((arguments.word(5) & ~(rw_flag::promises | rw_flag::no_wait)) != 0)
        return base::Failure{Errno::opnotsupp};
    return arguments[3] == ~std::uint64_t{0} ? sys_readv(arguments) : sys_preadv(arguments);
}

SyscallResult sys_pwritev2(const Arguments& arguments) {
    if ((arguments.word(5) & ~(rw_flag::promises | rw_flag::append)) != 0)
        return base::Failure{Errno::opnotsupp};
    if ((arguments.word(5) & rw_flag::append) == 0)
        return arguments[3] == ~std::uint64_t{0} ? sys_writev(arguments) : sys_pwritev(arguments);
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    if (!file->is(fs::regular_file))
        return sys_writev(arguments);
    files::UserBuffers buffers;
    CAISSON_TRY(buffers.read_vector(arguments.pointer(1), arguments[2]));
    fs::Origin from = buffers.origin();
    const std::uint64_t end = file->node->size;
    const std::uint64_t done = CAISSON_TRY(fs::write_file_at(*file, end, from));
    if (arguments[3] == ~std::uint64_t{0})
        file->position = end + done;
    return done;
}

SyscallResult sys_lseek(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    return fs::seek_file(*file, static_cast<std::int64_t>(arguments[1]), arguments.integer(2));
}

namespace {

// Copies by pieces through one page: the source is a file with positions, whose place `offset` gives and takes.
SyscallResult copy_between(File& from, File& to, std::uint64_t& offset, std::uint64_t* to_offset,
                           std::uint64_t bytes) {
    std::byte* page = static_cast<std::byte*>(mm::allocate(fs::page_bytes));
    if (page == nullptr)
        return base::Failure{Errno::nomem};
    struct Release {
        std::byte* page;
        ~Release() { mm::free(page); }
    } const release{page};
    std::uint64_t done = 0;
    while (done < bytes) {
        fs::Destination piece{std::span{page, std::min<std::uint64_t>(fs::page_bytes, bytes - done)}};
        const SyscallResult got = fs::read_file_at(from, offset, piece);
        if (!got.ok())
            return done > 0 ? SyscallResult{done} : got;
        if (*got == 0)
            break;
        fs::Origin source{std::span<const std::byte>{page, *got}};
        const SyscallResult put =
            to_offset != nullptr ? fs::write_file_at(to, *to_offset, source) : files::write_whole(to, source);
        if (!put.ok())
            return done > 0 ? SyscallResult{done} : put;
        done += *put;
        offset += *put;
        if (to_offset != nullptr)
            *to_offset += *put;
        if (*put < *got)
            break;
    }
    return done;
}

// The offset a pointer argument names, or the file's own position.
Result<std::uint64_t> offset_or_position(mm::UserAddress pointer, const File& file) {
    if (pointer.value() == 0)
        return file.position;
    return mm::read_user<std::uint64_t>(pointer);
}

Status store_offset(mm::UserAddress pointer, File& file, std::uint64_t offset) {
    if (pointer.value() != 0)
        return mm::write_user(pointer, offset);
    file.position = offset;
    return base::success;
}

} // namespace

SyscallResult sys_sendfile(const Arguments& arguments) {
    const Ref<File> to = CAISSON_TRY(files::usable(arguments.integer(0)));
    const Ref<File> from = CAISSON_TRY(files::usable(arguments.integer(1)));
    if (!to->writable || !from->readable)
        return base::Failure{Errno::badf};
    if (!from->is(fs::regular_file) || (to->flags & fs::open_flag::append) != 0)
        return base::Failure{Errno::inval};
    std::uint64_t offset = CAISSON_TRY(offset_or_position(arguments.pointer(2), *from));
    const std::uint64_t bytes = std::min(arguments[3], files::most_bytes);
    const std::uint64_t done = CAISSON_TRY(copy_between(*from, *to, offset, nullptr, bytes));
    CAISSON_TRY(store_offset(arguments.pointer(2), *from, offset));
    return done;
}

SyscallResult sys_copy_file_range(const Arguments& arguments) {
    const Ref<File> from = CAISSON_TRY(files::usable(arguments.integer(0)));
    const Ref<File> to = CAISSON_TRY(files::usable(arguments.integer(2)));
    if (arguments.word(5) != 0)
        return base::Failure{Errno::inval};
    if (from->node->is_directory() || to->node->is_directory())
        return base::Failure{Errno::isdir};
    if (!from->is(fs::regular_file) || !to->is(fs::regular_file))
        return base::Failure{Errno::inval};
    if (!from->readable || !to->writable || (to->flags & fs::open_flag::append) != 0)
        return base::Failure{Errno::badf};
    std::uint64_t from_offset = CAISSON_TRY(offset_or_position(arguments.pointer(1), *from));
    std::uint64_t to_offset = CAISSON_TRY(offset_or_position(arguments.pointer(3), *to));
    const std::uint64_t bytes = std::min(arguments[4], files::most_bytes);
    if (from_offset >= from->node->size)
        return 0ul; // nothing to copy
    const bool overlap =
        from->node == to->node && from_offset < to_offset + bytes && to_offset < from_offset + bytes;
    if (overlap)
        return base::Failure{Errno::inval};
    const std::uint64_t done = CAISSON_TRY(copy_between(*from, *to, from_offset, &to_offset, bytes));
    CAISSON_TRY(store_offset(arguments.pointer(1), *from, from_offset));
    CAISSON_TRY(store_offset(arguments.pointer(3), *to, to_offset));
    return done;
}

SyscallResult sys_ftruncate(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    if (static_cast<std::int64_t>(arguments[1]) < 0 || !file->writable || !file->is(fs::regular_file))
        return base::Failure{Errno::inval};
    CAISSON_TRY(fs::check_new_size(arguments[1]));
    file->node->mode &= ~fs::privileges_lost_by_writing(*file->node, files::context().credentials);
    CAISSON_TRY(fs::resize_node(*file->node, arguments[1]));
    return 0ul;
}

SyscallResult sys_fallocate(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    CAISSON_TRY(fs::allocate_range(*file, arguments.word(1), arguments[2], arguments[3]));
    return 0ul;
}

// Memory is as durable as it gets here: the contents live as long as the partition.
SyscallResult sys_fsync(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    const bool has_contents = file->is(fs::regular_file) || file->is(fs::directory_file);
    if (!has_contents)
        return base::Failure{Errno::inval};
    return 0ul;
}

SyscallResult sys_fdatasync(const Arguments& arguments) {
    return sys_fsync(arguments);
}

SyscallResult sys_sync(const Arguments&) {
    return 0ul;
}

SyscallResult sys_syncfs(const Arguments& arguments) {
    (void)CAISSON_TRY(files::usable(arguments.integer(0)));
    return 0ul;
}

SyscallResult sys_sync_file_range(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    const auto first = static_cast<std::int64_t>(arguments[1]),
               bytes = static_cast<std::int64_t>(arguments[2]);
    if ((arguments.word(3) & ~7u) != 0 || first < 0 || bytes < 0 || first > INT64_MAX - bytes)
        return base::Failure{Errno::inval};
    if (file->operations->positions != fs::Positions::kept)
        return base::Failure{Errno::spipe};
    return 0ul;
}

SyscallResult sys_fadvise64(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    if (file->is(fs::pipe_file) || file->is(fs::console_file))
        return base::Failure{Errno::spipe};
    if (arguments.word(3) > 5)
        return base::Failure{Errno::inval};
    return 0ul;
}

SyscallResult sys_readahead(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(files::usable(arguments.integer(0)));
    if (!file->is(fs::regular_file))
        return base::Failure{Errno::inval};
    return 0ul;
}

} // namespace uk
