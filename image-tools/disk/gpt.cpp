// SPDX-License-Identifier: Apache-2.0
#include "image-tools/disk/gpt.hpp"

#include "image-tools/files/digest.hpp"

#include <algorithm>

namespace disk {
namespace {

constexpr std::uint64_t entry_count = 128, entry_bytes = 128;
constexpr std::uint64_t table_sectors = entry_count * entry_bytes / sector;
constexpr std::uint64_t mebibyte = 1u << 20;
// C12A7328-F81F-11D2-BA4B-00A0C93EC93B, its first three parts little-endian
constexpr Guid system_partition{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
                                0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b};
// 6B1E6F0C-6A0B-8D5E-9A1F-434149535301, ours: no system mounts or formats it by itself
constexpr Guid data_partition{0x0c, 0x6f, 0x1e, 0x6b, 0x0b, 0x6a, 0x5e, 0x8d,
                              0x9a, 0x1f, 0x43, 0x41, 0x49, 0x53, 0x53, 0x01};

std::uint64_t whole_mebibytes(std::uint64_t bytes) {
    return (bytes + mebibyte - 1) / mebibyte * mebibyte;
}

void put_guid(std::string& record, std::size_t at, const Guid& guid) {
    std::copy(guid.begin(), guid.end(), record.begin() + static_cast<std::ptrdiff_t>(at));
}

// For firmware that knows only the older table: all of the disk is taken.
std::string protective_record(std::uint64_t sectors) {
    std::string out(sector, '\0');
    constexpr std::size_t first = 446;
    put<std::uint32_t>(out, first, 0x00020000); // starts at head 0, sector 2
    put<std::uint32_t>(out, first + 4, 0xffffffee);
    put<std::uint32_t>(out, first + 8, 1);
    put(out, first + 12, static_cast<std::uint32_t>(std::min<std::uint64_t>(sectors - 1, 0xffffffff)));
    put<std::uint16_t>(out, 510, 0xaa55);
    return out;
}

void put_entry(std::string& table, std::size_t number, const Guid& type, const Guid& guid, std::uint64_t from,
               std::uint64_t bytes, std::string_view name) {
    const std::size_t entry = number * entry_bytes;
    put_guid(table, entry, type);
    put_guid(table, entry + 16, guid);
    put(table, entry + 32, from / sector);
    put(table, entry + 40, (from + bytes) / sector - 1);
    std::size_t at = entry + 56;
    for (const char letter : name) {
        table[at] = letter;
        at += 2;
    }
}

std::string table(const DiskLayout& layout) {
    std::string out(entry_count * entry_bytes, '\0');
    put_entry(out, 0, system_partition, layout.system, first_partition_at, layout.system_bytes, "Caisson");
    if (layout.data_bytes != 0)
        put_entry(out, 1, data_partition, layout.data, layout.data_at(), layout.data_bytes, "Caisson data");
    return out;
}

std::string header(std::uint64_t own, std::uint64_t other, std::uint64_t table_at, std::uint64_t sectors,
                   const Guid& guid, std::uint32_t table_sum) {
    constexpr std::size_t header_bytes = 92;
    std::string out(header_bytes, '\0');
    out.replace(0, 8, "EFI PART");
    put<std::uint32_t>(out, 8, 0x10000);
    put<std::uint32_t>(out, 12, header_bytes);
    put(out, 24, own);
    put(out, 32, other);
    put(out, 40, 2 + table_sectors);           // first sector of partitions
    put(out, 48, sectors - 2 - table_sectors); // and the last
    put_guid(out, 56, guid);
    put(out, 72, table_at);
    put<std::uint32_t>(out, 80, entry_count);
    put<std::uint32_t>(out, 84, entry_bytes);
    put(out, 88, table_sum);
    put(out, 16, crc32(out));
    return out;
}

} // namespace

Guid guid_of(std::span<const std::uint8_t> id, std::string_view purpose) {
    files::Sha256 hash;
    hash.update(id);
    hash.update({static_cast<const std::uint8_t*>(static_cast<const void*>(purpose.data())), purpose.size()});
    const files::Digest digest = hash.finish();
    Guid out{};
    std::copy_n(digest.bytes.begin(), out.size(), out.begin());
    out[7] = static_cast<std::uint8_t>((out[7] & 0x0f) | 0x80); // version 8; the third part is little-endian
    out[8] = static_cast<std::uint8_t>((out[8] & 0x3f) | 0x80);
    return out;
}

std::uint64_t DiskLayout::data_at() const {
    return whole_mebibytes(first_partition_at + system_bytes);
}

std::uint64_t DiskLayout::end() const {
    return data_bytes == 0 ? first_partition_at + system_bytes : data_at() + data_bytes;
}

std::uint64_t least_disk(const DiskLayout& layout) {
    return whole_mebibytes(layout.end() + (table_sectors + 1) * sector);
}

GptDisk gpt_disk(const DiskLayout& layout, std::uint64_t disk_bytes) {
    GptDisk out;
    out.bytes = disk_bytes == 0 ? least_disk(layout) : disk_bytes / sector * sector;
    const std::uint64_t sectors = out.bytes / sector;
    const std::string entries = table(layout);
    const std::uint32_t sum = crc32(entries);
    const std::uint64_t last = sectors - 1;
    out.pieces.push_back({(last - table_sectors) * sector, entries});
    out.pieces.push_back({last * sector, header(last, 1, last - table_sectors, sectors, layout.disk, sum)});
    out.pieces.push_back({2 * sector, entries});
    out.pieces.push_back({sector, header(1, last, 2, sectors, layout.disk, sum)});
    out.pieces.push_back({0, protective_record(sectors)});
    return out;
}

std::uint32_t crc32(std::string_view bytes) {
    std::uint32_t sum = 0xffffffff;
    for (const char byte : bytes) {
        sum ^= static_cast<std::uint8_t>(byte);
        for (int bit = 0; bit < 8; ++bit)
            sum = sum >> 1 ^ ((sum & 1) != 0 ? 0xedb88320 : 0);
    }
    return ~sum;
}

} // namespace disk
