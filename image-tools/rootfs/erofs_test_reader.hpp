// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/erofs_test_reader.hpp - for tests only: reads an EROFS image back, refusing what the
// writer never makes.
//
// Independent of the writer except for the structures of partitions/formats/erofs.hpp; the unikernel has its own reader.
#pragma once

#include "image-tools/rootfs/erofs_writer.hpp"
#include "partitions/formats/erofs.hpp"

#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace rootfs::test {

struct ReadNode {
    std::uint64_t nid = 0;
    std::uint16_t mode = 0; // st_mode
    std::uint32_t links = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::int64_t mtime = 0;
    std::uint32_t mtime_nanoseconds = 0;
    std::uint64_t size = 0;
    std::uint32_t device = 0;
    std::string target;
    std::uint64_t holes = 0;                       // chunks without data
    std::map<std::string, std::string> attributes; // index digit and rest of the name, as stored
};

class ErofsReader {
public:
    static constexpr std::uint64_t block = 4096;

    explicit ErofsReader(std::span<const std::uint8_t> image) : image_(image) {
        superblock_ = get<erofs::Superblock>(erofs::superblock_offset);
        require(superblock_.magic == erofs::magic && superblock_.block_bits == 12, "superblock");
        require(superblock_.blocks * block == image.size(), "block count");
        std::vector<std::uint8_t> checked(image.begin() + erofs::superblock_offset, image.begin() + block);
        std::memset(checked.data() + offsetof(erofs::Superblock, checksum), 0, 4);
        require(crc32c(~0U, checked.data(), checked.size()) == superblock_.checksum, "checksum");
        walk();
        require(seen_.size() == superblock_.inodes, "inode count");
    }

    // By path without leading slash; the root is "".
    [[nodiscard]] const std::map<std::string, ReadNode>& nodes() const { return nodes_; }
    [[nodiscard]] const erofs::Superblock& superblock() const { return superblock_; }

    [[nodiscard]] std::string contents(const std::string& path) const {
        const ReadNode& node = nodes_.at(path);
        return data_of(node.nid, inode_at(node.nid));
    }

private:
    struct Raw {
        erofs::ExtendedInode inode{};
        std::uint64_t bytes = 0;  // of the inode
        std::uint64_t xattrs = 0; // after it
        erofs::Layout layout = erofs::Layout::flat_plain;
    };

    static void require(bool condition, const char* what) {
        if (!condition) {
            throw std::runtime_error(std::string("EROFS image: ") + what);
        }
    }

    template <typename Structure> [[nodiscard]] Structure get(std::uint64_t offset) const {
        require(offset <= image_.size() && image_.size() - offset >= sizeof(Structure), "offset");
        Structure value;
        std::memcpy(&value, image_.data() + offset, sizeof value);
        return value;
    }

    [[nodiscard]] std::string text(std::uint64_t offset, std::uint64_t bytes) const {
        require(offset <= image_.size() && image_.size() - offset >= bytes, "range");
        return {reinterpret_cast<const char*>(image_.data()) + offset, static_cast<std::size_t>(bytes)};
    }

    [[nodiscard]] Raw inode_at(std::uint64_t nid) const {
        Raw raw;
        const std::uint64_t offset = nid * erofs::slot_bytes;
        const auto format = get<std::uint16_t>(offset);
        raw.layout = static_cast<erofs::Layout>(format >> 1);
        if ((format & 1) != 0) {
            raw.inode = get<erofs::ExtendedInode>(offset);
            raw.bytes = sizeof(erofs::ExtendedInode);
        } else {
            const auto compact = get<erofs::CompactInode>(offset);
            raw.inode = {compact.format,
                         compact.xattr_count,
                         compact.mode,
                         0,
                         compact.size,
                         compact.place,
                         compact.number,
                         compact.uid,
                         compact.gid,
                         superblock_.build_time,
                         superblock_.build_time_nanoseconds,
                         compact.links,
                         {}};
            raw.bytes = sizeof(erofs::CompactInode);
        }
        require(offset / block == (offset + raw.bytes - 1) / block, "an inode across blocks");
        raw.xattrs =
            raw.inode.xattr_count == 0 ? 0 : sizeof(erofs::XattrHeader) + 4ULL * (raw.inode.xattr_count - 1);
        return raw;
    }

