// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/tar_writer.hpp"

#include "image-tools/files/digest.hpp"
#include "image-tools/oci/tar_format.hpp"

#include <algorithm>
#include <cstring>

namespace oci {

namespace {

constexpr std::uint64_t largest_octal_11 = 077777777777;
constexpr std::uint64_t largest_octal_7 = 07777777;

void put_octal(tar::Block& block, tar::Field field, std::uint64_t value) {
    for (std::size_t i = field.bytes - 1; i-- > 0;) {
        block[field.offset + i] = static_cast<std::uint8_t>('0' + (value & 7));
        value >>= 3;
    }
}

void put_text(tar::Block& block, tar::Field field, std::string_view text) {
    std::memcpy(block.data() + field.offset, text.data(), std::min(text.size(), field.bytes));
}

// "LENGTH key=value\n", the length counting its own digits.
std::string record(std::string_view key, std::string_view value) {
    const std::size_t rest = key.size() + value.size() + 3;
    std::size_t length = rest + std::to_string(rest).size();
    length = rest + std::to_string(length).size();
    return std::to_string(length) + " " + std::string(key) + "=" + std::string(value) + "\n";
}

char type_flag(TarType type) {
    switch (type) {
    case TarType::regular:
        return '0';
    case TarType::hard_link:
        return '1';
    case TarType::symlink:
        return '2';
    case TarType::character_device:
        return '3';
    case TarType::block_device:
        return '4';
    case TarType::directory:
        return '5';
    case TarType::fifo:
        return '6';
    }
    return '0';
}

// What opens the data: the number of extents, offset and length of each, a decimal a line, padded to a block.
std::string sparse_map(const TarEntry& entry) {
    const auto line = [](std::uint64_t number) { return std::to_string(number) + "\n"; };
    std::string map = line(entry.extents.size());
    for (const TarExtent& extent : entry.extents) {
        map += line(extent.offset) + line(extent.bytes);
    }
    map.resize((map.size() + tar::block_bytes - 1) / tar::block_bytes * tar::block_bytes);
    return map;
}

} // namespace

void TarWriter::header(const TarEntry& entry, char type, const std::string& name, const std::string& link,
                       std::uint64_t size) {
    tar::Block block{};
    put_text(block, tar::name, name);
    put_octal(block, tar::mode, entry.mode);
    put_octal(block, tar::uid, std::min<std::uint64_t>(entry.uid, largest_octal_7));
    put_octal(block, tar::gid, std::min<std::uint64_t>(entry.gid, largest_octal_7));
    put_octal(block, tar::size, std::min(size, largest_octal_11));
    const bool plain_time = entry.mtime >= 0 && static_cast<std::uint64_t>(entry.mtime) <= largest_octal_11;
    put_octal(block, tar::mtime, plain_time ? static_cast<std::uint64_t>(entry.mtime) : 0);
    block[tar::type_offset] = static_cast<std::uint8_t>(type);
    put_text(block, tar::link, link);
    put_text(block, tar::magic,
             std::string_view("ustar\0"
                              "00",
                              8));
    put_octal(block, tar::device_major, entry.device_major);
    put_octal(block, tar::device_minor, entry.device_minor);
    std::memset(block.data() + tar::checksum.offset, ' ', tar::checksum.bytes);
    std::uint64_t sum = 0;
    for (const std::uint8_t byte : block) {
        sum += byte;
    }
    put_octal(block, {tar::checksum.offset, tar::checksum.bytes - 1}, sum);
    block[tar::checksum.offset + 6] = 0;
    sink_(block);
}

void TarWriter::begin(const TarEntry& entry) {
    std::string records;
    if (entry.sparse) {
        records += record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") +
                   record("GNU.sparse.name", entry.path) +
                   record("GNU.sparse.realsize", std::to_string(entry.size));
    } else if (entry.path.size() > tar::name.bytes) {
        records += record("path", entry.path);
    }
    if (entry.link.size() > tar::link.bytes) {
        records += record("linkpath", entry.link);
    }
    if (entry.uid > largest_octal_7) {
        records += record("uid", std::to_string(entry.uid));
    }
    if (entry.gid > largest_octal_7) {
        records += record("gid", std::to_string(entry.gid));
    }
    const std::string map = entry.sparse ? sparse_map(entry) : std::string();
    std::uint64_t size = entry.type == TarType::regular ? entry.size : 0;
    if (entry.sparse) {
        size = map.size();
        for (const TarExtent& extent : entry.extents) {
            size += extent.bytes;
        }
    }
    if (size > largest_octal_11) {
        records += record("size", std::to_string(size));
    }
    if (entry.mtime < 0 || static_cast<std::uint64_t>(entry.mtime) > largest_octal_11) {
        records += record("mtime", std::to_string(entry.mtime));
    }
    for (const auto& [name, value] : entry.attributes) {
        records += record("SCHILY.xattr." + name, value);
    }
    if (!records.empty()) {
        TarEntry extended;
        extended.mode = 0644;
        header(extended, 'x', "extended-header", "", records.size());
        written_ = 0;
        data(files::bytes_of(records));
        end_entry();
    }
    header(entry, type_flag(entry.type), entry.path.substr(0, tar::name.bytes),
           entry.link.substr(0, tar::link.bytes), size);
    written_ = 0;
    data(files::bytes_of(map));
}

void TarWriter::data(std::span<const std::uint8_t> bytes) {
    written_ += bytes.size();
    sink_(bytes);
}

void TarWriter::end_entry() {
    const tar::Block zeros{};
    const std::size_t odd = written_ % zeros.size();
    if (odd != 0) {
        sink_(std::span(zeros).first(zeros.size() - odd));
    }
    written_ = 0;
}

void TarWriter::finish() {
    const tar::Block zeros{};
    sink_(zeros);
    sink_(zeros);
}

} // namespace oci
