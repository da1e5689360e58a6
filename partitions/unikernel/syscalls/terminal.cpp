// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/terminal.cpp - see terminal.hpp. Spec: ioctl_tty(2).
#include "partitions/unikernel/syscalls/terminal.hpp"

#include "partitions/unikernel/syscalls/user_buffers.hpp"

namespace uk {

namespace {

namespace request {
constexpr std::uint32_t get_modes = 0x5401, set_modes = 0x5402, set_modes_drained = 0x5403,
                        set_modes_flushed = 0x5404, send_break = 0x5409, flow = 0x540A, flush = 0x540B,
                        exclusive = 0x540C, not_exclusive = 0x540D, set_controlling = 0x540E,
                        get_foreground = 0x540F, set_foreground = 0x5410, output_waiting = 0x5411,
                        get_window = 0x5413, set_window = 0x5414, packets = 0x5420, not_controlling = 0x5422,
                        send_break_posix = 0x5425, get_session = 0x5429, get_exclusive = 0x80045440,
                        get_number = 0x80045430, lock = 0x40045431, get_lock = 0x80045439,
                        get_packets = 0x80045438, open_peer = 0x5441;
} // namespace request

SyscallResult give(mm::UserAddress to, std::int32_t value) {
    CAISSON_TRY(mm::write_user(to, value));
    return 0ul;
}

SyscallResult set_modes(fs::Pty& pty, mm::UserAddress from, bool flush_input) {
    fs::set_modes(pty, CAISSON_TRY(mm::read_user<fs::TerminalModes>(from)), flush_input);
    return 0ul;
}

// Where it is not the caller's controlling terminal there is no group to tell of; the master may ask anyway.
bool is_callers(const fs::File& file, const fs::Pty& pty) {
    return fs::is_master(file) || (pty.session != 0 && pty.session == fs::seam::current_session());
}

SyscallResult flow(fs::Pty& pty, std::uint64_t action) {
    constexpr std::uint64_t output_off = 0, output_on = 1, input_off = 2, input_on = 3;
    switch (action) {
    case output_off:
    case output_on:
        fs::set_output_stopped(pty, action == output_off);
        return 0ul;
    case input_off: // the characters that tell the other side, which is a program
    case input_on:
        return 0ul;
    default:
        return base::Failure{Errno::inval};
    }
}

// The requests of the master alone.
SyscallResult control_master(fs::Pty& pty, std::uint32_t which, mm::UserAddress argument) {
    switch (which) {
    case request::get_number:
        return give(argument, static_cast<std::int32_t>(pty.number));
    case request::lock:
        pty.locked = CAISSON_TRY(mm::read_user<std::int32_t>(argument)) != 0;
        return 0ul;
    case request::get_lock:
        return give(argument, pty.locked ? 1 : 0);
    case request::packets:
        pty.packets = CAISSON_TRY(mm::read_user<std::int32_t>(argument)) != 0;
        return 0ul;
    case request::get_packets:
        return give(argument, pty.packets ? 1 : 0);
    case request::open_peer: {
        const auto flags = static_cast<std::uint32_t>(argument.value());
        Ref<fs::File> file = CAISSON_TRY(
            fs::open_peer(pty, flags & ~(fs::open_flag::no_controlling_tty | fs::open_flag::close_on_exec)));
        return static_cast<std::uint64_t>(
            CAISSON_TRY(files::table().add(std::move(file), (flags & fs::open_flag::close_on_exec) != 0)));
    }
    default:
        return base::Failure{Errno::notty};
    }
}

} // namespace

SyscallResult control_terminal(fs::File& file, fs::Pty& pty, std::uint32_t which, mm::UserAddress argument) {
    switch (which) {
    case request::get_modes:
        CAISSON_TRY(mm::write_user(argument, pty.line.modes));
        return 0ul;
    case request::set_modes:
    case request::set_modes_drained: // what was written is with the other side already
        return set_modes(pty, argument, false);
    case request::set_modes_flushed:
        return set_modes(pty, argument, true);
    case request::send_break:
    case request::send_break_posix:
        return 0ul;
    case request::flow:
        return flow(pty, argument.value());
    case request::flush: {
        constexpr std::uint64_t both = 2;
        if (argument.value() > both)
            return base::Failure{Errno::inval};
        // What one end wrote is with the other already: each can throw away what it has not read.
        const bool unread = argument.value() != 1;
        fs::flush(pty, unread && !fs::is_master(file), unread && fs::is_master(file));
        return 0ul;
    }
    case request::exclusive:
    case request::not_exclusive:
        pty.exclusive = which == request::exclusive;
        return 0ul;
    case request::get_exclusive:
        return give(argument, pty.exclusive ? 1 : 0);
    case request::get_window:
        CAISSON_TRY(mm::write_user(argument, pty.size));
        return 0ul;
    case request::set_window:
        fs::set_window_size(pty, CAISSON_TRY(mm::read_user<fs::WindowSize>(argument)));
        return 0ul;
    case request::output_waiting:
        return give(argument, 0);
    case request::set_controlling:
        CAISSON_TRY(fs::make_controlling(pty, argument.value() == 1));
        return 0ul;
    case request::not_controlling:
        if (pty.session == 0 || pty.session != fs::seam::current_session())
            return base::Failure{Errno::notty};
        if (fs::seam::leads_session())
            fs::give_up_controlling(pty.session);
        return 0ul;
    case request::get_foreground:
        return is_callers(file, pty) ? give(argument, pty.foreground) : base::Failure{Errno::notty};
    case request::set_foreground: {
        const auto group = CAISSON_TRY(mm::read_user<std::int32_t>(argument));
        CAISSON_TRY(fs::set_foreground(pty, group));
        return 0ul;
    }
    case request::get_session:
        return is_callers(file, pty) && pty.session != 0 ? give(argument, pty.session)
                                                         : base::Failure{Errno::notty};
    default:
        return fs::is_master(file) ? control_master(pty, which, argument) : base::Failure{Errno::notty};
    }
}

} // namespace uk
