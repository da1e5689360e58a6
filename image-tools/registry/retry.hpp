// SPDX-License-Identifier: Apache-2.0
// image-tools/registry/retry.hpp - what to do after an answer: take it, ask again later, show who we are, or give up.
//
// Pure. Spec: RFC 9110, 10.2.3 (Retry-After), 15.5 and 15.6; RFC 6585, 4 (429).
#pragma once

#include "image-tools/registry/http.hpp"

#include <chrono>
#include <cstdint>

namespace registry {

enum class Next : std::uint8_t { done, again, authorize, give_up };

struct Step {
    Next next = Next::give_up;
    std::chrono::milliseconds after{0}; // of `again`
};

inline constexpr unsigned most_failures = 6;                 // in a row
inline constexpr std::chrono::milliseconds first_delay{500}; // doubles with every failure
inline constexpr std::chrono::seconds longest_wait{60};      // a registry that wants more is not waited for

// `failures`: how many came before this answer, in a row.
Step next_step(const Answer& answer, unsigned failures, std::chrono::system_clock::time_point now);

} // namespace registry
