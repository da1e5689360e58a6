// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/erofs_writer.hpp"

#include "image-tools/files/digest.hpp"
#include "image-tools/oci/failure.hpp"
#include "image-tools/rootfs/attributes.hpp"
#include "partitions/formats/erofs.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace rootfs {

std::uint32_t crc32c(std::uint32_t crc, const std::uint8_t* data, std::size_t bytes) {
    constexpr std::uint32_t reversed_polynomial = 0x82f63b78;
    for (std::size_t i = 0; i < bytes; ++i) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? reversed_polynomial : 0);
        }
    }
    return crc;
}

namespace {

std::uint64_t aligned(std::uint64_t value, std::uint64_t to) {
    return (value + to - 1) / to * to;
}

} // namespace

std::uint64_t xattr_bytes(const Inode& inode) {
    if (inode.attributes == nullptr) {
        return 0;
    }
    std::uint64_t bytes = sizeof(erofs::XattrHeader);
    for (const auto& [name, value] : *inode.attributes) {
        const auto known = attribute_namespace(name);
        bytes += aligned(sizeof(erofs::XattrEntry) + name.size() - known->prefix.size() + value.size(), 4);
    }
    return bytes;
}

namespace {

using erofs::Layout;

constexpr std::uint64_t first_slot = erofs::superblock_offset + sizeof(erofs::Superblock);
constexpr std::uint64_t largest_root_nid = UINT16_MAX;

std::uint32_t encoded_device(const Inode& inode) {
    return (inode.device_minor & 0xff) | inode.device_major << 8 | (inode.device_minor & ~0xffU) << 12;
}

std::uint8_t dirent_type(FileType type) {
    switch (type) {
    case FileType::regular:
        return 1;
    case FileType::directory:
        return 2;
    case FileType::character_device:
        return 3;
    case FileType::block_device:
        return 4;
    case FileType::fifo:
        return 5;
    case FileType::symlink:
        return 7;
    }
    return 0;
}

// A stretch of the file that is written from low to high offsets, in pieces.
class Window {
public:
    Window(Spool& spool, std::uint64_t begin) : spool_(spool), begin_(begin) {}

    // `bytes` zeroed bytes at `offset`, which is not below any asked for before; valid until the next call.
    std::uint8_t* at(std::uint64_t offset, std::uint64_t bytes) {
        constexpr std::size_t piece = std::size_t{1} << 20;
        if (offset + bytes - begin_ > piece) {
            write_before(offset);
        }
        if (offset + bytes - begin_ > bytes_.size()) {
            bytes_.resize(static_cast<std::size_t>(aligned(offset + bytes - begin_, block_size)));
        }
        return bytes_.data() + (offset - begin_);
    }
    void finish() { write_before(begin_ + bytes_.size()); }

private:
    // All that is whole blocks below `offset`.
    void write_before(std::uint64_t offset) {
        const auto done =
            std::min(bytes_.size(), static_cast<std::size_t>((offset - begin_) / block_size * block_size));
        spool_.write(begin_, std::span(bytes_).first(done));
        bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(done));
        begin_ += done;
    }

    Spool& spool_;
    std::uint64_t begin_;
    std::vector<std::uint8_t> bytes_;
};

struct Name {
    std::string_view name;
    InodeId inode;
};

// What one inode takes in the image.
struct Place {
    std::uint64_t offset = 0; // of the inode
    std::uint64_t size = 0;   // i_size
    std::uint32_t number = 0; // i_ino
    std::uint32_t blocks = 0; // whole blocks of a directory or a very long link target
    std::uint32_t first_block = 0;
    std::uint32_t tail = 0; // bytes after the inode: end of a directory, link target
    bool extended = false;
    Layout layout = Layout::flat_plain;

    [[nodiscard]] std::uint64_t inode_bytes() const {
        return extended ? sizeof(erofs::ExtendedInode) : sizeof(erofs::CompactInode);
    }
};

class Writer {
public:
    Writer(Tree& tree, Spool& spool, const ErofsOptions& options)
        : tree_(tree), spool_(spool), options_(options) {}

