// SPDX-License-Identifier: Apache-2.0
#include "image-tools/disk/medium.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/disk/pe.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

namespace disk {
namespace {

constexpr std::uint64_t block = 2048; // of a CD

[[noreturn]] void not_ours(const files::FileRange& file, const std::string& what) {
    throw diagnostic::fail("E0424", file.name + ": " + what)
        .help("caisson build -o NAME.img (or .iso, .efi) writes it anew");
}

files::FileRange part(const files::FileRange& whole, std::uint64_t offset, std::uint64_t size,
                      const char* what) {
    if (offset > whole.size || size > whole.size - offset)
        not_ours(whole, std::string(what) + " goes beyond the end: bytes " + std::to_string(offset) + " to " +
                            std::to_string(offset + size) + " of " + std::to_string(whole.size));
    files::FileRange out = whole;
    out.offset += offset;
    out.size = size;
    return out;
}

std::string bytes_at(const files::FileRange& file, std::uint64_t at, std::size_t count) {
    std::vector<std::uint8_t> buffer(count);
    const std::size_t got = file.read(at, buffer);
    return {buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got)};
}

template <typename T> T number(const std::string& bytes, std::size_t at) {
    T value = 0;
    if (at + sizeof value <= bytes.size())
        std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

// A FAT32 volume, read. Folders are at most 64 KiB: ours have a few entries.
class Volume {
public:
    explicit Volume(const files::FileRange& range) : range_(range) {
        const std::string boot = bytes_at(range, 0, sector);
        cluster_bytes_ = number<std::uint8_t>(boot, 13) * sector;
        table_at_ = number<std::uint16_t>(boot, 14) * sector;
        const std::uint64_t tables = number<std::uint8_t>(boot, 16);
        const std::uint64_t table_bytes = number<std::uint32_t>(boot, 36) * sector;
        root_ = number<std::uint32_t>(boot, 44);
        data_at_ = table_at_ + tables * table_bytes;
        if (number<std::uint16_t>(boot, 11) != sector || number<std::uint16_t>(boot, 510) != 0xaa55 ||
            number<std::uint16_t>(boot, 17) != 0 || cluster_bytes_ == 0 || tables == 0 || table_bytes == 0 ||
            data_at_ >= range.size)
            not_ours(range, "no FAT32 volume of 512-byte sectors");
        clusters_ = std::min((range.size - data_at_) / cluster_bytes_, table_bytes / 4 - first_cluster);
    }

    struct Entry {
        std::string name;
        bool folder = false;
        std::uint32_t cluster = 0;
        std::uint32_t bytes = 0;
    };

    [[nodiscard]] std::vector<Entry> list(std::uint32_t cluster) const {
        constexpr std::size_t entry_bytes = 32, most_bytes = 64 * 1024;
        std::string bytes;
        while (cluster < end_of_chain) {
            if (bytes.size() >= most_bytes)
                not_ours(range_, "a folder is larger than 64 KiB, or goes in a circle");
            bytes += bytes_at(range_, place(cluster), cluster_bytes_);
            cluster = next(cluster);
        }
        std::vector<Entry> out;
        std::string long_name;
        for (std::size_t at = 0; at + entry_bytes <= bytes.size() && bytes[at] != 0; at += entry_bytes) {
            const std::string record = bytes.substr(at, entry_bytes);
            const auto kind = number<std::uint8_t>(record, 11);
            constexpr std::uint8_t erased = 0xe5, long_part = 0x0f, label = 0x08, folder = 0x10;
            if (number<std::uint8_t>(record, 0) == erased) {
                long_name.clear();
            } else if (kind == long_part) {
                long_name.insert(0, letters_of(record));
            } else {
                if ((kind & label) == 0)
                    out.push_back({long_name.empty() ? short_name(record) : long_name, (kind & folder) != 0,
                                   number<std::uint16_t>(record, 26) |
                                       std::uint32_t{number<std::uint16_t>(record, 20)} << 16,
                                   number<std::uint32_t>(record, 28)});
                long_name.clear();
            }
        }
        return out;
    }

    // The file's bytes, where its clusters follow one another.
    [[nodiscard]] files::FileRange file(const Entry& entry) const {
        const std::uint64_t count = (entry.bytes + cluster_bytes_ - 1) / cluster_bytes_;
        for (std::uint64_t i = 1; i < count; ++i)
            if (next(static_cast<std::uint32_t>(entry.cluster + i - 1)) != entry.cluster + i)
                not_ours(range_, entry.name + " does not lie in one piece");
        return count == 0 ? part(range_, 0, 0, "an empty file")
                          : part(range_, place(entry.cluster), entry.bytes, entry.name.c_str());
    }

    [[nodiscard]] std::uint32_t root() const { return root_; }

private:
    static constexpr std::uint32_t first_cluster = 2, end_of_chain = 0x0ffffff8;

    [[nodiscard]] std::uint64_t place(std::uint32_t cluster) const {
        if (cluster < first_cluster || cluster - first_cluster >= clusters_)
            not_ours(range_, "cluster " + std::to_string(cluster) + " of " + std::to_string(clusters_));
        return data_at_ + (cluster - first_cluster) * cluster_bytes_;
    }
    [[nodiscard]] std::uint32_t next(std::uint32_t cluster) const {
        (void)place(cluster);
        constexpr std::uint64_t window = 64 * 1024;
        const std::uint64_t at = std::uint64_t{cluster} * 4;
        if (window_.empty() || at / window != window_number_) {
            window_number_ = at / window;
            window_ = bytes_at(range_, table_at_ + window_number_ * window, window);
        }
        return number<std::uint32_t>(window_, at % window) & 0x0fffffff;
    }

    static std::string short_name(const std::string& record) {
        const auto trimmed = [](std::string text) {
            text.erase(text.find_last_not_of(' ') + 1);
            return text;
        };
        const std::string ending = trimmed(record.substr(8, 3));
        return trimmed(record.substr(0, 8)) + (ending.empty() ? "" : "." + ending);
    }
    // Thirteen letters of a long name; what is not ASCII cannot be what is looked for.
    static std::string letters_of(const std::string& record) {
        std::string out;
        for (const std::size_t place : {1u, 3u, 5u, 7u, 9u, 14u, 16u, 18u, 20u, 22u, 24u, 28u, 30u}) {
            const auto letter = number<std::uint16_t>(record, place);
            if (letter == 0 || letter == 0xffff)
                break;
            out += letter < 0x80 ? static_cast<char>(letter) : '?';
        }
        return out;
    }

    files::FileRange range_;
    std::uint64_t cluster_bytes_ = 0, table_at_ = 0, data_at_ = 0, clusters_ = 0;
    std::uint32_t root_ = 0;
    mutable std::string window_; // a piece of the table
    mutable std::uint64_t window_number_ = 0;
};

bool same_name(const std::string& one, const std::string& other) {
    const auto lower = [](char letter) {
        return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
    };
    return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                      [&](char a, char b) { return lower(a) == lower(b); });
}

// The text of a section of UTF-16 letters, with / for \ and without the first.
std::string path_of(std::string_view wide) {
    std::string out;
    for (std::size_t i = 0; i + 1 < wide.size() && wide[i] != 0; i += 2)
        out += wide[i] == '\\' ? '/' : wide[i];
    return out.starts_with('/') ? out.substr(1) : out;
}

std::string read_program(const files::FileRange& file) {
    constexpr std::uint64_t largest = largest_embedded_bundle + (std::uint64_t{16} << 20);
    if (file.size > largest)
        not_ours(file, "the application has " + std::to_string(file.size) +
                           " bytes, more than any that this tool writes");
    return bytes_at(file, 0, static_cast<std::size_t>(file.size));
}

Medium application(const files::FileRange& file) {
    const std::string bytes = read_program(file);
    const auto embedded = section_of(bytes, ".bundle");
    if (!embedded || !section_of(bytes, ".caisson"))
        not_ours(file,
                 section_of(bytes, ".path")
                     ? "this application reads its bundle from the disk beside it: verify the .img or .iso"
                     : "no UEFI application of caisson's: it has no section .bundle");
    return {MediumKind::application,
            file,
            part(file, static_cast<std::uint64_t>(embedded->data() - bytes.data()), embedded->size(),
                 "the bundle"),
            {},
            {}};
}

void find_in_volume(const files::FileRange& volume, Medium& out) {
    const auto starter = find_file(volume, "EFI/BOOT/BOOTX64.EFI");
    if (!starter)
        not_ours(volume, "no \\EFI\\BOOT\\BOOTX64.EFI on it");
    out.application = *starter;
    const std::string bytes = read_program(*starter);
    const auto wide = section_of(bytes, ".path");
    if (!wide || !section_of(bytes, ".caisson"))
        not_ours(volume, "its \\EFI\\BOOT\\BOOTX64.EFI is not caisson's");
    const std::string path = path_of(*wide);
    const auto bundle = find_file(volume, path);
    if (!bundle)
        not_ours(volume, "no " + path + " on it, which its loader would read");
    out.bundle = *bundle;
}

Medium gpt(const files::FileRange& file) {
    constexpr std::size_t entry_bytes = 128;
    const std::string header = bytes_at(file, sector, sector);
    const std::string entries = bytes_at(file, 2 * sector, 2 * entry_bytes);
    if (header.size() != sector || entries.size() != 2 * entry_bytes)
        not_ours(file, "it ends within its partition table");
    const std::string entry = entries.substr(0, entry_bytes), data = entries.substr(entry_bytes);
    Medium out;
    out.kind = MediumKind::disk;
    const auto guid_at = [](const std::string& bytes, std::size_t at) {
        Guid guid;
        std::memcpy(guid.data(), bytes.data() + at, guid.size());
        return guid;
    };
    out.layout.disk = guid_at(header, 56);
    out.layout.system = guid_at(entry, 16);
    const auto first = number<std::uint64_t>(entry, 32), last = number<std::uint64_t>(entry, 40);
    constexpr std::uint64_t most = std::uint64_t{1} << 40;
    if (first != first_partition_at / sector || last < first || last > most)
        not_ours(file, "its partition does not begin at 1 MiB");
    out.layout.system_bytes = (last - first + 1) * sector;
    // Where and what kind the second one is, the comparison below finds out.
    if (const auto begin = number<std::uint64_t>(data, 32), end = number<std::uint64_t>(data, 40); end != 0) {
        if (end < begin || end > most)
            not_ours(file, "its data partition ends before it begins, or beyond 512 TiB");
        out.layout.data = guid_at(data, 16);
        out.layout.data_bytes = (end - begin + 1) * sector;
    }
    out.partition = part(file, first * sector, out.layout.system_bytes, "the partition");
    const GptDisk expected = gpt_disk(out.layout);
    for (const Piece& piece : expected.pieces)
        if (bytes_at(file, piece.offset, piece.bytes.size()) != piece.bytes)
            not_ours(file,
                     "its partition table is not as it was written, at byte " + std::to_string(piece.offset));
    if (file.size < expected.bytes)
        not_ours(file, "it was cut off: " + std::to_string(file.size) + " bytes of " +
                           std::to_string(expected.bytes));
    find_in_volume(out.partition, out);
    return out;
}

Medium iso(const files::FileRange& file) {
    const std::string boot = bytes_at(file, 17 * block, block);
    const std::string catalog = bytes_at(file, std::uint64_t{number<std::uint32_t>(boot, 71)} * block, block);
    if (!std::string_view(boot).substr(7).starts_with("EL TORITO SPECIFICATION") || catalog.size() != block)
        not_ours(file, "nothing on this CD is started");
    const std::uint64_t at = std::uint64_t{number<std::uint32_t>(catalog, 40)} * block;
    Medium out;
    out.kind = MediumKind::cd;
    find_in_volume(part(file, at, file.size - std::min(at, file.size), "the CD's volume"), out);
    return out;
}

} // namespace

std::optional<files::FileRange> find_file(const files::FileRange& volume, const std::string& path) {
    const Volume fat(volume);
    std::uint32_t folder = fat.root();
    std::size_t from = 0;
    for (;;) {
        const std::size_t slash = path.find('/', from);
        const std::string name = path.substr(from, slash == std::string::npos ? slash : slash - from);
        const bool last = slash == std::string::npos;
        const std::vector<Volume::Entry> entries = fat.list(folder);
        const auto found = std::find_if(entries.begin(), entries.end(), [&](const Volume::Entry& entry) {
            return entry.folder != last && same_name(entry.name, name);
        });
        if (found == entries.end())
            return std::nullopt;
        if (last)
            return fat.file(*found);
        folder = found->cluster;
        from = slash + 1;
    }
}

std::string read_application(const Medium& medium) {
    return read_program(medium.application);
}

std::optional<Medium> open_medium(const files::FileRange& file) {
    if (bytes_at(file, 0, 2) == "MZ")
        return application(file);
    if (bytes_at(file, sector, 8) == "EFI PART")
        return gpt(file);
    if (bytes_at(file, 16 * block + 1, 5) == "CD001")
        return iso(file);
    return std::nullopt;
}

} // namespace disk
