// SPDX-License-Identifier: Apache-2.0
#include "image-tools/disk/iso.hpp"

#include <string_view>

namespace disk {
namespace {

constexpr std::uint64_t block = 2048;
constexpr std::uint32_t primary = 16, boot_record = 17, terminator = 18, path_table = 19, path_table_big = 20,
                        root_folder = 21, catalog = 22, volume = 23;
constexpr std::uint8_t is_folder = 2;
constexpr std::uint32_t path_table_bytes = 10; // the root alone

template <typename T> T swapped(T value) {
    T out = 0;
    for (std::size_t i = 0; i < sizeof value; ++i)
        out = static_cast<T>(out << 8 | (value >> 8 * i & 0xff));
    return out;
}
// Both orders of bytes, one after the other.
template <typename T> void put_both(std::string& record, std::size_t at, T value) {
    put(record, at, value);
    put(record, at + sizeof value, swapped(value));
}
void put_text(std::string& record, std::size_t at, std::size_t room, std::string_view text) {
    for (std::size_t i = 0; i < room; ++i)
        record[at + i] = i < text.size() ? text[i] : ' ';
}

std::string folder_record(std::string_view name, std::uint32_t at, std::uint64_t bytes, std::uint8_t flags) {
    std::string out((33 + name.size() + 1) / 2 * 2, '\0');
    put(out, 0, static_cast<std::uint8_t>(out.size()));
    put_both(out, 2, at);
    put_both(out, 10, static_cast<std::uint32_t>(bytes));
    out[18] = 80; // 1980-01-01
    out[19] = 1;
    out[20] = 1;
    put(out, 25, flags);
    put_both<std::uint16_t>(out, 28, 1);
    put(out, 32, static_cast<std::uint8_t>(name.size()));
    out.replace(33, name.size(), name);
    return out;
}

std::string descriptor(std::uint8_t kind) {
    std::string out(block, '\0');
    put(out, 0, kind);
    out.replace(1, 5, "CD001");
    out[6] = 1;
    return out;
}

std::string primary_descriptor(std::uint32_t blocks) {
    std::string out = descriptor(1);
    put_text(out, 8, 32, "");
    put_text(out, 40, 32, "CAISSON");
    put_both(out, 80, blocks);
    put_both<std::uint16_t>(out, 120, 1);
    put_both<std::uint16_t>(out, 124, 1);
    put_both<std::uint16_t>(out, 128, block);
    put_both(out, 132, path_table_bytes);
    put(out, 140, path_table);
    put(out, 148, swapped(path_table_big));
    const std::string root = folder_record(std::string_view("\0", 1), root_folder, block, is_folder);
    out.replace(156, root.size(), root);
    put_text(out, 190, 4 * 128 + 3 * 37, "");
    for (std::size_t date = 813; date < 881; date += 17)
        out.replace(date, 17, std::string(16, '0') + '\0'); // not stated
    out[881] = 1;
    return out;
}

std::string boot_descriptor() {
    std::string out = descriptor(0);
    out.replace(7, 23, "EL TORITO SPECIFICATION");
    put(out, 71, catalog);
    return out;
}

// The words of the first entry add up to 0.
std::string boot_catalog() {
    std::string out(block, '\0');
    constexpr std::uint8_t uefi = 0xef, bootable = 0x88;
    out[0] = 1;
    put(out, 1, uefi);
    out.replace(4, 7, "Caisson");
    put<std::uint16_t>(out, 30, 0xaa55);
    std::uint16_t sum = 0;
    for (std::size_t i = 0; i < 32; i += 2)
        sum = static_cast<std::uint16_t>(
            sum + (static_cast<std::uint8_t>(out[i]) | static_cast<std::uint8_t>(out[i + 1]) << 8));
    put(out, 28, static_cast<std::uint16_t>(0 - sum));
    put(out, 32, bootable);
    put(out, 40, volume);
    return out;
}

template <typename Put> std::string path_table_of(Put put_number) {
    std::string out(path_table_bytes, '\0');
    out[0] = 1;
    put_number(out, 2, root_folder);
    put_number(out, 6, std::uint16_t{1});
    return out;
}

} // namespace

IsoImage iso_image(std::uint64_t volume_bytes) {
    IsoImage out;
    out.place = volume * block;
    out.bytes = out.place + (volume_bytes + block - 1) / block * block;
    std::string folder;
    folder += folder_record(std::string_view("\0", 1), root_folder, block, is_folder);
    folder += folder_record(std::string_view("\1", 1), root_folder, block, is_folder);
    folder += folder_record("BOOT.CAT;1", catalog, block, 0);
    folder += folder_record("EFI.IMG;1", volume, volume_bytes, 0);
    const auto add = [&out](std::uint32_t at, std::string bytes) {
        out.pieces.push_back({at * block, std::move(bytes)});
    };
    add(boot_record, boot_descriptor());
    add(terminator, descriptor(255));
    add(path_table, path_table_of([](std::string& to, std::size_t at, auto value) { put(to, at, value); }));
    add(path_table_big,
        path_table_of([](std::string& to, std::size_t at, auto value) { put(to, at, swapped(value)); }));
    add(root_folder, folder);
    add(catalog, boot_catalog());
    add(primary, primary_descriptor(static_cast<std::uint32_t>(out.bytes / block)));
    return out;
}

} // namespace disk
