// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/tar_reader.hpp"

#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/tar_extended.hpp"

#include <algorithm>
#include <cstring>

namespace oci {

using tar::add_extent;
using tar::damaged;

namespace {

std::uint64_t field_number(const tar::Block& block, tar::Field field, const char* what,
                           const std::string& path) {
    const auto value = tar::number(block, field);
    if (!value || *value < 0) {
        damaged("entry " + printable(path) + ": the header's " + what + " is not a number that it can be");
    }
    return static_cast<std::uint64_t>(*value);
}

std::uint32_t owner(std::uint64_t value, const char* what, const std::string& path) {
    if (value > UINT32_MAX) {
        damaged("entry " + printable(path) + ": " + what + " " + std::to_string(value) +
                " is above 2^32 - 1");
    }
    return static_cast<std::uint32_t>(value);
}

std::optional<TarType> type_of(std::uint8_t flag) {
    switch (flag) {
    case '0':
    case '7':
    case 0:
    case 'S':
        return TarType::regular;
    case '1':
        return TarType::hard_link;
    case '2':
        return TarType::symlink;
    case '3':
        return TarType::character_device;
    case '4':
        return TarType::block_device;
    case '5':
        return TarType::directory;
    case '6':
        return TarType::fifo;
    default:
        return std::nullopt;
    }
}

} // namespace

TarReader::TarReader(Source source, const Limits& limits) : source_(std::move(source)), limits_(limits) {}

bool TarReader::pull() {
    if (run_.empty()) {
        run_ = source_();
    }
    return !run_.empty();
}

void TarReader::take(std::size_t bytes) {
    if (!doubts_.empty()) {
        watch(run_.first(bytes));
    }
    run_ = run_.subspan(bytes);
    position_ += bytes;
}

// A header inside what we take for data is one that a reader of other habits would find.
void TarReader::watch(std::span<const std::uint8_t> bytes) {
    std::uint64_t at = position_;
    while (!doubts_.empty()) {
        const auto first = doubts_.begin();
        const std::uint64_t wanted = first->first + doubted_bytes_;
        if (wanted < at) { // stepped over
            doubts_.erase(first);
            doubted_bytes_ = 0;
            continue;
        }
        if (wanted - at >= bytes.size()) {
            return;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(wanted - at));
        const std::size_t part = std::min(doubted_.size() - doubted_bytes_, bytes.size());
        std::memcpy(doubted_.data() + doubted_bytes_, bytes.data(), part);
        doubted_bytes_ += part;
        bytes = bytes.subspan(part);
        at = wanted + part;
        if (doubted_bytes_ == doubted_.size()) {
            if (tar::looks_like_header(doubted_)) {
                refuse_doubt(first->second);
            }
            doubts_.erase(first);
            doubted_bytes_ = 0;
        }
    }
}

void TarReader::refuse_doubt(const Doubt& doubt) const {
    damaged(
        "entry " + printable(doubt.path) +
        " is no file but names a size: readers that skip so many bytes find other entries than those that "
        "do not");
}

void TarReader::read_exactly(std::span<std::uint8_t> to) {
    while (!to.empty()) {
        if (!pull()) {
            damaged("the tar ends in the middle of an entry");
        }
        const std::size_t part = std::min(run_.size(), to.size());
        std::memcpy(to.data(), run_.data(), part);
        take(part);
        to = to.subspan(part);
    }
}

void TarReader::skip(std::uint64_t bytes) {
    while (bytes != 0) {
        if (!pull()) {
            damaged("the tar ends in the middle of an entry");
        }
        const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(run_.size(), bytes));
        take(part);
        bytes -= part;
    }
}

bool TarReader::read_block(Block& block) {
    if (!pull()) {
        return false;
    }
    if (const auto doubt = doubts_.find(position_); doubt != doubts_.end()) {
        if (doubt->second.pax_link) {
            refuse_doubt(doubt->second);
        }
        doubts_.erase(doubt); // others who look here find what we do
    }
    read_exactly(block);
    return true;
}

