// SPDX-License-Identifier: Apache-2.0
// image-tools/build/stopwatch.hpp - seconds of a step.
#pragma once

#include <chrono>

namespace build {

class Stopwatch {
public:
    // Since the last one, or since it was made.
    [[nodiscard]] double lap() {
        const auto now = std::chrono::steady_clock::now();
        const std::chrono::duration<double> passed = now - start_;
        start_ = now;
        return passed.count();
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

} // namespace build
