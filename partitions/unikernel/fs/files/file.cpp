// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/file.cpp - open file descriptions: reading, writing, positions, readiness.
#include "partitions/unikernel/fs/files/file.hpp"

#include "partitions/unikernel/fs/files/device.hpp"
#include "partitions/unikernel/fs/files/epoll.hpp"
#include "partitions/unikernel/fs/files/locks.hpp"
#include "partitions/unikernel/fs/files/pipe.hpp"
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/fs/overlay/volume.hpp"
#include "partitions/unikernel/fs/proc/synthetic.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>
#include <cstring>

namespace uk::fs {

namespace {

constexpr std::uint64_t largest_offset = (std::uint64_t{1} << 63) - 1;

Result<std::uint64_t> read_event(EventCounter& event, Destination& to) {
    if (to.left() < sizeof(event.value))
        return base::Failure{Errno::inval};
    if (event.value == 0)
        return base::Failure{Errno::again};
    const std::uint64_t given = event.semaphore ? 1 : event.value;
    std::byte bytes[sizeof(given)];
    std::memcpy(bytes, &given, sizeof(given));
    CAISSON_TRY(to.put(bytes));
    event.value -= given;
    seam::wake(event.changed);
    return std::uint64_t{sizeof(given)};
}

Result<std::uint64_t> write_event(EventCounter& event, Origin& from) {
    constexpr std::uint64_t most = ~std::uint64_t{0} - 1;
    std::uint64_t added = 0;
    if (from.left() < sizeof(added))
        return base::Failure{Errno::inval};
    std::byte bytes[sizeof(added)];
    CAISSON_TRY(from.take(bytes));
    std::memcpy(&added, bytes, sizeof(added));
    if (added > most)
        return base::Failure{Errno::inval};
    if (added > most - event.value)
        return base::Failure{Errno::again};
    event.value += added;
    seam::wake(event.changed);
    return std::uint64_t{sizeof(added)};
}

// The text is made when reading begins, so that one pass sees one state.
Result<std::uint64_t> read_synthetic(File& file, std::uint64_t offset, Destination& to) {
    if (offset == 0) {
        TextSink fresh;
        CAISSON_TRY(synthetic_text(*file.node, fresh));
        if (!fresh.complete())
            return base::Failure{Errno::nomem};
        file.text = std::move(fresh);
    }
    const std::string_view text = file.text.view();
    if (offset >= text.size())
        return std::uint64_t{0};
    const std::uint64_t bytes = std::min(to.left(), text.size() - offset);
    CAISSON_TRY(to.put(std::as_bytes(std::span{text.data() + offset, bytes})));
    return bytes;
}

bool has_positions(const File& file) {
    return file.kind == FileKind::regular || file.kind == FileKind::synthetic ||
           file.kind == FileKind::device || file.kind == FileKind::directory;
}

Result<std::uint64_t> read_at(File& file, std::uint64_t offset, Destination& to) {
    switch (file.kind) {
    case FileKind::regular:
        return read_node(*file.node, offset, to);
    case FileKind::synthetic:
        return read_synthetic(file, offset, to);
    case FileKind::device:
        return read_device(file, to);
    case FileKind::pipe:
        return file.node->pipe->read(to);
    case FileKind::event:
        return read_event(*file.event, to);
    case FileKind::directory:
        return base::Failure{Errno::isdir};
    case FileKind::socket:
        return base::Failure{Errno::notconn};
    case FileKind::console:
    case FileKind::epoll:
    case FileKind::path_only:
        break;
    }
    return base::Failure{Errno::inval};
}

Result<std::uint64_t> write_at(File& file, std::uint64_t offset, Origin& from) {
    switch (file.kind) {
    case FileKind::regular: {
        if (from.left() > 0 && (file.node->mode & (mode::set_user | mode::set_group)) != 0) {
            const Credentials* who = seam::credentials_of(seam::current_process());
            file.node->mode &= ~(who != nullptr ? privileges_lost_by_writing(*file.node, *who) : 0);
        }
        if (from.left() == 0)
            return std::uint64_t{0};
        return write_node(*file.node, offset, from);
    }
    case FileKind::device:
        return write_device(file, from);
    case FileKind::console:
        return write_console(from);
    case FileKind::pipe:
        return file.node->pipe->write(from);
    case FileKind::event:
        return write_event(*file.event, from);
    case FileKind::socket:
        return base::Failure{Errno::notconn};
    case FileKind::directory:
    case FileKind::synthetic:
    case FileKind::epoll:
    case FileKind::path_only:
        break;
    }
    return base::Failure{Errno::inval};
}

// SEEK_DATA and SEEK_HOLE: bytes from the image count as data.
Result<std::uint64_t> seek_extent(const Node& node, std::uint64_t offset, bool data) {
    if (offset >= node.size)
        return base::Failure{Errno::nxio};
    const std::uint64_t lower_end =
        std::min((node.lower_size + page_bytes - 1) / page_bytes * page_bytes, node.size);
    std::uint64_t here = offset;
    if (data) {
        if (here < lower_end)
            return here;
        const std::uint64_t page = node.pages.next(here / page_bytes);
        if (page == PageMap::none || page * page_bytes >= node.size)
            return base::Failure{Errno::nxio};
        return std::max(here, page * page_bytes);
    }
    here = std::max(here, lower_end);
    while (here < node.size && node.pages.find(here / page_bytes) != nullptr)
        here = (here / page_bytes + 1) * page_bytes;
    return std::min(here, node.size);
}

} // namespace

void retain(File& file) {
    ++file.references;
}

void release(File& file) {
    if (--file.references > 0)
        return;
    if (file.lock != 0)
        (void)lock_file(file, 0);
    if (file.kind == FileKind::pipe)
        file.node->pipe->close_end(file.readable, file.writable);
    forget_watched(file);
    mm::destroy(file.event);
    mm::destroy(file.epoll);
    mm::destroy(&file);
}

Result<Ref<File>> make_file(Ref<Node> node, FileKind kind, std::uint32_t flags) {
    File* file = mm::make<File>();
    if (file == nullptr)
        return base::Failure{Errno::nomem};
    file->kind = kind;
    file->flags = flags & ~open_flag::close_on_exec;
    file->node = std::move(node);
    const std::uint32_t access = flags & open_flag::access_mask;
    if (kind != FileKind::path_only) {
        file->readable = access == open_flag::read_only || access == open_flag::read_write;
        file->writable = access == open_flag::write_only || access == open_flag::read_write;
    }
    return Ref<File>{file};
}

Result<std::uint64_t> read_file(File& file, Destination& to) {
    if (!file.readable)
        return base::Failure{Errno::badf};
    const std::uint64_t bytes = CAISSON_TRY(read_at(file, file.position, to));
    if (file.kind == FileKind::regular || file.kind == FileKind::synthetic)
        file.position += bytes;
    return bytes;
}

Result<std::uint64_t> write_file(File& file, Origin& from) {
    if (!file.writable)
        return base::Failure{Errno::badf};
    if (file.kind == FileKind::regular && (file.flags & open_flag::append) != 0)
        file.position = file.node->size;
    const std::uint64_t bytes = CAISSON_TRY(write_at(file, file.position, from));
    if (file.kind == FileKind::regular)
        file.position += bytes;
    return bytes;
}

Result<std::uint64_t> read_file_at(File& file, std::uint64_t offset, Destination& to) {
    if (offset > largest_offset)
        return base::Failure{Errno::inval};
    if (!has_positions(file))
        return base::Failure{file.kind == FileKind::path_only ? Errno::badf : Errno::spipe};
    if (!file.readable)
        return base::Failure{Errno::badf};
    return read_at(file, offset, to);
}

Result<std::uint64_t> write_file_at(File& file, std::uint64_t offset, Origin& from) {
    if (offset > largest_offset)
        return base::Failure{Errno::inval};
    if (!has_positions(file))
        return base::Failure{file.kind == FileKind::path_only ? Errno::badf : Errno::spipe};
    if (!file.writable)
        return base::Failure{Errno::badf};
    const bool append = file.kind == FileKind::regular && (file.flags & open_flag::append) != 0;
    return write_at(file, append ? file.node->size : offset, from);
}

Result<std::uint64_t> seek_file(File& file, std::int64_t offset, int whence) {
    constexpr int set = 0, current = 1, end = 2, data = 3, hole = 4;
    if (file.kind == FileKind::path_only)
        return base::Failure{Errno::badf};
    if (!has_positions(file))
        return base::Failure{Errno::spipe};
    if (file.kind == FileKind::device)
        return std::uint64_t{0};
    const bool sized = file.kind == FileKind::regular;
    std::int64_t base_position = 0;
    switch (whence) {
    case set:
        break;
    case current:
        base_position = static_cast<std::int64_t>(file.position);
        break;
    case end:
        if (!sized)
            return base::Failure{Errno::inval};
        base_position = static_cast<std::int64_t>(file.node->size);
        break;
    case data:
    case hole: {
        if (!sized || offset < 0)
            return base::Failure{sized ? Errno::nxio : Errno::inval};
        file.position =
            CAISSON_TRY(seek_extent(*file.node, static_cast<std::uint64_t>(offset), whence == data));
        return file.position;
    }
    default:
        return base::Failure{Errno::inval};
    }
    std::int64_t position = 0;
    if (__builtin_add_overflow(base_position, offset, &position))
        return base::Failure{Errno::overflow};
    if (position < 0)
        return base::Failure{Errno::inval};
    file.position = static_cast<std::uint64_t>(position);
    return file.position;
}

std::uint32_t readiness(File& file) {
    constexpr std::uint32_t always_in = ready::in | ready::in_normal;
    constexpr std::uint32_t always_out = ready::out | ready::out_normal;
    switch (file.kind) {
    case FileKind::pipe:
        return file.node->pipe->readiness(file.readable, file.writable);
    case FileKind::event:
        return (file.event->value > 0 ? always_in : 0) |
               (file.event->value < ~std::uint64_t{0} - 1 ? always_out : 0);
    case FileKind::epoll:
        return has_ready(*file.epoll) ? always_in : 0;
    case FileKind::console:
        return file.writable ? always_out : 0;
    case FileKind::path_only:
        return ready::invalid;
    case FileKind::socket:
        return always_out | ready::hang_up;
    case FileKind::regular:
    case FileKind::directory:
    case FileKind::synthetic:
    case FileKind::device:
        break;
    }
    return always_in | always_out;
}

WaitPoint* wait_point(File& file) {
    switch (file.kind) {
    case FileKind::pipe:
        return &file.node->pipe->changed;
    case FileKind::event:
        return &file.event->changed;
    case FileKind::epoll:
        return &file.epoll->changed;
    default:
        return nullptr;
    }
}

Result<std::uint64_t> bytes_waiting(File& file) {
    if (file.kind == FileKind::pipe)
        return file.node->pipe->bytes();
    if (file.kind == FileKind::regular)
        return file.node->size - std::min(file.node->size, file.position);
    return base::Failure{Errno::notty};
}

Result<bool> check_mapping(const File& file, bool shared, bool writable) {
    if (file.kind == FileKind::path_only)
        return base::Failure{Errno::badf};
    if (!file.readable || (shared && writable && !file.writable))
        return base::Failure{Errno::acces};
    if (file.kind == FileKind::device && file.node->special_device == device::zero)
        return true;
    if (file.kind != FileKind::regular)
        return base::Failure{Errno::nodev};
    return false;
}

MapUse map_use(const File& file, bool shared) {
    if (!shared)
        return MapUse::private_copy;
    return file.writable ? MapUse::shared_write : MapUse::shared_read;
}

Status list(File& directory, Emit emit, void* context) {
    Node& node = *directory.node;
    if (directory.kind != FileKind::directory)
        return base::Failure{Errno::notdir};
    if (node.links == 0)
        return base::Failure{Errno::noent};
    if (directory.position == 0) {
        if (!emit(context, {node.number, 1, mode::directory, "."}))
            return base::success;
        directory.position = 1;
    }
    if (directory.position == 1) {
        if (!emit(context, {parent_of(node).number, 2, mode::directory, ".."}))
            return base::success;
        directory.position = 2;
    }
    for (;;) {
        const auto found = CAISSON_TRY(node.volume->name_at(node, directory.position - 2));
        if (!found || !emit(context, {found->number, found->next + 2, found->type, found->name}))
            return base::success;
        directory.position = found->next + 2;
    }
}

} // namespace uk::fs
