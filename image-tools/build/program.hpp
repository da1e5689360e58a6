// SPDX-License-Identifier: Apache-2.0
// image-tools/build/program.hpp - what a path of a root image leads to, as far as starting it goes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace rootfs {
class RootImage;
}

namespace build {

struct Program {
    enum class Kind : std::uint8_t { no_file, elf, script, other_machine, neither };
    Kind kind = Kind::no_file; // no_file: a directory, a device
    std::uint16_t mode = 0;    // 07777
    std::uint32_t user = 0, group = 0;
    std::string interpreter; // of a script, or the loader of a dynamic program; empty: none

    [[nodiscard]] bool is_file() const { return kind != Kind::no_file; }
};

// Symlinks are followed inside the image. Nothing: the path leads nowhere.
std::optional<Program> look_at_program(const rootfs::RootImage& root, const std::string& path);

} // namespace build
