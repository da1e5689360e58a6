// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/socket_stub.cpp - what programs get while there is no network: the errors of a machine
// without any, and for AF_UNIX a socket that finds nobody (the C library asks a name service daemon that way).
#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

#include <cstring>

namespace uk {

using fs::File;

namespace {

constexpr std::uint16_t family_unix = 1;

// A socket that is connected to nothing.
Result<std::uint64_t> read_socket(File&, std::uint64_t, fs::Destination&) {
    return base::Failure{Errno::notconn};
}

Result<std::uint64_t> write_socket(File&, std::uint64_t, fs::Origin&) {
    return base::Failure{Errno::notconn};
}

std::uint32_t socket_readiness(File&) {
    return fs::ready::out | fs::ready::out_normal | fs::ready::hang_up;
}

const fs::FileOperations socket_file{
    .read = read_socket, .write = write_socket, .readiness = socket_readiness};

// A descriptor that socket() made. ENOTSOCK for others.
Result<Ref<File>> socket_of(int descriptor) {
    Ref<File> file = CAISSON_TRY(files::usable(descriptor));
    if (file->node->type() != fs::mode::socket)
        return base::Failure{Errno::notsock};
    return file;
}

} // namespace

SyscallResult sys_socket(const Arguments& arguments) {
    constexpr std::uint32_t type_mask = 0xF, stream = 1, datagram = 2, sequenced = 5;
    const std::uint32_t type = arguments.word(1);
    if (arguments.word(0) != family_unix)
        return base::Failure{Errno::afnosupport};
    const std::uint32_t flags = type & ~type_mask;
    if ((flags & ~(fs::open_flag::non_block | fs::open_flag::close_on_exec)) != 0)
        return base::Failure{Errno::inval};
    if ((type & type_mask) != stream && (type & type_mask) != datagram && (type & type_mask) != sequenced)
        return base::Failure{Errno::protonosupport};
    Ref<fs::Node> node = CAISSON_TRY(fs::Tree::current().make_anonymous(fs::mode::socket | 0777));
    node->target = "socket:[0]";
    Ref<File> file = CAISSON_TRY(fs::make_file(
        std::move(node), socket_file, (flags & fs::open_flag::non_block) | fs::open_flag::read_write));
    const bool close_on_exec = (flags & fs::open_flag::close_on_exec) != 0;
    return static_cast<std::uint64_t>(CAISSON_TRY(files::table().add(std::move(file), close_on_exec)));
}

SyscallResult sys_connect(const Arguments& arguments) {
    (void)CAISSON_TRY(socket_of(arguments.integer(0)));
    struct UserName { // struct sockaddr_un
        std::uint16_t family;
        std::array<char, 108> path;
    } name{};
    const std::uint64_t bytes = arguments.word(2);
    if (bytes < sizeof(name.family) + 1 || bytes > sizeof(name))
        return base::Failure{Errno::inval};
    CAISSON_TRY(mm::copy_in(&name, arguments.pointer(1), bytes));
    if (name.family != family_unix)
        return base::Failure{Errno::inval};
    const std::string_view path{name.path.data(), strnlen(name.path.data(), name.path.size())};
    if (path.empty()) // an abstract name: nobody listens
        return base::Failure{Errno::connrefused};
    const Ref<fs::Node> start = CAISSON_TRY(files::start_of(fs::at::working_directory, path));
    (void)CAISSON_TRY(fs::find(files::context(), *start, path, 0));
    return base::Failure{Errno::connrefused};
}

SyscallResult sys_socketpair(const Arguments& arguments) {
    return base::Failure{arguments.word(0) == family_unix ? Errno::opnotsupp : Errno::afnosupport};
}

namespace {

SyscallResult unconnected(const Arguments& arguments, Errno error) {
    (void)CAISSON_TRY(socket_of(arguments.integer(0)));
    return base::Failure{error};
}

} // namespace

SyscallResult sys_bind(const Arguments& arguments) {
    return unconnected(arguments, Errno::opnotsupp);
}
SyscallResult sys_listen(const Arguments& arguments) {
    return unconnected(arguments, Errno::opnotsupp);
}
SyscallResult sys_accept(const Arguments& arguments) {
    return unconnected(arguments, Errno::inval);
}
SyscallResult sys_accept4(const Arguments& arguments) {
    return unconnected(arguments, Errno::inval);
}
SyscallResult sys_sendto(const Arguments& arguments) {
    return unconnected(arguments, Errno::notconn);
}
SyscallResult sys_recvfrom(const Arguments& arguments) {
    return unconnected(arguments, Errno::notconn);
}
SyscallResult sys_sendmsg(const Arguments& arguments) {
    return unconnected(arguments, Errno::notconn);
}
SyscallResult sys_recvmsg(const Arguments& arguments) {
    return unconnected(arguments, Errno::notconn);
}
SyscallResult sys_shutdown(const Arguments& arguments) {
    return unconnected(arguments, Errno::notconn);
}
SyscallResult sys_getpeername(const Arguments& arguments) {
    return unconnected(arguments, Errno::notconn);
}
SyscallResult sys_getsockname(const Arguments& arguments) {
    return unconnected(arguments, Errno::opnotsupp);
}
SyscallResult sys_setsockopt(const Arguments& arguments) {
    return unconnected(arguments, Errno::opnotsupp);
}
SyscallResult sys_getsockopt(const Arguments& arguments) {
    return unconnected(arguments, Errno::opnotsupp);
}

} // namespace uk
