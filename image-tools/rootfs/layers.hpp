// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/layers.hpp - applies an image's layers, lowest first, to a tree.
//
// Trust:      every entry is hostile. A path is a list of names below the root: ".." takes back the
//             name before it and nothing else, links are followed inside the tree only, so no entry
//             can name anything outside the image. Rules: a whiteout removes what *lower* layers put there, wherever it
//             stands among its layer's entries; an entry replaces what has its name, a directory
//             over a directory only its metadata; a hard link names an inode that is there; a
//             missing parent is made, 0755 and 0:0.
// Spec:       OCI image specification, "Image Layer Filesystem Changeset".
#pragma once

#include "image-tools/oci/failure.hpp"
#include "image-tools/oci/limits.hpp"
#include "image-tools/oci/tar_reader.hpp"
#include "image-tools/rootfs/spool.hpp"
#include "image-tools/rootfs/tree.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace rootfs {

class LayerApplier {
public:
    // All outlive this. `epoch` is the time of directories no layer describes.
    LayerApplier(Tree& tree, Spool& spool, const oci::Limits& limits, std::int64_t epoch);

    // Throws diagnostic::Failure naming image, layer and entry.
    void apply(oci::TarReader::Source source, const oci::LayerContext& context);

    [[nodiscard]] std::uint64_t entries() const { return entries_; }
    [[nodiscard]] std::uint64_t whiteouts() const { return whiteouts_; }

private:
    using Names = std::vector<std::string>;

    void apply_entry(const oci::TarEntry& entry, oci::TarReader& reader);
    [[nodiscard]] Names names_of(const std::string& path, diagnostic::Code fault, const char* what) const;
    [[nodiscard]] bool is_symlink(const Names& names) const;
    std::optional<InodeId> directory_of(const Names& names, bool create);
    void apply_whiteout(const Names& names);
    void remove_lower(InodeId directory, const std::string& name);
    void remove_all_lower(InodeId directory);
    void apply_hard_link(const Names& names, const std::string& link);
    void apply_directory(const Names& names, Inode inode);
    void place(const Names& names, InodeId id);
    Inode inode_of(const oci::TarEntry& entry) const;
    void store_contents(Inode& inode, const oci::TarEntry& entry, oci::TarReader& reader);
    void store_small(Inode& inode, oci::TarReader& reader);
    void count_overhead(std::uint64_t bytes); // of maps and padding
    void store_sparse(Inode& inode, const oci::TarEntry& entry, oci::TarReader& reader);
    [[noreturn]] void refuse(diagnostic::Code fault, const std::string& cause,
                             const std::string& help = {}) const;

    Tree& tree_;
    Spool& spool_;
    oci::Limits limits_;
    std::int64_t epoch_;
    std::uint32_t layer_ = 0; // from 1
    std::uint64_t entries_ = 0;
    std::uint64_t whiteouts_ = 0;
    std::uint64_t sparse_overhead_ = 0;
    const oci::LayerContext* context_ = nullptr;
    std::string entry_path_;
};

} // namespace rootfs