    std::uint64_t write() {
        const std::uint32_t data_end = spool_.compact(tree_);
        number_inodes();
        plan_inodes();
        plan_directory_blocks(data_end);
        plan_metadata();
        write_metadata();
        const std::uint64_t size = aligned(end_, block_size);
        spool_.resize(size);
        write_superblock(size / block_size);
        return size;
    }

private:
    // Depth first, so that a directory's inodes lie together.
    void number_inodes() {
        places_.resize(tree_.inode_limit());
        order_.push_back(root_inode);
        places_[root_inode].number = 1;
        tree_.visit([this](const std::string&, InodeId id) {
            if (places_[id].number == 0) {
                order_.push_back(id);
                places_[id].number = static_cast<std::uint32_t>(order_.size());
            }
        });
    }

    // "." and ".." take part in the order of names.
    std::vector<Name> names_of(InodeId id) const {
        const Inode& inode = tree_.inode(id);
        std::vector<Name> names;
        names.reserve(inode.entries->size() + 2);
        names.push_back({".", id});
        names.push_back({"..", inode.parent});
        for (const auto& [name, entry] : *inode.entries) {
            names.push_back({name, entry.inode});
        }
        const auto less = [](const Name& a, const Name& b) { return a.name < b.name; };
        std::inplace_merge(names.begin(), names.begin() + 2, names.end(), less);
        return names;
    }

    // How many of the names from `first` on fit one block, and the bytes they take.
    static std::pair<std::size_t, std::uint64_t> fill_block(const std::vector<Name>& names,
                                                            std::size_t first) {
        std::uint64_t bytes = 0;
        std::size_t count = 0;
        while (first + count < names.size()) {
            const std::uint64_t more = erofs::dirent_bytes + names[first + count].name.size();
            if (bytes + more > block_size) {
                break;
            }
            bytes += more;
            ++count;
        }
        return {count, bytes};
    }

    void plan_inodes() {
        for (const InodeId id : order_) {
            const Inode& inode = tree_.inode(id);
            Place& place = places_[id];
            place.size = inode.is_directory() ? directory_bytes(id) : inode.size;
            std::uint32_t links = inode.links;
            if (inode.is_directory()) {
                links = links_of_directory(inode);
            }
            place.extended = inode.uid > UINT16_MAX || inode.gid > UINT16_MAX || links > UINT16_MAX ||
                             place.size > UINT32_MAX || inode.mtime != options_.epoch ||
                             inode.mtime_nanoseconds != 0;
            if (inode.is_directory() || inode.type == FileType::symlink) {
                const std::uint64_t tail = place.size % block_size;
                const std::uint64_t room = id == root_inode ? block_size - first_slot : block_size;
                const bool is_inline = tail != 0 && place.inode_bytes() + xattr_bytes(inode) + tail <= room;
                place.layout = is_inline ? Layout::flat_inline : Layout::flat_plain;
                place.tail = is_inline ? static_cast<std::uint32_t>(tail) : 0;
                place.blocks =
                    static_cast<std::uint32_t>(aligned(place.size - place.tail, block_size) / block_size);
            } else if (inode.inlined) {
                place.layout = Layout::flat_inline;
                place.tail = static_cast<std::uint32_t>(inode.size);
            } else if (inode.chunks != nullptr) {
                place.layout = Layout::chunk_based;
                place.tail = static_cast<std::uint32_t>(inode.chunks->chunks.size() * 4);
                chunked_ = true;
            }
        }
    }

    std::uint64_t directory_bytes(InodeId id) const {
        const std::vector<Name> names = names_of(id);
        std::uint64_t bytes = 0;
        for (std::size_t first = 0; first < names.size();) {
            const auto [count, used] = fill_block(names, first);
            bytes = aligned(bytes, block_size) + used;
            first += count;
        }
        return bytes;
    }

    std::uint32_t links_of_directory(const Inode& inode) const {
        std::uint32_t links = 2;
        for (const auto& [name, entry] : *inode.entries) {
            links += tree_.inode(entry.inode).is_directory() ? 1 : 0;
        }
        return links;
    }

    void plan_directory_blocks(std::uint32_t data_end) {
        blocks_begin_ = data_end;
        std::uint64_t next = data_end;
        for (const InodeId id : order_) {
            places_[id].first_block = static_cast<std::uint32_t>(places_[id].blocks == 0 ? 0 : next);
            next += places_[id].blocks;
        }
        metadata_begin_ = next * block_size;
        directories_.emplace(spool_, blocks_begin_ * block_size);
        metadata_.emplace(spool_, metadata_begin_);
    }

