// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/root_image.hpp - an image's layers flattened and written as one EROFS root
// image.
//
// The output file is the spool: contents are decompressed once, straight to their final place,
// metadata follows them. The same image, epoch and limits give the same bytes.
// Trust:      layers are hostile (see layers.hpp). No byte of them reaches any file but the output.
#pragma once

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/range.hpp"
#include "image-tools/oci/image.hpp"
#include "image-tools/rootfs/tree.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace rootfs {

class Spool;

struct BuildOptions {
    oci::Limits limits;
    bool runtime_files = false;        // what a runtime makes in every root (runtime_files.hpp)
    std::optional<std::int64_t> epoch; // SOURCE_DATE_EPOCH; else the image's creation time, else 0
    diagnostic::Progress progress;     // phase "flatten": packed bytes of all layers
};

struct BuildStatistics {
    std::uint64_t layers = 0;
    std::uint64_t entries = 0;   // tar entries read
    std::uint64_t whiteouts = 0; // that removed something
    std::uint64_t unpacked_bytes = 0;
    std::uint64_t inodes = 0;
};

class RootImage {
public:
    // Writes `output` (replaced if it exists, removed again on failure).
    static RootImage build(const oci::Image& image, const std::filesystem::path& output,
                           const BuildOptions& options = {});
    // Writes into an open file from `offset` on, which becomes its end; `name` is for messages.
    static RootImage build(const oci::Image& image, std::shared_ptr<const files::FileHandle> file,
                           const std::string& name, std::uint64_t offset, const BuildOptions& options);

    RootImage(RootImage&&) noexcept;
    RootImage& operator=(RootImage&&) noexcept;
    ~RootImage();

    [[nodiscard]] const Tree& tree() const { return *tree_; }
    [[nodiscard]] const files::FileRange& content() const { return content_; }
    [[nodiscard]] std::uint64_t size() const { return content_.size; } // a multiple of 4096
    [[nodiscard]] const std::string& image_name() const { return image_name_; }
    [[nodiscard]] const BuildStatistics& statistics() const { return statistics_; }

    // Bytes of a regular file; short at its end.
    std::size_t read(InodeId id, std::uint64_t offset, std::span<std::uint8_t> to) const;
    // Whole small file by path, symlinks followed; nothing if it is not there, not regular, or larger than
    // `limit`.
    [[nodiscard]] std::optional<std::string> read_file(std::string_view path,
                                                       std::uint64_t limit = 1 << 20) const;

private:
    RootImage();

    std::unique_ptr<Tree> tree_;
    std::unique_ptr<Spool> spool_;
    files::FileRange content_;
    std::string image_name_;
    BuildStatistics statistics_;
};

} // namespace rootfs
