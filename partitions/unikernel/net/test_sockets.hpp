// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/test_sockets.hpp - sockets with descriptors and short ways to use them. Test code only.
#pragma once

#include "partitions/unikernel/fs/test_tree.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/net/socket.hpp"

#include <gtest/gtest.h>

namespace uk::net::test {

using fs::test::code;

inline Address inet_address(std::uint32_t v4, std::uint16_t port) {
    Address to;
    encode({IpAddress::v4(v4), port}, family::inet, to);
    return to;
}
inline Address inet6_address(const IpAddress& address, std::uint16_t port) {
    Address to;
    encode({address, port}, family::inet6, to);
    return to;
}
// "/path" or "@abstract".
inline Address local_address(std::string_view name) {
    Address to;
    const std::uint16_t local_family = family::local;
    std::memcpy(to.bytes.data(), &local_family, sizeof(local_family));
    std::memcpy(to.bytes.data() + 2, name.data(), name.size());
    to.size = static_cast<std::uint32_t>(2 + name.size());
    if (name[0] == '@')
        to.bytes[2] = std::byte{0};
    return to;
}
inline constexpr std::uint32_t lo = 0x7F000001;

// Waits are not made here: what would wait is error 11 (EAGAIN) or 115 (EINPROGRESS).
struct SocketTest : testing::Test {
    SocketTest() : t({{}, 1 << 20, false}) {
        t.tree.finish();
        t.run_as(0, 0);
        heap_before = fs::host::state().heap_objects;
        frames_before = fs::host::state().frames;
    }
    // Everything is given back, except frames that rest in no queue.
    void TearDown() override {
        t.files.close_all();
        EXPECT_EQ(files_in_flight(), 0u);
        EXPECT_LE(fs::host::state().heap_objects, heap_before + allowed_objects);
        EXPECT_EQ(fs::host::state().frames, frames_before);
    }

    [[nodiscard]] Caller caller() { return {t.context.credentials, 1, &t.context}; }
    [[nodiscard]] fs::File& file(int descriptor) { return *t.files.get(descriptor).value(); }
    [[nodiscard]] Socket& at(int descriptor) { return socket_of(file(descriptor)); }
    int give(Socket& socket) {
        Ref<fs::File> made = fs::make_file(t.tree.make_anonymous(fs::mode::socket | 0777).value(),
                                           socket_file, fs::open_flag::read_write)
                                 .value();
        give_socket(*made, socket);
        return t.files.add(std::move(made), false).value();
    }
    int make(int of_family, Type type, int protocol = 0) {
        Caller me = caller();
        auto made = make_socket(me, of_family, static_cast<std::uint32_t>(type), protocol);
        return made.ok() ? give(**made) : -static_cast<int>(made.error());
    }
    std::pair<int, int> pair(Type type) {
        Caller me = caller();
        const SocketPair made = make_pair(me, family::local, static_cast<std::uint32_t>(type), 0).value();
        const int first = give(*made.first);
        return {first, give(*made.second)};
    }
    void close(int descriptor) { ASSERT_EQ(code(t.files.close(descriptor)), 0); }
    int bind(int descriptor, const Address& to) {
        Caller me = caller();
        return code(at(descriptor).kind->bind(at(descriptor), me, to));
    }
    int listen(int descriptor, int backlog = 5) {
        Caller me = caller();
        return code(at(descriptor).kind->listen(at(descriptor), me, backlog));
    }
    int connect(int descriptor, const Address& to, bool non_blocking = false) {
        Caller me = caller();
        WaitQueue* queue = nullptr;
        return code(at(descriptor).kind->connect(at(descriptor), me, to, non_blocking, queue));
    }
    int accept(int descriptor) {
        auto accepted = at(descriptor).kind->accept(at(descriptor));
        return accepted.ok() ? give(**accepted) : -static_cast<int>(accepted.error());
    }
    long send(int descriptor, std::string_view text, std::uint32_t flags = 0, const Address* to = nullptr,
              OwnedRights rights = nullptr) {
        Caller me = caller();
        Outgoing out{me, flags, to, me.real_identity(), false, std::move(rights), nullptr};
        fs::Origin from{std::as_bytes(std::span{text})};
        const auto sent = at(descriptor).kind->send(at(descriptor), from, out);
        return sent.ok() ? static_cast<long>(*sent) : -static_cast<long>(sent.error());
    }
    std::string receive(int descriptor, Incoming& in, std::size_t most = 1000) {
        std::string text(most, '\0');
        fs::Destination to{std::as_writable_bytes(std::span{text})};
        const auto got = at(descriptor).kind->receive(at(descriptor), to, in);
        if (!got.ok())
            return "error " + std::to_string(static_cast<int>(got.error()));
        text.resize(*got);
        return text;
    }
    std::string receive(int descriptor, std::size_t most = 1000, std::uint32_t flags = 0) {
        Incoming in;
        in.flags = flags;
        return receive(descriptor, in, most);
    }
    std::uint32_t ready(int descriptor) { return fs::readiness(file(descriptor)); }
    int shut(int descriptor, unsigned how) {
        return code(at(descriptor).kind->shut_down(at(descriptor), how));
    }
    OwnedRights rights_of(std::initializer_list<int> descriptors) {
        OwnedRights rights = make_rights(static_cast<std::uint32_t>(descriptors.size()));
        std::size_t i = 0;
        for (const int descriptor : descriptors)
            rights->files()[i++] = t.files.get(descriptor).value().leak();
        return rights;
    }
    // Both ends of a TCP connection: the client's first.
    std::pair<int, int> tcp_pair(std::uint16_t port) {
        const int listener = make(family::inet, Type::stream);
        EXPECT_EQ(bind(listener, inet_address(lo, port)), 0);
        EXPECT_EQ(listen(listener), 0);
        const int client = make(family::inet, Type::stream);
        EXPECT_EQ(connect(client, inet_address(lo, port)), 0);
        const int server = accept(listener);
        close(listener);
        return {client, server};
    }

    fs::test::TestTree t;
    std::uint64_t heap_before = 0, frames_before = 0;
    std::uint64_t allowed_objects = 2; // the descriptor table's, and a name in the tree
};

} // namespace uk::net::test