    // Bump allocation in two regions: the rest of block 0, then the blocks after everything else.
    void plan_metadata() {
        std::uint64_t low = first_slot;
        std::uint64_t high = metadata_begin_;
        for (const InodeId id : order_) {
            Place& place = places_[id];
            const std::uint64_t bytes = place.inode_bytes() + xattr_bytes(tree_.inode(id)) + place.tail;
            if (low + bytes <= block_size) {
                place.offset = low;
                low = aligned(low + bytes, erofs::slot_bytes);
                continue;
            }
            const std::uint64_t whole = bytes <= block_size ? bytes : place.inode_bytes();
            if (high % block_size + whole > block_size) {
                high = aligned(high, block_size);
            }
            place.offset = high;
            high = aligned(high + bytes, erofs::slot_bytes);
        }
        end_ = high;
        if (places_[root_inode].offset / erofs::slot_bytes > largest_root_nid ||
            end_ / block_size >= UINT32_MAX) {
            throw diagnostic::fail(
                oci::Fault::limit,
                "the root directory's extended attributes, or the image, are too large for a root image");
        }
    }

    void write_metadata() {
        block_zero_.assign(block_size, 0);
        for (const InodeId id : order_) {
            write_inode(id);
        }
        directories_->finish();
        metadata_->finish();
    }

    // Bytes of the metadata: inodes and what belongs to them are asked for in the order of their places.
    std::uint8_t* at(std::uint64_t offset, std::uint64_t bytes) {
        return offset < block_size ? block_zero_.data() + offset : metadata_->at(offset, bytes);
    }

    template <typename Structure> void put(std::uint64_t offset, const Structure& value) {
        std::memcpy(at(offset, sizeof value), &value, sizeof value);
    }

    void write_inode(InodeId id) {
        Inode& inode = tree_.inode(id);
        const Place& place = places_[id];
        const std::uint64_t attributes = xattr_bytes(inode);
        const auto format = static_cast<std::uint16_t>(static_cast<unsigned>(place.layout) << 1 |
                                                       (place.extended ? erofs::extended_inode : 0U));
        const auto count = static_cast<std::uint16_t>(
            attributes == 0 ? 0 : (attributes - sizeof(erofs::XattrHeader)) / 4 + 1);
        const std::uint32_t links = inode.is_directory() ? links_of_directory(inode) : inode.links;
        if (place.extended) {
            put(place.offset, erofs::ExtendedInode{format,
                                                   count,
                                                   inode.linux_mode(),
                                                   0,
                                                   place.size,
                                                   place_word(inode, place),
                                                   place.number,
                                                   inode.uid,
                                                   inode.gid,
                                                   static_cast<std::uint64_t>(inode.mtime),
                                                   inode.mtime_nanoseconds,
                                                   links,
                                                   {}});
        } else {
            put(place.offset,
                erofs::CompactInode{format, count, inode.linux_mode(), static_cast<std::uint16_t>(links),
                                    static_cast<std::uint32_t>(place.size), 0, place_word(inode, place),
                                    place.number, static_cast<std::uint16_t>(inode.uid),
                                    static_cast<std::uint16_t>(inode.gid), 0});
        }
        write_attributes(inode, place.offset + place.inode_bytes());
        const std::uint64_t tail = place.offset + place.inode_bytes() + attributes;
        if (inode.is_directory()) {
            write_directory(id, place, tail);
        } else if (inode.type == FileType::symlink) {
            std::uint8_t* target = place.tail != 0
                                       ? at(tail, place.tail)
                                       : directories_->at(place.first_block * block_size, block_size);
            std::memcpy(target, inode.target.data(), inode.target.size());
        } else if (inode.inlined) {
            spool_.small_files().read(inode.inlined_at, {at(tail, place.tail), place.tail});
            inode.inlined_at = tail;
        } else if (inode.chunks != nullptr) {
            std::memcpy(at(tail, place.tail), inode.chunks->chunks.data(), place.tail);
        }
    }

    static std::uint32_t place_word(const Inode& inode, const Place& place) {
        switch (inode.type) {
        case FileType::regular:
            return inode.chunks != nullptr ? inode.chunks->chunk_bits : inode.inlined ? 0 : inode.first_block;
        case FileType::directory:
        case FileType::symlink:
            return place.first_block;
        case FileType::character_device:
        case FileType::block_device:
            return encoded_device(inode);
        case FileType::fifo:
            return 0;
        }
        return 0;
    }

