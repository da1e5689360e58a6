// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/local/names.cpp - names of local sockets: nodes of the file system, and abstract ones.
#include "partitions/unikernel/fs/operations.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/net/local/local.hpp"

#include <algorithm>
#include <cstring>

namespace uk::net::local {

namespace {

constexpr std::uint32_t path_at = 2, most_address = 110;
constexpr std::size_t buckets = 64;
LocalSocket* named[buckets] = {}; // of a node or with an abstract name

std::size_t bucket_of(const fs::Node* node) {
    return reinterpret_cast<std::uintptr_t>(node) / alignof(fs::Node) / 16 % buckets;
}

std::size_t bucket_of(std::span<const std::byte> text) {
    std::uint32_t hash = 2166136261; // FNV-1a
    for (const std::byte byte : text)
        hash = (hash ^ std::to_integer<std::uint32_t>(byte)) * 16777619;
    return hash % buckets;
}

std::size_t bucket_of(const LocalSocket& socket) {
    return socket.node ? bucket_of(socket.node.get()) : bucket_of(socket.name->view());
}

void enter(LocalSocket& socket) {
    LocalSocket*& first = named[bucket_of(socket)];
    socket.next_named = first;
    first = &socket;
}

bool same(std::span<const std::byte> one, std::span<const std::byte> other) {
    return std::equal(one.begin(), one.end(), other.begin(), other.end());
}

LocalSocket* find_abstract(std::span<const std::byte> text, Type type) {
    for (LocalSocket* socket = named[bucket_of(text)]; socket != nullptr; socket = socket->next_named)
        if (!socket->node && socket->type == type && same(socket->name->view(), text))
            return socket;
    return nullptr;
}

// From now on it is found by that, and those it is connected with see it.
void take_name(LocalSocket& socket, Ref<Name> name) {
    socket.name = std::move(name);
    enter(socket);
    if (socket.connection_oriented() && socket.peer != nullptr)
        socket.peer->peer_name = socket.name;
    for (LocalSocket* sender = socket.senders; sender != nullptr; sender = sender->next_sender)
        sender->peer_name = socket.name;
}

// What an address names, without the family: "path\0", or "\0bytes". inval: no address of a local socket.
Result<Ref<Name>> decode_name(const Address& address) {
    if (address.size <= path_at || address.size > most_address || address.family() != family::local)
        return base::Failure{Errno::inval};
    Ref<Name> name{mm::make<Name>()};
    if (!name)
        return base::Failure{Errno::nomem};
    name->size = address.size - path_at;
    std::memcpy(name->bytes.data(), address.bytes.data() + path_at, name->size);
    if (name->bytes[0] != std::byte{0}) { // a path: up to its NUL, which may be missing
        const auto length = static_cast<std::uint32_t>(
            strnlen(reinterpret_cast<const char*>(name->bytes.data()), name->size));
        name->size = length;
    }
    return name;
}

bool is_path(const Name& name) {
    return name.bytes[0] != std::byte{0};
}

std::string_view path_of(const Name& name) {
    return {reinterpret_cast<const char*>(name.bytes.data()), name.size};
}

// Errors: addrinuse (something is there), inval (the socket has a name), and those of a path.
Result<Ref<fs::Node>> make_node(Caller& caller, const LocalSocket& socket, std::string_view path) {
    fs::Walk walk{*caller.context};
    fs::Place place = CAISSON_TRY(walk.to(*caller.context->working, path, fs::LastLink::never));
    if (place.node || place.name.empty())
        return base::Failure{Errno::addrinuse};
    if (place.must_be_directory)
        return base::Failure{Errno::noent};
    if (socket.name)
        return base::Failure{Errno::inval};
    return fs::create_node(*caller.context, place, fs::mode::socket | 0777, 0);
}

} // namespace

Status bind(Socket& base_socket, Caller& caller, const Address& address) {
    LocalSocket& socket = local_of(base_socket);
    if (address.size == path_at && address.family() == family::local)
        return bind_to_free_name(socket);
    Ref<Name> name = CAISSON_TRY(decode_name(address));
    if (is_path(*name)) {
        socket.node = CAISSON_TRY(make_node(caller, socket, path_of(*name)));
        name->bytes[name->size++] = std::byte{0};
    } else if (socket.name) {
        return base::Failure{Errno::inval};
    } else if (find_abstract(name->view(), socket.type) != nullptr) {
        return base::Failure{Errno::addrinuse};
    }
    take_name(socket, std::move(name));
    return base::success;
}

Status bind_to_free_name(LocalSocket& socket) {
    constexpr std::uint32_t most = 0xFFFFF;
    constexpr std::uint32_t digits = 5;
    static std::uint32_t next = 0;
    if (socket.name)
        return base::success;
    if (next == 0)
        fs::seam::random(std::as_writable_bytes(std::span{&next, 1}));
    Ref<Name> name{mm::make<Name>()};
    if (!name)
        return base::Failure{Errno::nomem};
    name->size = 1 + digits;
    name->bytes[0] = std::byte{0};
    for (std::uint32_t tries = 0; tries <= most; ++tries) {
        next = (next + 1) & most;
        for (std::uint32_t i = 0; i < digits; ++i)
            name->bytes[1 + i] =
                static_cast<std::byte>("0123456789abcdef"[next >> 4 * (digits - 1 - i) & 0xF]);
        if (find_abstract(name->view(), socket.type) == nullptr) {
            take_name(socket, std::move(name));
            return base::success;
        }
    }
    return base::Failure{Errno::nospc};
}

void forget_name(LocalSocket& socket) {
    if (!socket.name || socket.listener != nullptr)
        return;
    for (LocalSocket** link = &named[bucket_of(socket)]; *link != nullptr; link = &(*link)->next_named)
        if (*link == &socket) {
            *link = socket.next_named;
            break;
        }
    socket.name = nullptr;
    socket.node = nullptr;
}

Result<LocalSocket*> find(Caller& caller, const Address& address, Type type) {
    const Ref<Name> name = CAISSON_TRY(decode_name(address));
    if (!is_path(*name)) {
        LocalSocket* socket = find_abstract(name->view(), type);
        return socket != nullptr ? Result<LocalSocket*>{socket} : base::Failure{Errno::connrefused};
    }
    const Ref<fs::Node> node =
        CAISSON_TRY(fs::find(*caller.context, *caller.context->working, path_of(*name), 0));
    if (!fs::permits(*node, caller.who, fs::want::write))
        return base::Failure{Errno::acces};
    if (node->type() != fs::mode::socket)
        return base::Failure{Errno::connrefused};
    for (LocalSocket* socket = named[bucket_of(node.get())]; socket != nullptr; socket = socket->next_named)
        if (socket->node == node)
            return socket->type == type ? Result<LocalSocket*>{socket} : base::Failure{Errno::prototype};
    return base::Failure{Errno::connrefused};
}

void show_name(const Name* name, Address& to) {
    constexpr std::uint16_t local_family = family::local;
    to.size = path_at + (name != nullptr ? name->size : 0);
    std::memcpy(to.bytes.data(), &local_family, sizeof(local_family));
    if (name != nullptr)
        std::memcpy(to.bytes.data() + path_at, name->bytes.data(), name->size);
}

} // namespace uk::net::local
