// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/card_test.hpp - a card for tests: what arrives is put into a queue, what is sent comes into another.
#pragma once

#include "partitions/net/words_test.hpp"
#include "partitions/unikernel/wires/wires.hpp"

#include <algorithm>
#include <deque>

namespace uk::wires::test {

inline std::deque<::net::test::Bytes> arriving, sent;

inline Card card() {
    Card out;
    out.address = {2, 0, 0, 0, 0, 1};
    out.receive = [](void*, unsigned, Card::Place place, void (*came)()) {
        unsigned looked = 0;
        for (; !arriving.empty(); ++looked) {
            const ::net::test::Bytes frame = arriving.front();
            arriving.pop_front();
            const std::span<std::byte> to = place(static_cast<std::uint32_t>(frame.size()));
            std::copy(frame.begin(), frame.end(), to.begin());
            came();
        }
        return looked;
    };
    out.send = [](void*, std::uint32_t bytes, Card::Fill fill, void* context) {
        ::net::test::Bytes frame(bytes);
        fill(context, frame);
        sent.push_back(frame);
        return true;
    };
    out.has_room = [](void*) { return true; };
    out.tell_of_room = [](void*, bool) {};
    out.listen = [](void*, bool) { return false; };
    return out;
}

} // namespace uk::wires::test
