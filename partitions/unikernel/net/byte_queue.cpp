// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/byte_queue.cpp - see byte_queue.hpp.
#include "partitions/unikernel/net/byte_queue.hpp"

#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/mm/frames.hpp"

#include <algorithm>
#include <bit>

namespace uk::net {

namespace {

constexpr std::uint64_t most_resting = 64; // frames without bytes
std::uint64_t frames = 0, resting = 0;

} // namespace

ByteQueue::Chunk* ByteQueue::make_chunk() {
    if (frames >= mm::frame_counts().total / 4)
        return nullptr;
    const auto frame = mm::allocate_frame(mm::Fill::none);
    if (!frame)
        return nullptr;
    ++frames;
    return std::construct_at(reinterpret_cast<Chunk*>(mm::frame_data(*frame)));
}

void ByteQueue::free_chunk(Chunk* chunk) {
    OwnedRights{chunk->rights}.reset();
    --frames;
    mm::release_frame(mm::frame_of(reinterpret_cast<std::byte*>(chunk)));
}

Result<std::uint64_t> ByteQueue::append(fs::Origin& from, std::uint64_t most, const Identity& sender,
                                        OwnedRights& rights) {
    if (first_ != nullptr && bytes_ == 0) { // the resting one
        if (std::min(most, from.left()) == 0)
            return std::uint64_t{0};
        first_->sender = sender;
        --resting;
    }
    std::uint64_t done = 0;
    Status taken = base::success;
    bool fresh = bytes_ == 0; // what is in the last chunk may have anything beside it
    while (taken.ok() && done < most && from.left() > 0) {
        Chunk* chunk = last_;
        const bool fits =
            chunk != nullptr && chunk->end < chunk_bytes &&
            (fresh || (rights == nullptr && chunk->rights == nullptr && chunk->sender == sender));
        if (!fits && (chunk = make_chunk()) == nullptr) {
            taken = base::Failure{Errno::nobufs};
            break;
        }
        fresh = false;
        if (!fits)
            chunk->sender = sender;
        const std::uint64_t before = from.done();
        taken = from.take({chunk->data() + chunk->end,
                           std::min({std::uint64_t{chunk_bytes - chunk->end}, most - done, from.left()})});
        const std::uint64_t came = from.done() - before;
        chunk->end += static_cast<std::uint32_t>(came);
        bytes_ += came;
        done += came;
        if (came > 0 && rights)
            chunk->rights = enter_flight(std::move(rights));
        if (fits)
            continue;
        if (came == 0) {
            free_chunk(chunk);
        } else {
            (last_ != nullptr ? last_->next : first_) = chunk;
            last_ = chunk;
        }
    }
    if (bytes_ == 0 && first_ != nullptr)
        ++resting;
    if (done == 0 && !taken.ok())
        return base::Failure{taken.error()};
    return done;
}

void ByteQueue::drop_first() {
    Chunk* gone = first_;
    first_ = gone->next;
    if (first_ == nullptr)
        last_ = nullptr;
    free_chunk(gone);
}

void ByteQueue::consume(std::uint32_t bytes) {
    first_->start += bytes;
    bytes_ -= bytes;
    if (first_->bytes() > 0)
        return;
    if (first_ != last_ || resting >= most_resting) {
        drop_first();
        return;
    }
    OwnedRights{std::exchange(first_->rights, nullptr)}.reset();
    first_->start = first_->end = 0;
    ++resting;
}

Result<std::uint64_t> ByteQueue::read(fs::Destination& to, std::uint64_t most, bool peek) {
    std::uint64_t done = 0;
    Status put = base::success;
    for (Chunk* chunk = first(); put.ok() && chunk != nullptr && done < most && to.left() > 0;) {
        const std::uint64_t before = to.done();
        const std::uint64_t part = std::min({std::uint64_t{chunk->bytes()}, most - done, to.left()});
        put = to.put({chunk->data() + chunk->start, part});
        const std::uint64_t went = to.done() - before;
        done += went;
        if (peek) {
            chunk = chunk->next;
        } else {
            consume(static_cast<std::uint32_t>(went));
            chunk = first();
        }
    }
    if (done == 0 && !put.ok())
        return base::Failure{put.error()};
    return done;
}

void ByteQueue::skip(std::uint64_t bytes) {
    while (bytes > 0 && bytes_ > 0) {
        const std::uint64_t part = std::min<std::uint64_t>(bytes, first_->bytes());
        consume(static_cast<std::uint32_t>(part));
        bytes -= part;
    }
}

std::byte ByteQueue::at(std::uint64_t at) const {
    base::expects(at < bytes_, "ByteQueue: behind the end");
    Chunk* chunk = first_;
    for (; at >= chunk->bytes(); chunk = chunk->next)
        at -= chunk->bytes();
    return chunk->data()[chunk->start + at];
}

void ByteQueue::clear() {
    if (first_ != nullptr && bytes_ == 0)
        --resting;
    bytes_ = 0;
    while (first_ != nullptr)
        drop_first();
}

std::uint32_t charge_of(std::uint64_t bytes) {
    constexpr std::uint64_t head = 256, shared = 320;
    return static_cast<std::uint32_t>(head + std::bit_ceil(std::max<std::uint64_t>(bytes + shared, 512)));
}

} // namespace uk::net
