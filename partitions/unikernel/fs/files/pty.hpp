// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/pty.hpp - pseudo-terminals (pty(7)): /dev/ptmx makes one, /dev/pts/N is its other end.
//
// A terminal is the controlling one of at most one session; who belongs to which session and group, and who is sent
// what, is the kernel's (fs/seam.hpp).
#pragma once

#include "partitions/unikernel/fs/files/file.hpp"
#include "partitions/unikernel/fs/files/line_discipline.hpp"

namespace uk::fs {

inline constexpr std::uint32_t terminal_major = 136;
inline constexpr unsigned most_terminals = 256;

struct WindowSize { // struct winsize
    std::uint16_t rows = 0, columns = 0, width = 0, height = 0;
    bool operator==(const WindowSize&) const = default;
};

struct Pty {
    LineDiscipline line;
    unsigned number = 0;
    unsigned slaves = 0; // open files of /dev/pts/N
    bool has_master = true;
    bool was_open = false; // the other end, ever: until then its absence is no end
    bool locked = true;    // TIOCSPTLCK
    bool exclusive = false;
    bool packets = false; // TIOCPKT
    WindowSize size;
    int session = 0;    // whose controlling terminal it is; 0: no session's
    int foreground = 0; // process group
    WaitQueue master_changed, slave_changed;
};

// /dev/ptmx: a new terminal with its name in /dev/pts. Errors: nospc (too many), nomem.
[[nodiscard]] Result<Ref<File>> open_master(Ref<Node> node, std::uint32_t flags);
// A node of /dev/pts. io: its other end is gone, or it is locked. busy: it is exclusive.
[[nodiscard]] Result<Ref<File>> open_slave(Ref<Node> node, std::uint32_t flags);
// /dev/tty: the terminal of the session of who asks. nxio: it has none.
[[nodiscard]] Result<Ref<File>> open_controlling(std::uint32_t flags);
// TIOCGPTPEER.
[[nodiscard]] Result<Ref<File>> open_peer(Pty& pty, std::uint32_t flags);

// The terminal that either end is of; nullptr: another kind of file.
[[nodiscard]] Pty* terminal_of(const File& file);
[[nodiscard]] bool is_master(const File& file);
// The controlling terminal of a session, or nullptr.
[[nodiscard]] Pty* terminal_of_session(int session);

void set_window_size(Pty& pty, const WindowSize& size);
void set_modes(Pty& pty, const TerminalModes& modes, bool flush_input);
void flush(Pty& pty, bool input, bool output);
void set_output_stopped(Pty& pty, bool on);
// TIOCSCTTY by a session's leader: steals it from another session where `steal`. perm.
[[nodiscard]] Status make_controlling(Pty& pty, bool steal);
// TIOCNOTTY, and the end of a session's leader.
void give_up_controlling(int session);
// TIOCSPGRP. Errors: notty (not the caller's terminal), inval, perm (a group of another session), srch.
[[nodiscard]] Status set_foreground(Pty& pty, int group);

} // namespace uk::fs
