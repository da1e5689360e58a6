// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/erofs/erofs_fuzz.cpp - any bytes as an image: everything that can be reached is read, nothing breaks.
#include "partitions/unikernel/fs/erofs/erofs.hpp"
#include "partitions/unikernel/fs/host_seam.hpp"

#include <vector>

namespace {

using namespace uk::fs;

constexpr unsigned most_inodes = 200, most_names = 300, most_runs = 50;

// Reads a byte of every page, so that the sanitizer sees a run outside the image.
unsigned touch(std::span<const std::byte> bytes) {
    unsigned sum = 0;
    for (std::size_t i = 0; i < bytes.size(); i += 512)
        sum += std::to_integer<unsigned>(bytes[i]);
    if (!bytes.empty())
        sum += std::to_integer<unsigned>(bytes.back());
    return sum;
}

void read_contents(const Erofs& image, const ErofsInode& inode) {
    std::uint64_t offset = 0;
    for (unsigned i = 0; i < most_runs && offset < inode.size; ++i) {
        const auto run = image.run(inode, offset);
        if (!run.ok())
            return;
        if (run->data != nullptr)
            (void)touch({run->data, run->bytes});
        offset += run->bytes;
    }
}

void read_attributes(const Erofs& image, const ErofsInode& inode) {
    (void)image.attribute(inode, "user.kind");
    for (unsigned i = 0; i < 20; ++i) {
        const auto entry = image.attribute_at(inode, i);
        if (!entry.ok() || !entry->has_value())
            return;
        (void)touch((*entry)->value);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)host::state();
    const auto image = Erofs::open(std::as_bytes(std::span{data, size}));
    if (!image.ok())
        return 0;
    std::vector<std::uint64_t> waiting{image->root()};
    for (unsigned done = 0; done < most_inodes && done < waiting.size(); ++done) {
        const auto inode = image->inode(waiting[done]);
        if (!inode.ok())
            continue;
        read_contents(*image, *inode);
        read_attributes(*image, *inode);
        if ((inode->mode & mode::type_mask) != mode::directory)
            continue;
        (void)image->find(*inode, "name");
        std::uint64_t cookie = 0;
        for (unsigned i = 0; i < most_names; ++i) {
            const auto name = image->name_at(*inode, cookie);
            if (!name.ok() || !name->has_value())
                break;
            (void)image->find(*inode, (*name)->name);
            waiting.push_back((*name)->nid);
            cookie = (*name)->cookie;
        }
    }
    return 0;
}
