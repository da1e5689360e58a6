// SPDX-License-Identifier: Apache-2.0
// partitions/net/bucket.hpp - how much of something may pass in a time: a token bucket.
//
// Pure. Invariant: in any time t no more passes than rate * t and one bucket's depth.
#pragma once

#include <algorithm>
#include <cstdint>

namespace net {

class Bucket {
public:
    // Whether `bytes` may pass now, at `rate` bytes a second (not 0; at most 12.5e9). What passes is taken out. It is deep enough for a tenth
    // of a second, and for two full packets.
    [[nodiscard]] bool take(std::uint64_t rate, std::uint64_t bytes, std::uint64_t now_ns) {
        const std::uint64_t depth = std::max<std::uint64_t>(rate / 10, least_depth);
        if (!begun_) {
            begun_ = true;
            left_ = depth;
            filled_at_ = now_ns;
        }
        // What came since is counted in whole bytes; the time of what is left over stays for the next look.
        const std::uint64_t passed = std::min(now_ns - std::min(now_ns, filled_at_), second);
        const std::uint64_t came = passed * rate / second; // 12.5e18 is the most
        if (passed == second || left_ + came >= depth) {
            left_ = depth;
            filled_at_ = now_ns;
        } else if (came != 0) {
            left_ += came;
            filled_at_ += came * second / rate;
        }
        if (left_ < bytes)
            return false;
        left_ -= bytes;
        return true;
    }

private:
    static constexpr std::uint64_t second = 1'000'000'000, least_depth = 3000;
    std::uint64_t left_ = 0, filled_at_ = 0;
    bool begun_ = false;
};

} // namespace net
