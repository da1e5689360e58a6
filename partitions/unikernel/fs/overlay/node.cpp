// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/overlay/node.cpp - references, permissions and the contents of regular files.
#include "partitions/unikernel/fs/overlay/node.hpp"

#include "hypervisor/base/address.hpp"
#include "partitions/unikernel/fs/files/transfer.hpp"
#include "partitions/unikernel/fs/overlay/volume.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace uk::fs {

namespace {

std::uint64_t pages_of(std::uint64_t bytes) {
    return bytes / page_bytes + (bytes % page_bytes != 0 ? 1 : 0);
}

// The bytes below the pages held in memory, from `offset` < size on.
Result<ErofsRun> lower_run(const Node& node, std::uint64_t offset) {
    if (offset >= node.lower_size)
        return ErofsRun{nullptr, node.size - offset};
    const Erofs& image = *node.volume->lower();
    const ErofsInode inode = CAISSON_TRY(image.inode(node.lower));
    ErofsRun run = CAISSON_TRY(image.run(inode, offset));
    run.bytes = std::min(run.bytes, node.lower_size - offset);
    return run;
}

Status copy_lower(const Node& node, std::uint64_t page, std::byte* to) {
    std::uint64_t offset = page * page_bytes;
    const std::uint64_t end = std::min(offset + page_bytes, node.lower_size);
    while (offset < end) {
        const ErofsRun run = CAISSON_TRY(lower_run(node, offset));
        const std::uint64_t bytes = std::min(run.bytes, end - offset);
        if (run.data != nullptr)
            std::memcpy(to + offset % page_bytes, run.data, bytes);
        offset += bytes;
    }
    return base::success;
}

// The page as a frame of the node's own, with what shows there now.
Result<std::byte*> own_page(Node& node, std::uint64_t page) {
    if (std::byte* frame = node.pages.find(page))
        return frame;
    CAISSON_TRY(node.volume->charge(page_bytes));
    const auto frame = mm::allocate_frame(mm::Fill::zero);
    if (!frame) {
        node.volume->refund(page_bytes);
        return base::Failure{Errno::nomem};
    }
    const Status copied = copy_lower(node, page, mm::frame_data(*frame));
    if (!copied.ok() || !node.pages.insert(page, *frame)) {
        mm::release_frame(*frame);
        node.volume->refund(page_bytes);
        return base::Failure{copied.ok() ? Errno::nomem : copied.error()};
    }
    seam::forget_mapped_pages(node, page, page + 1, false);
    return mm::frame_data(*frame);
}

bool all_zero(std::span<const std::byte> bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

} // namespace

bool Credentials::in_group(std::uint32_t group) const {
    return group == file_group || (groups && groups->contains(group));
}

void retain(Node& node) {
    ++node.references;
}

void release(Node& node) {
    // The chain of parents can be long: a loop, not recursion.
    Node* here = &node;
    while (here != nullptr && --here->references == 0) {
        Node* parent = here->parent;
        here->volume->forget(*here);
        here = parent;
    }
}

bool permits(const Node& node, const Credentials& who, unsigned wanted) {
    if (who.owns_every_file()) {
        const bool no_execute_bit = (node.mode & 0111) == 0 && !node.is_directory();
        return (wanted & want::execute) == 0 || !no_execute_bit;
    }
    unsigned shift = 0;
    if (who.file_user == node.user)
        shift = 6;
    else if (who.in_group(node.group))
        shift = 3;
    return (wanted & ~(node.mode >> shift) & 7) == 0;
}

Result<std::uint64_t> read_node(Node& node, std::uint64_t offset, Destination& to) {
    const std::uint64_t before = to.done();
    while (offset < node.size && to.left() > 0) {
        std::uint64_t bytes = std::min(to.left(), node.size - offset);
        const std::uint64_t page = offset / page_bytes;
        const std::uint64_t to_page_end = page_bytes - offset % page_bytes;
        const std::byte* frame = node.pages.find(page);
        ErofsRun run{frame == nullptr ? nullptr : frame + offset % page_bytes, to_page_end};
        if (frame == nullptr) {
            run = CAISSON_TRY(lower_run(node, offset));
            if (node.pages.count() > 0)
                run.bytes = std::min(run.bytes, to_page_end);
        }
        bytes = std::min(bytes, run.bytes);
        const Status copied = run.data == nullptr ? to.put_zeros(bytes) : to.put({run.data, bytes});
        if (!copied.ok()) {
            if (to.done() > before)
                break;
            return base::Failure{copied.error()};
        }
        offset += bytes;
    }
    return to.done() - before;
}

Result<std::size_t> read_node(Node& node, std::uint64_t offset, std::span<std::byte> to) {
    Destination destination{to};
    return CAISSON_TRY(read_node(node, offset, destination));
}

Result<std::uint64_t> write_node(Node& node, std::uint64_t offset, Origin& from) {
    if (from.left() > largest_file - std::min(offset, largest_file))
        return base::Failure{Errno::fbig};
    CAISSON_TRY(node.volume->prepare_change(node));
    const std::uint64_t before = from.done();
    while (from.left() > 0) {
        const std::uint64_t within = offset % page_bytes;
        const std::uint64_t bytes = std::min(from.left(), page_bytes - within);
        const auto frame = own_page(node, offset / page_bytes);
        const Status taken =
            frame.ok() ? from.take({*frame + within, bytes}) : Status{base::Failure{frame.error()}};
        if (!taken.ok()) {
            if (from.done() > before)
                break;
            return base::Failure{taken.error()};
        }
        offset += bytes;
        node.size = std::max(node.size, offset);
    }
    node.modified = node.changed = static_cast<Timestamp>(realtime_ns());
    return from.done() - before;
}

Status clear_node(Node& node, std::uint64_t offset, std::uint64_t bytes) {
    CAISSON_TRY(node.volume->prepare_change(node));
    const std::uint64_t end =
        std::min(node.size, bytes > largest_file - offset ? largest_file : offset + bytes);
    while (offset < end) {
        const std::uint64_t page = offset / page_bytes;
        const std::uint64_t part = std::min(end - offset, page_bytes - offset % page_bytes);
        const bool shows = node.pages.find(page) != nullptr || page * page_bytes < node.lower_size;
        if (shows) {
            std::byte* frame = CAISSON_TRY(own_page(node, page));
            std::memset(frame + offset % page_bytes, 0, part);
            offset += part;
        } else { // a hole: on to the next page that has a frame
            const std::uint64_t next = node.pages.next(page);
            offset = next == PageMap::none ? end : std::max(offset + part, next * page_bytes);
        }
    }
    return base::success;
}

Status resize_node(Node& node, std::uint64_t size) {
    if (size > largest_file)
        return base::Failure{Errno::fbig};
    CAISSON_TRY(node.volume->prepare_change(node));
    if (size < node.size) {
        const std::uint64_t pages = pages_of(size);
        node.volume->refund(node.pages.truncate(pages) * page_bytes);
        node.lower_size = std::min(node.lower_size, size);
        if (std::byte* last = size % page_bytes != 0 ? node.pages.find(size / page_bytes) : nullptr)
            std::memset(last + size % page_bytes, 0, page_bytes - size % page_bytes);
        // Behind the new end private copies go too. A last page shown from the image has bytes there:
        // mappings take it anew, cleared.
        seam::forget_mapped_pages(node, size / page_bytes, pages, false);
        seam::forget_mapped_pages(node, pages, pages_of(node.size), true);
    }
    node.size = size;
    node.modified = node.changed = static_cast<Timestamp>(realtime_ns());
    return base::success;
}

mm::Mappings& mappings_of(Node& node) {
    return node.mappings;
}

Result<MappedPage> map_page(Node& node, std::uint64_t page, MapUse use) {
    if (!node.is_regular() || node.synthetic.entry != 0)
        return base::Failure{Errno::nodev};
    if (page >= pages_of(node.size))
        return base::Failure{Errno::nxio};
    MappedPage out;
    if (use == MapUse::shared_write && node.pages.find(page) == nullptr) {
        CAISSON_TRY(node.volume->prepare_change(node));
        (void)CAISSON_TRY(own_page(node, page));
    }
    if (node.pages.find(page) != nullptr) {
        out.kind = MappedPage::Kind::frame;
        out.frame = node.pages.frame(page);
        mm::retain_frame(out.frame);
        return out;
    }
    const std::uint64_t offset = page * page_bytes;
    const ErofsRun run = CAISSON_TRY(lower_run(node, offset));
    const std::uint64_t wanted = std::min<std::uint64_t>(page_bytes, node.size - offset);
    if (run.data == nullptr && run.bytes >= wanted)
        return out;
    if (run.data != nullptr && std::bit_cast<std::uintptr_t>(run.data) % page_bytes == 0) {
        out.kind = MappedPage::Kind::image;
        out.image = run.data;
        if (run.bytes >= page_bytes) {
            out.pages = node.pages.count() == 0 ? run.bytes / page_bytes : 1;
            return out;
        }
        // The last page can be shown in place when nothing but zeros follows the end of the file.
        if (node.volume->lower()->holds(run.data, page_bytes) &&
            all_zero({run.data + run.bytes, page_bytes - run.bytes}))
            return out;
    }
    const auto copy = mm::allocate_frame(mm::Fill::zero);
    if (!copy)
        return base::Failure{Errno::nomem};
    const Status copied = copy_lower(node, page, mm::frame_data(*copy));
    if (!copied.ok()) {
        mm::release_frame(*copy);
        return base::Failure{copied.error()};
    }
    return MappedPage{MappedPage::Kind::frame, nullptr, *copy, 1};
}

} // namespace uk::fs
