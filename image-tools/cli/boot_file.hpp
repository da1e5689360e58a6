// SPDX-License-Identifier: Apache-2.0
// image-tools/cli/boot_file.hpp - the file that a command was given: a bundle, or the .efi, .img or .iso that holds one.
#pragma once

#include "image-tools/disk/medium.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace cli {

struct BootFile {
    std::filesystem::path path;
    files::FileRange file;
    std::optional<disk::Medium> medium; // nothing: the file is a bundle, or none of these
    std::string application;            // of the medium: all bytes of its PE file
    std::string loader;                 // in the application: the loader's loadable part

    [[nodiscard]] const files::FileRange& bundle() const { return medium ? medium->bundle : file; }
    void expect_bundle() const; // throws E0419 where it is neither
};

// Throws E0601, and E0424 where it begins as a medium and is none that caisson wrote.
BootFile open_medium(const std::filesystem::path& path);

} // namespace cli
