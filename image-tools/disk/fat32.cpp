// SPDX-License-Identifier: Apache-2.0
#include "image-tools/disk/fat32.hpp"

#include <algorithm>
#include <cctype>
#include <map>

namespace disk {
namespace {

constexpr std::uint32_t reserved_sectors = 32, table_copies = 2, first_cluster = 2;
constexpr std::uint32_t end_of_chain = 0x0fffffff, media = 0xf8;
constexpr std::uint64_t mebibyte = 1u << 20, entry_bytes = 32;
constexpr std::uint64_t least_volume = 64 * mebibyte; // FAT32 has at least 65,525 clusters
constexpr std::uint8_t is_folder = 0x10, is_file = 0x20, is_long_name = 0x0f;
constexpr std::uint16_t first_day = 0x21; // 1980-01-01
constexpr std::string_view label = "CAISSON    ";

struct Geometry {
    std::uint32_t sectors, sectors_a_cluster, table_sectors;
    [[nodiscard]] std::uint64_t cluster_bytes() const { return sectors_a_cluster * sector; }
    [[nodiscard]] std::uint64_t place(std::uint32_t cluster) const {
        return (reserved_sectors + table_copies * std::uint64_t{table_sectors}) * sector +
               (cluster - first_cluster) * cluster_bytes();
    }
    [[nodiscard]] std::uint32_t clusters() const {
        return (sectors - reserved_sectors - table_copies * table_sectors) / sectors_a_cluster;
    }
};

// The table's size by the specification's own formula, which may be a few sectors too many.
Geometry geometry(std::uint64_t bytes) {
    constexpr std::uint64_t small = 256 * mebibyte;
    Geometry out{static_cast<std::uint32_t>(bytes / sector), bytes <= small ? 1u : 8u, 0};
    const std::uint32_t a_sector = (256 * out.sectors_a_cluster + table_copies) / 2;
    out.table_sectors = (out.sectors - reserved_sectors + a_sector - 1) / a_sector;
    return out;
}

// A name of eight letters and three, or what stands for a longer one.
struct ShortName {
    std::string bytes;
    bool exact = false;
};

ShortName short_name(const std::string& name, unsigned number) {
    const std::size_t dot = name.rfind('.');
    const std::string stem = name.substr(0, dot);
    const std::string ending = dot == std::string::npos ? "" : name.substr(dot + 1);
    const auto upper = [](const std::string& text) {
        std::string out;
        for (const char letter : text)
            out += std::isalnum(static_cast<unsigned char>(letter)) != 0
                       ? static_cast<char>(std::toupper(static_cast<unsigned char>(letter)))
                       : '_';
        return out;
    };
    ShortName out{upper(stem),
                  upper(stem) == stem && upper(ending) == ending && stem.size() <= 8 && ending.size() <= 3};
    if (!out.exact) {
        const std::string tail = "~" + std::to_string(number);
        out.bytes = out.bytes.substr(0, 8 - tail.size()) + tail;
    }
    out.bytes.resize(8, ' ');
    out.bytes += upper(ending).substr(0, 3);
    out.bytes.resize(11, ' ');
    return out;
}

std::string entry(const std::string& name, std::uint8_t kind, std::uint32_t cluster, std::uint64_t bytes) {
    std::string out = name;
    out.resize(entry_bytes, '\0');
    put<std::uint8_t>(out, 11, kind);
    put(out, 16, first_day); // made
    put(out, 18, first_day); // read
    put(out, 20, static_cast<std::uint16_t>(cluster >> 16));
    put(out, 24, first_day); // written
    put(out, 26, static_cast<std::uint16_t>(cluster));
    put(out, 28, static_cast<std::uint32_t>(bytes));
    return out;
}

// Thirteen letters an entry, the last part first.
std::string long_name_entries(const std::string& name, const std::string& short_bytes) {
    constexpr std::size_t letters = 13;
    constexpr std::uint8_t last = 0x40;
    std::uint8_t checksum = 0;
    for (const char letter : short_bytes)
        checksum =
            static_cast<std::uint8_t>((checksum << 7 | checksum >> 1) + static_cast<std::uint8_t>(letter));
    const std::size_t parts = (name.size() + letters - 1) / letters;
    std::string out;
    for (std::size_t part = parts; part-- > 0;) {
        std::string record(entry_bytes, '\0');
        put(record, 0, static_cast<std::uint8_t>((part + 1) | (part + 1 == parts ? last : 0u)));
        put(record, 11, is_long_name);
        put(record, 13, checksum);
        for (std::size_t i = 0; i < letters; ++i) {
            const std::size_t at = part * letters + i;
            const std::size_t place = i < 5 ? 1 + 2 * i : i < 11 ? 14 + 2 * (i - 5) : 28 + 2 * (i - 11);
            put(record, place,
                static_cast<std::uint16_t>(at < name.size()    ? static_cast<unsigned char>(name[at])
                                           : at == name.size() ? 0u
                                                               : 0xffffu));
        }
        out += record;
    }
    return out;
}

struct Folder {
    std::map<std::string, Folder> folders;
    std::map<std::string, std::size_t> files; // numbers
    std::uint32_t cluster = 0;

