// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/igb_fuzz.cpp - a card whose registers and descriptors say anything, at any time.
#include "partitions/drivers/net/card_fuzz_test.hpp"
#include "partitions/drivers/net/igb.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace drivers::net;
    return fuzz::drive_card<Igb<fuzz::Registers<1u << 28 | 1u << 25>, fuzz::Memory>>(data, size);
}
