// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/pipe.hpp - the bytes between the two ends of a pipe.
// Spec: pipe(7); the pages of the buffer are Linux's, because programs see them (F_SETPIPE_SZ, when a full
// pipe has room again, where packets end).
#pragma once

#include "partitions/unikernel/fs/files/file.hpp"
#include "partitions/unikernel/mm/frames.hpp"

#include <array>

namespace uk::fs {

// A ring of pages. A write begins in a new page unless all of its part that does not fill a page fits behind
// the bytes of the last one; a frame is given back with its last byte.
class Pipe {
public:
    static constexpr std::uint32_t default_pages = 16;
    static constexpr std::uint32_t most_pages = 256; // fs.pipe-max-size

    Pipe() = default;
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe();

    // again: nothing there yet. 0: nothing there and nobody writes.
    [[nodiscard]] Result<std::uint64_t> read(Destination& to);
    // Errors: pipe (nobody reads), again (no room; what fits in a page is all or nothing), nomem. `packet`:
    // what one write put in is read by itself (O_DIRECT).
    [[nodiscard]] Result<std::uint64_t> write(Origin& from, bool packet);
    // tee(2): the first `bytes` of it also lie behind what is in `to`, in the same frames. Pages less than whole ones may be.
    std::uint64_t share_with(Pipe& to, std::uint64_t bytes);
    [[nodiscard]] bool full() const { return used_ == pages_; }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] std::uint64_t capacity() const { return std::uint64_t{pages_} * page_bytes; }
    // Rounded up to a power of two of pages. Errors: perm (too much), busy (more is in it), nomem, inval.
    [[nodiscard]] Result<std::uint64_t> resize(std::uint64_t bytes);
    [[nodiscard]] std::uint32_t readiness(bool reader, bool writer) const;
    void open_end(bool reader, bool writer);
    void close_end(bool reader, bool writer);

    unsigned readers = 0, writers = 0;
    // So many times an end was opened: a fifo's open waits until this moves.
    std::uint32_t reader_opens = 0, writer_opens = 0;
    WaitQueue changed;

private:
    struct Page {
        mm::PhysAddr frame;
        std::uint16_t start = 0, bytes = 0;
        bool packet = false;
        bool shared = false; // another pipe's too: nothing is put behind its bytes
    };
    [[nodiscard]] Page& page(std::uint32_t index) { return ring_[(first_ + index) % pages_]; }
    [[nodiscard]] Status append(Origin& from, std::uint64_t bytes);
    [[nodiscard]] Status add_page(Origin& from, std::uint64_t bytes, bool packet);

    std::array<Page, default_pages> own_{};
    Page* ring_ = own_.data();
    std::uint32_t pages_ = default_pages;
    std::uint32_t first_ = 0, used_ = 0;
    std::uint64_t bytes_ = 0;
};

// A pipe without a name: its reading and its writing end. `flags`: open_flag::{non_block, direct}.
struct PipeEnds {
    Ref<File> reader, writer;
};
[[nodiscard]] Result<PipeEnds> make_pipe(Ref<Node> node, std::uint32_t flags);

} // namespace uk::fs
