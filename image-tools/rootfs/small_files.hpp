// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/small_files.hpp - contents that will lie beside their inode, until it is known where that is.
//
// In memory at first, then in a nameless temporary file: an image may have two million of them.
#pragma once

#include "image-tools/files/range.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace rootfs {

class SmallFiles {
public:
    // Where read() finds it.
    std::uint64_t add(std::span<const std::uint8_t> contents);
    void read(std::uint64_t at, std::span<std::uint8_t> to) const;

private:
    std::shared_ptr<const files::FileHandle> file_;
    std::uint64_t flushed_ = 0;
    std::vector<std::uint8_t> buffer_; // from flushed_ on
};

} // namespace rootfs
