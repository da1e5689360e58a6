// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/message.cpp - sending and receiving on sockets, with and without ancillary data.
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/net/ancillary.hpp"
#include "partitions/unikernel/net/inet/inet.hpp"
#include "partitions/unikernel/syscalls/sockets.hpp"
#include "partitions/unikernel/syscalls/waiting.hpp"

#include <algorithm>

namespace uk {

using fs::File;
using net::Socket;
using net::socket_of;
namespace message = net::message;

namespace sockets {

namespace {

Deadline after(std::uint64_t timeout) {
    return timeout == 0 ? never : deadline_after(timeout);
}

// An error behind bytes that went already is told by the next call.
SyscallResult part_or_error(Socket& socket, std::uint64_t done, Errno error) {
    if (done == 0)
        return base::Failure{error};
    const bool pending = error != Errno::again && error != Errno::pipe && error != Errno::fault &&
                         error != Errno::intr && error != Errno::restart_sys && error != Errno::nobufs;
    if (pending)
        socket.error = error;
    return done;
}

} // namespace

SyscallResult send(File& file, fs::Origin& from, net::Outgoing& out) {
    Socket& socket = socket_of(file);
    const bool waits = !file.non_blocking() && (out.flags & message::dont_wait) == 0;
    Deadline deadline = 0;
    std::uint64_t done = 0;
    for (;;) {
        out.wait = nullptr;
        const SyscallResult sent = socket.kind->send(socket, from, out);
        if (sent.ok()) {
            done += *sent;
            if (!socket.kind->stream || from.left() == 0)
                return done;
            continue;
        }
        if (sent.error() != Errno::again) {
            if (sent.error() == Errno::pipe && done == 0 && socket.kind->stream &&
                (out.flags & message::no_signal) == 0)
                files::send_broken_pipe();
            return part_or_error(socket, done, sent.error());
        }
        if (!waits)
            return part_or_error(socket, done, Errno::again);
        if (deadline == 0)
            deadline = after(socket.send_timeout);
        WaitQueue& queue = out.wait != nullptr ? *out.wait : socket.changed;
        const Status slept = wait(queue, net::out_events | net::end_events, deadline);
        if (!slept.ok())
            return part_or_error(socket, done,
                                 slept.error() == Errno::timedout ? Errno::again : slept.error());
    }
}

SyscallResult receive(File& file, fs::Destination& to, net::Incoming& in) {
    Socket& socket = socket_of(file);
    if (file.non_blocking())
        in.flags |= message::dont_wait;
    const bool waits = (in.flags & message::dont_wait) == 0;
    const std::uint64_t wanted = (in.flags & message::wait_all) != 0
                                     ? to.left()
                                     : std::min(to.left(), static_cast<std::uint64_t>(socket.low_water));
    Deadline deadline = 0;
    std::uint64_t done = 0;
    for (;;) {
        const SyscallResult got = socket.kind->receive(socket, to, in);
        if (got.ok()) {
            done += *got;
            const bool whole = !socket.kind->stream || *got == 0 || done >= wanted || in.rights != nullptr ||
                               (in.flags & (message::peek | message::out_of_band)) != 0;
            if (whole)
                return done;
            continue;
        }
        if (got.error() != Errno::again || !waits)
            return part_or_error(socket, done, got.error());
        if (deadline == 0)
            deadline = after(socket.receive_timeout);
        const Status slept = wait(socket.changed, net::in_events | net::end_events, deadline);
        if (!slept.ok())
            return part_or_error(socket, done,
                                 slept.error() == Errno::timedout ? Errno::again : slept.error());
    }
}

SyscallResult read(File& file, fs::Destination& to) {
    if (to.left() == 0)
        return 0ul;
    net::Incoming in;
    return receive(file, to, in);
}

SyscallResult write(File& file, fs::Origin& from) {
    net::Caller self = caller();
    net::Outgoing out{self, 0, nullptr, self.real_identity(), false, nullptr, nullptr};
    return send(file, from, out);
}

} // namespace sockets

SyscallResult sys_sendto(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(sockets::socket_at(arguments.integer(0)));
    files::UserBuffers buffers;
    buffers.set(arguments.pointer(1), arguments[2]);
    net::Address to;
    const bool named = arguments[4] != 0;
    if (named)
        CAISSON_TRY(sockets::read_address(to, arguments.pointer(4), arguments.word(5)));
    net::Caller caller = sockets::caller();
    net::Outgoing out{
        caller, arguments.word(3), named ? &to : nullptr, caller.real_identity(), false, nullptr, nullptr};
    fs::Origin from = buffers.origin();
    return sockets::send(*file, from, out);
}

SyscallResult sys_recvfrom(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(sockets::socket_at(arguments.integer(0)));
    files::UserBuffers buffers;
    buffers.set(arguments.pointer(1), arguments[2]);
    net::Incoming in;
    in.flags = arguments.word(3);
    fs::Destination to = buffers.destination();
    const std::uint64_t done = CAISSON_TRY(sockets::receive(*file, to, in));
    if (arguments[4] != 0)
        CAISSON_TRY(sockets::write_address(in.from, arguments.pointer(4), arguments.pointer(5)));
    const bool whole = (arguments.word(3) & message::truncated) != 0 && !socket_of(*file).kind->stream;
    return whole ? std::max(done, in.whole) : done;
}

namespace {

struct UserMessage { // struct msghdr
    std::uint64_t name;
    std::int32_t name_bytes;
    std::uint32_t pad;
    std::uint64_t segments, segment_count;
    std::uint64_t control, control_bytes;
    std::uint32_t flags, pad2;
};
static_assert(sizeof(UserMessage) == 56);

struct UserMessageOfMany { // struct mmsghdr
    UserMessage message;
    std::uint32_t bytes, pad;
};
static_assert(sizeof(UserMessageOfMany) == 64);

constexpr std::uint64_t most_control_bytes = 20480; // net.core.optmem_max

// A claim that is true, or that the process may make.
bool may_claim(const net::Identity& claimed) {
    const fs::Credentials& who = files::context().credentials;
    const auto one_of = [](std::uint32_t id, std::uint32_t a, std::uint32_t b, std::uint32_t c) {
        return id == a || id == b || id == c;
    };
    return (claimed.process == current_process().id || who.can(capability::administer)) &&
           (one_of(claimed.user, who.real_user, who.effective_user, who.saved_user) ||
            who.can(capability::set_user)) &&
           (one_of(claimed.group, who.real_group, who.effective_group, who.saved_group) ||
            who.can(capability::set_group));
}

Status take_rights(net::Outgoing& out, std::span<const std::byte> data) {
    const auto added = static_cast<std::uint32_t>(data.size() / sizeof(std::int32_t));
    const std::uint32_t before = out.rights ? out.rights->count : 0;
    if (before + added > net::most_rights)
        return base::Failure{Errno::inval};
    if (added == 0)
        return base::success;
    const std::uint64_t limit = current_process().limits[static_cast<unsigned>(Resource::open_files)].soft;
    if (net::files_in_flight() > limit && !current_process().capabilities().can(capability::resources))
        return base::Failure{Errno::toomanyrefs};
    net::OwnedRights rights = net::make_rights(before + added);
    if (!rights)
        return base::Failure{Errno::nomem};
    for (std::uint32_t i = 0; i < added; ++i) {
        std::int32_t descriptor = 0;
        std::memcpy(&descriptor, data.data() + i * sizeof(descriptor), sizeof(descriptor));
        rights->files()[before + i] = CAISSON_TRY(files::table().get(descriptor)).leak();
    }
    for (std::uint32_t i = 0; i < before; ++i)
        rights->files()[i] = std::exchange(out.rights->files()[i], nullptr);
    out.rights = std::move(rights);
    return base::success;
}

Status take_v6(net::Outgoing& out, const net::control_data::Item& item) {
    if (item.type != net::inet::hop_limit && item.type != net::inet::traffic_class)
        return base::success;
    std::int32_t value = 0;
    if (item.data.size() != sizeof(value))
        return base::Failure{Errno::inval};
    std::memcpy(&value, item.data.data(), sizeof(value));
    if (value < -1 || value > 255)
        return base::Failure{Errno::inval};
    if (item.type == net::inet::hop_limit)
        out.hop_limit = value;
    else
        out.traffic_class = value & 0xFF; // Linux: -1 is 255 here
    return base::success;
}

Status take_control(const Socket& socket, net::Outgoing& out, std::span<const std::byte> control) {
    constexpr std::int32_t timestamping = 37, mark = 36;
    net::control_data::Reader reader{control};
    net::control_data::Item item;
    while (CAISSON_TRY(reader.next(item))) {
        if (item.level != net::level_socket) { // of IP: there is one way to go
            if (item.level == net::inet::level_ipv6 && socket.family == net::family::inet6)
                CAISSON_TRY(take_v6(out, item));
            continue;
        }
        const bool local = socket.family == net::family::local;
        if (item.type == net::scm_rights && local) {
            CAISSON_TRY(take_rights(out, item.data));
        } else if (item.type == net::scm_credentials && local) {
            if (item.data.size() != sizeof(net::Identity))
                return base::Failure{Errno::inval};
            net::Identity claimed;
            std::memcpy(&claimed, item.data.data(), sizeof(claimed));
            if (!may_claim(claimed))
                return base::Failure{Errno::perm};
            out.sender = claimed;
            out.claimed = true;
        } else if (local || (item.type != net::scm_rights && item.type != net::scm_credentials &&
                             item.type != timestamping && item.type != mark)) {
            return base::Failure{Errno::inval};
        }
    }
    return base::success;
}

SyscallResult send_message(File& file, const UserMessage& header, std::uint32_t flags) {
    if (header.control_bytes > most_control_bytes)
        return base::Failure{Errno::nobufs};
    if (header.name_bytes < 0)
        return base::Failure{Errno::inval};
    if (header.segment_count > files::most_segments)
        return base::Failure{Errno::msgsize};
    net::Address to;
    const bool named = header.name != 0 && header.name_bytes > 0;
    if (named)
        CAISSON_TRY(sockets::read_address(
            to, mm::UserAddress{header.name},
            std::min(static_cast<std::uint32_t>(header.name_bytes), net::Address::most)));
    files::UserBuffers buffers;
    CAISSON_TRY(buffers.read_vector(mm::UserAddress{header.segments}, header.segment_count));
    net::Caller caller = sockets::caller();
    net::Outgoing out{caller, flags, named ? &to : nullptr, caller.real_identity(), false, nullptr, nullptr};
    if (header.control_bytes > 0) {
        HeapArray<std::byte> control{header.control_bytes};
        if (!control.made())
            return base::Failure{Errno::nobufs};
        CAISSON_TRY(
            mm::copy_in(control.view().data(), mm::UserAddress{header.control}, header.control_bytes));
        CAISSON_TRY(take_control(socket_of(file), out, control.view()));
    }
    fs::Origin from = buffers.origin();
    return sockets::send(file, from, out);
}

// Descriptors for the files that came: as many as fit. False: not all.
bool give_rights(net::Incoming& in, net::control_data::Writer& writer) {
    const std::size_t room =
        std::min<std::size_t>(writer.data_room() / sizeof(std::int32_t), in.rights->count);
    std::array<std::int32_t, net::most_rights> descriptors;
    std::size_t given = 0;
    while (given < room) {
        const auto descriptor = files::table().add(Ref<File>{in.rights->files()[given]},
                                                   (in.flags & message::close_on_exec) != 0);
        if (!descriptor.ok())
            break;
        descriptors[given++] = *descriptor;
    }
    if (given > 0)
        (void)writer.put(net::level_socket, net::scm_rights,
                         std::as_bytes(std::span{descriptors}.first(given)));
    return given == in.rights->count;
}

// What came beside the bytes, to the program's buffer; its size and the flags go into `header`.
Status give_control(const Socket& socket, net::Incoming& in, UserMessage& header) {
    const bool offered = header.control != 0 && header.control_bytes > 0;
    const std::uint64_t room = offered ? std::min(header.control_bytes, most_control_bytes) : 0;
    header.control_bytes = 0;
    const bool nothing = !in.rights && !in.has_sender && !in.has_target && in.arrived == 0;
    if (nothing)
        return base::success;
    if (!offered) {
        net::control_data::Writer none{{}};
        if (in.rights || !net::write_ancillary(socket, in, none))
            in.told |= message::control_truncated;
        return base::success;
    }
    constexpr std::size_t most = 2048; // 253 descriptors and all the rest
    HeapArray<std::byte> buffer{std::min<std::size_t>(room, most)};
    if (!buffer.made())
        return base::Failure{Errno::nobufs};
    net::control_data::Writer writer{buffer.view()};
    bool whole = net::write_ancillary(socket, in, writer);
    if (in.rights)
        whole = give_rights(in, writer) && whole;
    if (!whole)
        in.told |= message::control_truncated;
    header.control_bytes = writer.used();
    return mm::copy_out(mm::UserAddress{header.control}, buffer.view().data(), writer.used());
}

SyscallResult receive_message(File& file, UserMessage& header, std::uint32_t flags) {
    if (header.segment_count > files::most_segments)
        return base::Failure{Errno::msgsize};
    if (header.name_bytes < 0)
        return base::Failure{Errno::inval};
    files::UserBuffers buffers;
    CAISSON_TRY(buffers.read_vector(mm::UserAddress{header.segments}, header.segment_count));
    net::Incoming in;
    in.flags = flags;
    fs::Destination to = buffers.destination();
    const std::uint64_t done = CAISSON_TRY(sockets::receive(file, to, in));
    Socket& socket = socket_of(file);
    CAISSON_TRY(give_control(socket, in, header));
    if (header.name != 0) {
        const std::uint32_t bytes = std::min(static_cast<std::uint32_t>(header.name_bytes), in.from.size);
        CAISSON_TRY(mm::copy_out(mm::UserAddress{header.name}, in.from.bytes.data(), bytes));
        header.name_bytes = static_cast<std::int32_t>(in.from.size);
    }
    header.flags = in.told | (flags & message::close_on_exec);
    const bool whole = (flags & message::truncated) != 0 && !socket.kind->stream;
    return whole ? std::max(done, in.whole) : done;
}

// What of a header a receive changes.
Status write_header(mm::UserAddress to, const UserMessage& header) {
    return mm::write_user(to, header);
}

} // namespace

SyscallResult sys_sendmsg(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(sockets::socket_at(arguments.integer(0)));
    const auto header = CAISSON_TRY(mm::read_user<UserMessage>(arguments.pointer(1)));
    return send_message(*file, header, arguments.word(2));
}

SyscallResult sys_recvmsg(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(sockets::socket_at(arguments.integer(0)));
    auto header = CAISSON_TRY(mm::read_user<UserMessage>(arguments.pointer(1)));
    const std::uint64_t done = CAISSON_TRY(receive_message(*file, header, arguments.word(2)));
    CAISSON_TRY(write_header(arguments.pointer(1), header));
    return done;
}

SyscallResult sys_sendmmsg(const Arguments& arguments) {
    constexpr std::uint32_t most = 1024;
    const Ref<File> file = CAISSON_TRY(sockets::socket_at(arguments.integer(0)));
    const std::uint32_t count = std::min(arguments.word(2), most);
    for (std::uint32_t i = 0; i < count; ++i) {
        const mm::UserAddress at{arguments[1] + i * sizeof(UserMessageOfMany)};
        const auto header = mm::read_user<UserMessage>(at);
        const SyscallResult sent =
            header.ok() ? send_message(*file, *header, arguments.word(3)) : base::Failure{header.error()};
        const Status told =
            sent.ok() ? mm::write_user(mm::UserAddress{at.value() + offsetof(UserMessageOfMany, bytes)},
                                       static_cast<std::uint32_t>(*sent))
                      : Status{base::Failure{sent.error()}};
        if (!told.ok())
            return i > 0 ? SyscallResult{std::uint64_t{i}} : base::Failure{told.error()};
    }
    return std::uint64_t{count};
}

SyscallResult sys_recvmmsg(const Arguments& arguments) {
    const Ref<File> file = CAISSON_TRY(sockets::socket_at(arguments.integer(0)));
    const Deadline deadline = CAISSON_TRY(deadline_of(arguments.pointer(4), 1'000'000'000));
    std::uint32_t flags = arguments.word(3);
    Socket& socket = socket_of(*file);
    if (socket.error != Errno{})
        return base::Failure{socket.take_error()};
    for (std::uint32_t i = 0; i < arguments.word(2); ++i) {
        const mm::UserAddress at{arguments[1] + i * sizeof(UserMessageOfMany)};
        auto header = mm::read_user<UserMessage>(at);
        const SyscallResult got = header.ok()
                                      ? receive_message(*file, *header, flags & ~message::wait_for_one)
                                      : base::Failure{header.error()};
        Status told = got.ok() ? write_header(at, *header) : Status{base::Failure{got.error()}};
        if (told.ok())
            told = mm::write_user(mm::UserAddress{at.value() + offsetof(UserMessageOfMany, bytes)},
                                  static_cast<std::uint32_t>(*got));
        if (!told.ok()) {
            if (i == 0)
                return base::Failure{told.error()};
            if (told.error() != Errno::again)
                socket.error = told.error();
            return std::uint64_t{i};
        }
        if ((flags & message::wait_for_one) != 0)
            flags |= message::dont_wait;
        if (deadline <= monotonic_ns()) // looked at between messages only, as on Linux
            return std::uint64_t{i} + 1;
    }
    return std::uint64_t{arguments.word(2)};
}

} // namespace uk
