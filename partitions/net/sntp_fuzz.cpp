// SPDX-License-Identifier: Apache-2.0
// partitions/net/sntp_fuzz.cpp - any bytes from a time server: a clock steps only by an answer to the question that is open, and
// never to before 2020.
#include "partitions/net/sntp.hpp"

#include <algorithm>
#include <cstdlib>
#include <span>
#include <vector>

// The first byte says whether the question's bits are put in, so that what lies behind them is reached.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::uint64_t nonce = 0x0123456789ABCDEF, clock = 1'800'000'000'000'000'000,
                            earliest = 1'577'836'800'000'000'000;
    if (size == 0)
        return 0;
    const auto said = std::as_bytes(std::span{data + 1, size - 1});
    std::vector<std::byte> bytes(said.begin(), said.end());
    const bool whole = (data[0] & 1) != 0 && bytes.size() >= net::sntp_bytes;
    for (std::size_t i = 0; i < 8 && whole; ++i)
        bytes[24 + i] = static_cast<std::byte>(nonce >> (56 - 8 * i));
    net::TimeKeeper keeper(2);
    if (keeper.due(0, nonce) != 0u)
        std::abort();
    if (keeper.take(1, bytes, 1000, clock) || keeper.has_time())
        std::abort(); // who was not asked
    const auto step = keeper.take(0, bytes, 1000, clock);
    const bool answers =
        bytes.size() >= net::sntp_bytes && bytes[24] == std::byte{0x01} && bytes[31] == std::byte{0xEF};
    if (keeper.has_time() && !answers)
        std::abort();
    if (step && clock + static_cast<std::uint64_t>(*step) < earliest)
        std::abort();
    std::uint64_t at = 1000;
    for (int i = 0; i < 4; ++i, at += 500'000'000) {
        const std::int64_t by = keeper.move(at);
        if (by > 250'000 || by < -250'000)
            std::abort();
    }
    return 0;
}
