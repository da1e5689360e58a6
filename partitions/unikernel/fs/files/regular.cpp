// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/regular.cpp - regular files, directories, and files opened only for their path.
#include "partitions/unikernel/fs/files/regular.hpp"

#include "partitions/unikernel/fs/files/inotify.hpp"
#include "partitions/unikernel/fs/files/memfd.hpp"
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/fs/overlay/volume.hpp"

#include <algorithm>

namespace uk::fs {

namespace {

// As Linux's `relatime`: a read shows where the last one was before the last change, or a day ago. A file of the
// image that nothing changed shows it as long as its node is kept.
void note_access(File& file) {
    constexpr Timestamp day = Timestamp{86'400} * 1'000'000'000;
    Node& node = *file.node;
    if ((file.flags & open_flag::no_atime) != 0 || node.volume->read_only())
        return;
    const auto present = static_cast<Timestamp>(realtime_ns());
    if (node.accessed <= node.modified || node.accessed <= node.changed || present - node.accessed >= day)
        node.accessed = present;
}

Result<std::uint64_t> read_regular(File& file, std::uint64_t offset, Destination& to) {
    note_access(file);
    const std::uint64_t bytes = CAISSON_TRY(read_node(*file.node, offset, to));
    if (bytes > 0)
        tell(*file.node, notice::access);
    return bytes;
}

Result<std::uint64_t> write_regular(File& file, std::uint64_t offset, Origin& from) {
    if (from.left() == 0)
        return std::uint64_t{0};
    const Node& node = *file.node;
    if (node.sealed(seal::write | seal::future_write) ||
        (node.sealed(seal::grow) && (offset > node.size || from.left() > node.size - offset)))
        return base::Failure{Errno::perm};
    const std::uint64_t limit = std::min(seam::file_size_limit(), largest_file);
    if (offset >= limit)
        CAISSON_TRY(check_new_size(offset + 1));
    from.limit(limit - offset);
    if ((file.node->mode & (mode::set_user | mode::set_group)) != 0) {
        const Credentials* who = seam::credentials_of(seam::current_process());
        file.node->mode &= ~(who != nullptr ? privileges_lost_by_writing(*file.node, *who) : 0);
    }
    const std::uint64_t bytes = CAISSON_TRY(write_node(*file.node, offset, from));
    tell(*file.node, notice::modify);
    return bytes;
}

Result<bool> map_regular(const File& file, bool shared, bool write) {
    if (shared && write && file.node->sealed(seal::write | seal::future_write))
        return base::Failure{Errno::perm};
    return false;
}

Result<std::uint64_t> control_regular(File& file, std::uint32_t request, std::uint64_t argument) {
    switch (request) {
    case control::bytes_waiting:
        return file.node->size - std::min(file.node->size, file.position);
    case control::add_seals:
    case control::get_seals:
        return control_seals(file, request, argument);
    default:
        return base::Failure{Errno::notty};
    }
}

Result<std::uint64_t> read_directory(File&, std::uint64_t, Destination&) {
    return base::Failure{Errno::isdir};
}

std::uint32_t invalid(File&) {
    return ready::invalid;
}

// SEEK_DATA and SEEK_HOLE: pages written here and what the image holds are data, its holes are holes.
Result<std::uint64_t> seek_extent(const Node& node, std::uint64_t offset, bool data) {
    if (offset >= node.size)
        return base::Failure{Errno::nxio};
    std::uint64_t here = offset;
    while (here < node.size) {
        const std::uint64_t page = here / page_bytes, page_end = (page + 1) * page_bytes;
        bool is_data = true;
        std::uint64_t next = page_end;
        if (node.pages.find(page) == nullptr) {
            const ErofsRun run = CAISSON_TRY(lower_run(node, here));
            const std::uint64_t written = node.pages.next(page);
            is_data = run.data != nullptr;
            next = std::max(page_end, here + run.bytes); // a page with the image's end is data to its own end
            next = written == PageMap::none ? next : std::min(next, written * page_bytes);
        }
        if (is_data == data)
            return here;
        here = next;
    }
    if (data)
        return base::Failure{Errno::nxio};
    return node.size;
}

} // namespace

const FileOperations regular_file{.read = read_regular,
                                  .write = write_regular,
                                  .map = map_regular,
                                  .control = control_regular,
                                  .positions = Positions::kept};
const FileOperations directory_file{.read = read_directory, .positions = Positions::kept};
const FileOperations path_file{.readiness = invalid};

Status check_new_size(std::uint64_t end) {
    if (end > seam::file_size_limit()) {
        seam::signal_file_size();
        return base::Failure{Errno::fbig};
    }
    return end > largest_file ? Status{base::Failure{Errno::fbig}} : base::success;
}

Result<std::uint64_t> seek_position(File& file, std::int64_t offset, int whence) {
    constexpr int set = 0, current = 1, end = 2, data = 3, hole = 4;
    const bool sized = file.is(regular_file);
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
    if (position < 0 || (sized && static_cast<std::uint64_t>(position) > largest_file))
        return base::Failure{Errno::inval};
    file.position = static_cast<std::uint64_t>(position);
    return file.position;
}

Status list(File& directory, Emit emit, void* context) {
    Node& node = *directory.node;
    if (!directory.is(directory_file))
        return base::Failure{Errno::notdir};
    if (node.links == 0)
        return base::Failure{Errno::noent};
    tell(node, notice::access);
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
