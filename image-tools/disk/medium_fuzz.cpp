// SPDX-License-Identifier: Apache-2.0
// Any bytes as an application, disk or CD: found or refused, within the bytes and in bounded time. What a few bytes cannot be is
// made of them: the volume alone is tried too.
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/disk/authenticode.hpp"
#include "image-tools/disk/medium.hpp"

#include <sys/mman.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const int descriptor = ::memfd_create("medium", MFD_CLOEXEC);
    const files::FileRange range{std::make_shared<const files::FileHandle>(descriptor), "medium", 0, size};
    files::write_all(descriptor, {data, size}, range.name);
    const auto tried = [](const auto& what) {
        try {
            what();
        } catch (const diagnostic::Failure&) { // an answer
        }
    };
    tried([&] { (void)disk::open_medium(range); });
    tried([&] { (void)disk::find_file(range, "EFI/BOOT/BOOTX64.EFI"); });
    tried([&] {
        (void)disk::check_signature({static_cast<const char*>(static_cast<const void*>(data)), size}, "",
                                    "medium");
    });
    return 0;
}