    [[nodiscard]] std::string data_of(std::uint64_t nid, const Raw& raw) const {
        const std::uint64_t behind = nid * erofs::slot_bytes + raw.bytes + raw.xattrs;
        const std::uint64_t size = raw.inode.size;
        const bool regular = (raw.inode.mode & 0170000) == 0100000;
        if (raw.layout == erofs::Layout::flat_plain) {
            const std::uint64_t start = raw.inode.place * block;
            const std::uint64_t end = (size + block - 1) / block * block;
            if (regular && size != 0) {
                require(text(start, end).substr(size).find_first_not_of('\0') == std::string::npos,
                        "a last page not zero padded");
            }
            return text(start, size);
        }
        if (raw.layout == erofs::Layout::flat_inline) {
            const std::uint64_t tail = size % block;
            if (regular) {
                require(size < block && (raw.inode.mode & 0111) == 0 &&
                            text(behind, 4) != "\x7f"
                                               "ELF",
                        "an inline program or large file");
            }
            require(tail != 0 && behind / block == (behind + tail - 1) / block,
                    "an inline tail across blocks");
            return text(raw.inode.place * block, size - tail) + text(behind, tail);
        }
        require(raw.layout == erofs::Layout::chunk_based && regular, "layout");
        std::string data;
        const std::uint64_t chunk = block << (raw.inode.place & 31);
        for (std::uint64_t at = 0; at < size; at += chunk) {
            const auto first = get<std::uint32_t>(behind + at / chunk * 4);
            const std::uint64_t part = std::min(chunk, size - at);
            data += first == erofs::hole ? std::string(static_cast<std::size_t>(part), '\0')
                                         : text(first * block, part);
        }
        return data;
    }

    void walk() {
        std::vector<std::pair<std::string, std::uint64_t>> pending{{"", superblock_.root_nid}};
        while (!pending.empty()) {
            const auto [path, nid] = pending.back();
            pending.pop_back();
            const Raw raw = inode_at(nid);
            seen_.insert(nid);
            ReadNode node{nid,
                          raw.inode.mode,
                          raw.inode.links,
                          raw.inode.uid,
                          raw.inode.gid,
                          static_cast<std::int64_t>(raw.inode.mtime),
                          raw.inode.mtime_nanoseconds,
                          raw.inode.size,
                          raw.inode.place,
                          {},
                          0,
                          {}};
            read_attributes(nid * erofs::slot_bytes + raw.bytes, raw.xattrs, node);
            const unsigned kind = raw.inode.mode & 0170000U;
            if (kind == 0120000) {
                node.target = data_of(nid, raw);
            } else if (kind == 0100000 && raw.layout == erofs::Layout::chunk_based) {
                const std::uint64_t chunk = block << (raw.inode.place & 31);
                for (std::uint64_t i = 0; i * chunk < raw.inode.size; ++i) {
                    node.holes += get<std::uint32_t>(nid * erofs::slot_bytes + raw.bytes + raw.xattrs +
                                                     i * 4) == erofs::hole
                                      ? 1
                                      : 0;
                }
            } else if (kind == 0040000) {
                read_directory(path, nid, data_of(nid, raw), pending);
            }
            require(nodes_.emplace(path, node).second, "a path twice");
        }
    }

    void read_attributes(std::uint64_t offset, std::uint64_t bytes, ReadNode& node) const {
        const std::uint64_t end = offset + bytes;
        offset += sizeof(erofs::XattrHeader);
        while (offset < end) {
            const auto entry = get<erofs::XattrEntry>(offset);
            const std::string name = std::to_string(entry.index) + ":" + text(offset + 4, entry.name_bytes);
            node.attributes[name] = text(offset + 4 + entry.name_bytes, entry.value_bytes);
            offset += (4ULL + entry.name_bytes + entry.value_bytes + 3) / 4 * 4;
        }
        require(bytes == 0 || offset == end, "attributes do not fill their area");
    }

    void read_directory(const std::string& path, std::uint64_t nid, const std::string& data,
                        std::vector<std::pair<std::string, std::uint64_t>>& pending) const {
        std::string last;
        for (std::uint64_t at = 0; at < data.size(); at += block) {
            const std::string part = data.substr(at, block);
            const auto word = [&part](std::size_t offset) {
                std::uint16_t value = 0;
                require(offset + 2 <= part.size(), "a dirent outside its block");
                std::memcpy(&value, part.data() + offset, 2);
                return value;
            };
            const std::size_t count = word(8) / erofs::dirent_bytes;
            require(count != 0, "an empty directory block");
            for (std::size_t i = 0; i < count; ++i) {
                std::uint64_t child = 0;
                std::memcpy(&child, part.data() + i * erofs::dirent_bytes, 8);
                const std::size_t begin = word(i * erofs::dirent_bytes + 8);
                const std::size_t end = i + 1 < count ? word((i + 1) * erofs::dirent_bytes + 8) : part.size();
                require(begin < end && end <= part.size(), "a name outside its block");
                std::string name = part.substr(begin, end - begin);
                name = name.substr(0, name.find('\0'));
                require(last < name, "names out of order");
                last = name;
                if (name == ".") {
                    require(child == nid, "'.'");
                } else if (name != "..") {
                    pending.emplace_back(path.empty() ? name : path + "/" + name, child);
                }
            }
        }
    }

    std::span<const std::uint8_t> image_;
    erofs::Superblock superblock_{};
    std::map<std::string, ReadNode> nodes_;
    std::set<std::uint64_t> seen_;
};

} // namespace rootfs::test
