// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/notes.hpp - what the audit trail is told of packets that were refused.
//
// Pure. Invariant: of each source of packets at most one note in its period, whatever is sent; what was not noted is counted in the
// next note.
#pragma once

#include "hypervisor/base/text.hpp"
#include "partitions/net/packet.hpp"

namespace uplink {

class Notes {
public:
    explicit constexpr Notes(std::uint64_t period_ns) : period_ns_(period_ns) {}

    // Whether one may be made now. `unnoted`: those since the last one.
    [[nodiscard]] constexpr bool take(std::uint64_t now_ns, std::uint64_t& unnoted) {
        if (now_ns < next_at_) {
            ++unnoted_;
            return false;
        }
        next_at_ = now_ns + period_ns_;
        unnoted = unnoted_;
        unnoted_ = 0;
        return true;
    }

private:
    std::uint64_t period_ns_, next_at_ = 0, unnoted_ = 0;
};

using Note = base::Text<240>;
// "uplink=no_rule container=web protocol=6 from=100.64.77.2:40000 to=198.51.100.7:443 more=3"; no container: of the outside.
inline Note note_of(net::Verdict why, std::string_view container, const net::Packet& packet,
                    std::uint64_t unnoted) {
    Note out;
    const auto put_end = [&out](const char* key, std::uint32_t address, std::uint16_t port) {
        out << key << (address >> 24) << '.' << (address >> 16 & 0xFF) << '.' << (address >> 8 & 0xFF) << '.'
            << (address & 0xFF) << ':' << port;
    };
    out << "uplink=" << net::name_of(why);
    if (!container.empty())
        out << " container=" << container;
    out << " protocol=" << std::uint32_t{packet.protocol};
    put_end(" from=", packet.source, packet.source_port);
    put_end(" to=", packet.target, packet.target_port);
    if (unnoted != 0)
        out << " more=" << unnoted;
    return out;
}

} // namespace uplink
