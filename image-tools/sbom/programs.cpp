// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/programs.cpp - what compilers leave in a program of what it was made of: Go's build information, Rust's
// auditable list.
//
// Spec: Go, debug/buildinfo and cmd/go "go version -m"; cargo-auditable, PARSING.md and its JSON schema.
#include "image-tools/oci/limits.hpp"
#include "image-tools/oci/strict_json.hpp"
#include "image-tools/sbom/bytes.hpp"
#include "image-tools/sbom/elf_file.hpp"
#include "image-tools/sbom/text.hpp"

#include <zlib.h>

namespace sbom {
namespace {

constexpr std::uint64_t largest_list = 8 << 20, largest_section = 1 << 20;
constexpr std::string_view go_magic{"\xff Go buildinf:", 14};

// A length in sevens of bits, then the bytes.
std::string_view counted(std::string_view all, std::uint64_t& at) {
    std::uint64_t length = 0;
    for (unsigned shift = 0;; shift += 7) {
        const auto byte = bytes::little<std::uint8_t>(all, at++);
        if (shift > 28)
            throw Damaged("Go's build information is malformed");
        length |= std::uint64_t{byte & 0x7fU} << shift;
        if ((byte & 0x80) == 0)
            break;
    }
    const std::string_view out = bytes::part(all, at, length);
    at += length;
    return out;
}

// Before Go 1.18: addresses of strings, each an address and a length.
std::string pointed(const ElfFile& elf, std::string_view section, std::uint64_t at) {
    const std::string header = elf.at_address(bytes::little<std::uint64_t>(section, at), 16);
    const auto length = bytes::little<std::uint64_t>(header, 8);
    if (length > largest_list)
        throw Damaged("Go's build information is too large");
    return length == 0 ? std::string() : elf.at_address(bytes::little<std::uint64_t>(header, 0), length);
}

// Between marks of 16 bytes.
std::string_view unwrapped(std::string_view modules) {
    constexpr std::size_t mark = 16;
    return modules.size() < 2 * mark + 1 || modules[modules.size() - mark - 1] != '\n'
               ? std::string_view{}
               : modules.substr(mark, modules.size() - 2 * mark);
}

void take_module(const std::vector<std::string_view>& words, const std::string& place,
                 std::vector<Package>& out) {
    if (words.size() < 3 || words[1].empty())
        return;
    Package package{Kind::golang, std::string(words[1]), std::string(words[2])};
    if (package.version == "(devel)")
        package.version.clear();
    if (words.size() > 3)
        package.sum = words[3];
    package.place = place;
    out.push_back(std::move(package));
}

void read_go(const ElfFile& elf, std::string_view section, const std::string& place,
             std::vector<Package>& out) {
    if (!section.starts_with(go_magic))
        throw Damaged("Go's build information is malformed");
    const auto pointer_bytes = bytes::little<std::uint8_t>(section, 14);
    const auto flags = bytes::little<std::uint8_t>(section, 15);
    std::string version, modules;
    if ((flags & 2) != 0) {
        std::uint64_t at = 32;
        version = counted(section, at);
        modules = counted(section, at);
    } else if (pointer_bytes == 8 && flags == 0) {
        version = pointed(elf, section, 16);
        modules = pointed(elf, section, 24);
    } else {
        throw Damaged("Go's build information is of another machine");
    }
    if (version.starts_with("go"))
        out.push_back({Kind::golang,
                       "stdlib",
                       version.substr(2, version.find(' ') - 2),
                       {},
                       {},
                       {},
                       {},
                       {},
                       {},
                       place,
                       {}});
    for (const std::string_view line : text::split(unwrapped(modules), '\n')) {
        const auto words = text::split(line, '\t');
        if (words.empty())
            continue;
        if (words[0] == "mod" || words[0] == "dep")
            take_module(words, place, out);
        else if (words[0] == "=>" && words.size() >= 3 && !out.empty()) {
            out.pop_back(); // it was replaced by what this line names
            take_module(words, place, out);
        }
    }
}

std::string inflated(std::string_view packed) {
    std::string out;
    z_stream stream{};
    if (inflateInit(&stream) != Z_OK)
        throw Damaged("zlib cannot begin");
    std::string in(packed);
    stream.next_in = static_cast<Bytef*>(static_cast<void*>(in.data()));
    stream.avail_in = static_cast<uInt>(in.size());
    int status = Z_OK;
    while (status == Z_OK && out.size() < largest_list) {
        std::string piece(64 << 10, '\0');
        stream.next_out = static_cast<Bytef*>(static_cast<void*>(piece.data()));
        stream.avail_out = static_cast<uInt>(piece.size());
        status = ::inflate(&stream, Z_NO_FLUSH);
        out.append(piece, 0, piece.size() - stream.avail_out);
    }
    inflateEnd(&stream);
    if (status != Z_STREAM_END)
        throw Damaged("Rust's list is damaged or too large");
    return out;
}

void read_rust(std::string_view section, const File& file, std::vector<Package>& out) {
    oci::Limits limits;
    limits.json_bytes = largest_list;
    const oci::JsonDocument document(inflated(section), file.path, limits);
    for (const oci::JsonObject& item : document.top().objects("packages")) {
        if (item.text("kind").value_or("runtime") == "build")
            continue; // ran where it was compiled, and is not in the program
        Package package{Kind::cargo, item.required_text("name"), item.required_text("version")};
        package.place = file.path;
        out.push_back(std::move(package));
    }
}

bool is_program_file(const File& file) {
    return file.executable || file.path.ends_with(".so") || file.path.find(".so.") != std::string::npos;
}

void read_program(const Files& files, const File& file, std::vector<Package>& out) {
    const auto elf = ElfFile::open(files, file);
    if (!elf)
        return;
    if (const auto section = elf->section(".go.buildinfo", largest_section))
        read_go(*elf, *section, file.path, out);
    if (const auto section = elf->section(".dep-v0", largest_section))
        read_rust(*section, file, out);
}

} // namespace

const Database programs{"programs", is_program_file, read_program};

} // namespace sbom
