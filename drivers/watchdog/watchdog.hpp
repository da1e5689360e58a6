// SPDX-License-Identifier: Apache-2.0
// drivers/watchdog/watchdog.hpp - a hardware watchdog, whichever it is: what is stored to feed it and to stop it, found out at boot
// (start.hpp).
#pragma once

#include "hypervisor/base/fixed_vector.hpp"

#include <cstdint>

namespace drivers {

struct Store { // to a register of 1, 2 or 4 bytes
    std::uint64_t at = 0;
    std::uint32_t value = 0;
    std::uint8_t bytes = 0;
    bool in_memory = false; // else a port
};
using Stores = base::FixedVector<Store, 4>;

struct Watchdog {
    Stores feed, stop;
};

template <typename Io, std::size_t Most> void play(Io io, const base::FixedVector<Store, Most>& stores) {
    for (const auto& [at, value, bytes, in_memory] : stores) {
        const auto port = static_cast<std::uint16_t>(at);
        const auto byte = static_cast<std::uint8_t>(value);
        const auto half = static_cast<std::uint16_t>(value);
        if (bytes == 4)
            in_memory ? io.store32(at, value) : io.out32(port, value);
        else if (bytes == 2)
            in_memory ? io.store16(at, half) : io.out16(port, half);
        else
            in_memory ? io.store8(at, byte) : io.out8(port, byte);
    }
}

} // namespace drivers
