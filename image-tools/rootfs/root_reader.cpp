// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/root_reader.cpp - a root image read back from a bundle.
#include "image-tools/rootfs/root_reader.hpp"

#include "partitions/formats/erofs.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

namespace rootfs {
namespace {

constexpr std::uint64_t block = 4096;
constexpr std::uint64_t max_directory_bytes = std::uint64_t{256} << 20, most_zeros = std::uint64_t{256} << 20;
constexpr std::size_t max_depth = 256, max_path = 4096;
constexpr unsigned type_mask = 0170000, type_directory = 0040000, type_regular = 0100000, type_link = 0120000;

template <typename T> T value_at(std::string_view bytes, std::uint64_t at) {
    if (at > bytes.size() || bytes.size() - at < sizeof(T))
        throw RootError("a structure is cut short");
    T out;
    std::memcpy(&out, bytes.data() + at, sizeof out);
    return out;
}

} // namespace

struct RootReader::Inode {
    std::uint64_t number = 0;
    std::uint16_t mode = 0;
    unsigned layout = 0;
    std::uint64_t size = 0;
    std::uint32_t place = 0;
    std::uint64_t behind = 0; // what follows inode and attributes: inline data or the map of chunks
};

RootReader::RootReader(files::FileRange range)
    : RootReader([range](std::uint64_t offset, std::span<std::uint8_t> to) { return range.read(offset, to); },
                 range.size) {}

RootReader::RootReader(Read read, std::uint64_t size) : read_(std::move(read)), size_(size) {
    const std::string head = direct(erofs::superblock_offset, erofs::superblock_bytes);
    const auto superblock = value_at<erofs::Superblock>(head, 0);
    if (superblock.magic != erofs::magic || superblock.block_bits != erofs::block_bits)
        throw RootError("no EROFS of 4 KiB blocks");
    if ((superblock.feature_incompat & ~erofs::incompatible_known) != 0)
        throw RootError("an EROFS of a kind that is not written here");
    root_ = superblock.root_nid;
    inodes_ = superblock.inodes;
}

void RootReader::check(std::uint64_t offset, std::uint64_t count) const {
    if (offset > size_ || count > size_ - offset)
        throw RootError("something lies outside");
}

std::string RootReader::direct(std::uint64_t offset, std::uint64_t count) const {
    check(offset, count);
    std::string out(static_cast<std::size_t>(count), '\0');
    const std::span<std::uint8_t> into(static_cast<std::uint8_t*>(static_cast<void*>(out.data())),
                                       out.size());
    if (read_(offset, into) != out.size())
        throw RootError("it is cut short");
    return out;
}

// An inode has 32 or 64 bytes, and a call of the system for each is what would take the time.
std::string RootReader::through_windows(std::uint64_t offset, std::uint64_t count) const {
    if (count >= window_bytes)
        return direct(offset, count);
    check(offset, count);
    std::string out;
    while (out.size() < count) {
        const std::uint64_t next = offset + out.size();
        const std::uint64_t at = next / window_bytes * window_bytes;
        Window& window = windows_[at / window_bytes % windows_.size()];
        if (window.at != at) {
            window.at = UINT64_MAX;
            window.bytes = direct(at, std::min(window_bytes, size_ - at));
            window.at = at;
        }
        out.append(window.bytes, static_cast<std::size_t>(next - at),
                   static_cast<std::size_t>(count - out.size()));
    }
    return out;
}

RootReader::Inode RootReader::inode(std::uint64_t number) const {
    if (number > size_ / erofs::slot_bytes)
        throw RootError("an inode lies outside");
    const std::uint64_t at = number * erofs::slot_bytes;
    const auto format = value_at<std::uint16_t>(through_windows(at, 2), 0);
    Inode out;
    out.number = number;
    out.layout = format >> 1;
    std::uint64_t bytes = erofs::inode::compact_bytes;
    std::uint16_t attributes = 0;
    if ((format & erofs::extended_inode) != 0) {
        bytes = erofs::inode::extended_bytes;
        const auto full = value_at<erofs::ExtendedInode>(through_windows(at, bytes), 0);
        out.mode = full.mode;
        out.size = full.size;
        out.place = full.place;
        attributes = full.xattr_count;
    } else {
        const auto compact = value_at<erofs::CompactInode>(through_windows(at, bytes), 0);
        out.mode = compact.mode;
        out.size = compact.size;
        out.place = compact.place;
        attributes = compact.xattr_count;
    }
    if (attributes != 0)
        bytes += sizeof(erofs::XattrHeader) + std::uint64_t{4} * (attributes - 1U);
    out.behind = at + bytes;
    return out;
}

std::string RootReader::bytes(const Inode& inode, std::uint64_t offset, std::uint64_t count) const {
    if (offset >= inode.size)
        return {};
    count = std::min(count, inode.size - offset);
    if (inode.layout != erofs::inode::layout_chunked && inode.size > size_)
        throw RootError("a file is larger than all");
    if (inode.layout == erofs::inode::layout_plain)
        return direct(inode.place * block + offset, count);
    if (inode.layout == erofs::inode::layout_inline) {
        const std::uint64_t whole = inode.size / block * block;
        std::string out;
        if (offset < whole)
            out = direct(inode.place * block + offset, std::min(count, whole - offset));
        if (offset + count > whole)
            out += through_windows(inode.behind + (std::max(offset, whole) - whole), count - out.size());
        return out;
    }
    if (inode.layout != erofs::inode::layout_chunked || (inode.place & erofs::chunk_indexes) != 0)
        throw RootError("a file is stored in a way that is not written here");
    // A hole's zeros are in no image.
    if (count > std::max(size_, most_zeros))
        throw RootError("a file with holes is too large");
    const std::uint64_t chunk = block << (inode.place & erofs::chunk_log2_mask);
    std::string out;
    while (out.size() < count) {
        const std::uint64_t at = offset + out.size();
        const auto first = value_at<std::uint32_t>(through_windows(inode.behind + at / chunk * 4, 4), 0);
        const std::uint64_t part = std::min(count - out.size(), chunk - at % chunk);
        if (first == erofs::hole)
            out.append(static_cast<std::size_t>(part), '\0');
        else
            out += direct(first * block + at % chunk, part);
    }
    return out;
}

void RootReader::read_directory(
    const Inode& inode, const std::function<void(std::string name, std::uint64_t number)>& see) const {
    if (inode.size > max_directory_bytes)
        throw RootError("a directory is too large");
    const std::string all = bytes(inode, 0, inode.size);
    for (std::size_t at = 0; at < all.size(); at += block) {
        const std::string_view part = std::string_view(all).substr(at, block);
        const std::size_t names = value_at<std::uint16_t>(part, erofs::name::offset);
        const std::size_t count = names / erofs::dirent_bytes;
        if (count == 0 || names > part.size())
            throw RootError("a directory is malformed");
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t entry = i * erofs::dirent_bytes;
            const auto number = value_at<std::uint64_t>(part, entry + erofs::name::nid);
            const std::size_t begin = value_at<std::uint16_t>(part, entry + erofs::name::offset);
            const std::size_t end =
                i + 1 < count
                    ? value_at<std::uint16_t>(part, entry + erofs::dirent_bytes + erofs::name::offset)
                    : part.size();
            if (begin >= end || end > part.size())
                throw RootError("a directory is malformed");
            std::string_view name = part.substr(begin, end - begin);
            name = name.substr(0, name.find('\0'));
            if (name.empty() || name.find('/') != std::string_view::npos)
                throw RootError("a directory has an entry without a proper name");
            if (name != "." && name != "..")
                see(std::string(name), number);
        }
    }
}

