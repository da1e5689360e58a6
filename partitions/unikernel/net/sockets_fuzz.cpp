// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/sockets_fuzz.cpp - arbitrary calls on a few sockets: nothing is lost, nothing stays.
#include "partitions/unikernel/fs/test_tree.hpp"
#include "partitions/unikernel/net/control.hpp"
#include "partitions/unikernel/net/host_seam.hpp"
#include "partitions/unikernel/net/socket.hpp"

#include <cstdlib>

using namespace uk;
using namespace uk::net;

namespace {

class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    [[nodiscard]] bool empty() const { return size_ == 0; }
    std::uint8_t byte() {
        if (size_ == 0)
            return 0;
        --size_;
        return *data_++;
    }
    Address address() {
        Address to;
        switch (byte() % 5) {
        case 0:
            encode({IpAddress::v4(0x7F000000u + byte() % 3), static_cast<std::uint16_t>(byte() % 4)},
                   family::inet, to);
            break;
        case 1:
            encode({byte() % 2 != 0 ? loopback_v6 : any_v6, static_cast<std::uint16_t>(byte() % 4)},
                   family::inet6, to);
            break;
        case 2:
            encode({any_v4, static_cast<std::uint16_t>(byte() % 4)}, family::inet, to);
            break;
        default: {
            const std::uint16_t of_family = byte() % 4 == 0 ? 0 : family::local;
            std::memcpy(to.bytes.data(), &of_family, 2);
            to.size = 2 + byte() % 4;
            to.bytes[2] = std::byte{byte() % 2 != 0 ? std::uint8_t{'/'} : std::uint8_t{0}};
            for (std::uint32_t i = 3; i < to.size; ++i)
                to.bytes[i] = static_cast<std::byte>('a' + byte() % 2);
        }
        }
        return to;
    }

private:
    const std::uint8_t* data_;
    std::size_t size_;
};

struct World {
    World() : t({{}, 1 << 20, false}) {
        t.tree.finish();
        t.run_as(0, 0);
    }
    void give(Socket& socket) {
        Ref<fs::File> file = fs::make_file(t.tree.make_anonymous(fs::mode::socket | 0777).value(),
                                           socket_file, fs::open_flag::read_write)
                                 .value();
        give_socket(*file, socket);
        const auto added = t.files.add(std::move(file), false);
        (void)added;
    }
    void step(Input& in);

    fs::test::TestTree t;
};

void World::step(Input& in) {
    Caller caller{t.context.credentials, 1, &t.context};
    const std::uint8_t what = in.byte() % 14;
    if (what == 0) {
        constexpr int families[] = {1, 2, 10, 16};
        auto made = make_socket(caller, families[in.byte() % 4], in.byte() % 6, 0);
        if (made.ok())
            give(**made);
        return;
    }
    if (what == 1) {
        auto made = make_pair(caller, 1, in.byte() % 6, 0);
        if (made.ok()) {
            give(*made->first);
            give(*made->second);
        }
        return;
    }
    const int descriptor = in.byte() % 16;
    auto found = t.files.get(descriptor);
    if (!found.ok())
        return;
    Ref<fs::File> file = std::move(found).value();
    Socket& socket = socket_of(*file);
    switch (what) {
    case 2:
        (void)socket.kind->bind(socket, caller, in.address());
        return;
    case 3:
        (void)socket.kind->listen(socket, caller, in.byte() % 3);
        return;
    case 4: {
        WaitQueue* queue = nullptr;
        (void)socket.kind->connect(socket, caller, in.address(), in.byte() % 2 != 0, queue);
        return;
    }
    case 5: {
        auto accepted = socket.kind->accept(socket);
        if (accepted.ok())
            give(**accepted);
        return;
    }
    case 6:
    case 7: {
        std::string text(std::size_t{in.byte()} << in.byte() % 9, 'x');
        Outgoing out{caller,  in.byte() % 8 == 0 ? message::out_of_band : 0,
                     nullptr, caller.real_identity(),
                     false,   nullptr,
                     nullptr};
        const Address to = in.address();
        if (in.byte() % 2 != 0)
            out.to = &to;
        if (what == 7) {
            out.rights = make_rights(2);
            for (fs::File*& slot : out.rights->files())
                if (auto one = t.files.get(in.byte() % 16); one.ok())
                    slot = std::move(one).value().leak();
                else
                    slot = Ref<fs::File>{file}.leak();
        }
        fs::Origin from{std::as_bytes(std::span{text})};
        const auto sent = socket.kind->send(socket, from, out);
        if (sent.ok() && *sent > text.size())
            std::abort();
        return;
    }
    case 8: {
        std::string text(std::size_t{in.byte()} << in.byte() % 9, '\0');
        fs::Destination to{std::as_writable_bytes(std::span{text})};
        Incoming incoming;
        constexpr std::uint32_t flags[] = {0, message::peek, message::out_of_band, message::truncated};
        incoming.flags = flags[in.byte() % 4];
        const auto got = socket.kind->receive(socket, to, incoming);
        if (got.ok() && *got > text.size())
            std::abort();
        return;
    }
    case 9:
        (void)socket.kind->shut_down(socket, 1 + in.byte() % 3u);
        return;
    case 10: {
        std::array<std::byte, 16> value{};
        for (std::byte& one : value)
            one = std::byte{in.byte()};
        constexpr int levels[] = {0, 1, 6, 17, 41};
        (void)set_option(socket, caller, levels[in.byte() % 5], in.byte() % 80,
                         std::span{value}.first(in.byte() % 17));
        return;
    }
    case 11: {
        std::array<std::byte, 200> value{};
        constexpr int levels[] = {0, 1, 6, 17, 41};
        (void)get_option(socket, levels[in.byte() % 5], in.byte() % 80,
                         std::span{value}.first(in.byte() % 200));
        return;
    }
    case 12: {
        Address name;
        (void)socket.kind->name(socket, in.byte() % 2 != 0 ? End::peer : End::own, name);
        (void)fs::readiness(*file);
        return;
    }
    default:
        file = nullptr;
        (void)t.files.close(descriptor);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    host::now() = 1'000'000'000; // each input finds the same time
    control_data::Reader reader{std::as_bytes(std::span{data, size})};
    control_data::Item item;
    for (auto more = reader.next(item); more.ok() && *more; more = reader.next(item))
        if (item.data.size() > size)
            std::abort();
    static bool ends_are_kept =
        false; // the table of the ends that TCP keeps for a minute is made once, and stays
    const std::uint64_t frames = fs::host::state().frames, objects = fs::host::state().heap_objects;
    {
        World world;
        Input in{data, size};
        while (!in.empty())
            world.step(in);
        world.t.files.close_all();
        // Circles are looked for at the end of any local socket: of one more.
        Caller caller{world.t.context.credentials, 1, &world.t.context};
        if (auto last = make_socket(caller, family::local, 1, 0); last.ok())
            world.give(**last);
        world.t.files.close_all();
        if (files_in_flight() != 0)
            std::abort();
    }
    const std::uint64_t more = fs::host::state().heap_objects - objects;
    if (fs::host::state().frames != frames || more > 1 || (more == 1 && ends_are_kept))
        std::abort();
    ends_are_kept = ends_are_kept || more == 1;
    return 0;
}
