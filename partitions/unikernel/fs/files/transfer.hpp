// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/transfer.hpp - where the bytes of a read go and those of a write come from.
//
// The system calls give one that copies to or from user memory with checks; the kernel and tests one over a
// span. A copy may fault, and the fault may map a page of any file: implementations of files hold no
// half-made state then.
#pragma once

#include "partitions/unikernel/fs/types.hpp"

#include <algorithm>
#include <cstring>
#include <span>

namespace uk::fs {

class Destination {
public:
    // Copies `bytes` to the destination's byte `offset`; gives how many arrived: fewer at a bad page.
    using Put = std::uint64_t (*)(void* context, std::uint64_t offset, std::span<const std::byte> bytes);
    Destination(Put copy, void* context, std::uint64_t size)
        : put_(copy), context_(context), whole_(size), size_(size) {}
    explicit Destination(std::span<std::byte> memory)
        : put_([](void* to, std::uint64_t offset, std::span<const std::byte> bytes) -> std::uint64_t {
              std::memcpy(static_cast<std::byte*>(to) + offset, bytes.data(), bytes.size());
              return bytes.size();
          }),
          context_(memory.data()), whole_(memory.size()), size_(memory.size()) {}

    [[nodiscard]] std::uint64_t left() const { return size_ - done_; }
    [[nodiscard]] std::uint64_t done() const { return done_; }
    // Only so many bytes at once: a long call goes in pieces. False: that is all of it.
    bool start_piece(std::uint64_t bytes) {
        size_ = bytes < whole_ - done_ ? done_ + bytes : whole_;
        return size_ < whole_;
    }
    // At most left() bytes. fault: done() tells how many arrived.
    [[nodiscard]] Status put(std::span<const std::byte> bytes);
    [[nodiscard]] Status put_zeros(std::uint64_t bytes);
    void back_to(std::uint64_t done) { done_ = done; } // what was put behind it does not count

private:
    Put put_;
    void* context_;
    std::uint64_t whole_;
    std::uint64_t size_; // of the present piece, from the start
    std::uint64_t done_ = 0;
};

class Origin {
public:
    using Take = std::uint64_t (*)(void* context, std::uint64_t offset, std::span<std::byte> bytes);
    Origin(Take copy, void* context, std::uint64_t size)
        : take_(copy), context_(context), whole_(size), size_(size) {}
    explicit Origin(std::span<const std::byte> memory)
        : take_([](void* from, std::uint64_t offset, std::span<std::byte> bytes) -> std::uint64_t {
              std::memcpy(bytes.data(), static_cast<const std::byte*>(from) + offset, bytes.size());
              return bytes.size();
          }),
          context_(const_cast<std::byte*>(memory.data())), whole_(memory.size()), size_(memory.size()) {}

    [[nodiscard]] std::uint64_t left() const { return size_ - done_; }
    [[nodiscard]] std::uint64_t done() const { return done_; }
    // Only so many bytes at once: a long call goes in pieces. False: that is all of it.
    bool start_piece(std::uint64_t bytes) {
        size_ = bytes < whole_ - done_ ? done_ + bytes : whole_;
        return size_ < whole_;
    }
    // At most left() bytes. fault: done() tells how many came.
    [[nodiscard]] Status take(std::span<std::byte> bytes);
    void back_to(std::uint64_t done) { done_ = done; }
    void limit(std::uint64_t bytes) { // no more than so many
        whole_ = bytes < whole_ - done_ ? done_ + bytes : whole_;
        size_ = std::min(size_, whole_);
    }
    void skip(std::uint64_t bytes) { done_ += bytes; }

private:
    Take take_;
    void* context_;
    std::uint64_t whole_;
    std::uint64_t size_; // of the present piece, from the start
    std::uint64_t done_ = 0;
};

} // namespace uk::fs
