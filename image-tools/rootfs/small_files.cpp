// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/small_files.hpp"

#include <algorithm>
#include <cstring>

namespace rootfs {

namespace {

constexpr std::size_t most_in_memory = std::size_t{8} << 20;
constexpr const char* name = "a temporary file of small contents";

} // namespace

std::uint64_t SmallFiles::add(std::span<const std::uint8_t> contents) {
    if (buffer_.size() + contents.size() > most_in_memory) {
        if (file_ == nullptr) {
            file_ = files::FileRange::temporary();
        }
        files::write_all(file_->get(), buffer_, name);
        flushed_ += buffer_.size();
        buffer_.clear();
    }
    const std::uint64_t at = flushed_ + buffer_.size();
    buffer_.insert(buffer_.end(), contents.begin(), contents.end());
    return at;
}

void SmallFiles::read(std::uint64_t at, std::span<std::uint8_t> to) const {
    if (at >= flushed_) {
        std::memcpy(to.data(), buffer_.data() + (at - flushed_), to.size());
        return;
    }
    files::FileRange{file_, name, 0, flushed_}.read(at, to); // add() never splits a content
}

} // namespace rootfs
