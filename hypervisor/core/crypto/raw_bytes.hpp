// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/raw_bytes.hpp - spans as the pointers libsodium takes.
#pragma once

#include <cstddef>
#include <span>

namespace crypto {

inline const unsigned char* raw(std::span<const std::byte> data) {
    return static_cast<const unsigned char*>(static_cast<const void*>(data.data()));
}

} // namespace crypto
