// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/port.cpp - what lwIP asks of its environment: time and random numbers. Its memory is the unikernel's
// (../unikernel/wires/memory.cpp).
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/machine/random.hpp"

#include <lwip/opt.h>
#include <lwip/sys.h>

extern "C" {

u32_t sys_now() {
    return static_cast<u32_t>(uk::monotonic_ns() / 1'000'000);
}

std::uint32_t caisson_lwip_random() {
    return static_cast<std::uint32_t>(uk::machine::random_word());
}
}
