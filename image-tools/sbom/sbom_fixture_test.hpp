// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/sbom_fixture_test.hpp - for tests only: root images that are a few files in memory, and files of the kinds
// that are looked for.
#pragma once

#include "image-tools/oci/packed_fixture_test.hpp"
#include "image-tools/sbom/database.hpp"
#include "partitions/formats/elf.hpp"

#include <cstring>
#include <map>
#include <string>

namespace sbom::test {

inline Files files_of(std::map<std::string, std::string> contents,
                      std::map<std::string, std::string, std::less<>> links = {}) {
    std::vector<File> all;
    std::vector<std::string> bytes;
    for (auto& [path, text] : contents) {
        all.push_back({path, text.size(), path.starts_with("bin/"), all.size() + 1});
        bytes.push_back(text);
    }
    return {std::move(all), std::move(links),
            [bytes](std::size_t index, std::uint64_t offset, std::uint64_t count) {
                return bytes.at(index).substr(offset, count);
            }};
}

inline std::string little(std::uint64_t value, unsigned bytes) {
    std::string out;
    for (unsigned i = 0; i < bytes; ++i)
        out += i < 8 ? static_cast<char>(value >> (8 * i) & 255) : '\0';
    return out;
}

inline std::string big(std::uint64_t value, unsigned bytes) {
    const std::string turned = little(value, bytes);
    return {turned.rbegin(), turned.rend()};
}

// An ELF with one section of that name.
inline std::string elf_with(const std::string& name, const std::string& content) {
    const std::string names = std::string(1, '\0') + name + '\0';
    elf::Header64 header{};
    header.identification = {elf::magic, elf::class_64, elf::data_little_endian, elf::version_current, 0, {}};
    header.section_header_entsize = 64;
    header.section_header_count = 2;
    header.section_names_index = 1;
    header.section_header_offset = sizeof header + names.size() + content.size();
    std::string out(sizeof header, '\0');
    std::memcpy(out.data(), &header, sizeof header);
    out += names + content;
    const auto section = [](std::uint64_t name_at, std::uint64_t offset, std::uint64_t size) {
        return little(name_at, 4) + little(1, 4) + std::string(16, '\0') + little(offset, 8) +
               little(size, 8) + std::string(24, '\0');
    };
    return out + section(1, sizeof header + names.size(), content.size()) +
           section(0, sizeof header, names.size());
}

using oci::test::packed;

// A ZIP archive; names that end in ".jar" are stored, others deflated.
inline std::string zip_of(const std::vector<std::pair<std::string, std::string>>& entries) {
    std::string out, directory;
    for (const auto& [name, text] : entries) {
        const bool stored = name.ends_with(".jar");
        const std::string data = stored ? text : packed(text, -15);
        const std::string common = little(20, 2) + little(0, 2) + little(stored ? 0 : 8, 2) + little(0, 4) +
                                   little(0, 4) + little(data.size(), 4) + little(text.size(), 4) +
                                   little(name.size(), 2) + little(0, 2);
        directory += "PK\1\2" + little(20, 2) + common + little(0, 2) + little(0, 4) + little(0, 4) +
                     little(out.size(), 4) + name;
        out += "PK\3\4" + common + name + data;
    }
    return out + directory + "PK\5\6" + little(0, 4) + little(entries.size(), 2) + little(entries.size(), 2) +
           little(directory.size(), 4) + little(out.size(), 4) + little(0, 2);
}

// An rpm header of strings and one epoch.
inline std::string rpm_header(const std::string& name, const std::string& version, const std::string& release,
                              unsigned epoch) {
    std::string index, data;
    unsigned entries = 0;
    const auto add = [&](std::uint32_t tag, std::uint32_t type, std::uint32_t count,
                         const std::string& bytes) {
        while (type == 4 && data.size() % 4 != 0)
            data += '\0';
        index += big(tag, 4) + big(type, 4) + big(data.size(), 4) + big(count, 4);
        data += bytes;
        ++entries;
    };
    const auto text = [](const std::string& word) { return word + '\0'; };
    add(1000, 6, 1, text(name));
    add(1001, 6, 1, text(version));
    add(1002, 6, 1, text(release));
    add(1003, 4, 1, big(epoch, 4));
    add(1011, 6, 1, text("Fedora Project"));
    add(1014, 6, 1, text("GPLv2+"));
    add(1022, 6, 1, text("x86_64"));
    add(1044, 6, 1, text(name + "-src-" + version + "-" + release + ".src.rpm"));
    add(1116, 4, 2, big(0, 4) + big(1, 4));
    add(1117, 8, 2, text("a") + text("b"));
    add(1118, 8, 2, text("/usr/bin/") + text("/usr/lib/"));
    return big(entries, 4) + big(data.size(), 4) + index + data;
}

} // namespace sbom::test
