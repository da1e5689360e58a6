// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/socket.cpp - sockets as open files; which kind a socket(2) asks for.
#include "partitions/unikernel/net/socket.hpp"

#include "partitions/unikernel/net/inet/inet.hpp"
#include "partitions/unikernel/net/local/local.hpp"
#include "partitions/unikernel/net/netlink.hpp"

namespace uk::net {

namespace {

Result<std::uint64_t> read_socket(fs::File& file, std::uint64_t, fs::Destination& to) {
    Incoming incoming;
    Socket& socket = socket_of(file);
    return socket.kind->receive(socket, to, incoming);
}

Result<std::uint64_t> write_socket(fs::File& file, std::uint64_t, fs::Origin& from) {
    const int process = fs::seam::current_process();
    Caller caller{*fs::seam::credentials_of(process), process};
    Outgoing outgoing{caller, 0, nullptr, caller.real_identity(), false, nullptr, nullptr};
    Socket& socket = socket_of(file);
    return socket.kind->send(socket, from, outgoing);
}

std::uint32_t readiness_of(fs::File& file) {
    Socket& socket = socket_of(file);
    return socket.kind->readiness(socket);
}

WaitQueue& queue_of(fs::File& file) {
    return socket_of(file).changed;
}

Result<std::uint64_t> control_socket(fs::File& file, std::uint32_t request, std::uint64_t) {
    Socket& socket = socket_of(file);
    return socket.kind->control(socket, request);
}

void release_socket(fs::File& file) {
    if (file.state != nullptr)
        end_socket(socket_of(file));
}

} // namespace

const fs::FileOperations socket_file{.read = read_socket,
                                     .write = write_socket,
                                     .readiness = readiness_of,
                                     .wait = queue_of,
                                     .control = control_socket,
                                     .release = release_socket,
                                     .tells = true};

void give_socket(fs::File& file, Socket& socket) {
    file.state = &socket;
    socket.file = &file;
}

void end_socket(Socket& socket) {
    socket.file = nullptr;
    socket.kind->release(socket);
}

Result<Socket*> make_socket(Caller& caller, int of_family, std::uint32_t type, int protocol) {
    constexpr std::uint32_t most_type = 11;
    constexpr int most_family = 46;
    if (of_family < 0 || of_family >= most_family)
        return base::Failure{Errno::afnosupport};
    if (type >= most_type)
        return base::Failure{Errno::inval};
    Socket* socket = nullptr;
    const auto kind = static_cast<Type>(type);
    switch (of_family) {
    case family::local:
        socket = CAISSON_TRY(local::make(kind, protocol));
        break;
    case family::inet:
    case family::inet6:
        socket = CAISSON_TRY(inet::make(caller, static_cast<std::uint16_t>(of_family), kind, protocol));
        break;
    case family::netlink:
        socket = CAISSON_TRY(netlink::make(kind, protocol));
        break;
    default:
        return base::Failure{Errno::afnosupport};
    }
    socket->family = static_cast<std::uint16_t>(of_family);
    socket->user = caller.who.file_user;
    return socket;
}

Result<SocketPair> make_pair(Caller& caller, int of_family, std::uint32_t type, int protocol) {
    if (of_family != family::local) {
        Socket* socket = CAISSON_TRY(make_socket(caller, of_family, type, protocol));
        end_socket(*socket);
        return base::Failure{Errno::opnotsupp};
    }
    Socket* first = CAISSON_TRY(make_socket(caller, of_family, type, protocol));
    const auto second = make_socket(caller, of_family, type, protocol);
    if (!second.ok()) {
        end_socket(*first);
        return base::Failure{second.error()};
    }
    local::pair(caller, *first, **second);
    return SocketPair{first, *second};
}

} // namespace uk::net
