// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/flatten_test_support.hpp - for tests only: tars given as bytes become a tree and an
// image in memory.
#pragma once

#include "image-tools/oci/tar_writer.hpp"
#include "image-tools/rootfs/erofs_test_reader.hpp"
#include "image-tools/rootfs/erofs_writer.hpp"
#include "image-tools/rootfs/layers.hpp"

#include <cstdlib>
#include <memory>
#include <string>
#include <sys/mman.h>
#include <vector>

namespace rootfs::test {

inline oci::TarEntry entry(oci::TarType type, std::string path, std::string link = {}) {
    oci::TarEntry made;
    made.type = type;
    made.path = std::move(path);
    made.link = std::move(link);
    made.mode = type == oci::TarType::directory ? 0755 : 0644;
    return made;
}

// One layer under construction.
class TarBuilder {
public:
    TarBuilder& add(oci::TarEntry made, const std::string& data = {}) {
        if (made.type == oci::TarType::regular) {
            made.size = data.size();
        }
        writer_.begin(made);
        writer_.data({reinterpret_cast<const std::uint8_t*>(data.data()), data.size()});
        writer_.end_entry();
        return *this;
    }
    TarBuilder& file(const std::string& path, const std::string& data = {}) {
        return add(entry(oci::TarType::regular, path), data);
    }
    TarBuilder& directory(const std::string& path) { return add(entry(oci::TarType::directory, path)); }
    TarBuilder& symlink(const std::string& path, const std::string& to) {
        return add(entry(oci::TarType::symlink, path, to));
    }
    TarBuilder& hard_link(const std::string& path, const std::string& to) {
        return add(entry(oci::TarType::hard_link, path, to));
    }
    std::string done() {
        writer_.finish();
        return bytes_;
    }

private:
    std::string bytes_;
    oci::TarWriter writer_{[this](std::span<const std::uint8_t> data) {
        bytes_.append(reinterpret_cast<const char*>(data.data()), data.size());
    }};
};

// A source that gives `text` in runs of at most `run` bytes.
inline oci::TarReader::Source source_of(std::string_view text, std::size_t run = 65536) {
    return [text, run]() mutable -> std::span<const std::uint8_t> {
        const std::string_view part = text.substr(0, run);
        text.remove_prefix(part.size());
        return {reinterpret_cast<const std::uint8_t*>(part.data()), part.size()};
    };
}

// Layers applied to a tree whose contents lie in memory.
class Flattened {
public:
    explicit Flattened(const std::vector<std::string>& layers, const oci::Limits& limits = {},
                       std::int64_t epoch = 0)
        : epoch_(epoch), tree(epoch),
          file_(std::make_shared<const files::FileHandle>(::memfd_create("spool", MFD_CLOEXEC))),
          spool(file_, "spool", 0) {
        LayerApplier applier(tree, spool, limits, epoch);
        for (std::size_t i = 0; i < layers.size(); ++i) {
            const oci::LayerContext context{"test", i, layers.size(), "sha256:0"};
            applier.apply(source_of(layers[i]), context);
        }
        tree.on_free({});
    }

    std::vector<std::uint8_t> image() {
        std::vector<std::uint8_t> bytes(static_cast<std::size_t>(write_erofs(tree, spool, {epoch_, "test"})));
        spool.read(0, bytes);
        return bytes;
    }

    // Paths in order, one word: "a/ a/b l->t"
    [[nodiscard]] std::string listing() const {
        std::string text;
        tree.visit([&](const std::string& path, InodeId id) {
            const Inode& inode = tree.inode(id);
            text += (text.empty() ? "" : " ") + path + (inode.is_directory() ? "/" : "") +
                    (inode.type == FileType::symlink ? "->" + inode.target : "");
        });
        return text;
    }

private:
    std::int64_t epoch_;

public:
    Tree tree;

private:
    std::shared_ptr<const files::FileHandle> file_;

public:
    Spool spool;
};

} // namespace rootfs::test
