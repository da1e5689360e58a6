// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/record.cpp - see record.hpp.
#include "partitions/uplink/record.hpp"

#include "partitions/abi/startup.h"
#include "partitions/net/packet.hpp"

#include <algorithm>

namespace uplink {

namespace {
static_assert(CAISSON_UPLINK_CONTAINERS == CAISSON_LINK_MAX);
constexpr std::uint32_t longest_prefix = 30;
bool is_prefix(std::uint32_t prefix) {
    return prefix != 0 && prefix <= longest_prefix;
}
} // namespace

std::optional<Record> Record::parse(std::span<const std::byte> bytes) {
    Record out;
    if (bytes.size() < sizeof(caisson_uplink))
        return std::nullopt;
    std::memcpy(&out.header_, bytes.data(), sizeof(caisson_uplink));
    const caisson_uplink& h = out.header_;
    if (h.magic != CAISSON_UPLINK_MAGIC || h.flags != 0 || h.total_bytes < sizeof(caisson_uplink) ||
        h.total_bytes > bytes.size() || h.total_bytes > CAISSON_STARTUP_MAX)
        return std::nullopt;
    out.bytes_ = bytes.first(h.total_bytes);
    const bool sound = out.has_sound_addresses() && out.has_sound_containers() && out.has_sound_rules() &&
                       out.has_sound_published();
    return sound ? std::optional{out} : std::nullopt;
}

bool Record::is_leased() const {
    return header_.outside == CAISSON_OUTSIDE_LEASED;
}

bool Record::has_array(std::uint32_t offset, std::uint64_t count, std::uint64_t size) const {
    return count == 0 || (offset <= bytes_.size() && count <= (bytes_.size() - offset) / size);
}

bool Record::is_inside(std::uint32_t address) const {
    return ((address ^ header_.address) & inside_mask()) == 0;
}

bool Record::has_sound_addresses() const {
    const caisson_uplink& h = header_;
    if (!is_prefix(h.prefix) || !net::is_of_a_host(h.address))
        return false;
    if (h.outside == CAISSON_OUTSIDE_LEASED)
        return true;
    if (h.outside != CAISSON_OUTSIDE_STATIC || !is_prefix(h.outside_prefix) ||
        !net::is_of_a_host(h.outside_address))
        return false;
    // A container could not be told from the world, or not every address of it be reached.
    const std::uint32_t common = mask_of(std::min(h.prefix, h.outside_prefix));
    return ((h.outside_address ^ h.address) & common) != 0 &&
           (h.gateway == 0 || ((h.gateway ^ h.outside_address) & mask_of(h.outside_prefix)) == 0);
}

bool Record::has_sound_containers() const {
    const caisson_uplink& h = header_;
    if (h.container_count == 0 || h.container_count > CAISSON_UPLINK_CONTAINERS ||
        !has_array(h.containers, h.container_count, sizeof(caisson_uplink_container)))
        return false;
    std::uint64_t rules = 0;
    for (unsigned i = 0; i < h.container_count; ++i) {
        const caisson_uplink_container one = container(i);
        if (one.name >= bytes_.size() ||
            std::memchr(bytes_.data() + one.name, 0, bytes_.size() - one.name) == nullptr)
            return false;
        if (one.link >= CAISSON_LINK_MAX || !is_inside(one.address) || one.address == h.address)
            return false;
        for (unsigned k = 0; k < i; ++k)
            if (container(k).link == one.link || container(k).address == one.address)
                return false;
        rules += one.rule_count;
    }
    return rules == h.rule_count;
}

bool Record::has_sound_rules() const {
    const caisson_uplink& h = header_;
    if (h.rule_count > most_rules || !has_array(h.rules, h.rule_count, sizeof(caisson_uplink_rule)))
        return false;
    for (unsigned i = 0; i < h.rule_count; ++i) {
        const caisson_uplink_rule one = rule(i);
        if (one.inbound > 1 || one.first_port > one.last_port || (one.network & one.mask) != one.network)
            return false;
    }
    unsigned first = 0;
    for (unsigned i = 0; i < h.container_count; ++i) {
        if (!has_sound_limits(first, container(i).rule_count))
            return false;
        first += container(i).rule_count;
    }
    return true;
}

// Numbered from 1 in the order in which they come, and each with one rate.
bool Record::has_sound_limits(unsigned first, unsigned rules) const {
    unsigned limits = 0;
    for (unsigned i = first; i < first + rules; ++i) {
        const caisson_uplink_rule one = rule(i);
        if (one.limit > limits + 1 || (one.limit != 0) != (one.rate != 0) || one.rate > most_rate)
            return false;
        for (unsigned k = first; k < i; ++k)
            if (rule(k).limit == one.limit && rule(k).rate != one.rate)
                return false;
        limits = std::max<unsigned>(limits, one.limit);
    }
    return true;
}

unsigned Record::limits_of(unsigned first, unsigned rules) const {
    unsigned limits = 0;
    for (unsigned i = first; i < first + rules; ++i)
        limits = std::max<unsigned>(limits, rule(i).limit);
    return limits;
}

bool Record::has_sound_published() const {
    const caisson_uplink& h = header_;
    if (h.published_count > most_published ||
        !has_array(h.published, h.published_count, sizeof(caisson_uplink_published)))
        return false;
    for (unsigned i = 0; i < h.published_count; ++i) {
        const caisson_uplink_published one = published(i);
        if (one.container >= h.container_count || one.outside == 0 || one.inside == 0 ||
            (one.protocol != net::protocol::tcp && one.protocol != net::protocol::udp))
            return false;
        for (unsigned k = 0; k < i; ++k)
            if (published(k).outside == one.outside && published(k).protocol == one.protocol)
                return false;
    }
    return true;
}

} // namespace uplink
