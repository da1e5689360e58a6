// SPDX-License-Identifier: Apache-2.0
// Arbitrary layers become an image that a second reader finds equal to the tree, or are refused with a
// Failure.
//
// Tar checksums are made right first, or hardly any input would get past them. Two equal bytes at a block's
// end
// (0xfe 0xff) separate layers.
#include "image-tools/rootfs/flatten_test_support.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

void seal_headers(std::string& tar) {
    for (std::size_t at = 0; at + 512 <= tar.size(); at += 512) {
        if (std::memcmp(tar.data() + at + 257, "ustar", 5) != 0) {
            continue;
        }
        std::memset(tar.data() + at + 148, ' ', 8);
        unsigned sum = 0;
        for (std::size_t i = 0; i < 512; ++i) {
            sum += static_cast<unsigned char>(tar[at + i]);
        }
        char digits[8];
        std::snprintf(digits, sizeof digits, "%06o", sum);
        std::memcpy(tar.data() + at + 148, digits, 7);
    }
}

std::vector<std::string> split_layers(std::string tar) {
    std::vector<std::string> layers;
    std::size_t begin = 0;
    for (std::size_t at = 512; at <= tar.size(); at += 512) {
        if (std::memcmp(tar.data() + at - 2, "\xfe\xff", 2) == 0) {
            layers.push_back(tar.substr(begin, at - 512 - begin));
            begin = at;
        }
    }
    layers.push_back(tar.substr(begin));
    return layers;
}

void check(bool condition) {
    if (!condition) {
        std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string tar(reinterpret_cast<const char*>(data), size);
    seal_headers(tar);
    oci::Limits limits;
    limits.file_bytes = std::uint64_t{1} << 24;
    limits.sparse_overhead = std::uint64_t{1} << 20;
    try {
        rootfs::test::Flattened flat(split_layers(std::move(tar)), limits, 1);
        const auto image = flat.image();
        const rootfs::test::ErofsReader read(image);
        std::size_t paths = 1;
        flat.tree.visit([&](const std::string& path, rootfs::InodeId id) {
            const rootfs::Inode& inode = flat.tree.inode(id);
            const rootfs::test::ReadNode& node = read.nodes().at(path);
            check(node.mode == inode.linux_mode() && node.uid == inode.uid && node.gid == inode.gid &&
                  node.mtime == inode.mtime);
            check(inode.is_directory() ||
                  (node.size == inode.size && node.links == inode.links && node.target == inode.target));
            check(node.attributes.size() == (inode.attributes == nullptr ? 0 : inode.attributes->size()));
            if (inode.is_regular()) {
                check(read.contents(path).size() == inode.size);
            }
            ++paths;
        });
        check(paths == read.nodes().size());
    } catch (const diagnostic::Failure&) {
    }
    return 0;
}
