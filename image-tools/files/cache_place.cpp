// SPDX-License-Identifier: Apache-2.0
// image-tools/files/cache_place.cpp - where the tool keeps what it can find out or fetch again.
#include "image-tools/files/cache_place.hpp"

#include "image-tools/files/atomic_file.hpp"

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <vector>

namespace files {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t most_notes = 256;
constexpr std::uint64_t longest_note = 4 << 20;

std::optional<fs::path> from(const char* variable) {
    const char* const value = std::getenv(variable);
    return value != nullptr && value[0] == '/' ? std::optional<fs::path>(value) : std::nullopt;
}

} // namespace

std::optional<fs::path> cache_place(std::string_view folder) {
    if (const char* chosen = std::getenv("CAISSON_CACHE"); chosen != nullptr && chosen[0] != '\0')
        return fs::absolute(chosen) / folder;
    if (const auto cache = from("XDG_CACHE_HOME"))
        return *cache / "caisson" / folder;
    if (const auto home = from("HOME"))
        return *home / ".cache" / "caisson" / folder;
    return std::nullopt;
}

Notes::Notes(std::string_view folder) : folder_(cache_place(folder)) {}

std::optional<std::string> Notes::read(const std::string& name) const {
    std::error_code error;
    if (!folder_ || !fs::is_regular_file(*folder_ / name, error))
        return std::nullopt;
    try {
        std::string text = read_file(*folder_ / name, longest_note);
        fs::last_write_time(*folder_ / name, fs::file_time_type::clock::now(), error);
        return text;
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

void Notes::write(const std::string& name, std::string_view text) const noexcept {
    if (!folder_)
        return;
    try {
        fs::create_directories(*folder_);
        make_room();
        AtomicFile file(*folder_ / name);
        file.write(bytes_of(text));
        file.commit();
    } catch (const std::exception&) {
        return;
    }
}

void Notes::make_room() const {
    std::vector<std::pair<fs::file_time_type, fs::path>> all;
    for (const fs::directory_entry& entry : fs::directory_iterator(*folder_))
        all.emplace_back(entry.last_write_time(), entry.path());
    if (all.size() < most_notes)
        return;
    std::sort(all.begin(), all.end());
    for (std::size_t i = 0; i < all.size() / 2; ++i)
        fs::remove(all[i].second);
}

} // namespace files
