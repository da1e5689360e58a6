// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/spool.hpp - the output file while it is being made: file contents in 4 KiB blocks from
// block 1 on.
//
// Contents are appended in the order of the layers; what later layers remove leaves a hole, and the holes are filled once, at the
// end, so that the file depends on the layers alone and holds nothing that they removed.
// Invariants: a content starts on a block; the rest of its last block is zero.
#pragma once

#include "image-tools/files/range.hpp"
#include "image-tools/rootfs/small_files.hpp"
#include "image-tools/rootfs/tree.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace rootfs {

class Spool {
public:
    // `base`: where the root image begins in the file.
    Spool(std::shared_ptr<const files::FileHandle> file, std::string name, std::uint64_t base);

    [[nodiscard]] std::uint32_t next_block() const { return static_cast<std::uint32_t>(end_ / block_size); }
    void append(std::span<const std::uint8_t> data);
    void append_zeros(std::uint64_t bytes);
    void align(); // to the next block
    void flush();
    [[nodiscard]] SmallFiles& small_files() { return small_files_; }

    // The blocks of a file that is gone.
    void release(const Inode& inode);
    // Takes released blocks away, except one in 512 of all, which become zeros, and renumbers the tree's. Returns the block after
    // the last one.
    std::uint32_t compact(Tree& tree);

    std::size_t read(std::uint64_t offset, std::span<std::uint8_t> to) const; // flushed bytes
    void write(std::uint64_t offset, std::span<const std::uint8_t> data);     // after or before the data
    void resize(std::uint64_t bytes);

private:
    void release(std::uint32_t first, std::uint64_t blocks);
    void move_down(std::uint32_t from, std::uint32_t to, std::uint32_t blocks);

    std::shared_ptr<const files::FileHandle> file_;
    std::string name_;
    std::uint64_t base_;
    std::uint64_t end_ = block_size;     // of what was appended
    std::uint64_t flushed_ = block_size; // of what is in the file
    std::vector<std::uint8_t> buffer_;   // [flushed_, end_)
    SmallFiles small_files_;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> dead_; // first block, blocks
};

// Blocks of chunk `index` of a chunked file: the last chunk has only what the file needs.
std::uint64_t chunk_blocks(const Inode& inode, std::size_t index);

} // namespace rootfs
