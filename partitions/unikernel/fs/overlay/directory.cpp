// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/overlay/directory.cpp - the digital search tree of a directory's names.
//
// A node at depth d has its children chosen by bit d of the hash. Hashes of a child may differ from its
// parent's only below bit d, so removing a node puts any leaf below it in its place. Behind the last bit,
// names with equal hashes form a chain through child[0].
#include "partitions/unikernel/fs/overlay/directory.hpp"

#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/fs/overlay/node.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <cstring>

namespace uk::fs {

// FNV-1a with a final mix.
std::uint64_t name_hash(std::string_view name) {
    std::uint64_t hash = 0xCBF29CE484222325;
    for (char c : name)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
    hash ^= hash >> 32;
    hash *= 0x9E3779B97F4A7C15;
    return hash ^ (hash >> 29);
}

namespace {

unsigned way(std::uint64_t hash, unsigned depth) {
    return depth < 64 ? static_cast<unsigned>(hash >> depth) & 1 : 0;
}

} // namespace

std::string_view DirectoryEntry::name() const {
    return {reinterpret_cast<const char*>(this + 1), length};
}

DirectoryEntry* DirectoryEntries::find(std::string_view name, std::uint64_t hash) const {
    unsigned depth = 0;
    for (DirectoryEntry* here = root_; here != nullptr; here = here->child[way(hash, depth++)])
        if (here->hash == hash && here->name() == name)
            return here;
    return nullptr;
}

DirectoryEntry* DirectoryEntries::insert(std::string_view name, Node* node) {
    void* memory = mm::allocate(sizeof(DirectoryEntry) + name.size());
    if (memory == nullptr)
        return nullptr;
    auto* entry = std::construct_at(static_cast<DirectoryEntry*>(memory));
    std::memcpy(static_cast<std::byte*>(memory) + sizeof(DirectoryEntry), name.data(), name.size());
    entry->length = static_cast<std::uint16_t>(name.size());
    entry->hash = name_hash(name);
    entry->serial = next_serial_++;
    entry->node = node;
    if (node != nullptr)
        retain(*node);
    DirectoryEntry** place = &root_;
    for (unsigned depth = 0; *place != nullptr; ++depth)
        place = &(*place)->child[way(entry->hash, depth)];
    *place = entry;
    entry->previous = last_;
    (last_ == nullptr ? first_ : last_->next) = entry;
    last_ = entry;
    return entry;
}

void DirectoryEntries::remove(DirectoryEntry& entry) {
    DirectoryEntry** place = &root_;
    for (unsigned depth = 0; *place != &entry; ++depth) {
        base::expects(*place != nullptr, "DirectoryEntries: not an entry of this directory");
        place = &(*place)->child[way(entry.hash, depth)];
    }
    DirectoryEntry** leaf = place;
    while ((*leaf)->child[0] != nullptr || (*leaf)->child[1] != nullptr)
        leaf = (*leaf)->child[0] != nullptr ? &(*leaf)->child[0] : &(*leaf)->child[1];
    DirectoryEntry* substitute = *leaf;
    *leaf = nullptr;
    if (substitute != &entry) {
        substitute->child[0] = entry.child[0];
        substitute->child[1] = entry.child[1];
        *place = substitute;
    }
    (entry.previous == nullptr ? first_ : entry.previous->next) = entry.next;
    (entry.next == nullptr ? last_ : entry.next->previous) = entry.previous;
    if (found_ == &entry)
        found_ = entry.previous;
    Node* node = entry.node;
    mm::free(&entry);
    if (node != nullptr)
        release(*node);
}

void DirectoryEntries::replace(DirectoryEntry& entry, Node* node) {
    if (node != nullptr)
        retain(*node);
    Node* old = entry.node;
    entry.node = node;
    if (old != nullptr)
        release(*old);
}

DirectoryEntry* DirectoryEntries::after(std::uint64_t serial) const {
    if (serial == 0)
        return first_;
    DirectoryEntry* entry = found_ != nullptr ? found_ : first_;
    while (entry != nullptr && entry->serial <= serial)
        entry = entry->next;
    while (entry != nullptr && entry->previous != nullptr && entry->previous->serial > serial)
        entry = entry->previous;
    if (entry != nullptr)
        found_ = entry;
    return entry;
}

void DirectoryEntries::clear() {
    while (first_ != nullptr)
        remove(*first_);
}

} // namespace uk::fs
