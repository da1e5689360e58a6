// SPDX-License-Identifier: Apache-2.0
// image-tools/files/atomic_file.hpp - whole files, read within a limit and written all or nothing.
#pragma once

#include "image-tools/files/range.hpp"
#include "image-tools/files/scratch.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>

namespace files {

// Throws E0601 (not readable), E0801 (larger than `limit`).
std::string read_file(const std::filesystem::path& file, std::uint64_t limit);

// Creates `file`, whole or not at all, with `mode`; false, and nothing changed, if it exists. Throws E0602.
bool write_new_file(const std::filesystem::path& file, std::string_view text, unsigned mode);

// A file that appears under its name only when it is complete: written as a sibling, then renamed. Dropped
// when the object goes without commit().
class AtomicFile {
public:
    explicit AtomicFile(std::filesystem::path file); // throws E0602
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;
    ~AtomicFile();

    void write(std::span<const std::uint8_t> bytes);
    void write_at(std::uint64_t offset, std::span<const std::uint8_t> bytes);
    void zeros(std::uint64_t count); // appended
    [[nodiscard]] std::uint64_t size() const { return size_; }
    void commit(unsigned mode = 0644);
    // For whoever writes or reads a part of it by itself.
    [[nodiscard]] const std::shared_ptr<const FileHandle>& handle() const { return handle_; }
    [[nodiscard]] std::string name() const { return file_.string(); }

private:
    [[noreturn]] void failed(const char* what) const;

    std::filesystem::path file_;
    std::filesystem::path temporary_;
    std::optional<Scratch> scratch_;
    int descriptor_ = -1;
    std::shared_ptr<const FileHandle> handle_;
    std::uint64_t size_ = 0;
};

std::string hex(std::span<const std::uint8_t> bytes);

} // namespace files
