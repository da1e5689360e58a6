// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/overlay/directory.hpp - names of a directory held in memory: additions, replacements,
// whiteouts.
//
// A digital search tree over the hash of the name for look-up, and a list in the order of creation for
// reading: a cookie is an entry's serial number, so reading goes on correctly while entries come and go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace uk::fs {

struct Node;

struct DirectoryEntry {
    Node* node = nullptr; // referenced; nullptr: whiteout, the lower name is deleted
    DirectoryEntry* child[2] = {};
    DirectoryEntry* previous = nullptr; // order of creation
    DirectoryEntry* next = nullptr;
    std::uint64_t hash = 0;
    std::uint64_t serial = 0;
    std::uint16_t length = 0;

    [[nodiscard]] std::string_view name() const; // stored behind the entry
};

// The low bits choose the way through a tree or table, so they depend on all of the name.
[[nodiscard]] std::uint64_t name_hash(std::string_view name);

class DirectoryEntries {
public:
    DirectoryEntries() = default;
    DirectoryEntries(const DirectoryEntries&) = delete;
    DirectoryEntries& operator=(const DirectoryEntries&) = delete;
    ~DirectoryEntries() { clear(); }

    [[nodiscard]] DirectoryEntry* find(std::string_view name) const { return find(name, name_hash(name)); }
    [[nodiscard]] DirectoryEntry* find(std::string_view name, std::uint64_t hash) const;
    // The name is not there yet. nullptr when the heap is exhausted. `node` gets a reference.
    [[nodiscard]] DirectoryEntry* insert(std::string_view name, Node* node);
    void remove(DirectoryEntry& entry); // drops the entry's reference
    void replace(DirectoryEntry& entry, Node* node);
    // The first entry with a serial above `serial`, in order of creation.
    [[nodiscard]] DirectoryEntry* after(std::uint64_t serial) const;
    [[nodiscard]] bool empty() const { return first_ == nullptr; }
    void clear();

    // Heap bytes that an entry of this name takes: charged to the volume.
    [[nodiscard]] static std::size_t cost(std::string_view name) {
        return sizeof(DirectoryEntry) + name.size();
    }

private:
    DirectoryEntry* root_ = nullptr;
    DirectoryEntry* first_ = nullptr;
    DirectoryEntry* last_ = nullptr;
    mutable DirectoryEntry* found_ = nullptr; // by after(): a listing goes on from here
    std::uint64_t next_serial_ = 1;
};

} // namespace uk::fs
