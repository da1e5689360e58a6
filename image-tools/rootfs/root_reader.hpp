// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/root_reader.hpp - a root image read back from a bundle: its files, and their bytes.
//
// Trust:  every byte is hostile: a bundle may be looked into before anyone verified it.
// Limits: as many inodes as the superblock says and at most max_entries paths, 256 levels, 4096 bytes a path.
// Spec:   partitions/formats/erofs.hpp.
#pragma once

#include "image-tools/files/range.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace rootfs {

// What is wrong with it; the caller adds which image.
struct RootError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

class RootReader {
public:
    static constexpr std::size_t max_entries = 4'000'000;

    // Bytes at an offset; fewer than asked for only at the end.
    using Read = std::function<std::size_t(std::uint64_t offset, std::span<std::uint8_t> to)>;

    struct Node {
        std::string path;       // without leading slash
        std::uint16_t mode = 0; // st_mode
        std::uint64_t size = 0;
        std::uint64_t number = 0;
    };

    // Throws RootError when it is no root image.
    RootReader(Read read, std::uint64_t size);
    explicit RootReader(files::FileRange range);

    // Regular files and links, by path; the same number twice: two names of one file. Throws RootError.
    [[nodiscard]] std::vector<Node> list() const;
    // Of a regular file's or a link's bytes; shorter only at its end. Throws RootError.
    [[nodiscard]] std::string read(const Node& node, std::uint64_t offset, std::uint64_t bytes) const;

private:
    struct Inode;
    [[nodiscard]] Inode inode(std::uint64_t number) const;
    [[nodiscard]] std::string bytes(const Inode& inode, std::uint64_t offset, std::uint64_t count) const;
    [[nodiscard]] std::string direct(std::uint64_t offset, std::uint64_t count) const;
    [[nodiscard]] std::string through_windows(std::uint64_t offset, std::uint64_t count) const;
    void check(std::uint64_t offset, std::uint64_t count) const;
    void read_directory(const Inode& inode,
                        const std::function<void(std::string name, std::uint64_t number)>& see) const;

    static constexpr std::uint64_t window_bytes = 64 << 10;
    struct Window {
        std::uint64_t at = UINT64_MAX;
        std::string bytes;
    };
    Read read_;
    std::uint64_t size_;
    std::uint64_t root_ = 0, inodes_ = 0;
    mutable std::array<Window, 16> windows_; // of metadata, which lies close together
};

} // namespace rootfs
