// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/sockets.hpp - what the calls on sockets share: waiting, and the caller.
#pragma once

#include "partitions/unikernel/net/socket.hpp"
#include "partitions/unikernel/syscalls/user_buffers.hpp"

namespace uk::sockets {

// A descriptor that is a socket. Errors: badf, notsock.
[[nodiscard]] Result<Ref<fs::File>> socket_at(int descriptor);
[[nodiscard]] net::Caller caller();
// struct sockaddr from user memory: at most 128 bytes. Errors: inval, fault.
[[nodiscard]] Status read_address(net::Address& to, mm::UserAddress from, std::uint32_t bytes);
// To user memory, as much as `*size_at` says there is room for; it becomes the whole size.
[[nodiscard]] Status write_address(const net::Address& from, mm::UserAddress to, mm::UserAddress size_at);

// A whole send or receive with all the waiting that the socket, its time-outs and the flags ask for.
[[nodiscard]] SyscallResult send(fs::File& file, fs::Origin& from, net::Outgoing& out);
[[nodiscard]] SyscallResult receive(fs::File& file, fs::Destination& to, net::Incoming& in);
// read(2) and write(2).
[[nodiscard]] SyscallResult read(fs::File& file, fs::Destination& to);
[[nodiscard]] SyscallResult write(fs::File& file, fs::Origin& from);

// ioctl(2) on a socket. notty: no such request.
[[nodiscard]] SyscallResult control(fs::File& file, std::uint32_t request, mm::UserAddress argument);

// Waits for one of `events`. restart_sys becomes intr where the time is limited, as on Linux.
[[nodiscard]] Status wait(WaitQueue& queue, std::uint32_t events, Deadline deadline);

} // namespace uk::sockets
