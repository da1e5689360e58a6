// SPDX-License-Identifier: Apache-2.0
#include "image-tools/registry/retry.hpp"

#include <algorithm>
#include <curl/curl.h>
#include <optional>

namespace registry {
namespace {

// Seconds, or a date. Nothing: the header is not there or says nothing.
std::optional<std::chrono::seconds> retry_after(const Answer& answer,
                                                std::chrono::system_clock::time_point now) {
    const std::string text = answer.header("retry-after");
    if (text.empty())
        return std::nullopt;
    if (text.find_first_not_of("0123456789") == std::string::npos)
        return std::chrono::seconds(text.size() > 6 ? 999'999 : std::stol(text));
    const std::time_t date = ::curl_getdate(text.c_str(), nullptr);
    if (date == -1)
        return std::nullopt;
    const auto wait = date - std::chrono::system_clock::to_time_t(now);
    return std::chrono::seconds(std::max<std::time_t>(0, wait));
}

bool passes(const Answer& answer) { // by itself, perhaps
    switch (answer.trouble) {
    case Trouble::none:
        return answer.status == 408 || answer.status == 429 || (answer.status >= 500 && answer.status != 501);
    case Trouble::unreachable:
    case Trouble::broken_off:
        return true;
    case Trouble::certificate:
    case Trouble::no_tls:
    case Trouble::stopped:
    case Trouble::redirects:
    case Trouble::other:
        break;
    }
    return false;
}

} // namespace

Step next_step(const Answer& answer, unsigned failures, std::chrono::system_clock::time_point now) {
    if (answer.good())
        return {Next::done};
    if (answer.trouble == Trouble::none && answer.status == 401)
        return {Next::authorize};
    // Who does not listen at all rarely begins to.
    const unsigned most = answer.trouble == Trouble::unreachable ? 2 : most_failures;
    if (!passes(answer) || failures + 1 >= most)
        return {Next::give_up};
    const auto asked = retry_after(answer, now);
    if (asked && *asked > longest_wait)
        return {Next::give_up};
    return {Next::again, asked ? std::chrono::milliseconds(*asked) : first_delay * (1u << failures)};
}

} // namespace registry
