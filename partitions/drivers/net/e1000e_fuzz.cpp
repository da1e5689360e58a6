// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/e1000e_fuzz.cpp - a card whose registers and descriptors say anything, at any time.
#include "partitions/drivers/net/card_fuzz_test.hpp"
#include "partitions/drivers/net/e1000e.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace drivers::net;
    return fuzz::drive_card<E1000e<fuzz::Registers<0>, fuzz::Memory>>(data, size);
}
