// SPDX-License-Identifier: Apache-2.0
// image-tools/files/range.hpp - a range of an open file: a blob in a layout or inside an archive.
//
// The descriptor stays open from the check of a digest to its use, so a file replaced meanwhile is never
// mixed in.
#pragma once

#include "image-tools/files/digest.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace files {

class FileHandle {
public:
    explicit FileHandle(int descriptor) : descriptor_(descriptor) {}
    FileHandle(const FileHandle&) = delete;
    FileHandle& operator=(const FileHandle&) = delete;
    ~FileHandle();
    [[nodiscard]] int get() const { return descriptor_; }

private:
    int descriptor_;
};

struct FileRange {
    std::shared_ptr<const FileHandle> file;
    std::string name; // for messages
    std::uint64_t offset = 0;
    std::uint64_t size = 0;

    // A regular file, whole. Nothing if it does not exist; any other trouble is E0601.
    static std::optional<FileRange> open(const std::filesystem::path& path);
    // A nameless temporary file, in TMPDIR or /tmp.
    static std::shared_ptr<const FileHandle> temporary();

    // Reads at `at` of the range; short only at its end. A file that shrank is E0601.
    std::size_t read(std::uint64_t at, std::span<std::uint8_t> to) const;
    [[nodiscard]] Digest digest() const; // of all its bytes
};

// What `sha256sum` says of the file. Throws E0601.
Digest digest_of(const std::filesystem::path& file);

void write_all(int descriptor, std::span<const std::uint8_t> data, const std::string& name);

} // namespace files
