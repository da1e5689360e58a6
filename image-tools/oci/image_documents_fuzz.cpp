// SPDX-License-Identifier: Apache-2.0
// Index, manifest and config of arbitrary bytes: parsed or refused with a Failure, nothing else.
#include "image-tools/oci/image_loader.hpp"

#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto attempt = [](auto parse) {
        try {
            parse();
        } catch (const diagnostic::Failure&) {
        }
    };
    attempt([&] { oci::parse_index(text, "fuzz", {}); });
    attempt([&] { oci::parse_manifest(text, "fuzz", {}); });
    attempt([&] { oci::parse_config(text, "fuzz", {}); });
    attempt([&] { oci::parse_reference(text); });
    return 0;
}
