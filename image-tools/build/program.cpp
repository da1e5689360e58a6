// SPDX-License-Identifier: Apache-2.0
// image-tools/build/program.cpp - what a path of a root image leads to.
//
// Trust: the file is the image's; only its beginning and the program headers that it has are looked at.
#include "image-tools/build/program.hpp"

#include "image-tools/rootfs/root_image.hpp"
#include "partitions/formats/elf.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

namespace build {
namespace {

template <typename T>
bool load(const rootfs::RootImage& root, rootfs::InodeId inode, std::uint64_t offset, T& to) {
    std::array<std::uint8_t, sizeof(T)> bytes{};
    if (root.read(inode, offset, bytes) != bytes.size())
        return false;
    std::memcpy(&to, bytes.data(), bytes.size());
    return true;
}

std::string elf_interpreter(const rootfs::RootImage& root, rootfs::InodeId inode,
                            const elf::Header64& header) {
    constexpr std::uint32_t segment_interpreter = 3; // PT_INTERP
    constexpr std::uint64_t longest_path = 4096;
    for (std::uint16_t i = 0; i < header.program_header_count; ++i) {
        elf::ProgramHeader64 segment{};
        const std::uint64_t at = header.program_header_offset + std::uint64_t{i} * sizeof segment;
        if (at < header.program_header_offset || !load(root, inode, at, segment))
            return {};
        if (segment.type != segment_interpreter || segment.file_size > longest_path)
            continue;
        std::vector<std::uint8_t> text(static_cast<std::size_t>(segment.file_size));
        const std::size_t got = root.read(inode, segment.offset, text);
        const auto end = std::find(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(got), 0);
        return {text.begin(), end};
    }
    return {};
}

// "#! /bin/sh -e" -> "/bin/sh".
std::string script_interpreter(std::string_view head) {
    std::string_view line =
        head.substr(2, head.find('\n') == std::string_view::npos ? head.size() : head.find('\n') - 2);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    return std::string(line.substr(0, line.find_first_of(" \t")));
}

void read_head(const rootfs::RootImage& root, rootfs::InodeId inode, Program& out) {
    constexpr std::size_t longest_line = 256; // of an interpreter, as Linux reads it
    std::array<std::uint8_t, longest_line> start{};
    const std::size_t got = root.read(inode, 0, start);
    const std::string_view text(static_cast<const char*>(static_cast<const void*>(start.data())), got);
    out.kind = Program::Kind::neither;
    if (text.starts_with("#!")) {
        out.kind = Program::Kind::script;
        out.interpreter = script_interpreter(text);
        return;
    }
    elf::Header64 header{};
    if (got < sizeof header)
        return;
    std::memcpy(&header, start.data(), sizeof header);
    if (header.identification.magic != elf::magic)
        return;
    out.kind = Program::Kind::other_machine;
    if (header.identification.file_class != elf::class_64 || header.machine != elf::machine_x86_64)
        return;
    out.kind = Program::Kind::elf;
    out.interpreter = elf_interpreter(root, inode, header);
}

} // namespace

std::optional<Program> look_at_program(const rootfs::RootImage& root, const std::string& path) {
    const auto id = root.tree().lookup(path);
    if (!id)
        return std::nullopt;
    const rootfs::Inode& inode = root.tree().inode(*id);
    Program out;
    out.mode = inode.mode;
    out.user = inode.uid;
    out.group = inode.gid;
    if (inode.is_regular())
        read_head(root, *id, out);
    return out;
}

} // namespace build
