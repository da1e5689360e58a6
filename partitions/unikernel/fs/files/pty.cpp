// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/pty.cpp - see pty.hpp. What is written to the master is typed; what the program at the
// other end writes, and the echo, is read there.
#include "partitions/unikernel/fs/files/pty.hpp"

#include "partitions/unikernel/fs/overlay/volume.hpp"
#include "partitions/unikernel/fs/tree.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>
#include <array>

namespace uk::fs {

namespace {

constexpr std::uint32_t in_events = ready::in | ready::in_normal, out_events = ready::out | ready::out_normal;
constexpr int sighup = 1, sigcont = 18, sigttin = 21, sigttou = 22, sigwinch = 28;
constexpr std::uint32_t terminal_group = 5; // tty, as devpts is mounted for containers

std::array<Pty*, most_terminals> ptys{};

Pty& pty_of(const File& file) {
    return *static_cast<Pty*>(file.state);
}

TextSink name_of(unsigned number) {
    TextSink name;
    name << std::uint64_t{number};
    return name;
}

void wake_both(Pty& pty, std::uint32_t events) {
    pty.master_changed.wake(events);
    pty.slave_changed.wake(events);
}

// Ends with the last file of either end.
void end_unused(Pty& pty) {
    if (pty.has_master || pty.slaves > 0)
        return;
    ptys[pty.number] = nullptr;
    mm::destroy(&pty);
}

Result<std::uint64_t> read_master(File& file, std::uint64_t, Destination& to) {
    Pty& pty = pty_of(file);
    if (to.left() == 0)
        return std::uint64_t{0};
    if (pty.line.output_waiting() == 0)
        return base::Failure{pty.slaves == 0 && pty.was_open ? Errno::io : Errno::again};
    const std::uint64_t before = to.done();
    if (pty.packets) {
        constexpr std::array<std::byte, 1> data{};
        CAISSON_TRY(to.put(data));
    }
    std::array<std::byte, 256> bytes;
    while (to.left() > 0 && pty.line.output_waiting() > 0) {
        const std::size_t got =
            pty.line.take_output(std::span{bytes}.first(std::min<std::uint64_t>(bytes.size(), to.left())));
        CAISSON_TRY(to.put(std::span{bytes}.first(got)));
    }
    pty.slave_changed.wake(out_events);
    return to.done() - before;
}

Result<std::uint64_t> write_master(File& file, std::uint64_t, Origin& from) {
    Pty& pty = pty_of(file);
    const bool was_stopped = pty.line.stopped();
    pty.line.begin_typing();
    std::uint64_t done = 0;
    while (from.left() > 0 && pty.line.takes_input()) {
        std::array<std::byte, 1> byte;
        const Status taken = from.take(byte);
        if (!taken.ok())
            return done > 0 ? Result<std::uint64_t>{done} : base::Failure{taken.error()};
        if (const int number = pty.line.type(std::to_integer<std::uint8_t>(byte[0])); number != 0)
            seam::signal_group(pty.foreground, number);
        ++done;
    }
    if (done == 0 && from.left() > 0)
        return base::Failure{Errno::again};
    if (pty.line.ready())
        pty.slave_changed.wake(in_events);
    if (was_stopped && !pty.line.stopped())
        pty.slave_changed.wake(out_events);
    if (pty.line.output_waiting() > 0)
        pty.master_changed.wake(in_events);
    return done;
}

std::uint32_t master_readiness(File& file) {
    const Pty& pty = pty_of(file);
    return (pty.line.output_waiting() > 0 ? in_events : 0) | (pty.line.takes_input() ? out_events : 0) |
           (pty.slaves == 0 && pty.was_open ? ready::hang_up : 0);
}

WaitQueue& master_queue(File& file) {
    return pty_of(file).master_changed;
}

// The line is dead: who had it as their terminal hears of it.
void hang_up(Pty& pty) {
    if (pty.session != 0) {
        seam::signal_process(pty.session, sighup);
        seam::signal_process(pty.session, sigcont);
        if (pty.foreground != 0)
            seam::signal_group(pty.foreground, sighup);
    }
    pty.session = pty.foreground = 0;
    wake_both(pty, any_event);
}

void release_master(File& file) {
    Pty& pty = pty_of(file);
    Node& directory = Tree::current().terminals();
    const TextSink name = name_of(pty.number);
    if (const auto node = directory.volume->look_up(directory, name.view()); node.ok())
        (void)directory.volume->remove_name(directory, name.view(), **node);
    pty.has_master = false;
    hang_up(pty);
    end_unused(pty);
}

Result<std::uint64_t> read_slave(File& file, std::uint64_t, Destination& to) {
    Pty& pty = pty_of(file);
    if (!pty.has_master || to.left() == 0)
        return std::uint64_t{0};
    CAISSON_TRY(seam::may_use_terminal(pty.session, pty.foreground, sigttin));
    if (!pty.line.ready())
        return base::Failure{Errno::again};
    const std::uint64_t before = to.done();
    std::array<std::byte, 256> bytes;
    do { // at most one line, which may be longer than a piece
        const auto part = std::span{bytes}.first(std::min<std::uint64_t>(bytes.size(), to.left()));
        const std::size_t got = pty.line.read(part);
        CAISSON_TRY(to.put(part.first(got)));
    } while (to.left() > 0 && !pty.line.read_ended());
    pty.master_changed.wake(out_events);
    return to.done() - before;
}

Result<std::uint64_t> write_slave(File& file, std::uint64_t, Origin& from) {
    Pty& pty = pty_of(file);
    if (!pty.has_master)
        return base::Failure{Errno::io};
    if ((pty.line.modes.local & terminal::stop_output) != 0)
        CAISSON_TRY(seam::may_use_terminal(pty.session, pty.foreground, sigttou));
    const std::uint64_t before = from.done();
    while (from.left() > 0) {
        std::array<std::byte, 256> bytes;
        const auto part = std::span{bytes}.first(std::min<std::uint64_t>(bytes.size(), from.left()));
        const std::uint64_t start = from.done();
        const Status taken = from.take(part);
        const std::size_t written = pty.line.write(part.first(from.done() - start));
        from.back_to(start + written);
        if (!taken.ok() && from.done() == before)
            return base::Failure{taken.error()};
        if (!taken.ok() || written < part.size())
            break;
    }
    if (from.done() > before)
        pty.master_changed.wake(in_events);
    else if (from.left() > 0)
        return base::Failure{Errno::again};
    return from.done() - before;
}

std::uint32_t slave_readiness(File& file) {
    const Pty& pty = pty_of(file);
    if (!pty.has_master)
        return in_events | out_events | ready::error | ready::hang_up;
    return (pty.line.ready() ? in_events : 0) | (pty.line.output_room() > 1 ? out_events : 0);
}

WaitQueue& slave_queue(File& file) {
    return pty_of(file).slave_changed;
}

void release_slave(File& file) {
    Pty& pty = pty_of(file);
    --pty.slaves;
    if (pty.slaves == 0)
        pty.master_changed.wake(any_event);
    end_unused(pty);
}

Result<std::uint64_t> control_pty(File& file, std::uint32_t request, std::uint64_t) {
    if (request != control::bytes_waiting)
        return base::Failure{Errno::notty};
    const Pty& pty = pty_of(file);
    return std::uint64_t{is_master(file) ? pty.line.output_waiting() : pty.line.waiting()};
}

const FileOperations master_file{.read = read_master,
                                 .write = write_master,
                                 .readiness = master_readiness,
                                 .wait = master_queue,
                                 .control = control_pty,
                                 .release = release_master,
                                 .tells = true};
const FileOperations slave_file{.read = read_slave,
                                .write = write_slave,
                                .readiness = slave_readiness,
                                .wait = slave_queue,
                                .control = control_pty,
                                .release = release_slave,
                                .tells = true};

// The name that shows in /dev/pts. Its node is found by the number alone.
Status add_node(unsigned number) {
    Node& directory = Tree::current().terminals();
    const Credentials* who = seam::credentials_of(seam::current_process());
    const Ref<Node> node = CAISSON_TRY(directory.volume->make_node(
        mode::character | 0620, who != nullptr ? who->file_user : 0, terminal_group));
    node->special_device = make_device(terminal_major, number);
    return directory.volume->add_name(directory, name_of(number).view(), *node);
}

Result<Ref<File>> make_slave(Pty& pty, Ref<Node> node, std::uint32_t flags) {
    Ref<File> file = CAISSON_TRY(make_file(std::move(node), slave_file, flags));
    file->state = &pty;
    ++pty.slaves;
    pty.was_open = true;
    return file;
}

} // namespace

Pty* terminal_of_session(int session) {
    if (session != 0)
        for (Pty* pty : ptys)
            if (pty != nullptr && pty->session == session)
                return pty;
    return nullptr;
}

Result<Ref<File>> open_master(Ref<Node> node, std::uint32_t flags) {
    const auto place = std::find(ptys.begin(), ptys.end(), nullptr);
    if (place == ptys.end())
        return base::Failure{Errno::nospc};
    mm::Owned<Pty> pty{mm::make<Pty>()};
    if (pty == nullptr)
        return base::Failure{Errno::nomem};
    pty->number = static_cast<unsigned>(place - ptys.begin());
    CAISSON_TRY(add_node(pty->number));
    auto file = make_file(std::move(node), master_file, flags);
    if (!file.ok()) {
        Node& directory = Tree::current().terminals();
        const TextSink name = name_of(pty->number);
        const auto made = directory.volume->look_up(directory, name.view());
        if (made.ok())
            (void)directory.volume->remove_name(directory, name.view(), **made);
        return file;
    }
    *place = pty.get();
    (*file)->state = pty.release();
    return file;
}

Result<Ref<File>> open_slave(Ref<Node> node, std::uint32_t flags) {
    const std::uint32_t number = device_minor(node->special_device);
    Pty* pty = number < ptys.size() ? ptys[number] : nullptr;
    if (pty == nullptr || !pty->has_master || pty->locked)
        return base::Failure{Errno::io};
    const Credentials* who = seam::credentials_of(seam::current_process());
    if (pty->exclusive && pty->slaves > 0 && (who == nullptr || !who->can(capability::administer)))
        return base::Failure{Errno::busy};
    Ref<File> file = CAISSON_TRY(make_slave(*pty, std::move(node), flags & ~open_flag::no_controlling_tty));
    // A session's leader without a terminal gets it, unless it asked not to.
    if ((flags & open_flag::no_controlling_tty) == 0 && pty->session == 0 && seam::leads_session() &&
        terminal_of_session(seam::current_session()) == nullptr)
        (void)make_controlling(*pty, false);
    return file;
}

Result<Ref<File>> open_controlling(std::uint32_t flags) {
    Pty* pty = terminal_of_session(seam::current_session());
    if (pty == nullptr)
        return base::Failure{Errno::nxio};
    return open_peer(*pty, flags);
}

Result<Ref<File>> open_peer(Pty& pty, std::uint32_t flags) {
    Node& directory = Tree::current().terminals();
    Ref<Node> node = CAISSON_TRY(directory.volume->look_up(directory, name_of(pty.number).view()));
    return make_slave(pty, std::move(node), flags);
}

Pty* terminal_of(const File& file) {
    return file.is(master_file) || file.is(slave_file) ? &pty_of(file) : nullptr;
}

bool is_master(const File& file) {
    return file.is(master_file);
}

void set_window_size(Pty& pty, const WindowSize& size) {
    if (pty.size == size)
        return;
    pty.size = size;
    if (pty.foreground != 0)
        seam::signal_group(pty.foreground, sigwinch);
}

void set_modes(Pty& pty, const TerminalModes& modes, bool flush_input) {
    if (flush_input)
        pty.line.flush_input();
    pty.line.set_modes(modes);
    wake_both(pty, any_event);
}

void flush(Pty& pty, bool input, bool output) {
    if (input)
        pty.line.flush_input();
    if (output)
        pty.line.flush_output();
    wake_both(pty, any_event);
}

void set_output_stopped(Pty& pty, bool on) {
    pty.line.set_stopped(on);
    if (!on)
        pty.slave_changed.wake(out_events);
}

Status make_controlling(Pty& pty, bool steal) {
    const int session = seam::current_session();
    if (pty.session == session)
        return base::success;
    const Credentials* who = seam::credentials_of(seam::current_process());
    const bool may_steal = steal && who != nullptr && who->can(capability::administer);
    if (!seam::leads_session() || terminal_of_session(session) != nullptr || (pty.session != 0 && !may_steal))
        return base::Failure{Errno::perm};
    pty.session = session;
    pty.foreground = seam::current_group();
    return base::success;
}

void give_up_controlling(int session) {
    Pty* pty = terminal_of_session(session);
    if (pty == nullptr)
        return;
    if (pty->foreground != 0) {
        seam::signal_group(pty->foreground, sighup);
        seam::signal_group(pty->foreground, sigcont);
    }
    pty->session = pty->foreground = 0;
}

Status set_foreground(Pty& pty, int group) {
    if (pty.session == 0 || pty.session != seam::current_session())
        return base::Failure{Errno::notty};
    if (group <= 0)
        return base::Failure{Errno::inval};
    CAISSON_TRY(seam::may_use_terminal(pty.session, pty.foreground, sigttou));
    const int session = seam::session_of_group(group);
    if (session != pty.session)
        return base::Failure{session == 0 ? Errno::srch : Errno::perm};
    pty.foreground = group;
    return base::success;
}

} // namespace uk::fs
