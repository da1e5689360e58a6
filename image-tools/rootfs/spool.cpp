// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/spool.hpp"

#include "image-tools/oci/failure.hpp"
#include "image-tools/rootfs/fill_holes.hpp"

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

void Spool::move_down(std::uint32_t from, std::uint32_t to, std::uint32_t blocks) {
    std::uint64_t at = from * block_size, lower = to * block_size, bytes = blocks * block_size;
    std::vector<std::uint8_t> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, buffer_bytes)));
    while (bytes != 0) {
        const std::size_t part = read(at, std::span(buffer).first(static_cast<std::size_t>(
                                              std::min<std::uint64_t>(bytes, buffer.size()))));
        write(lower, std::span(buffer).first(part));
        at += part;
        lower += part;
        bytes -= part;
    }
}

std::uint32_t Spool::compact(Tree& tree) {
    align();
    flush();
    if (dead_.empty()) {
        return next_block();
    }
    std::vector<Extent> live;
    for (InodeId id = 0; id < tree.inode_limit(); ++id) {
        if (!tree.exists(id) || !tree.inode(id).is_regular() || tree.inode(id).inlined) {
            continue;
        }
        Inode& inode = tree.inode(id);
        if (inode.chunks == nullptr && inode.size != 0) {
            live.push_back({&inode.first_block, static_cast<std::uint32_t>(blocks_of(inode.size))});
        } else if (inode.chunks != nullptr) {
            for (std::size_t i = 0; i < inode.chunks->chunks.size(); ++i) {
                if (inode.chunks->chunks[i] != ChunkMap::hole) {
                    live.push_back(
                        {&inode.chunks->chunks[i], static_cast<std::uint32_t>(chunk_blocks(inode, i))});
                }
            }
        }
    }
    const Filling filling = fill_holes(live, next_block());
    dead_.clear();
    for (const Move& move : filling.moves) {
        move_down(move.from, move.to, move.blocks);
    }
    static const std::vector<std::uint8_t> zeros(buffer_bytes);
    for (const auto& [first, blocks] : filling.left) {
        for (std::uint64_t at = first * block_size, end = at + blocks * block_size; at != end;) {
            const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(end - at, zeros.size()));
            write(at, std::span(zeros).first(part));
            at += part;
        }
    }
    end_ = flushed_ = filling.end * block_size;
    return next_block();
}

} // namespace rootfs
