// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/spool.hpp"

#include "image-tools/oci/failure.hpp"

#include <algorithm>
#include <cerrno>
#include <unistd.h>

namespace rootfs {

namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 20;

std::uint64_t blocks_of(std::uint64_t bytes) {
    return (bytes + block_size - 1) / block_size;
}

} // namespace

std::uint64_t chunk_blocks(const Inode& inode, std::size_t index) {
    const std::uint64_t chunk = std::uint64_t{1} << inode.chunks->chunk_bits;
    return std::min(chunk, blocks_of(inode.size) - index * chunk);
}

Spool::Spool(std::shared_ptr<const files::FileHandle> file, std::string name, std::uint64_t base)
    : file_(std::move(file)), name_(std::move(name)), base_(base) {
    buffer_.reserve(buffer_bytes);
}

void Spool::append(std::span<const std::uint8_t> data) {
    if (buffer_.size() + data.size() > buffer_bytes) {
        flush();
    }
    end_ += data.size();
    if (data.size() >= buffer_bytes) {
        write(flushed_, data);
        flushed_ = end_;
    } else {
        buffer_.insert(buffer_.end(), data.begin(), data.end());
    }
    if (end_ / block_size >= UINT32_MAX) {
        throw diagnostic::fail(oci::Fault::limit, name_ + ": a root image of 16 TiB or more");
    }
}

void Spool::append_zeros(std::uint64_t bytes) {
    static const std::vector<std::uint8_t> zeros(std::size_t{64} << 10);
    while (bytes != 0) {
        const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, zeros.size()));
        append(std::span(zeros).first(part));
        bytes -= part;
    }
}

void Spool::align() {
    append_zeros((block_size - end_ % block_size) % block_size);
}

void Spool::flush() {
    write(flushed_, buffer_);
    flushed_ += buffer_.size();
    buffer_.clear();
}

void Spool::write(std::uint64_t offset, std::span<const std::uint8_t> data) {
    while (!data.empty()) {
        const ssize_t put =
            ::pwrite(file_->get(), data.data(), data.size(), static_cast<off_t>(base_ + offset));
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            throw diagnostic::fail_system("E0602", "cannot write " + name_, errno);
        }
        offset += static_cast<std::uint64_t>(put);
        data = data.subspan(static_cast<std::size_t>(put));
    }
}

std::size_t Spool::read(std::uint64_t offset, std::span<std::uint8_t> to) const {
    const files::FileRange range{file_, name_, base_, offset + to.size()};
    return range.read(offset, to);
}

void Spool::resize(std::uint64_t bytes) {
    if (::ftruncate(file_->get(), static_cast<off_t>(base_ + bytes)) != 0) {
        throw diagnostic::fail_system("E0602", "cannot write " + name_, errno);
    }
}

void Spool::release(std::uint32_t first, std::uint64_t blocks) {
    if (blocks != 0) {
        dead_.emplace_back(first, static_cast<std::uint32_t>(blocks));
    }
}

void Spool::release(const Inode& inode) {
    if (!inode.is_regular() || inode.inlined) {
        return;
    }
    if (inode.chunks == nullptr) {
        release(inode.first_block, blocks_of(inode.size));
        return;
    }
    for (std::size_t i = 0; i < inode.chunks->chunks.size(); ++i) {
        if (inode.chunks->chunks[i] != ChunkMap::hole) {
            release(inode.chunks->chunks[i], chunk_blocks(inode, i));
        }
    }
}

void Spool::move_down(std::uint64_t from, std::uint64_t to, std::uint64_t bytes) {
    std::vector<std::uint8_t> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, buffer_bytes)));
    while (bytes != 0) {
        const std::size_t part = read(from, std::span(buffer).first(static_cast<std::size_t>(
                                                std::min<std::uint64_t>(bytes, buffer.size()))));
        write(to, std::span(buffer).first(part));
        from += part;
        to += part;
        bytes -= part;
    }
}

std::uint32_t Spool::compact(Tree& tree) {
    align();
    flush();
    if (dead_.empty()) {
        return next_block();
    }
    std::sort(dead_.begin(), dead_.end());
    const std::uint32_t end = next_block();
    std::vector<std::uint32_t> gone_before; // blocks removed up to and with dead_[i]
    std::uint32_t gone = 0;
    for (std::size_t i = 0; i < dead_.size(); ++i) {
        gone += dead_[i].second;
        gone_before.push_back(gone);
        const std::uint32_t from = dead_[i].first + dead_[i].second;
        const std::uint32_t until = i + 1 < dead_.size() ? dead_[i + 1].first : end;
        move_down(from * block_size, (from - gone) * block_size, (until - from) * block_size);
    }
    const auto renumber = [&](std::uint32_t& block) {
        const auto above = std::upper_bound(dead_.begin(), dead_.end(), std::pair(block, UINT32_MAX));
        if (above != dead_.begin()) {
            block -= gone_before[static_cast<std::size_t>(above - dead_.begin() - 1)];
        }
    };
    for (InodeId id = 0; id < tree.inode_limit(); ++id) {
        if (!tree.exists(id) || !tree.inode(id).is_regular() || tree.inode(id).inlined) {
            continue;
        }
        Inode& inode = tree.inode(id);
        if (inode.chunks == nullptr && inode.size != 0) {
            renumber(inode.first_block);
        } else if (inode.chunks != nullptr) {
            for (std::uint32_t& block : inode.chunks->chunks) {
                if (block != ChunkMap::hole) {
                    renumber(block);
                }
            }
        }
    }
    dead_.clear();
    end_ = flushed_ = (end - gone) * block_size;
    return next_block();
}

} // namespace rootfs
