// SPDX-License-Identifier: Apache-2.0
// drivers/watchdog/watchdog.hpp - a hardware watchdog, whichever it is: what is stored to feed it and to stop it, found out at boot
// (start.hpp).
#pragma once

#include "drivers/store.hpp"
#include "hypervisor/base/fixed_vector.hpp"

namespace drivers {

using Stores = base::FixedVector<Store, 4>;

struct Watchdog {
    Stores feed, stop;
};

template <typename Io, std::size_t Most> void play(Io io, const base::FixedVector<Store, Most>& stores) {
    for (const Store& store : stores)
        play(io, store);
}

} // namespace drivers
