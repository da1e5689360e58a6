// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/byte_queue.hpp - bytes that were sent and not received yet, in page frames.
//
// The sender's copy goes into the receiver's queue, the receiver's out of it: nothing lies in between. A frame
// that a queue emptied stays with it, so that short messages to and fro allocate nothing; how many frames may
// rest that way is bounded, and so is what all queues hold together (a quarter of the partition's frames).
#pragma once

#include "partitions/unikernel/fs/files/transfer.hpp"
#include "partitions/unikernel/net/rights.hpp"

namespace uk::net {

struct Identity { // struct ucred
    std::int32_t process = 0;
    std::uint32_t user = ~std::uint32_t{0}, group = ~std::uint32_t{0};
    [[nodiscard]] bool operator==(const Identity&) const = default;
};

class ByteQueue {
public:
    // Bytes of one sender; with rights, which belong to their first byte, nothing is put behind those of another.
    struct Chunk {
        Chunk* next = nullptr;
        std::uint32_t start = 0, end = 0;
        Identity sender;
        Rights* rights = nullptr; // in flight
        [[nodiscard]] std::byte* data() { return reinterpret_cast<std::byte*>(this + 1); }
        [[nodiscard]] std::uint32_t bytes() const { return end - start; }
    };
    static constexpr std::uint32_t chunk_bytes = fs::page_bytes - sizeof(Chunk);

    ByteQueue() = default;
    ByteQueue(const ByteQueue&) = delete;
    ByteQueue& operator=(const ByteQueue&) = delete;
    ~ByteQueue() { clear(); }

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] bool empty() const { return bytes_ == 0; }
    // At most `most` bytes; `rights` are taken with the first. Errors, when none came: nobufs, fault.
    [[nodiscard]] Result<std::uint64_t> append(fs::Origin& from, std::uint64_t most, const Identity& sender,
                                               OwnedRights& rights);
    // At most `most` bytes from the first one on. Rights on the way are dropped. fault: when none went.
    [[nodiscard]] Result<std::uint64_t> read(fs::Destination& to, std::uint64_t most, bool peek);
    void skip(std::uint64_t bytes);
    // The byte at a place. There are more bytes than `at`.
    [[nodiscard]] std::byte at(std::uint64_t at) const;
    // The first chunk with bytes, or nullptr; its first bytes go with consume().
    [[nodiscard]] Chunk* first() const { return bytes_ == 0 ? nullptr : first_; }
    void consume(std::uint32_t bytes);
    void clear();

private:
    [[nodiscard]] static Chunk* make_chunk();
    static void free_chunk(Chunk* chunk);
    void drop_first();

    Chunk* first_ = nullptr; // a last one without bytes: resting
    Chunk* last_ = nullptr;
    std::uint64_t bytes_ = 0;
};

// What a send buffer is charged for a packet: Linux counts its own bookkeeping, and programs see how many
// packets fit.
[[nodiscard]] std::uint32_t charge_of(std::uint64_t bytes);

} // namespace uk::net