    void write_attributes(const Inode& inode, std::uint64_t offset) {
        if (inode.attributes == nullptr) {
            return;
        }
        offset += sizeof(erofs::XattrHeader); // all zero: no filter, none shared
        for (const auto& [name, value] : *inode.attributes) {
            const auto known = attribute_namespace(name);
            const std::string_view rest = std::string_view(name).substr(known->prefix.size());
            put(offset, erofs::XattrEntry{static_cast<std::uint8_t>(rest.size()), known->index,
                                          static_cast<std::uint16_t>(value.size())});
            std::uint8_t* text = at(offset + sizeof(erofs::XattrEntry), rest.size() + value.size());
            std::memcpy(text, rest.data(), rest.size());
            std::memcpy(text + rest.size(), value.data(), value.size());
            offset += aligned(sizeof(erofs::XattrEntry) + rest.size() + value.size(), 4);
        }
    }

    void write_directory(InodeId id, const Place& place, std::uint64_t tail) {
        const std::vector<Name> names = names_of(id);
        std::uint64_t block = 0;
        for (std::size_t first = 0; first < names.size(); ++block) {
            const std::size_t count = fill_block(names, first).first;
            std::uint8_t* bytes = block < place.blocks
                                      ? directories_->at((place.first_block + block) * block_size, block_size)
                                      : at(tail, place.tail);
            std::uint64_t name_offset = count * erofs::dirent_bytes;
            for (std::size_t i = 0; i < count; ++i) {
                const Name& name = names[first + i];
                const std::uint64_t nid = places_[name.inode].offset / erofs::slot_bytes;
                const auto short_offset = static_cast<std::uint16_t>(name_offset);
                std::uint8_t* entry = bytes + i * erofs::dirent_bytes;
                std::memcpy(entry, &nid, 8);
                std::memcpy(entry + 8, &short_offset, 2);
                entry[10] = dirent_type(tree_.inode(name.inode).type);
                std::memcpy(bytes + name_offset, name.name.data(), name.name.size());
                name_offset += name.name.size();
            }
            first += count;
        }
    }

    void write_superblock(std::uint64_t blocks) {
        erofs::Superblock superblock{};
        superblock.magic = erofs::magic;
        superblock.feature_compat = erofs::compat_checksum | erofs::compat_mtime;
        superblock.block_bits = erofs::block_bits;
        superblock.root_nid = static_cast<std::uint16_t>(places_[root_inode].offset / erofs::slot_bytes);
        superblock.inodes = order_.size();
        superblock.build_time = static_cast<std::uint64_t>(options_.epoch);
        superblock.blocks = static_cast<std::uint32_t>(blocks);
        superblock.feature_incompat = chunked_ ? erofs::incompat_chunked : 0;
        const files::Digest digest = files::sha256("caisson root image v1\n" + options_.identity);
        std::copy_n(digest.bytes.begin(), superblock.uuid.size(), superblock.uuid.begin());
        superblock.uuid[6] =
            static_cast<std::uint8_t>((superblock.uuid[6] & 0x0f) | 0x80); // RFC 9562, version 8
        superblock.uuid[8] = static_cast<std::uint8_t>((superblock.uuid[8] & 0x3f) | 0x80);
        put(erofs::superblock_offset, superblock);
        superblock.checksum = crc32c(~std::uint32_t{0}, block_zero_.data() + erofs::superblock_offset,
                                     block_size - erofs::superblock_offset);
        put(erofs::superblock_offset, superblock);
        spool_.write(0, block_zero_);
    }

    Tree& tree_;
    Spool& spool_;
    const ErofsOptions& options_;
    std::vector<Place> places_;        // by InodeId
    std::vector<InodeId> order_;       // as numbered
    std::uint64_t blocks_begin_ = 0;   // first block after the contents
    std::uint64_t metadata_begin_ = 0; // offset after the directory blocks
    std::uint64_t end_ = 0;
    bool chunked_ = false;
    std::vector<std::uint8_t> block_zero_;
    std::optional<Window> directories_; // full blocks, of very long link targets too
    std::optional<Window> metadata_;
};

} // namespace

std::uint64_t write_erofs(Tree& tree, Spool& spool, const ErofsOptions& options) {
    return Writer(tree, spool, options).write();
}

} // namespace rootfs