    // How many entries of 32 bytes it needs, at most: names of 13 letters more, and two for itself and the one above.
    [[nodiscard]] std::uint64_t bytes() const {
        std::uint64_t entries = 3;
        const auto count = [&entries](const auto& items) {
            for (const auto& [name, ignored] : items)
                entries += 1 + (name.size() + 12) / 13;
        };
        count(folders);
        count(files);
        return entries * entry_bytes;
    }
};

class Writer {
public:
    Writer(const std::vector<FatFile>& files, Geometry shape)
        : files_(files), shape_(shape), table_(first_cluster, 0) {
        table_[0] = 0x0fffff00 | media;
        table_[1] = end_of_chain;
        for (std::size_t i = 0; i < files.size(); ++i) {
            Folder* folder = &root_;
            for (std::size_t depth = 0; depth + 1 < files[i].path.size(); ++depth)
                folder = &folder->folders[files[i].path[depth]];
            folder->files[files[i].path.back()] = i;
        }
    }

    FatVolume write(std::uint32_t serial, std::uint32_t hidden_sectors) {
        place_folder(root_);
        for (const FatFile& file : files_)
            starts_.push_back(chain(file.bytes));
        write_folder(root_, label, 0);
        FatVolume out;
        out.bytes = shape_.sectors * sector;
        const std::string boot = boot_sector(serial, hidden_sectors), information = information_sector();
        for (const std::uint64_t at : {0u, 6u}) { // and the copy
            pieces_.push_back({at * sector, boot});
            pieces_.push_back({(at + 1) * sector, information});
            std::string third(sector, '\0');
            put<std::uint16_t>(third, 510, 0xaa55);
            pieces_.push_back({(at + 2) * sector, third});
        }
        std::string table(table_.size() * 4, '\0');
        std::memcpy(table.data(), table_.data(), table.size());
        for (std::uint64_t copy = 0; copy < table_copies; ++copy)
            pieces_.push_back({(reserved_sectors + copy * shape_.table_sectors) * sector, table});
        out.pieces = std::move(pieces_);
        for (const std::uint32_t start : starts_)
            out.places.push_back(start == 0 ? 0 : shape_.place(start));
        return out;
    }

private:
    // Clusters one after the other; 0: an empty file has none.
    std::uint32_t chain(std::uint64_t bytes) {
        const auto first = static_cast<std::uint32_t>(table_.size());
        const std::uint64_t count = (bytes + shape_.cluster_bytes() - 1) / shape_.cluster_bytes();
        for (std::uint64_t i = 1; i <= count; ++i)
            table_.push_back(i == count ? end_of_chain : static_cast<std::uint32_t>(table_.size() + 1));
        return count == 0 ? 0 : first;
    }

    void place_folder(Folder& folder) {
        folder.cluster = chain(folder.bytes());
        for (auto& [name, below] : folder.folders)
            place_folder(below);
    }

