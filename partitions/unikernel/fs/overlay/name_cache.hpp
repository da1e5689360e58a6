// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/overlay/name_cache.hpp - names of the root image that were looked up: their nodes, and
// names that are not there.
//
// What the overlay says of a name is asked before this, and the image never changes: an entry is never wrong, it
// only goes. A bounded table in which a new name takes the place of an old one; it is given back when memory is
// short.
#pragma once

#include "partitions/unikernel/fs/overlay/node.hpp"

#include <cstdint>
#include <string_view>

namespace uk::fs {

class NameCache {
public:
    NameCache() = default;
    NameCache(const NameCache&) = delete;
    NameCache& operator=(const NameCache&) = delete;
    ~NameCache() { (void)clear(); }

    struct Key {
        std::uint64_t directory; // nid
        std::string_view name;
        std::uint64_t hash; // name_hash(name)
    };
    struct Known {
        Node* node; // referenced; nullptr: there is no such name
        std::uint64_t directory;
        std::uint64_t hash;
        const char* name; // nullptr: the place is free
        std::uint16_t length;
        bool owns_name; // of a name that is not there; the others lie in the image
    };
    // nullptr: nothing is known of the name.
    [[nodiscard]] const Known* find(const Key& key) const;
    // The name is not in the table. `image_name`: where the same bytes stay, with a node.
    void remember(const Key& key, std::string_view image_name, Node* node);
    void forget(const Key& key);
    bool clear(); // true: there was something

private:
    static constexpr std::size_t ways = 4;
    [[nodiscard]] Known* set_of(const Key& key) const;
    [[nodiscard]] bool make_places();
    static void empty(Known& place);

    Known* places_ = nullptr;
    std::size_t count_ = 0; // of places_, a power of two
    std::size_t next_ = 0;  // which of a full set goes
};

} // namespace uk::fs
