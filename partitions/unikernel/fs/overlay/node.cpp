// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/overlay/node.cpp - references, permissions and the contents of regular files.
#include "partitions/unikernel/fs/overlay/node.hpp"

#include "hypervisor/base/address.hpp"
#include "partitions/unikernel/fs/files/inotify.hpp"
#include "partitions/unikernel/fs/files/transfer.hpp"
#include "partitions/unikernel/fs/overlay/volume.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace uk::fs {

namespace {

std::uint64_t pages_of(std::uint64_t bytes) {
    return bytes / page_bytes + (bytes % page_bytes != 0 ? 1 : 0);
}

// Does the page hold the end of a file that lies between inodes in the image?
bool is_inlined_tail(const Node& node, std::uint64_t page) {
    return node.lower != no_lower && node.inode.layout == ErofsLayout::flat_inline &&
           page == node.inode.size / page_bytes;
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
    if (is_inlined_tail(node, page))
        drop_tail_copy(node);
    seam::forget_mapped_pages(node, page, page + 1, false);
    return mm::frame_data(*frame);
}

// The last page behind the end, where a shared mapping may have written: a file that grows has zeros there.
void clear_behind_end(Node& node) {
    const std::uint64_t within = node.size % page_bytes;
    if (std::byte* last = within != 0 ? node.pages.find(node.size / page_bytes) : nullptr)
        std::memset(last + within, 0, page_bytes - within);
}

} // namespace

Result<ErofsRun> lower_run(const Node& node, std::uint64_t offset) {
    if (offset >= node.lower_size)
        return ErofsRun{nullptr, node.size - offset};
    ErofsRun run = CAISSON_TRY(node.volume->lower()->run(node.inode, offset));
    run.bytes = std::min(run.bytes, node.lower_size - offset);
    return run;
}

std::uint64_t lower_pages(const Node& node) {
    if (node.lower == no_lower || node.inode.layout != ErofsLayout::chunk_based)
        return pages_of(node.lower_size);
    std::uint64_t pages = 0;
    for (std::uint64_t offset = 0; offset < node.lower_size;) {
        const auto run = lower_run(node, offset);
        if (!run.ok())
            break;
        pages += run->data != nullptr ? pages_of(run->bytes) : 0;
        offset += run->bytes;
    }
    return pages;
}

void drop_tail_copy(Node& node) {
    if (node.tail_copy.value() != 0)
        mm::release_frame(node.tail_copy);
    node.tail_copy = mm::PhysAddr{};
}

// Gives a node its target, or the name that it shows.
Status set_generated_target(Node& node, const TextSink& text) {
    if (!text.complete())
        return base::Failure{Errno::nomem};
    auto* copy = static_cast<char*>(mm::allocate(text.view().size()));
    if (copy == nullptr)
        return base::Failure{Errno::nomem};
    std::memcpy(copy, text.view().data(), text.view().size());
    node.target = {copy, text.view().size()};
    node.owns_target = true;
    return base::success;
}

