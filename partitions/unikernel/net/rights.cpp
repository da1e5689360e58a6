// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/rights.cpp - see rights.hpp.
#include "partitions/unikernel/net/rights.hpp"

#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/net/local/local.hpp"

namespace uk::net {

namespace {

std::uint64_t in_flight = 0;
Rights* to_drop = nullptr;
bool dropping = false;

void count_flight(Rights& rights, int by) {
    rights.in_flight = by > 0;
    in_flight += static_cast<std::uint64_t>(static_cast<std::int64_t>(by) * rights.count);
    for (fs::File* file : rights.files())
        local::count_flight(*file, by);
}

} // namespace

OwnedRights make_rights(std::uint32_t count) {
    void* memory = mm::allocate(sizeof(Rights) + count * sizeof(fs::File*));
    if (memory == nullptr)
        return nullptr;
    auto* rights = std::construct_at(static_cast<Rights*>(memory));
    rights->count = count;
    for (fs::File*& file : rights->files())
        file = nullptr;
    return OwnedRights{rights};
}

OwnedRights copy_rights(Rights& rights) {
    OwnedRights copy = make_rights(rights.count);
    if (copy)
        for (std::uint32_t i = 0; i < rights.count; ++i) {
            copy->files()[i] = rights.files()[i];
            retain(*rights.files()[i]);
        }
    return copy;
}

// A file that goes may be a socket whose queue holds others: one after the other, not one inside the other.
void DropRights::operator()(Rights* rights) const {
    if (rights->in_flight)
        count_flight(*rights, -1);
    rights->next = to_drop;
    to_drop = rights;
    if (dropping)
        return;
    dropping = true;
    while (to_drop != nullptr) {
        Rights* here = to_drop;
        to_drop = here->next;
        for (fs::File* file : here->files())
            if (file != nullptr)
                release(*file);
        mm::free(here);
    }
    dropping = false;
    local::collect_if_wanted();
}

Rights* enter_flight(OwnedRights rights) {
    if (rights)
        count_flight(*rights, 1);
    return rights.release();
}

OwnedRights leave_flight(Rights* rights) {
    if (rights != nullptr)
        count_flight(*rights, -1);
    return OwnedRights{rights};
}

bool dropping_rights() {
    return dropping;
}

std::uint64_t files_in_flight() {
    return in_flight;
}

} // namespace uk::net
