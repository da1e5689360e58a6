// SPDX-License-Identifier: Apache-2.0
// Arbitrary bytes as a root image: listed and read within the limits, or refused with a RootError.
#include "image-tools/rootfs/root_reader.hpp"

#include <algorithm>
#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    try {
        const rootfs::RootReader reader(
            [=](std::uint64_t offset, std::span<std::uint8_t> to) {
                const std::size_t part =
                    offset > size ? 0
                                  : std::min<std::size_t>(to.size(), size - static_cast<std::size_t>(offset));
                std::memcpy(to.data(), data + offset, part);
                return part;
            },
            size);
        for (const rootfs::RootReader::Node& node : reader.list())
            static_cast<void>(reader.read(node, 0, 4096));
    } catch (const rootfs::RootError&) {
    }
    return 0;
}
