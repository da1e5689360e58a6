// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/waiting.cpp - see waiting.hpp.
#include "partitions/uplink/waiting.hpp"

#include <algorithm>
#include <cstring>

namespace uplink {

Waiting::Waiting(std::span<WaitingPacket> places, std::span<std::uint16_t> order, std::size_t each)
    : places_(places), order_(order), each_(each) {
    for (std::size_t i = 0; i < order_.size(); ++i)
        order_[i] = static_cast<std::uint16_t>(i);
}

bool Waiting::add(std::uint8_t container, bool enters, std::uint32_t target, std::span<const std::byte> bytes,
                  std::uint64_t at_ns) {
    if (used_ == places_.size() || bytes.size() > net::Translator::mtu || count(container, enters) >= each_)
        return false;
    WaitingPacket& place = places_[order_[used_]];
    place.at_ns = at_ns;
    place.target = target;
    place.size = static_cast<std::uint16_t>(bytes.size());
    place.container = container;
    place.enters = enters;
    std::memcpy(place.data.data(), bytes.data(), bytes.size());
    ++used_;
    ++counts_[std::size_t{2} * container + (enters ? 1 : 0)];
    std::push_heap(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(used_), later());
    return true;
}

void Waiting::remove_first() {
    --counts_[std::size_t{2} * first().container + (first().enters ? 1 : 0)];
    std::pop_heap(order_.begin(), order_.begin() + static_cast<std::ptrdiff_t>(used_), later());
    --used_;
}

void Waiting::forget(std::uint8_t container) {
    const auto end = order_.begin() + static_cast<std::ptrdiff_t>(used_);
    const auto kept = std::partition(
        order_.begin(), end, [&](std::uint16_t place) { return places_[place].container != container; });
    used_ = static_cast<std::size_t>(kept - order_.begin());
    std::make_heap(order_.begin(), kept, later());
    counts_[std::size_t{2} * container] = counts_[std::size_t{2} * container + 1] = 0;
}

void Waiting::forget_all() {
    used_ = 0;
    counts_ = {};
}

} // namespace uplink
