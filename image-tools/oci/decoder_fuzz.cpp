// SPDX-License-Identifier: Apache-2.0
// Compressed streams of arbitrary bytes; the first byte chooses the compression.
#include "image-tools/oci/decoder.hpp"

#include <cstddef>
#include <cstdint>
#include <sys/mman.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const int descriptor = ::memfd_create("blob", MFD_CLOEXEC);
    const files::FileRange blob{std::make_shared<const files::FileHandle>(descriptor), "blob", 0, size - 1};
    files::write_all(descriptor, {data + 1, size - 1}, "blob");
    constexpr std::uint64_t most = std::uint64_t{64} << 20;
    try {
        oci::Decoder decoder(blob, static_cast<oci::Compression>(data[0] % 3));
        std::uint64_t total = 0;
        for (auto run = decoder.next(); !run.empty() && total < most; run = decoder.next()) {
            total += run.size();
        }
    } catch (const oci::DecodeError&) {
    }
    return 0;
}
