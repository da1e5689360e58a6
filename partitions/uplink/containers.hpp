// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/containers.hpp - what the uplink keeps of its containers: rules, connections, translations, all of them made once, at
// start.
//
// Invariant: a container's tables are its own, so that none can take another's places.
#pragma once

#include "partitions/net/translator.hpp"
#include "partitions/uplink/record.hpp"
#include "partitions/uplink/waiting.hpp"

namespace uplink {

struct Tables {
    std::span<const net::Contained> containers;
    std::span<const net::Publication> publications;
    std::span<net::Translation> translations;
    Waiting waiting;
};
inline constexpr std::size_t connections_each = 1024;

// Nothing: out of memory. What was made stays made: there is no other try.
[[nodiscard]] std::optional<Tables> make_tables(const Record& record);

} // namespace uplink
