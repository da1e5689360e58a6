// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/pipe.cpp - a ring of pages, and the files at its two ends.
#include "partitions/unikernel/fs/files/pipe.hpp"

#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>
#include <bit>

namespace uk::fs {

namespace {

constexpr std::uint32_t in_events = ready::in | ready::in_normal, out_events = ready::out | ready::out_normal;

} // namespace

Pipe::~Pipe() {
    for (std::uint32_t i = 0; i < used_; ++i)
        mm::release_frame(page(i).frame);
    if (ring_ != own_.data())
        mm::free(ring_);
}

Result<std::uint64_t> Pipe::read(Destination& to) {
    if (to.left() == 0)
        return std::uint64_t{0};
    if (used_ == 0) {
        if (writers == 0)
            return std::uint64_t{0};
        return base::Failure{Errno::again};
    }
    const std::uint64_t before = to.done();
    const bool was_full = full();
    while (used_ > 0 && to.left() > 0) {
        Page& here = page(0);
        const std::uint64_t part = std::min<std::uint64_t>(here.bytes, to.left());
        const std::uint64_t whole = to.done();
        const Status copied = to.put({mm::frame_data(here.frame) + here.start, part});
        if (!copied.ok()) {
            to.back_to(whole); // a part of a page does not count
            if (whole > before)
                break;
            return base::Failure{copied.error()};
        }
        const bool packet = here.packet;
        const std::uint64_t gone = packet ? here.bytes : part; // the rest of a packet is lost
        here.start = static_cast<std::uint16_t>(here.start + gone);
        here.bytes = static_cast<std::uint16_t>(here.bytes - gone);
        bytes_ -= gone;
        if (here.bytes == 0) {
            mm::release_frame(here.frame);
            first_ = (first_ + 1) % pages_;
            --used_;
        }
        if (packet)
            break;
    }
    if (was_full && !full())
        changed.wake(out_events);
    return to.done() - before;
}

// All of `bytes` behind those of the last page, where they fit.
Status Pipe::append(Origin& from, std::uint64_t bytes) {
    Page& last = page(used_ - 1);
    CAISSON_TRY(from.take({mm::frame_data(last.frame) + last.start + last.bytes, bytes}));
    last.bytes = static_cast<std::uint16_t>(last.bytes + bytes);
    bytes_ += bytes;
    return base::success;
}

Status Pipe::add_page(Origin& from, std::uint64_t bytes, bool packet) {
    const auto frame = mm::allocate_frame(mm::Fill::none);
    if (!frame)
        return base::Failure{Errno::nomem};
    const Status taken = from.take({mm::frame_data(*frame), bytes});
    if (!taken.ok()) {
        mm::release_frame(*frame);
        return taken;
    }
    page(used_) = {*frame, 0, static_cast<std::uint16_t>(bytes), packet};
    ++used_;
    bytes_ += bytes;
    return base::success;
}

Result<std::uint64_t> Pipe::write(Origin& from, bool packet) {
    if (readers == 0)
        return base::Failure{Errno::pipe};
    if (from.left() == 0)
        return std::uint64_t{0};
    const std::uint64_t before = from.done();
    Status taken = base::success;
    std::uint64_t whole = before;
    const std::uint64_t tail = from.left() % page_bytes;
    if (tail != 0 && used_ > 0 && !packet && !page(used_ - 1).packet && !page(used_ - 1).shared &&
        page(used_ - 1).start + page(used_ - 1).bytes + tail <= page_bytes) {
        taken = append(from, tail);
    }
    while (taken.ok() && from.left() > 0 && !full()) {
        whole = from.done();
        taken = add_page(from, std::min(from.left(), page_bytes), packet);
    }
    if (!taken.ok()) {
        from.back_to(whole);
        if (whole == before)
            return base::Failure{taken.error()};
    }
    if (from.done() == before)
        return base::Failure{Errno::again};
    changed.wake(in_events);
    return from.done() - before;
}

std::uint64_t Pipe::share_with(Pipe& to, std::uint64_t bytes) {
    std::uint64_t left = bytes;
    for (std::uint32_t i = 0; i < used_ && left > 0 && !to.full(); ++i) {
        Page copy = page(i);
        copy.bytes = static_cast<std::uint16_t>(std::min<std::uint64_t>(copy.bytes, left));
        copy.shared = true;
        mm::retain_frame(copy.frame);
        ++to.used_;
        to.page(to.used_ - 1) = copy;
        to.bytes_ += copy.bytes;
        left -= copy.bytes;
    }
    if (left < bytes)
        to.changed.wake(in_events);
    return bytes - left;
}

Result<std::uint64_t> Pipe::resize(std::uint64_t bytes) {
    if (bytes > std::uint64_t{1} << 31)
        return base::Failure{Errno::inval};
    const std::uint64_t wanted =
        std::bit_ceil(std::max<std::uint64_t>((bytes + page_bytes - 1) / page_bytes, 1));
    if (wanted > most_pages)
        return base::Failure{Errno::perm};
    if (wanted < used_)
        return base::Failure{Errno::busy};
    Page* ring = own_.data();
    std::array<Page, default_pages> kept{};
    if (wanted > default_pages) {
        ring = static_cast<Page*>(mm::allocate(wanted * sizeof(Page)));
        if (ring == nullptr)
            return base::Failure{Errno::nomem};
    }
    Page* to = ring == own_.data() ? kept.data() : ring;
    for (std::uint32_t i = 0; i < used_; ++i)
        std::construct_at(to + i, page(i));
    for (std::uint64_t i = used_; i < (ring == own_.data() ? default_pages : wanted); ++i)
        std::construct_at(to + i);
    if (ring_ != own_.data())
        mm::free(ring_);
    if (ring == own_.data())
        own_ = kept;
    const bool was_full = full();
    ring_ = ring;
    first_ = 0;
    pages_ = static_cast<std::uint32_t>(wanted);
    if (was_full && !full())
        changed.wake(out_events);
    return capacity();
}

std::uint32_t Pipe::readiness(bool reader, bool writer) const {
    std::uint32_t events = 0;
    if (reader) {
        events |= used_ > 0 ? in_events : 0;
        events |= writers == 0 ? ready::hang_up : 0;
    }
    if (writer) {
        events |= full() ? 0 : out_events;
        events |= readers == 0 ? ready::error : 0;
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
    changed.wake_all();
}

void Pipe::close_end(bool reader, bool writer) {
    readers -= reader ? 1 : 0;
    writers -= writer ? 1 : 0;
    if ((readers == 0) != (writers == 0)) // one side is gone: the other hears of it
        changed.wake(in_events | out_events | ready::error | ready::hang_up);
}

namespace {

Pipe& pipe_of(const File& file) {
    return *file.node->pipe;
}

Result<std::uint64_t> read_pipe(File& file, std::uint64_t, Destination& to) {
    return pipe_of(file).read(to);
}

Result<std::uint64_t> write_pipe(File& file, std::uint64_t, Origin& from) {
    return pipe_of(file).write(from, (file.flags & open_flag::direct) != 0);
}

std::uint32_t pipe_readiness(File& file) {
    return pipe_of(file).readiness(file.readable, file.writable);
}

WaitQueue& pipe_queue(File& file) {
    return pipe_of(file).changed;
}

Result<std::uint64_t> control_pipe(File& file, std::uint32_t request, std::uint64_t argument) {
    switch (request) {
    case control::bytes_waiting:
        return pipe_of(file).bytes();
    case control::get_pipe_size:
        return pipe_of(file).capacity();
    case control::set_pipe_size:
        return pipe_of(file).resize(argument);
    default:
        return base::Failure{Errno::notty};
    }
}

void release_pipe(File& file) {
    pipe_of(file).close_end(file.readable, file.writable);
}

} // namespace

const FileOperations pipe_file{.read = read_pipe,
                               .write = write_pipe,
                               .readiness = pipe_readiness,
                               .wait = pipe_queue,
                               .control = control_pipe,
                               .release = release_pipe,
                               .tells = true};

Result<PipeEnds> make_pipe(Ref<Node> node, std::uint32_t flags) {
    node->pipe = mm::make<Pipe>();
    if (node->pipe == nullptr)
        return base::Failure{Errno::nomem};
    PipeEnds ends;
    ends.reader =
        CAISSON_TRY(make_file(node, pipe_file, (flags & open_flag::non_block) | open_flag::read_only));
    node->pipe->open_end(true, false);
    ends.writer = CAISSON_TRY(make_file(node, pipe_file, flags | open_flag::write_only));
    node->pipe->open_end(false, true);
    return ends;
}

} // namespace uk::fs
