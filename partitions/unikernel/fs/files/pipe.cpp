// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/pipe.cpp - a ring of frames.
#include "partitions/unikernel/fs/files/pipe.hpp"

#include <algorithm>

namespace uk::fs {

Pipe::~Pipe() {
    for (mm::PhysAddr frame : frames_)
        if (frame.value() != 0)
            mm::release_frame(frame);
}

std::byte* Pipe::page_for(std::uint64_t position) {
    mm::PhysAddr& frame = frames_[position / page_bytes % slots];
    if (frame.value() == 0) {
        const auto made = mm::allocate_frame(mm::Fill::zero);
        if (!made)
            return nullptr;
        frame = *made;
    }
    return mm::frame_data(frame) + position % page_bytes;
}

Result<std::uint64_t> Pipe::read(Destination& to) {
    if (to.left() == 0)
        return std::uint64_t{0};
    if (bytes_ == 0) {
        if (writers == 0)
            return std::uint64_t{0};
        return base::Failure{Errno::again};
    }
    const std::uint64_t before = to.done();
    while (bytes_ > 0 && to.left() > 0) {
        const std::uint64_t part = std::min({bytes_, to.left(), page_bytes - start_ % page_bytes});
        const Status copied = to.put({page_for(start_), part});
        if (!copied.ok()) {
            if (to.done() > before)
                break;
            return base::Failure{copied.error()};
        }
        start_ += part;
        bytes_ -= part;
        mm::PhysAddr& left_behind = frames_[(start_ - 1) / page_bytes % slots];
        if (start_ % page_bytes == 0) {
            mm::release_frame(left_behind);
            left_behind = {};
        }
    }
    seam::wake(changed);
    return to.done() - before;
}

Result<std::uint64_t> Pipe::write(Origin& from) {
    if (readers == 0)
        return base::Failure{Errno::pipe};
    if (from.left() == 0)
        return std::uint64_t{0};
    // The first page of the ring may be used at both ends: room is what is left in whole pages.
    const std::uint64_t limit = capacity - (start_ % page_bytes != 0 ? page_bytes : 0);
    const std::uint64_t room = limit - std::min(limit, bytes_);
    if (room == 0 || (from.left() <= atomic_bytes && room < from.left()))
        return base::Failure{Errno::again};
    const std::uint64_t before = from.done();
    const std::uint64_t wanted = std::min(from.left(), room);
    while (from.done() - before < wanted) {
        const std::uint64_t position = start_ + bytes_;
        const std::uint64_t part =
            std::min(wanted - (from.done() - before), page_bytes - position % page_bytes);
        std::byte* page = page_for(position);
        const Status taken = page != nullptr ? from.take({page, part}) : Status{base::Failure{Errno::nomem}};
        if (!taken.ok()) {
            if (from.done() > before)
                break;
            return base::Failure{taken.error()};
        }
        bytes_ += part;
    }
    seam::wake(changed);
    return from.done() - before;
}

std::uint32_t Pipe::readiness(bool reader, bool writer) const {
    std::uint32_t events = 0;
    if (reader) {
        if (bytes_ > 0)
            events |= ready::in | ready::in_normal;
        if (writers == 0)
            events |= ready::hang_up;
    }
    if (writer) {
        if (bytes_ + atomic_bytes <= capacity - page_bytes)
            events |= ready::out | ready::out_normal;
        if (readers == 0)
            events |= ready::error;
    }
    return events;
}

void Pipe::open_end(bool reader, bool writer) {
    if (reader) {
        ++readers;
        ++reader_opens;
    }
    if (writer) {
        ++writers;
        ++writer_opens;
    }
    seam::wake(changed);
}

void Pipe::close_end(bool reader, bool writer) {
    readers -= reader ? 1 : 0;
    writers -= writer ? 1 : 0;
    seam::wake(changed);
}

} // namespace uk::fs