std::span<const std::uint8_t> TarReader::read() {
    if (data_left_ == 0) {
        return {};
    }
    if (!pull()) {
        damaged("the tar ends in the middle of a file");
    }
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(run_.size(), data_left_));
    const auto data = run_.first(part);
    take(part);
    data_left_ -= part;
    return data;
}

std::uint64_t TarReader::step_over() {
    const std::uint64_t bytes =
        data_left_ + padding_ - std::min<std::uint64_t>(run_.size(), data_left_ + padding_);
    skip(data_left_ + padding_ - bytes);
    position_ += bytes;
    data_left_ = padding_ = 0;
    return bytes;
}

std::string TarReader::read_extension(std::uint64_t size, const char* what) {
    if (size > limits_.extended_header_bytes) {
        throw TarLimitError(std::string(what) + " of " + std::to_string(size) + " bytes");
    }
    std::string text(static_cast<std::size_t>(size), '\0');
    read_exactly({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
    skip((tar::block_bytes - size % tar::block_bytes) % tar::block_bytes);
    return text;
}

// After the end mark's first block. Go's reader stops at the mark; those that go on (tar -i) must not find
// anything there.
void TarReader::read_to_end() {
    Block block;
    for (bool second = true; pull(); second = false) {
        if (run_.size() < block.size()) { // at the seam of two runs, or a last piece
            std::size_t got = 0;
            for (; got < block.size() && pull(); ++got) {
                block[got] = run_[0];
                take(1);
            }
            std::fill(block.begin() + static_cast<std::ptrdiff_t>(got), block.end(), std::uint8_t{0});
        } else {
            std::memcpy(block.data(), run_.data(), block.size());
            take(block.size());
        }
        if (second && !tar::is_zero(block)) {
            damaged("a single block of zeros between entries: readers do not agree whether that is the end");
        }
        if (tar::looks_like_header(block)) {
            damaged("there are entries after the tar's end mark, which only some readers find");
        }
    }
}

// Comments (git archive), times and owners in a global header change nothing for container tools. A name or a size
// would, for readers that apply it.
void TarReader::check_global(const tar::Extended& global) const {
    if (global.used() || !global.attributes.empty() || !global.archive_attributes.empty() || global.has_map ||
        global.sparse_major) {
        damaged("a global extended header that names, sizes or marks later entries: some readers apply it, "
                "container tools do not");
    }
}

void TarReader::check_header(const Block& header, const TarEntry& last) const {
    if (tar::checksum_matches(header)) {
        return;
    }
    if (untaken_ != 0) {
        damaged("entry " + printable(last.path) +
                " is no file but names a size, and what follows is no header: " + std::to_string(untaken_) +
                " bytes of data that Go's reader does not expect there");
    }
    damaged("a header's checksum is wrong" +
            (last.path.empty() ? "" : " (after entry " + printable(last.path) + ")"));
}

bool TarReader::next(TarEntry& entry) {
    skip(data_left_);
    while (padding_ != 0 && pull()) { // the very last padding may be short
        const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(run_.size(), padding_));
        take(part);
        padding_ -= part;
    }
    data_left_ = padding_ = 0;
    tar::Extended extended;
    for (;;) {
        Block header;
        const bool more = read_block(header);
        if ((!more || tar::is_zero(header)) && extended.used()) {
            damaged("the tar ends after an extended header");
        }
        if (!more) {
            return false; // no end mark: accepted, as by Go's reader
        }
        if (tar::is_zero(header)) {
            read_to_end();
            return false;
        }
        check_header(header, entry);
        untaken_ = 0;
        const std::uint8_t type = header[tar::type_offset];
        const std::string name = tar::text(header, tar::name);
        if (type == 'x' || type == 'g' || type == 'L' || type == 'K') {
            const std::string text =
                read_extension(field_number(header, tar::size, "size", name), "an extended header");
            if (type == 'x') {
                extended.parse(text, limits_);
                extended.pax = true;
            } else if (type == 'g') {
                tar::Extended global;
                global.parse(text, limits_);
                check_global(global);
            } else {
                (type == 'L' ? extended.gnu_path : extended.gnu_link) = text.substr(0, text.find('\0'));
            }
            continue;
        }
        finish_entry(header, extended, entry);
        return true;
    }
}

void TarReader::finish_entry(const Block& header, const tar::Extended& extended, TarEntry& entry) {
    entry = {};
    entry.path = tar::text(header, tar::name);
    if (const std::string prefix = tar::prefix_of(header); !prefix.empty()) {
        entry.path = prefix + "/" + entry.path;
    }
    entry.path = extended.gnu_path.value_or(entry.path);
    entry.path = extended.path.value_or(entry.path);
    entry.path = extended.sparse_name.value_or(entry.path);
    const std::uint8_t flag = header[tar::type_offset];
    const auto type = type_of(flag);
    if (!type) {
        damaged("entry " + printable(entry.path) + " is of type " +
                printable(std::string(1, static_cast<char>(flag))) + ", which images do not have");
    }
    entry.type = *type;
    if (flag == 0 && entry.path.ends_with('/')) {
        entry.type = TarType::directory;
    }
    if (entry.path.empty()) {
        damaged("an entry without a name");
    }
    entry.link = extended.link.value_or(extended.gnu_link.value_or(tar::text(header, tar::link)));
    read_metadata(header, extended, entry);
    place_data(header, extended, entry);
}

void TarReader::read_metadata(const Block& header, const tar::Extended& extended, TarEntry& entry) const {
    entry.mode = static_cast<std::uint16_t>(field_number(header, tar::mode, "mode", entry.path) & 07777);
    entry.uid = owner(extended.uid ? *extended.uid : field_number(header, tar::uid, "uid", entry.path), "uid",
                      entry.path);
    entry.gid = owner(extended.gid ? *extended.gid : field_number(header, tar::gid, "gid", entry.path), "gid",
                      entry.path);
    if (extended.mtime) {
        entry.mtime = extended.mtime->seconds;
        entry.mtime_nanoseconds = extended.mtime->nanoseconds;
    } else {
        const auto mtime = tar::number(header, tar::mtime);
        if (!mtime) {
            damaged("entry " + printable(entry.path) + ": the header's mtime is not a number that it can be");
        }
        entry.mtime = *mtime;
    }
    entry.attributes = extended.archive_attributes;
    for (const auto& [name, value] : extended.attributes) {
        entry.attributes[name] = value;
    }
    if (entry.type == TarType::character_device || entry.type == TarType::block_device) {
        entry.device_major =
            owner(field_number(header, tar::device_major, "device", entry.path), "device", entry.path);
        entry.device_minor =
            owner(field_number(header, tar::device_minor, "device", entry.path), "device", entry.path);
    }
}

void TarReader::place_data(const Block& header, const tar::Extended& extended, TarEntry& entry) {
    const std::uint8_t flag = header[tar::type_offset];
    std::uint64_t stored =
        extended.size ? *extended.size : field_number(header, tar::size, "size", entry.path);
    if (entry.type != TarType::regular && stored != 0) {
        if (flag == 0) { // by its name only: all readers take the data
            damaged("entry " + printable(entry.path) + " has data although it is not a file");
        }
        untaken_ = stored;
        const std::uint64_t alternative =
            position_ + (stored + tar::block_bytes - 1) / tar::block_bytes * tar::block_bytes;
        doubts_.try_emplace(alternative, Doubt{entry.path, entry.type == TarType::hard_link && extended.pax});
        return;
    }
    if (stored > limits_.file_bytes || extended.sparse_size.value_or(0) > limits_.file_bytes) {
        throw TarLimitError("entry " + printable(entry.path) + ": a file above " +
                            std::to_string(limits_.file_bytes >> 30) + " GiB");
    }
    entry.size = stored;
    data_left_ = stored;
    padding_ = (tar::block_bytes - stored % tar::block_bytes) % tar::block_bytes;
    if (flag == 'S') {
        read_old_gnu_map(header, entry, stored);
    } else if (extended.sparse_major || extended.has_map) {
        entry.sparse = true;
        if (entry.type != TarType::regular || !extended.sparse_size) {
            damaged("entry " + printable(entry.path) + ": a sparse map without a file or its size");
        }
        entry.size = *extended.sparse_size;
        entry.extents = extended.sparse_map;
        if (extended.sparse_major.value_or(0) == 1 && extended.sparse_minor.value_or(0) == 0) {
            read_pax_map(entry);
        } else if (extended.sparse_major.value_or(0) != 0) {
            damaged("entry " + printable(entry.path) + ": a sparse format newer than 1.0");
        }
        check_extents(entry, data_left_);
    }
}

void TarReader::read_old_gnu_map(const Block& header, TarEntry& entry, std::uint64_t& stored) {
    entry.sparse = true;
    entry.size = field_number(header, tar::gnu_real_size, "sparse size", entry.path);
    if (entry.size > limits_.file_bytes) {
        throw TarLimitError("entry " + printable(entry.path) + ": a file above " +
                            std::to_string(limits_.file_bytes >> 30) + " GiB");
    }
    Block block = header;
    std::size_t at = tar::gnu_sparse_offset;
    std::size_t count = 4;
    std::size_t extended_at = tar::gnu_sparse_extended;
    for (;;) {
        for (std::size_t i = 0; i < count; ++i, at += 24) {
            if (block[at] == 0) {
                break;
            }
            add_extent(entry.extents,
                       {field_number(block, {at, 12}, "sparse map", entry.path),
                        field_number(block, {at + 12, 12}, "sparse map", entry.path)},
                       limits_);
        }
        if (block[extended_at] == 0) {
            break;
        }
        read_exactly(block);
        at = 0;
        count = 21;
        extended_at = tar::gnu_more_extended;
    }
    check_extents(entry, stored);
}

// Format 1.0: the map opens the data, as decimal lines, padded to a block.
void TarReader::read_pax_map(TarEntry& entry) {
    Block block;
    std::size_t at = block.size();
    const auto number = [&] {
        std::string digits;
        for (;;) {
            if (at == block.size()) {
                if (data_left_ < block.size()) {
                    damaged("entry " + printable(entry.path) + ": the sparse map is longer than the data");
                }
                read_exactly(block);
                data_left_ -= block.size();
                at = 0;
            }
            const char c = static_cast<char>(block[at++]);
            if (c == '\n') {
                break;
            }
            digits += c;
            if (digits.size() > 19) {
                break;
            }
        }
        const auto value = tar::decimal(digits);
        if (!value) {
            damaged("entry " + printable(entry.path) + ": the sparse map is not made of numbers");
        }
        return *value;
    };
    entry.extents.clear();
    const std::uint64_t count = number();
    for (std::uint64_t i = 0; i < count; ++i) {
        const std::uint64_t offset = number();
        add_extent(entry.extents, {offset, number()}, limits_);
    }
}

void TarReader::check_extents(const TarEntry& entry, std::uint64_t stored) const {
    std::uint64_t end = 0;
    std::uint64_t sum = 0;
    for (const TarExtent& extent : entry.extents) {
        // Both are below 2^63: no overflow.
        if (extent.offset < end || extent.offset + extent.bytes > entry.size) {
            damaged("entry " + printable(entry.path) + ": the sparse map is out of order or leaves the file");
        }
        end = extent.offset + extent.bytes;
        sum += extent.bytes;
    }
    if (sum != stored) {
        damaged("entry " + printable(entry.path) + ": the sparse map names " + std::to_string(sum) +
                " bytes, " + std::to_string(stored) + " are stored");
    }
}

} // namespace oci
