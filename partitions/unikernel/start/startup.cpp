// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/startup.cpp - see startup.hpp.
#include "partitions/unikernel/start/startup.hpp"

#include <cstring>

namespace uk::start {

namespace {
constexpr std::uint32_t signal_max = 64;
} // namespace

std::optional<Startup> Startup::parse(std::span<const std::byte> bytes) {
    Startup startup;
    if (bytes.size() < sizeof(caisson_startup))
        return std::nullopt;
    std::memcpy(&startup.header_, bytes.data(), sizeof(caisson_startup));
    if (startup.header_.magic != CAISSON_STARTUP_MAGIC || startup.header_.total_bytes > bytes.size() ||
        startup.header_.total_bytes > CAISSON_STARTUP_MAX)
        return std::nullopt;
    startup.bytes_ = bytes.first(startup.header_.total_bytes);
    if (!startup.is_sound())
        return std::nullopt;
    return startup;
}

bool Startup::is_sound() const {
    const caisson_startup& h = header_;
    if (h.total_bytes < sizeof(caisson_startup) || h.argc == 0 || !has_texts(h.argv, h.argc) ||
        !has_texts(h.envp, h.envc) || !has_texts(h.programs, h.program_count) || !has_text(h.working_dir) ||
        !has_text(h.hostname) || !has_array(h.groups, h.group_count, sizeof(std::uint32_t)) ||
        h.stop_signal > signal_max || !has_array(h.tmpfs, h.tmpfs_count, sizeof(caisson_tmpfs)) ||
        h.init > bytes_.size() || h.init_bytes > bytes_.size() - h.init || h.filter > bytes_.size() ||
        !has_array(h.filter, h.filter_count, filter_instruction) || !has_sound_network())
        return false;
    for (unsigned i = 0; i < h.tmpfs_count; ++i)
        if (!has_text(tmpfs_entry(i).path))
            return false;
    return true;
}

bool Startup::has_array(std::uint32_t offset, std::uint64_t count, std::uint64_t size) const {
    return count == 0 || (offset <= bytes_.size() && count <= (bytes_.size() - offset) / size);
}

bool Startup::has_text(std::uint32_t offset) const {
    return offset < bytes_.size() &&
           std::memchr(bytes_.data() + offset, 0, bytes_.size() - offset) != nullptr;
}

bool Startup::has_texts(std::uint32_t offset, std::uint32_t count) const {
    if (!has_array(offset, count, sizeof(std::uint32_t)))
        return false;
    for (unsigned i = 0; i < count; ++i)
        if (!has_text(word(offset, i)))
            return false;
    return true;
}

std::uint32_t Startup::word(std::uint32_t offset, unsigned i) const {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes_.data() + offset + std::uint64_t{i} * sizeof(value), sizeof(value));
    return value;
}

bool Startup::has_sound_network() const {
    constexpr std::uint32_t longest_prefix = 30;
    const caisson_startup& h = header_;
    const bool uplink = h.outside == CAISSON_OUTSIDE_UPLINK, wires = h.peer_count != 0 || uplink;
    if (h.peer_count > CAISSON_LINK_MAX || !has_array(h.peers, h.peer_count, sizeof(caisson_peer)) ||
        !has_array(h.rules, h.rule_count, sizeof(caisson_rule)) || wires != (h.prefix != 0) ||
        h.prefix > longest_prefix || h.outside > CAISSON_OUTSIDE_UPLINK || (uplink && !has_sound_uplink()) ||
        (h.outside == CAISSON_OUTSIDE_STATIC &&
         (h.outside_address == 0 || h.outside_prefix == 0 || h.outside_prefix > longest_prefix)) ||
        !has_array(h.published, h.published_count, sizeof(caisson_published)))
        return false;
    const std::uint32_t ends = h.peer_count + (h.outside != CAISSON_OUTSIDE_NONE ? 1 : 0);
    for (unsigned i = 0; i < h.peer_count; ++i)
        if (!has_text(peer(i).name) || peer(i).link >= CAISSON_LINK_MAX)
            return false;
    for (unsigned i = 0; i < h.rule_count; ++i)
        if (rule(i).peer >= ends || rule(i).inbound > 1 || rule(i).first_port > rule(i).last_port)
            return false;
    return true;
}

caisson_outside6 Startup::outside6(bool& sound) const {
    constexpr unsigned longest_prefix = 128;
    caisson_outside6 out{};
    sound = true;
    if (header_.outside6 == 0)
        return out;
    const bool card = header_.outside == CAISSON_OUTSIDE_STATIC || header_.outside == CAISSON_OUTSIDE_LEASED;
    sound = card && has_array(header_.outside6, 1, sizeof(out));
    if (!sound)
        return out;
    out = entry<caisson_outside6>(header_.outside6, 0);
    sound = (out.way == CAISSON_OUTSIDE6_ADVERTISED || out.way == CAISSON_OUTSIDE6_WRITTEN) &&
            has_array(out.rules, out.rule_count, sizeof(caisson_rule6));
    for (unsigned i = 0; sound && i < out.rule_count; ++i) {
        const caisson_rule6 one = rule6(out, i);
        sound = one.inbound <= 1 && one.first_port <= one.last_port && one.prefix <= longest_prefix;
    }
    return out;
}

// Another end of the subnet, over a wire of its own.
bool Startup::has_sound_uplink() const {
    const caisson_startup& h = header_;
    if (h.address == 0 || h.gateway == h.address || h.outside_link >= CAISSON_LINK_MAX ||
        (h.gateway ^ h.address) >> (32 - h.prefix) != 0)
        return false;
    for (unsigned i = 0; i < h.peer_count; ++i)
        if (peer(i).link == h.outside_link || peer(i).address == h.gateway)
            return false;
    return true;
}

std::string_view Startup::text(std::uint32_t offset) const {
    return reinterpret_cast<const char*>(bytes_.data() + offset);
}

Startup::Tmpfs Startup::tmpfs(unsigned i) const {
    const caisson_tmpfs entry = tmpfs_entry(i);
    return {text(entry.path), entry.mode, entry.size};
}

} // namespace uk::start
