// SPDX-License-Identifier: Apache-2.0
// image-tools/build/kept_build.hpp - what a build leaves behind, so that the next one sees that nothing has changed.
//
// Trust: a note in the user's cache (files::Notes). Files are compared by what the file system says of them (device, inode,
// size, times to the nanosecond), as make and git do: whoever sets the clock back can fool it. `verify` reads every byte.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace build {

// What tells a file from what it is after a change.
using FileState = std::array<std::int64_t, 7>;
std::optional<FileState> state_of(const std::filesystem::path& file);

struct KeptBuild {
    std::string inputs; // of all that the bundle and its loader depend on, one hash
    FileState bundle{}, elf{};
    std::string bundle_sha256, elf_sha256; // empty: nobody asked for them

    // What the build that wrote that file left; nothing: none, or the files are not what it wrote.
    static std::optional<KeptBuild> of(const std::filesystem::path& bundle, const std::filesystem::path& elf);
    void keep(const std::filesystem::path& bundle, const std::filesystem::path& elf) const;
};

} // namespace build