std::vector<RootReader::Node> RootReader::list() const {
    std::vector<Node> out;
    std::set<std::uint64_t> directories;
    struct Waiting {
        std::string path;
        std::uint64_t number;
        std::size_t depth;
    };
    std::vector<Waiting> waiting{{"", root_, 0}};
    std::size_t entries = 0;
    while (!waiting.empty()) {
        const Waiting here = std::move(waiting.back());
        waiting.pop_back();
        const Inode directory = inode(here.number);
        if ((directory.mode & type_mask) != type_directory || !directories.insert(here.number).second ||
            directories.size() > inodes_ || here.depth > max_depth)
            throw RootError("its directories are no tree");
        read_directory(directory, [&](const std::string& name, std::uint64_t number) {
            std::string path = here.path.empty() ? name : here.path + "/" + name;
            if (++entries > max_entries || path.size() > max_path)
                throw RootError("it has too many files, or paths that are too long");
            const Inode child = inode(number);
            const unsigned type = child.mode & type_mask;
            if (type == type_directory)
                waiting.push_back({std::move(path), number, here.depth + 1});
            else if (type == type_regular || type == type_link)
                out.push_back({std::move(path), child.mode, child.size, number});
        });
    }
    std::sort(out.begin(), out.end(),
              [](const Node& one, const Node& other) { return one.path < other.path; });
    return out;
}

std::string RootReader::read(const Node& node, std::uint64_t offset, std::uint64_t count) const {
    const Inode file = inode(node.number);
    const unsigned type = file.mode & type_mask;
    if (type != type_regular && type != type_link)
        throw RootError("not a file");
    return bytes(file, offset, count);
}

} // namespace rootfs
