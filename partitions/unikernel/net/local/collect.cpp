// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/local/collect.cpp - sockets that only messages hold: found and ended.
//
// A socket whose every reference lies in queues may still be reached through the queue of one that somebody
// holds. Those that are not, are garbage: each is only in queues of others like it. Their queues are emptied.
#include "partitions/unikernel/net/local/local.hpp"

namespace uk::net::local {

namespace {

LocalSocket* flying = nullptr; // sockets with in_flight > 0
LocalSocket* all = nullptr;    // linked by next_listed
bool collecting = false;
bool wanted = false; // while files were being dropped

LocalSocket* socket_behind(fs::File& file) {
    if (!file.is(socket_file) || file.state == nullptr)
        return nullptr;
    Socket& socket = socket_of(file);
    return socket.family == family::local ? &local_of(socket) : nullptr;
}

template <typename Visit> void each_rights_of(LocalSocket& socket, Visit visit) {
    for (ByteQueue::Chunk* chunk = socket.bytes.first(); chunk != nullptr; chunk = chunk->next)
        if (chunk->rights != nullptr)
            visit(chunk->rights);
    for (Packet* packet = socket.packets.first(); packet != nullptr; packet = packet->next)
        if (packet->rights != nullptr)
            visit(packet->rights);
    for (LocalSocket* waiting = socket.first_waiting; waiting != nullptr; waiting = waiting->next_waiting)
        each_rights_of(*waiting, visit); // one deep: those who wait do not listen
}

template <typename Visit> void each_child(LocalSocket& socket, Visit visit) {
    each_rights_of(socket, [&](Rights*& rights) {
        for (fs::File* file : rights->files())
            if (LocalSocket* child = socket_behind(*file); child != nullptr && child->candidate)
                visit(*child);
    });
}

void add_candidate(LocalSocket*& candidates, LocalSocket& socket) {
    socket.next_candidate = candidates;
    socket.previous_candidate = nullptr;
    if (candidates != nullptr)
        candidates->previous_candidate = &socket;
    candidates = &socket;
}

void remove_candidate(LocalSocket*& candidates, LocalSocket& socket) {
    (socket.previous_candidate != nullptr ? socket.previous_candidate->next_candidate : candidates) =
        socket.next_candidate;
    if (socket.next_candidate != nullptr)
        socket.next_candidate->previous_candidate = socket.previous_candidate;
}

// Those held from elsewhere, and all that they reach, are no candidates.
void keep_reachable(LocalSocket*& candidates) {
    LocalSocket* todo = nullptr;
    const auto keep = [&](LocalSocket& socket) {
        remove_candidate(candidates, socket);
        socket.candidate = false;
        socket.next_candidate = todo;
        todo = &socket;
    };
    for (LocalSocket* socket = candidates; socket != nullptr;) {
        LocalSocket* const next = socket->next_candidate;
        if (socket->outside != 0)
            keep(*socket);
        socket = next;
    }
    while (todo != nullptr) {
        LocalSocket& socket = *todo;
        todo = socket.next_candidate;
        each_child(socket, keep);
    }
}

} // namespace

void count_flight(fs::File& file, int by) {
    LocalSocket* socket = socket_behind(file);
    if (socket == nullptr)
        return;
    if (socket->in_flight == 0) {
        socket->next_in_flight = flying;
        socket->previous_in_flight = nullptr;
        if (flying != nullptr)
            flying->previous_in_flight = socket;
        flying = socket;
    }
    socket->in_flight += static_cast<std::uint32_t>(by);
    if (socket->in_flight == 0)
        leave_flight_list(*socket);
}

void leave_flight_list(LocalSocket& socket) {
    if (flying != &socket && socket.previous_in_flight == nullptr)
        return;
    (socket.previous_in_flight != nullptr ? socket.previous_in_flight->next_in_flight : flying) =
        socket.next_in_flight;
    if (socket.next_in_flight != nullptr)
        socket.next_in_flight->previous_in_flight = socket.previous_in_flight;
    socket.next_in_flight = socket.previous_in_flight = nullptr;
}

void collect_if_wanted() {
    if (wanted)
        collect_circles();
}

void collect_circles() {
    wanted = dropping_rights();
    if (collecting || wanted)
        return;
    LocalSocket* candidates = nullptr;
    for (LocalSocket* socket = flying; socket != nullptr; socket = socket->next_in_flight) {
        socket->candidate = socket->file != nullptr && socket->file->references == socket->in_flight;
        if (!socket->candidate)
            continue;
        socket->outside = socket->in_flight;
        add_candidate(candidates, *socket);
    }
    for (LocalSocket* socket = candidates; socket != nullptr; socket = socket->next_candidate)
        each_child(*socket, [](LocalSocket& child) { --child.outside; });
    keep_reachable(candidates);
    if (candidates == nullptr)
        return;
    // All rights of the garbage at once: with them the sockets go, in whatever order.
    collecting = true;
    Rights* gone = nullptr;
    for (LocalSocket* socket = candidates; socket != nullptr; socket = socket->next_candidate) {
        socket->candidate = false;
        each_rights_of(*socket, [&gone](Rights*& rights) {
            Rights* taken = leave_flight(std::exchange(rights, nullptr)).release();
            taken->next = gone;
            gone = taken;
        });
    }
    while (gone != nullptr) {
        Rights* here = gone;
        gone = here->next;
        OwnedRights{here}.reset();
    }
    collecting = false;
}

void list_socket(LocalSocket& socket) {
    socket.next_listed = all;
    socket.previous_listed = nullptr;
    if (all != nullptr)
        all->previous_listed = &socket;
    all = &socket;
}

void unlist_socket(LocalSocket& socket) {
    (socket.previous_listed != nullptr ? socket.previous_listed->next_listed : all) = socket.next_listed;
    if (socket.next_listed != nullptr)
        socket.next_listed->previous_listed = socket.previous_listed;
}

void each_socket(void (*visit)(const LocalSocket& socket, void* context), void* context) {
    for (const LocalSocket* socket = all; socket != nullptr; socket = socket->next_listed)
        visit(*socket, context);
}

} // namespace uk::net::local
