// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/zip_archive.cpp - files as a ZIP archive.
#include "image-tools/cli/zip_archive.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"

#include <cstdint>
#include <zlib.h>

namespace cli {
namespace {

constexpr std::uint16_t least_version = 10, stored = 0;
constexpr std::uint16_t first_day = 0x21; // of 1980, the first that there is
constexpr std::size_t most_zipped = 0xFFFF;

void put_number(std::string& out, std::uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i)
        out += static_cast<char>(value >> (8 * i) & 0xFF);
}

// What local header and directory have alike.
std::string common_part(const std::string& name, const std::string& bytes) {
    std::string out;
    put_number(out, least_version, 2);
    put_number(out, 0, 2); // flags
    put_number(out, stored, 2);
    put_number(out, 0, 2); // time
    put_number(out, first_day, 2);
    put_number(out,
               ::crc32_z(0, static_cast<const Bytef*>(static_cast<const void*>(bytes.data())), bytes.size()),
               4);
    put_number(out, bytes.size(), 4);
    put_number(out, bytes.size(), 4);
    put_number(out, name.size(), 2);
    put_number(out, 0, 2); // extra
    return out;
}

} // namespace

std::string zip_archive(const NamedTexts& files) {
    std::string out, directory;
    for (const auto& [name, bytes] : files) {
        const std::string common = common_part(name, bytes);
        directory += "PK\1\2";
        put_number(directory, least_version, 2);
        directory += common;
        put_number(directory, 0, 2 + 2 + 2 + 4); // comment, disk, attributes
        put_number(directory, out.size(), 4);
        directory += name;
        out += "PK\3\4" + common + name + bytes;
    }
    if (files.size() > most_zipped || out.size() + directory.size() > UINT32_MAX)
        throw diagnostic::fail("E0801",
                               "the archive would be larger than 4 GiB, or hold more than 65,535 files");
    const std::size_t start = out.size();
    out += directory + "PK\5\6";
    put_number(out, 0, 4);
    put_number(out, files.size(), 2);
    put_number(out, files.size(), 2);
    put_number(out, directory.size(), 4);
    put_number(out, start, 4);
    put_number(out, 0, 2);
    return out;
}

} // namespace cli
