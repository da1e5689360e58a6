// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/file.cpp - what is the same for every kind of open file.
#include "partitions/unikernel/fs/files/file.hpp"

#include "partitions/unikernel/fs/files/async.hpp"
#include "partitions/unikernel/fs/files/epoll.hpp"
#include "partitions/unikernel/fs/files/inotify.hpp"
#include "partitions/unikernel/fs/files/locks.hpp"
#include "partitions/unikernel/fs/files/regular.hpp"
#include "partitions/unikernel/mm/heap.hpp"

namespace uk::fs {

namespace {

bool has_offsets(const File& file) {
    return file.operations->positions >= Positions::ignored;
}

Status check_offset(const File& file, std::uint64_t offset, std::uint64_t bytes) {
    if (offset > largest_offset)
        return base::Failure{Errno::inval};
    if (!has_offsets(file))
        return base::Failure{file.is(path_file) ? Errno::badf : Errno::spipe};
    return bytes > largest_offset - offset ? Status{base::Failure{Errno::inval}} : base::success;
}

Result<std::uint64_t> read_at(File& file, std::uint64_t offset, Destination& to) {
    return file.operations->read != nullptr ? file.operations->read(file, offset, to)
                                            : Result<std::uint64_t>{base::Failure{Errno::inval}};
}

Result<std::uint64_t> write_at(File& file, std::uint64_t offset, Origin& from) {
    return file.operations->write != nullptr ? file.operations->write(file, offset, from)
                                             : Result<std::uint64_t>{base::Failure{Errno::inval}};
}

} // namespace

void retain(File& file) {
    ++file.references;
}

void release(File& file) {
    if (--file.references > 0)
        return;
    forget_watches(file);
    forget_async(file);
    if (!file.is(path_file))
        tell(*file.node, file.writable ? notice::close_write : notice::close_no_write);
    if (file.lock != 0)
        (void)lock_file(file, 0);
    if (file.operations->release != nullptr)
        file.operations->release(file);
    if (file.is(regular_file) && file.writable)
        --file.node->writers;
    mm::destroy(&file);
}

Result<Ref<File>> make_file(Ref<Node> node, const FileOperations& kind, std::uint32_t flags) {
    File* file = mm::make<File>();
    if (file == nullptr)
        return base::Failure{Errno::nomem};
    file->operations = &kind;
    file->flags = flags & ~open_flag::close_on_exec;
    file->node = std::move(node);
    const std::uint32_t access = flags & open_flag::access_mask;
    if (&kind != &path_file) {
        file->readable = access == open_flag::read_only || access == open_flag::read_write;
        file->writable = access == open_flag::write_only || access == open_flag::read_write;
    }
    if (&kind == &regular_file && file->writable)
        ++file->node->writers;
    return Ref<File>{file};
}

Result<std::uint64_t> read_file(File& file, Destination& to) {
    if (!file.readable)
        return base::Failure{Errno::badf};
    const std::uint64_t bytes = CAISSON_TRY(read_at(file, file.position, to));
    if (file.operations->positions == Positions::kept)
        file.position += bytes;
    return bytes;
}

Result<std::uint64_t> write_file(File& file, Origin& from) {
    if (!file.writable)
        return base::Failure{Errno::badf};
    if (file.is(regular_file) && (file.flags & open_flag::append) != 0)
        file.position = file.node->size;
    const std::uint64_t bytes = CAISSON_TRY(write_at(file, file.position, from));
    if (file.operations->positions == Positions::kept)
        file.position += bytes;
    return bytes;
}

Result<std::uint64_t> read_file_at(File& file, std::uint64_t offset, Destination& to) {
    CAISSON_TRY(check_offset(file, offset, to.left()));
    if (!file.readable)
        return base::Failure{Errno::badf};
    return read_at(file, offset, to);
}

Result<std::uint64_t> write_file_at(File& file, std::uint64_t offset, Origin& from) {
    CAISSON_TRY(check_offset(file, offset, from.left()));
    if (!file.writable)
        return base::Failure{Errno::badf};
    const bool append = file.is(regular_file) && (file.flags & open_flag::append) != 0;
    return write_at(file, append ? file.node->size : offset, from);
}

Result<std::uint64_t> seek_file(File& file, std::int64_t offset, int whence) {
    if (file.is(path_file))
        return base::Failure{Errno::badf};
    switch (file.operations->positions) {
    case Positions::none:
        return base::Failure{Errno::spipe};
    case Positions::zero:
    case Positions::ignored:
        return std::uint64_t{0};
    case Positions::kept:
        break;
    }
    return seek_position(file, offset, whence);
}

std::uint32_t readiness(File& file) {
    constexpr std::uint32_t always = ready::in | ready::in_normal | ready::out | ready::out_normal;
    return file.operations->readiness != nullptr ? file.operations->readiness(file) : always;
}

WaitQueue* wait_queue(File& file) {
    return file.operations->wait != nullptr ? &file.operations->wait(file) : nullptr;
}

Result<std::uint64_t> control_file(File& file, std::uint32_t request, std::uint64_t argument) {
    return file.operations->control != nullptr ? file.operations->control(file, request, argument)
                                               : Result<std::uint64_t>{base::Failure{Errno::notty}};
}

Result<bool> check_mapping(const File& file, bool shared, bool writable) {
    if (file.is(path_file))
        return base::Failure{Errno::badf};
    if (!file.readable || (shared && writable && !file.writable))
        return base::Failure{Errno::acces};
    return file.operations->map != nullptr ? file.operations->map(file, shared, writable)
                                           : Result<bool>{base::Failure{Errno::nodev}};
}

MapUse map_use(const File& file, bool shared) {
    if (!shared)
        return MapUse::private_copy;
    const bool sealed = file.node->sealed(seal::write | seal::future_write);
    return file.writable && !sealed ? MapUse::shared_write : MapUse::shared_read;
}

} // namespace uk::fs
