// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/root_listing.cpp - for tests only: makes an image's root image and says, a line a path, what is in it.
//
// usage: root_listing REFERENCE OUTPUT.erofs
// Read back by erofs_test_reader.hpp, so that a fault of the writer shows. Fields, separated by tabs: path, mode (octal), uid,
// gid, mtime, links, number of the inode, size, and the contents' SHA-256, the link's target or the device; then attributes.
// Bytes that could be mistaken are %XX.
#include "image-tools/files/digest.hpp"
#include "image-tools/rootfs/erofs_test_reader.hpp"
#include "image-tools/rootfs/root_image.hpp"

#include <cstdio>
#include <fstream>
#include <iterator>

namespace {

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        char hex[4];
        std::snprintf(hex, sizeof hex, "%%%02X", byte);
        out += byte <= ' ' || byte >= 0x7f || c == '%' || c == '=' ? std::string(hex) : std::string(1, c);
    }
    return out;
}

void list(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    const std::string image{std::istreambuf_iterator<char>(in), {}};
    const rootfs::test::ErofsReader reader(
        {reinterpret_cast<const std::uint8_t*>(image.data()), image.size()});
    for (const auto& [path, node] : reader.nodes()) {
        std::string what = "-";
        switch (node.mode & 0170000U) {
        case 0100000:
            what = files::sha256(reader.contents(path)).hex();
            break;
        case 0120000:
            what = escaped(node.target);
            break;
        case 0020000:
        case 0060000:
            what = std::to_string(node.device);
            break;
        default:
            break;
        }
        std::string attributes;
        for (const auto& [name, value] : node.attributes) {
            attributes += "\t" + escaped(name) + "=" + escaped(value);
        }
        std::printf("%s\t%o\t%u\t%u\t%lld\t%u\t%llu\t%llu\t%s%s\n", escaped(path).c_str(), node.mode,
                    node.uid, node.gid, static_cast<long long>(node.mtime), node.links,
                    static_cast<unsigned long long>(node.nid), static_cast<unsigned long long>(node.size),
                    what.c_str(), attributes.c_str());
    }
}

} // namespace

int main(int count, char** words) {
    if (count != 3) {
        std::fputs("usage: root_listing REFERENCE OUTPUT.erofs\n", stderr);
        return 2;
    }
    try {
        rootfs::RootImage::build(oci::Image::open(oci::parse_reference(words[1])), words[2]);
        list(words[2]);
    } catch (const diagnostic::Failure& failure) {
        std::fputs(diagnostic::to_text(failure.diagnostic(), false).c_str(), stderr);
        return static_cast<int>(failure.diagnostic().exit);
    }
    return 0;
}
