// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/socket.cpp - making, naming, connecting and ending sockets, and their options.
#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/syscalls/sockets.hpp"

namespace uk {

using files::table;
using fs::File;
using net::Socket;
using net::socket_of;

namespace sockets {

Result<Ref<File>> socket_at(int descriptor) {
    Ref<File> file = CAISSON_TRY(files::usable(descriptor));
    if (!file->is(net::socket_file))
        return base::Failure{Errno::notsock};
    return file;
}

net::Caller caller() {
    Process& process = current_process();
    return {files::context().credentials, process.id, &files::context()};
}

Status read_address(net::Address& to, mm::UserAddress from, std::uint32_t bytes) {
    if (bytes > net::Address::most)
        return base::Failure{Errno::inval};
    to.size = bytes;
    return mm::copy_in(to.bytes.data(), from, bytes);
}

Status write_address(const net::Address& from, mm::UserAddress to, mm::UserAddress size_at) {
    const auto room = CAISSON_TRY(mm::read_user<std::int32_t>(size_at));
    if (room < 0)
        return base::Failure{Errno::inval};
    CAISSON_TRY(mm::copy_out(to, from.bytes.data(), std::min(static_cast<std::uint32_t>(room), from.size)));
    return mm::write_user(size_at, from.size);
}

Status wait(WaitQueue& queue, std::uint32_t events, Deadline deadline) {
    sched::ThreadWaiter waiter;
    waiter.events = events;
    queue.add(waiter);
    const Status slept = sched::sleep(deadline);
    if (!slept.ok() && slept.error() == Errno::restart_sys && deadline != never)
        return base::Failure{Errno::intr};
    return slept;
}

} // namespace sockets

namespace {

constexpr std::uint32_t type_mask = 0xF;
constexpr std::uint32_t open_flags = fs::open_flag::non_block | fs::open_flag::close_on_exec;

// A file without a socket yet.
Result<Ref<File>> make_file(std::uint32_t flags) {
    Ref<fs::Node> node = CAISSON_TRY(fs::Tree::current().make_anonymous(fs::mode::socket | 0777));
    return fs::make_file(std::move(node), net::socket_file,
                         (flags & fs::open_flag::non_block) | fs::open_flag::read_write);
}

Result<int> give_descriptor(Socket& socket, std::uint32_t flags) {
    auto file = make_file(flags);
    if (!file.ok()) {
        net::end_socket(socket);
        return base::Failure{file.error()};
    }
    net::give_socket(**file, socket);
    return table().add(std::move(file).value(), (flags & fs::open_flag::close_on_exec) != 0);
}

Deadline deadline_of(std::uint64_t timeout) {
    return timeout == 0 ? never : deadline_after(timeout);
}

} // namespace

SyscallResult sys_socket(const Arguments& arguments) {
    const std::uint32_t type = arguments.word(1), flags = type & ~type_mask;
    if ((flags & ~open_flags) != 0)
        return base::Failure{Errno::inval};
    net::Caller caller = sockets::caller();
    Socket* socket =
        CAISSON_TRY(net::make_socket(caller, arguments.integer(0), type & type_mask, arguments.integer(2)));
    return static_cast<std::uint64_t>(CAISSON_TRY(give_descriptor(*socket, flags)));
}

SyscallResult sys_socketpair(const Arguments& arguments) {
    const std::uint32_t type = arguments.word(1), flags = type & ~type_mask;
    if ((flags & ~open_flags) != 0)
        return base::Failure{Errno::inval};
    net::Caller caller = sockets::caller();
    const net::SocketPair pair =
        CAISSON_TRY(net::make_pair(caller, arguments.integer(0), type & type_mask, arguments.integer(2)));
    const auto first = give_descriptor(*pair.first, flags);
    if (!first.ok()) {
        net::end_socket(*pair.second);
        return base::Failure{first.error()};
    }
    const auto second = give_descriptor(*pair.second, flags);
    const Status told = second.ok()
                            ? mm::write_user(arguments.pointer(3), std::array<int, 2>{*first, *second})
                            : Status{base::Failure{second.error()}};
    if (told.ok())
        return 0ul;
    (void)table().close(*first);
    if (second.ok())
        (void)table().close(*second);
    return base::Failure{told.error()};
}

SyscallResult sys_bind(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(sockets::socket_at(arguments.integer(0)));
    net::Address address;
    CAISSON_TRY(sockets::read_address(address, arguments.pointer(1), arguments.word(2)));
    net::Caller caller = sockets::caller();
    Socket& socket = socket_of(*file);
    CAISSON_TRY(socket.kind->bind(socket, caller, address));
    return 0ul;
}

SyscallResult sys_listen(const Arguments& arguments) {
    constexpr std::uint32_t most = 4096; // net.core.somaxconn
    const Ref<File> file = CAISSON_TRY(sockets::socket_at(arguments.integer(0)));
    net::Caller caller = sockets::caller();
    Socket& socket = socket_of(*file);
    CAISSON_TRY(socket.kind->listen(socket, caller, static_cast<int>(std::min(arguments.word(1), most))));
    return 0ul;
}

SyscallResult sys_connect(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(sockets::socket_at(arguments.integer(0)));
    net::Address address;
    CAISSON_TRY(sockets::read_address(address, arguments.pointer(1), arguments.word(2)));
    net::Caller caller = sockets::caller();
    Socket& socket = socket_of(*file);
    Deadline deadline = 0;
    for (;;) {
        WaitQueue* queue = nullptr;
        const Status connected = socket.kind->connect(socket, caller, address, file->non_blocking(), queue);
        if (connected.ok())
            return 0ul;
        if (connected.error() != Errno::inprogress || queue == nullptr)
            return base::Failure{connected.error()};
        if (deadline == 0)
            deadline = deadline_of(socket.send_timeout);
        const Status slept = sockets::wait(*queue, net::out_events | net::end_events, deadline);
        if (slept.ok())
            continue;
        if (slept.error() != Errno::timedout)
            return base::Failure{slept.error()};
        return base::Failure{socket.family == net::family::local ? Errno::again : Errno::inprogress};
    }
}

namespace {

// The next connection behind a descriptor; nothing is taken when there is no descriptor for it.
SyscallResult accept_ready(Socket& listener, std::uint32_t flags, mm::UserAddress name_to,
                           mm::UserAddress size_at) {
    Ref<File> file = CAISSON_TRY(make_file(flags));
    const int descriptor = CAISSON_TRY(table().add(file, (flags & fs::open_flag::close_on_exec) != 0));
    const auto accepted = listener.kind->accept(listener);
    Status done = accepted.ok() ? Status{base::success} : base::Failure{accepted.error()};
    if (accepted.ok()) {
        net::give_socket(*file, **accepted);
        net::Address address;
        if (name_to.value() != 0 &&
            (done = (*accepted)->kind->name(**accepted, net::End::accepted_peer, address)).ok())
            done = sockets::write_address(address, name_to, size_at);
    }
    if (done.ok())
        return static_cast<std::uint64_t>(descriptor);
    (void)table().close(descriptor);
    return base::Failure{done.error()};
}

SyscallResult accept_connection(const Arguments& arguments, std::uint32_t flags) {
    if ((flags & ~open_flags) != 0)
        return base::Failure{Errno::inval};
    const Ref<File> file = CAISSON_TRY(sockets::socket_at(arguments.integer(0)));
    Socket& socket = socket_of(*file);
    Deadline deadline = 0;
    for (;;) {
        if (!socket.listening || (socket.kind->readiness(socket) & net::in_events) != 0) {
            const SyscallResult accepted =
                accept_ready(socket, flags, arguments.pointer(1), arguments.pointer(2));
            if (accepted.ok() || accepted.error() != Errno::again)
                return accepted;
        }
        if (file->non_blocking())
            return base::Failure{Errno::again};
        if (deadline == 0)
            deadline = deadline_of(socket.receive_timeout);
        const Status slept = sockets::wait(socket.changed, net::in_events | net::end_events, deadline);
        if (!slept.ok())
            return base::Failure{slept.error() == Errno::timedout ? Errno::again : slept.error()};
    }
}

SyscallResult tell_name(const Arguments& arguments, net::End which) {
    const Ref<File> file = CAISSON_TRY(sockets::socket_at(arguments.integer(0)));
    Socket& socket = socket_of(*file);
    net::Address address;
    CAISSON_TRY(socket.kind->name(socket, which, address));
    CAISSON_TRY(sockets::write_address(address, arguments.pointer(1), arguments.pointer(2)));
    return 0ul;
}

} // namespace

SyscallResult sys_accept(const Arguments& arguments) {
    return accept_connection(arguments, 0);
}

SyscallResult sys_accept4(const Arguments& arguments) {
    return accept_connection(arguments, arguments.word(3));
}

SyscallResult sys_getsockname(const Arguments& arguments) {
    return tell_name(arguments, net::End::own);
}

SyscallResult sys_getpeername(const Arguments& arguments) {
    return tell_name(arguments, net::End::peer);
}

SyscallResult sys_shutdown(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(sockets::socket_at(arguments.integer(0)));
    const std::uint32_t how = arguments.word(1); // 0 receive, 1 send, 2 both
    if (how > 2)
        return base::Failure{Errno::inval};
    Socket& socket = socket_of(*file);
    CAISSON_TRY(socket.kind->shut_down(socket, how + 1));
    return 0ul;
}

namespace {
constexpr std::size_t most_option_bytes = 256;
}

SyscallResult sys_setsockopt(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(sockets::socket_at(arguments.integer(0)));
    if (arguments.integer(4) < 0)
        return base::Failure{Errno::inval};
    std::array<std::byte, most_option_bytes> value;
    const std::size_t bytes = std::min<std::size_t>(arguments.word(4), value.size());
    CAISSON_TRY(mm::copy_in(value.data(), arguments.pointer(3), bytes));
    net::Caller caller = sockets::caller();
    CAISSON_TRY(net::set_option(socket_of(*file), caller, arguments.integer(1), arguments.integer(2),
                                std::span{value}.first(bytes)));
    return 0ul;
}

SyscallResult sys_getsockopt(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(sockets::socket_at(arguments.integer(0)));
    const auto room = CAISSON_TRY(mm::read_user<std::int32_t>(arguments.pointer(4)));
    if (room < 0)
        return base::Failure{Errno::inval};
    std::array<std::byte, most_option_bytes> value;
    const auto to =
        std::span{value}.first(std::min<std::size_t>(static_cast<std::size_t>(room), value.size()));
    const std::uint32_t bytes =
        CAISSON_TRY(net::get_option(socket_of(*file), arguments.integer(1), arguments.integer(2), to));
    CAISSON_TRY(mm::copy_out(arguments.pointer(3), value.data(), bytes));
    CAISSON_TRY(mm::write_user(arguments.pointer(4), bytes));
    return 0ul;
}

} // namespace uk
