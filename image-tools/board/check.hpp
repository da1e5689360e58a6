// SPDX-License-Identifier: Apache-2.0
// image-tools/board/check.hpp - a board graded: can it keep partitions apart, and what will be missing?
#pragma once

#include "hypervisor/core/board/facts.hpp"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace board {

enum class Grade : std::uint8_t { good, limited, missing, unknown };
inline constexpr std::array<std::string_view, 4> grade_words{"good", "limited", "missing", "unknown"};

struct Finding {
    std::string subject; // "interrupt-remapping", "device 03:00.0"
    Grade grade = Grade::unknown;
    std::string reason; // one sentence, with what to do where something can be done
};

struct Graded {
    bool runs = false;    // partitions on CPUs and memory of their own are possible
    bool devices = false; // and so are, as far as is known, devices of their own
    std::vector<Finding> findings;
};

Graded grade(const Facts& facts);

} // namespace board
