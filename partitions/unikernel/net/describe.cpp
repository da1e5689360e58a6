// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/describe.cpp - see describe.hpp. Columns as proc(5) and Linux have them.
#include "partitions/unikernel/net/describe.hpp"

#include "partitions/unikernel/net/inet/tcp.hpp"
#include "partitions/unikernel/net/local/local.hpp"

#include <cstring>

namespace uk::net {

namespace {

using fs::TextSink;

void upper_hexadecimal(TextSink& out, std::uint64_t value, unsigned width) {
    for (unsigned i = width; i-- > 0;)
        out << "0123456789ABCDEF"[value >> 4 * i & 0xF];
}

// Words of the address as the processor has them in memory.
void put_end(TextSink& out, const Endpoint& end, bool v6) {
    for (std::size_t i = v6 ? 0 : 12; i < 16; i += 4) {
        std::uint32_t word = 0;
        std::memcpy(&word, end.address.octets.data() + i, sizeof(word));
        upper_hexadecimal(out, word, 8);
    }
    out << ':';
    upper_hexadecimal(out, end.port, 4);
}

std::uint64_t node_of(const Socket& socket) {
    return socket.file != nullptr ? socket.file->node->number : 0;
}

void put_line(TextSink& out, std::uint64_t number, const inet::InetSocket& socket, unsigned state,
              std::uint64_t to_send, std::uint64_t to_read, bool v6) {
    out.padded(number, socket.type == Type::stream ? 4 : 5);
    out << ": ";
    put_end(out, socket.local, v6);
    out << ' ';
    Endpoint remote = socket.remote;
    if (remote.port == 0)
        remote.address = v6 ? any_v6 : any_v4;
    put_end(out, remote, v6);
    out << ' ';
    upper_hexadecimal(out, state, 2);
    out << ' ';
    upper_hexadecimal(out, to_send, 8);
    out << ':';
    upper_hexadecimal(out, to_read, 8);
    out << " 00:00000000 00000000 ";
    out.padded(socket.user, 5);
    out << "        0 " << node_of(socket);
}

constexpr std::string_view head_v4 =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
constexpr std::string_view head_v6 =
    "  sl  local_address                         remote_address                        st tx_queue rx_queue "
    "tr tm->when retrnsmt   uid  timeout inode";

} // namespace

void describe_tcp(bool v6, TextSink& out) {
    out << (v6 ? head_v6 : head_v4)
        << (v6 ? "\n" : "                                                     \n");
    std::uint64_t number = 0;
    inet::tcp_ports.each([&](inet::InetSocket& base_socket) {
        const inet::TcpSocket& socket = inet::tcp_of(base_socket);
        if (socket.is_v6() != v6 || socket.state == inet::TcpState::closed)
            return;
        put_line(out, number++, socket, static_cast<unsigned>(socket.state), 0,
                 socket.listening ? socket.waiting : socket.in.bytes(), v6);
        out << " 1 0000000000000000 100 0 0 10 0\n";
    });
}

void describe_udp(bool v6, TextSink& out) {
    out << (v6 ? "" : " ") << (v6 ? head_v6 : head_v4) << " ref pointer drops"
        << (v6 ? "\n" : "             \n");
    std::uint64_t number = 0;
    inet::udp_ports.each([&](inet::InetSocket& socket) {
        if (socket.is_v6() != v6 || socket.protocol != inet::level_udp)
            return;
        const bool connected = socket.remote.port != 0;
        put_line(out, number++, socket, connected ? 1 : 7, 0, 0, v6);
        out << " 2 0000000000000000 0\n";
    });
}

void describe_local(TextSink& out) {
    out << "Num       RefCount Protocol Flags    Type St Inode Path\n";
    local::each_socket(
        [](const local::LocalSocket& socket, void* context) {
            TextSink& to = *static_cast<TextSink*>(context);
            const bool listens = socket.state == local::LocalSocket::State::listening;
            const bool connected = socket.state == local::LocalSocket::State::connected;
            to << "0000000000000000: 00000002 00000000 ";
            upper_hexadecimal(to, listens ? 0x10000 : 0, 8);
            to << ' ';
            upper_hexadecimal(to, static_cast<unsigned>(socket.type), 4);
            to << ' ';
            upper_hexadecimal(to, connected ? 3 : 1, 2);
            to << ' ';
            to.padded(node_of(socket), 5);
            if (socket.name) {
                to << ' ';
                const bool abstract = socket.name->bytes[0] == std::byte{0};
                if (abstract)
                    to << '@';
                for (const std::byte byte : socket.name->view().subspan(abstract ? 1 : 0))
                    if (byte != std::byte{0})
                        to << static_cast<char>(byte);
                    else if (abstract)
                        to << '@';
            }
            to << '\n';
        },
        &out);
}

void describe_sockets(TextSink& out) {
    std::uint64_t tcp = 0, udp = 0;
    inet::tcp_ports.each([&tcp](const inet::InetSocket&) { ++tcp; });
    inet::udp_ports.each([&udp](const inet::InetSocket&) { ++udp; });
    out << "sockets: used " << tcp + udp << "\nTCP: inuse " << tcp << " orphan 0 tw 0 alloc " << tcp
        << " mem 0\nUDP: inuse " << udp << " mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n";
}

} // namespace uk::net
