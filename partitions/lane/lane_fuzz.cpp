// SPDX-License-Identifier: Apache-2.0
// A peer that writes any word of its lane at any step, rings of restarts between: what is received has a possible length, what is
// sent stays in its ring, and who was found lying is not believed again in that life.
#include "partitions/lane/wire_test.hpp"

#include <cstdlib>
#include <memory>

namespace {

using namespace lane_test;

void require(bool condition) {
    if (!condition)
        std::abort();
}

class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
    [[nodiscard]] bool empty() const { return left_ == 0; }
    std::uint8_t byte() {
        if (left_ == 0)
            return 0;
        --left_;
        return *data_++;
    }
    // Small numbers, and numbers near what means something.
    std::uint64_t word(std::uint64_t near) {
        const std::uint8_t kind = byte();
        const std::uint64_t low = byte();
        switch (kind % 6) {
        case 0:
            return low;
        case 1:
            return near + low - 128;
        case 2:
            return near + 8 * low;
        case 3:
            return low << 56 | byte();
        case 4:
            return ring_bytes + 8 * low;
        default:
            return low << 32 | std::uint64_t{byte()} << 8 | byte();
        }
    }

private:
    const std::uint8_t* data_;
    std::size_t left_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input{data, size};
    Wire wire{(input.byte() & 1) != 0};
    wire.start(0);
    wire.start(1);
    caisson_end& victim = wire.ends[1];
    const auto mischief = [&] {
        if (input.empty() || (input.byte() & 3) != 0)
            return;
        caisson_lane_header& header = wire.lane(0).header;
        const std::uint64_t value = input.word(victim.position);
        switch (input.byte() % 12) {
        case 0:
            header.magic = value;
            break;
        case 1:
            header.life = value;
            break;
        case 2:
        case 3:
        case 4:
            header.head = value;
            break;
        case 5:
            header.reserve = value;
            break;
        case 6:
            header.read = value;
            break;
        case 7:
            header.peer_life = value;
            break;
        case 8:
            header.ring_me_at = header.room_at = value;
            break;
        default: // the record that is next, or any
            std::memcpy(wire.ring(0) + (value % ring_bytes & ~7ull), &value, 8);
            break;
        }
    };
    const auto buffer = std::make_unique<unsigned char[]>(CAISSON_LANE_PACKET_MAX);
    std::uint64_t distrusted = 0;
    while (!input.empty()) {
        between = mischief;
        unsigned flags = 0, got = 0;
        const std::uint64_t before = victim.lies;
        switch (input.byte() % 8) {
        case 0: {
            const unsigned length = 1 + input.byte() * 64u;
            (void)caisson_end_send(&victim, buffer.get(), length, 0);
            break;
        }
        case 1:
            caisson_end_flush(&victim);
            break;
        case 2:
            (void)caisson_end_arm(&victim, input.byte());
            break;
        case 3:
            between = nullptr;
            wire.start(0);
            break;
        case 4:
            between = nullptr;
            (void)caisson_end_send(&wire.ends[0], buffer.get(), 1 + input.byte() * 64u, 0);
            break;
        default:
            got = caisson_end_receive(&victim, buffer.get(), &flags);
            require(got <= CAISSON_LANE_PACKET_MAX);
            break;
        }
        between = nullptr;
        require(victim.lies <= before + 1);
        if (victim.lies != before)
            distrusted = wire.life(0);
        require(got == 0 || distrusted != wire.life(0));
        require(victim.lies <= wire.life(0));
        require(victim.send == nullptr || victim.head % 8 == 0);
    }
    return 0;
}
