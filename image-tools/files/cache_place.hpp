// SPDX-License-Identifier: Apache-2.0
// image-tools/files/cache_place.hpp - where the tool keeps what it can find out or fetch again, and small notes kept there.
//
// Trust: the folder is the user's own; a note that is damaged or lost costs time and nothing else.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace files {

// FOLDER below $CAISSON_CACHE, else below the user's cache directory. Nothing: no variable says where.
std::optional<std::filesystem::path> cache_place(std::string_view folder);

// Notes by name, in cache_place(folder). The longest unused go when there are many.
class Notes {
public:
    explicit Notes(std::string_view folder);

    // Nothing: there is none, or none that can be read.
    [[nodiscard]] std::optional<std::string> read(const std::string& name) const;
    // Whole under its name, or not at all and nobody is told: what it says is found out again.
    void write(const std::string& name, std::string_view text) const noexcept;

private:
    void make_room() const;

    std::optional<std::filesystem::path> folder_;
};

} // namespace files