    // `own`: the entry in front, the root's is the volume's name. `above`: the folder's above, 0 for the root.
    void write_folder(const Folder& folder, std::string_view volume, std::uint32_t above) {
        std::string bytes;
        if (!volume.empty()) {
            constexpr std::uint8_t is_label = 0x08;
            bytes += entry(std::string(volume), is_label, 0, 0);
        } else {
            bytes += entry(".          ", is_folder, folder.cluster, 0);
            bytes += entry("..         ", is_folder, above, 0);
        }
        unsigned number = 0;
        const auto add = [&](const std::string& name, std::uint8_t kind, std::uint32_t cluster,
                             std::uint64_t size) {
            const ShortName brief = short_name(name, number + 1);
            if (!brief.exact) {
                ++number;
                bytes += long_name_entries(name, brief.bytes);
            }
            bytes += entry(brief.bytes, kind, cluster, size);
        };
        for (const auto& [name, below] : folder.folders)
            add(name, is_folder, below.cluster, 0);
        for (const auto& [name, index] : folder.files)
            add(name, is_file, starts_[index], files_[index].bytes);
        pieces_.push_back({shape_.place(folder.cluster), bytes});
        for (const auto& [name, below] : folder.folders)
            write_folder(below, "", volume.empty() ? folder.cluster : 0);
    }

    [[nodiscard]] std::string boot_sector(std::uint32_t serial, std::uint32_t hidden_sectors) const {
        std::string out(sector, '\0');
        out.replace(0, 11,
                    std::string("\xeb\xfe\x90"
                                "CAISSON ",
                                11)); // nothing boots by it
        put<std::uint16_t>(out, 11, sector);
        put(out, 13, static_cast<std::uint8_t>(shape_.sectors_a_cluster));
        put<std::uint16_t>(out, 14, reserved_sectors);
        put<std::uint8_t>(out, 16, table_copies);
        put<std::uint8_t>(out, 21, media);
        put<std::uint16_t>(out, 24, 63);
        put<std::uint16_t>(out, 26, 255);
        put(out, 28, hidden_sectors);
        put(out, 32, shape_.sectors);
        put(out, 36, shape_.table_sectors);
        put<std::uint32_t>(out, 44, root_.cluster);
        put<std::uint16_t>(out, 48, 1); // information
        put<std::uint16_t>(out, 50, 6); // copies
        put<std::uint8_t>(out, 64, 0x80);
        put<std::uint8_t>(out, 66, 0x29);
        put(out, 67, serial);
        out.replace(71, label.size(), label);
        out.replace(82, 8, "FAT32   ");
        put<std::uint16_t>(out, 510, 0xaa55);
        return out;
    }

    [[nodiscard]] std::string information_sector() const {
        std::string out(sector, '\0');
        const auto used = static_cast<std::uint32_t>(table_.size() - first_cluster);
        put<std::uint32_t>(out, 0, 0x41615252);
        put<std::uint32_t>(out, 484, 0x61417272);
        put<std::uint32_t>(out, 488, shape_.clusters() - used);
        put(out, 492, static_cast<std::uint32_t>(table_.size()));
        put<std::uint32_t>(out, 508, 0xaa550000);
        return out;
    }

    const std::vector<FatFile>& files_;
    Geometry shape_;
    Folder root_;
    std::vector<std::uint32_t> table_, starts_;
    std::vector<Piece> pieces_;
};

} // namespace

FatVolume fat32_volume(const std::vector<FatFile>& files, std::uint64_t spare_bytes, std::uint32_t serial,
                       std::uint32_t hidden_sectors) {
    std::uint64_t bytes = mebibyte + spare_bytes; // tables take less than a hundredth, folders a few clusters
    for (const FatFile& file : files)
        bytes += file.bytes + file.bytes / 64 + 4096;
    bytes = std::max(least_volume, (bytes + mebibyte - 1) / mebibyte * mebibyte);
    return Writer{files, geometry(bytes)}.write(serial, hidden_sectors);
}

} // namespace disk
