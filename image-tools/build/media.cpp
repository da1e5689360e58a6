// SPDX-License-Identifier: Apache-2.0
#include "image-tools/build/media.hpp"

#include "hypervisor/core/board/kept_scan.hpp"
#include "image-tools/disk/fat32.hpp"
#include "image-tools/disk/gpt.hpp"
#include "image-tools/disk/iso.hpp"
#include "image-tools/disk/pe.hpp"
#include "image-tools/manifest/values.hpp"

#include <algorithm>
#include <cstring>

namespace build {
namespace {

std::string application(const MediumSource& source, std::string embedded) {
    disk::Application parts;
    parts.loader = source.library.elf(source.starter);
    parts.hypervisor = bundle::loadable_part(source.loader);
    parts.bundle = std::move(embedded);
    parts.path = "\\EFI\\caisson\\" + source.name;
    parts.version = bundle::build_id();
    std::string file = disk::efi_application(parts);
    return source.signer == nullptr ? file : source.signer->sign(std::move(file), source.signed_at);
}

void write_pieces(files::AtomicFile& out, std::uint64_t base, const std::vector<disk::Piece>& pieces) {
    for (const disk::Piece& piece : pieces)
        out.write_at(base + piece.offset, files::bytes_of(piece.bytes));
}

void copy_file(files::AtomicFile& out, std::uint64_t place, const std::filesystem::path& from) {
    const auto file = files::FileRange::open(from);
    if (!file)
        throw diagnostic::fail("E0601", "cannot read " + from.string());
    std::vector<std::uint8_t> buffer(std::size_t{1} << 20);
    std::uint64_t at = 0;
    while (const std::size_t got = file->read(at, buffer)) {
        out.write_at(place + at, std::span(buffer).first(got));
        at += got;
    }
}

void write_application(const std::filesystem::path& file, const MediumSource& source,
                       std::uint64_t bundle_bytes) {
    if (bundle_bytes > disk::largest_embedded_bundle)
        throw diagnostic::fail("E0804", "the bundle has " + manifest::size_text(bundle_bytes) +
                                            ", a .efi holds at most " +
                                            manifest::size_text(disk::largest_embedded_bundle))
            .help("write a disk instead: -o NAME.img");
    files::AtomicFile out(file);
    out.write(
        files::bytes_of(application(source, files::read_file(source.bundle, disk::largest_embedded_bundle))));
    out.commit(0644);
}

// A FAT volume with the application and the bundle. On a disk with room for a second pair, where there are two slots.
void write_volume(const std::filesystem::path& file, const MediumSource& source, std::uint64_t bundle_bytes,
                  bool cd) {
    const std::string starter = application(source, "");
    std::vector<disk::FatFile> parts{{{"EFI", "BOOT", "BOOTX64.EFI"}, starter.size()},
                                     {{"EFI", "caisson", source.name}, bundle_bytes}};
    std::vector<disk::Signer::EnrolmentFile> keys;
    if (source.signer != nullptr)
        keys = source.signer->enrolment(source.signed_at);
    for (const auto& key : keys)
        parts.push_back({{"EFI", "caisson", "keys", key.name}, key.bytes.size()});
    const std::uint64_t spare = cd ? 0 : (source.slots - 1) * (starter.size() + bundle_bytes);
    std::uint32_t serial = 0;
    std::memcpy(&serial, source.bundle_id.data(), sizeof serial);
    const disk::FatVolume volume =
        disk::fat32_volume(parts, spare, serial, cd ? 0 : disk::first_partition_at / disk::sector);
    files::AtomicFile out(file);
    const auto fill = [&](std::uint64_t base, std::uint64_t bytes, const std::vector<disk::Piece>& around) {
        out.zeros(bytes);
        out.write_at(base + volume.places[0], files::bytes_of(starter));
        copy_file(out, base + volume.places[1], source.bundle);
        for (std::size_t i = 0; i < keys.size(); ++i)
            out.write_at(base + volume.places[2 + i], files::bytes_of(keys[i].bytes));
        write_pieces(out, base, volume.pieces);
        write_pieces(out, 0, around);
    };
    if (cd) {
        const disk::IsoImage image = disk::iso_image(volume.bytes);
        fill(image.place, image.bytes, image.pieces);
    } else {
        const disk::GptDisk image = disk::gpt_disk(
            {volume.bytes, source.data_bytes, disk::guid_of(source.bundle_id, "disk"),
             disk::guid_of(source.bundle_id, "system partition"),
             source.data_bytes == 0 ? disk::Guid{} : disk::guid_of(source.bundle_id, "data partition")});
        fill(disk::first_partition_at, image.bytes, image.pieces);
    }
    out.commit(0644);
}

} // namespace

std::string scan_file(bool with_room) {
    std::string out(with_room ? board::kept_bytes : board::unscanned_bytes, ' ');
    out.back() = '\n';
    board::note_address(std::span(out).first(board::unscanned_bytes), 0);
    return out;
}

bool is_scan_file(const files::FileRange& file) {
    if (file.size != board::kept_bytes && file.size != board::unscanned_bytes)
        return false;
    std::vector<std::uint8_t> bytes(file.size);
    return file.read(0, bytes) == bytes.size() &&
           std::ranges::equal(bytes, files::bytes_of(scan_file(file.size == board::kept_bytes)));
}

bool is_medium(const std::filesystem::path& file) {
    const std::filesystem::path ending = file.extension();
    return ending == ".efi" || ending == ".img" || ending == ".iso";
}

void write_medium(const std::filesystem::path& file, const MediumSource& source) {
    std::error_code error;
    const std::uint64_t bytes = std::filesystem::file_size(source.bundle, error);
    if (error)
        throw diagnostic::fail("E0601", "cannot read " + source.bundle.string() + ": " + error.message());
    if (file.extension() == ".efi")
        write_application(file, source, bytes);
    else
        write_volume(file, source, bytes, file.extension() == ".iso");
}

} // namespace build