namespace {

bool all_zero(std::span<const std::byte> bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

} // namespace

bool Credentials::in_group(std::uint32_t group) const {
    return group == file_group || (groups && groups->contains(group));
}

bool Credentials::may_trace(const Credentials& other, bool as_real) const {
    const std::uint32_t user = as_real ? real_user : file_user, group = as_real ? real_group : file_group;
    const CapabilitySet held = as_real ? capabilities.permitted : capabilities.effective;
    const bool same = user == other.effective_user && user == other.saved_user && user == other.real_user &&
                      group == other.effective_group && group == other.saved_group &&
                      group == other.real_group;
    return can(capability::trace) || (same && (other.capabilities.permitted & ~held) == 0);
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
    unsigned shift = 0;
    if (who.file_user == node.user)
        shift = 6;
    else if (who.in_group(node.group))
        shift = 3;
    if ((wanted & ~(node.mode >> shift) & 7) == 0)
        return true;
    const bool no_execute_bit = (node.mode & 0111) == 0 && !node.is_directory();
    if (who.can(capability::override_modes) && ((wanted & want::execute) == 0 || !no_execute_bit))
        return true;
    return who.can(capability::read_all) &&
           (node.is_directory() ? (wanted & want::write) == 0 : wanted == want::read);
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
    node.capabilities_lost = true;
    if (offset > node.size)
        clear_behind_end(node);
    const std::uint64_t before = from.done();
    while (from.left() > 0) {
        const std::uint64_t within = offset % page_bytes;
        const std::uint64_t bytes = std::min(from.left(), page_bytes - within);
        const auto frame = own_page(node, offset / page_bytes);
        const std::uint64_t done = from.done();
        const Status taken =
            frame.ok() ? from.take({*frame + within, bytes}) : Status{base::Failure{frame.error()}};
        offset += from.done() - done;
        node.size = from.done() > done ? std::max(node.size, offset) : node.size;
        if (!taken.ok()) {
            if (from.done() > before)
                break;
            return base::Failure{taken.error()};
        }
    }
    node.modified = node.changed = static_cast<Timestamp>(realtime_ns());
    return from.done() - before;
}

namespace {

constexpr std::uint64_t pages_a_piece = 1024, cleared_a_piece = 256;

// The frames of pages [first, end) go, in pieces.
void drop_frames(Node& node, std::uint64_t first, std::uint64_t end, bool copies_too) {
    for (first = node.pages.next(first); first < end;) {
        const std::uint64_t from = first;
        node.volume->refund(node.pages.remove(first, end, pages_a_piece) * page_bytes);
        const std::uint64_t to = std::min(first, end);
        seam::forget_mapped_pages(node, from, to, copies_too);
        if (first < end)
            seam::preemption_point();
    }
}

} // namespace

Node* leaving_nodes = nullptr;

bool free_a_piece() {
    Node* node = leaving_nodes;
    if (node == nullptr)
        return false;
    (void)node->pages.remove(node->size, PageMap::none, pages_a_piece); // `size`: how far it has come
    if (node->pages.count() > 0)
        return true;
    leaving_nodes = node->next_cached;
    mm::destroy(node);
    return true;
}

Status clear_node(Node& node, std::uint64_t offset, std::uint64_t bytes) {
    if (node.sealed(seal::write | seal::future_write))
        return base::Failure{Errno::perm};
    CAISSON_TRY(node.volume->prepare_change(node));
    const std::uint64_t end =
        std::min(node.size, bytes > largest_file - offset ? largest_file : offset + bytes);
    // Whole pages that hide nothing of the image are holes again.
    const std::uint64_t first_hole = pages_of(std::max(offset, node.lower_size));
    drop_frames(node, first_hole, std::max(first_hole, end / page_bytes), false);
    unsigned cleared = 0;
    while (offset < end) {
        const std::uint64_t page = offset / page_bytes;
        const std::uint64_t part = std::min(end - offset, page_bytes - offset % page_bytes);
        const bool shows = node.pages.find(page) != nullptr || page * page_bytes < node.lower_size;
        if (shows) {
            if (++cleared % cleared_a_piece == 0)
                seam::preemption_point();
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
    if ((size < node.size && node.sealed(seal::shrink)) || (size > node.size && node.sealed(seal::grow)))
        return base::Failure{Errno::perm};
    CAISSON_TRY(node.volume->prepare_change(node));
    node.capabilities_lost = true;
    if (size < node.size) {
        const std::uint64_t pages = pages_of(size);
        node.lower_size = std::min(node.lower_size, size);
        drop_frames(node, pages, pages_of(node.size), true);
        node.volume->refund(node.pages.truncate(pages) * page_bytes); // and what came meanwhile
        drop_tail_copy(node);
        if (std::byte* last = size % page_bytes != 0 ? node.pages.find(size / page_bytes) : nullptr)
            std::memset(last + size % page_bytes, 0, page_bytes - size % page_bytes);
        // Behind the new end private copies go too. A last page shown from the image has bytes there:
        // mappings take it anew, cleared.
        seam::forget_mapped_pages(node, size / page_bytes, pages, false);
        seam::forget_mapped_pages(node, pages, pages_of(node.size), true);
    }
    if (size > node.size)
        clear_behind_end(node);
    node.size = size;
    node.modified = node.changed = static_cast<Timestamp>(realtime_ns());
    tell(node, notice::modify);
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
    if (node.tail_copy.value() != 0 && is_inlined_tail(node, page)) {
        mm::retain_frame(node.tail_copy);
        return MappedPage{MappedPage::Kind::frame, nullptr, node.tail_copy, 1};
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
    if (is_inlined_tail(node, page)) { // one copy for all who map it
        node.tail_copy = *copy;
        mm::retain_frame(*copy);
    }
    return MappedPage{MappedPage::Kind::frame, nullptr, *copy, 1};
}

} // namespace uk::fs
