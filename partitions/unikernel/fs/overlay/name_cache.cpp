// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/overlay/name_cache.cpp - see name_cache.hpp.
#include "partitions/unikernel/fs/overlay/name_cache.hpp"

#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace uk::fs {

namespace {

// A name for so many frames of the partition: a node and its place are about a tenth of a frame.
constexpr std::size_t frames_a_name = 16, fewest_names = 32, most_names = 2048;
// Nothing new is kept where less than this part of memory is free.
constexpr std::size_t free_part = 32;

bool memory_is_short() {
    const mm::FrameCounts frames = mm::frame_counts();
    return frames.free < frames.total / free_part;
}

} // namespace

NameCache::Known* NameCache::set_of(const Key& key) const {
    const std::uint64_t mixed = key.hash ^ (key.directory * 0x9E3779B97F4A7C15 >> 32);
    return places_ + (mixed & (count_ - 1) & ~(ways - 1));
}

const NameCache::Known* NameCache::find(const Key& key) const {
    if (places_ == nullptr)
        return nullptr;
    const Known* const set = set_of(key);
    for (const Known* known = set; known < set + ways; ++known)
        if (known->hash == key.hash && known->directory == key.directory && known->name != nullptr &&
            std::string_view{known->name, known->length} == key.name)
            return known;
    return nullptr;
}

bool NameCache::make_places() {
    if (places_ != nullptr)
        return true;
    const std::size_t wanted = std::clamp(mm::frame_counts().total / frames_a_name, fewest_names, most_names);
    const std::size_t count = std::bit_floor(wanted);
    auto* places = static_cast<Known*>(mm::allocate(count * sizeof(Known)));
    if (places == nullptr)
        return false;
    std::uninitialized_fill_n(places, count, Known{});
    places_ = places;
    count_ = count;
    return true;
}

void NameCache::empty(Known& place) {
    if (place.owns_name)
        mm::free(const_cast<char*>(place.name));
    Node* node = place.node;
    place = {};
    if (node != nullptr)
        release(*node);
}

void NameCache::remember(const Key& key, std::string_view image_name, Node* node) {
    if (memory_is_short() || !make_places())
        return;
    char* copy = nullptr;
    if (node == nullptr) {
        copy = static_cast<char*>(mm::allocate(key.name.size()));
        if (copy == nullptr)
            return;
        std::memcpy(copy, key.name.data(), key.name.size());
    }
    if (places_ == nullptr) { // given back for the copy
        mm::free(copy);
        return;
    }
    Known* const set = set_of(key);
    Known* place = std::find_if(set, set + ways, [](const Known& known) { return known.name == nullptr; });
    if (place == set + ways)
        place = set + next_++ % ways;
    if (node != nullptr)
        retain(*node);
    empty(*place);
    *place = {node,
              key.directory,
              key.hash,
              copy != nullptr ? copy : image_name.data(),
              static_cast<std::uint16_t>(key.name.size()),
              copy != nullptr};
}

void NameCache::forget(const Key& key) {
    if (const Known* known = find(key))
        empty(places_[known - places_]);
}

bool NameCache::clear() {
    if (places_ == nullptr)
        return false;
    for (std::size_t i = 0; i < count_; ++i)
        empty(places_[i]);
    mm::free(places_);
    places_ = nullptr;
    count_ = 0;
    return true;
}

} // namespace uk::fs
