// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/elf_file.hpp - the sections of a program in a root image, without reading all of it.
#pragma once

#include "image-tools/sbom/database.hpp"

#include <cstdint>
#include <optional>

namespace sbom {

class ElfFile {
public:
    // Nothing where it is no ELF of 64 bits, little-endian. Throws Damaged.
    static std::optional<ElfFile> open(const Files& files, const File& file);

    // A section's bytes; nothing: there is none of that name. Throws Damaged where it is longer than `limit`.
    [[nodiscard]] std::optional<std::string> section(std::string_view name, std::uint64_t limit) const;
    // What lies at an address once it is loaded. Throws Damaged.
    [[nodiscard]] std::string at_address(std::uint64_t address, std::uint64_t bytes) const;

private:
    ElfFile(const Files& files, const File& file) : files_(&files), file_(&file) {}
    [[nodiscard]] std::string part(std::uint64_t offset, std::uint64_t bytes) const;

    const Files* files_;
    const File* file_;
    std::string sections_, names_, segments_;
};

} // namespace sbom
