// SPDX-License-Identifier: Apache-2.0
// drivers/store.hpp - stores to a device's registers that boot has found out, for those who do them without knowing the device.
#pragma once

#include <cstdint>

namespace drivers {

struct Store { // to a register of 1, 2 or 4 bytes
    std::uint64_t at = 0;
    std::uint32_t value = 0;
    std::uint8_t bytes = 0;
    bool in_memory = false; // else a port
};

template <typename Io> void play(Io io, const Store& store) {
    const auto port = static_cast<std::uint16_t>(store.at);
    const auto byte = static_cast<std::uint8_t>(store.value);
    const auto half = static_cast<std::uint16_t>(store.value);
    if (store.bytes == 4)
        store.in_memory ? io.store32(store.at, store.value) : io.out32(port, store.value);
    else if (store.bytes == 2)
        store.in_memory ? io.store16(store.at, half) : io.out16(port, half);
    else
        store.in_memory ? io.store8(store.at, byte) : io.out8(port, byte);
}

} // namespace drivers
