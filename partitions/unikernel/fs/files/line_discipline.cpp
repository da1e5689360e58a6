// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/line_discipline.cpp - see line_discipline.hpp.
#include "partitions/unikernel/fs/files/line_discipline.hpp"

#include <algorithm>

namespace uk::fs {

using namespace terminal;

namespace {

constexpr unsigned tab_width = 8;
constexpr std::uint8_t bell = 7, backspace = 8, tab = 9, new_line = 10, carriage_return = 13,
                       delete_byte = 0x7F;

bool is_control(std::uint8_t byte) {
    return byte < 0x20 || byte == delete_byte;
}
bool goes_on(std::uint8_t byte) { // of a character in UTF-8
    return (byte & 0xC0) == 0x80;
}
bool is_word(std::uint8_t byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           byte == '_' || byte >= 0x80;
}

} // namespace

int LineDiscipline::signal_of(std::uint8_t byte) const {
    constexpr int sigint = 2, sigquit = 3, sigtstp = 20;
    if (!local(signals))
        return 0;
    if (is(byte, interrupt))
        return sigint;
    if (is(byte, quit))
        return sigquit;
    return is(byte, suspend) ? sigtstp : 0;
}

int LineDiscipline::type(std::uint8_t byte) {
    if ((modes.input & strip) != 0)
        byte &= 0x7F;
    if ((modes.input & to_lower) != 0 && local(extended) && byte >= 'A' && byte <= 'Z')
        byte = static_cast<std::uint8_t>(byte + 0x20);
    if (literal_) {
        literal_ = false;
        echo(byte);
        add(byte, false);
        return 0;
    }
    if ((modes.input & start_stop) != 0 && (is(byte, start) || is(byte, stop))) {
        stopped_ = is(byte, stop);
        return 0;
    }
    if (const int number = signal_of(byte); number != 0) {
        if (!local(no_flush)) { // what was written before is with the other side already
            flush_input();
            while (output_.size() > sent_)
                output_.drop_last();
        }
        stopped_ = (modes.input & start_stop) != 0 ? false : stopped_;
        if (local(terminal::echo))
            echo(byte);
        return number;
    }
    if (stopped_ && (modes.input & any_starts) != 0)
        stopped_ = false;
    if (byte == carriage_return) {
        if ((modes.input & ignore_cr) != 0)
            return 0;
        if ((modes.input & cr_to_nl) != 0)
            byte = new_line;
    } else if (byte == new_line && (modes.input & nl_to_cr) != 0) {
        byte = carriage_return;
    }
    if (local(canonical)) {
        edit(byte);
    } else {
        if (local(terminal::echo))
            echo(byte);
        add(byte, false);
    }
    return 0;
}

// A byte of a line that can still be changed.
void LineDiscipline::edit(std::uint8_t byte) {
    if (is(byte, erase)) {
        erase_last();
        return;
    }
    if (is(byte, kill)) {
        if (local(terminal::echo) && !local(echo_kill_line)) {
            echo(byte);
            if (local(echo_kill))
                (void)put_processed(new_line);
        }
        const bool shows = local(terminal::echo) && local(echo_kill_line);
        while (typed() > 0) {
            if (shows)
                erase_last();
            else
                input_.drop_last();
        }
        return;
    }
    if (is(byte, word_erase) && local(extended)) {
        while (typed() > 0 && !is_word(input_.at(input_.size() - 1)))
            erase_last();
        while (typed() > 0 && is_word(input_.at(input_.size() - 1)))
            erase_last();
        return;
    }
    if (is(byte, literal_next) && local(extended)) {
        literal_ = true;
        if (local(terminal::echo) && local(echo_control)) {
            put('^');
            put(backspace);
        }
        return;
    }
    if (is(byte, reprint) && local(extended) && local(terminal::echo)) {
        echo(byte);
        (void)put_processed(new_line);
        for (std::size_t i = complete_; i < input_.size(); ++i)
            echo(input_.at(i));
        return;
    }
    if (byte == new_line) {
        if (local(terminal::echo) || local(echo_nl))
            (void)put_processed(new_line);
        add(byte, true);
        return;
    }
    if (is(byte, end_of_file)) {
        if (typed() == 0) {
            ++empty_lines_;
            return;
        }
        const std::size_t last = (base_ + input_.size() - 1) % input_bytes;
        ends_[last / 64] |= std::uint64_t{1} << last % 64;
        complete_ = input_.size();
        return;
    }
    const bool ends = is(byte, end_of_line) || (is(byte, end_of_line2) && local(extended));
    if (local(terminal::echo))
        echo(byte);
    add(byte, ends);
}

void LineDiscipline::add(std::uint8_t byte, bool ends_line) {
    // The last place is for a line's end.
    const bool full = input_.room() == 0 || (local(canonical) && !ends_line && input_.room() == 1);
    if (full) {
        if ((modes.input & bell_when_full) != 0)
            put(bell);
        return;
    }
    const std::size_t place = (base_ + input_.size()) % input_bytes;
    const std::uint64_t bit = std::uint64_t{1} << place % 64;
    ends_[place / 64] = ends_line ? ends_[place / 64] | bit : ends_[place / 64] & ~bit;
    input_.push(byte);
    if (ends_line || !local(canonical))
        complete_ = input_.size();
}

void LineDiscipline::erase_last() {
    if (typed() == 0)
        return;
    std::uint8_t byte = input_.at(input_.size() - 1);
    input_.drop_last();
    while ((modes.input & utf8) != 0 && goes_on(byte) && typed() > 0) {
        byte = input_.at(input_.size() - 1);
        input_.drop_last();
    }
    if (!local(terminal::echo))
        return;
    if (!local(echo_erase)) {
        echo(modes.characters[erase]);
        return;
    }
    unsigned columns = 1;
    if (byte == tab) { // back to where the text before it ends
        unsigned width = line_start_;
        for (std::size_t i = complete_; i < input_.size(); ++i) {
            const std::uint8_t before = input_.at(i);
            if (before == tab)
                width += tab_width - width % tab_width;
            else if (is_control(before))
                width += local(echo_control) ? 2 : 0;
            else if ((modes.input & utf8) == 0 || !goes_on(before))
                ++width;
        }
        columns = column_ > width ? column_ - width : 0;
        for (; columns > 0; --columns)
            put(backspace);
        column_ = width;
        return;
    }
    if (is_control(byte))
        columns = local(echo_control) ? 2 : 0;
    for (; columns > 0; --columns) {
        put(backspace);
        put(' ');
        put(backspace);
        column_ = column_ > 0 ? column_ - 1 : 0;
    }
}

void LineDiscipline::echo(std::uint8_t byte) {
    if (typed() == 0)
        line_start_ = column_;
    if (is_control(byte) && byte != tab && byte != new_line && local(echo_control)) {
        put('^');
        put(static_cast<std::uint8_t>(byte ^ 0x40));
        column_ += 2;
        return;
    }
    (void)put_processed(byte);
}

void LineDiscipline::put(std::uint8_t byte) {
    (void)output_.push(byte); // where nobody reads, echo is lost
}

// False: there is no room for it.
bool LineDiscipline::put_processed(std::uint8_t byte) {
    if ((modes.output & process) == 0)
        return output_.push(byte);
    switch (byte) {
    case new_line:
        if ((modes.output & nl_returns) != 0)
            column_ = 0;
        if ((modes.output & nl_to_cr_nl) != 0) {
            if (output_.room() < 2)
                return false;
            put(carriage_return);
            column_ = 0;
        }
        break;
    case carriage_return:
        if ((modes.output & no_cr_at_start) != 0 && column_ == 0)
            return true;
        if ((modes.output & output_cr_to_nl) != 0) {
            byte = new_line;
            column_ = (modes.output & nl_returns) != 0 ? 0 : column_;
        } else {
            column_ = 0;
        }
        break;
    case tab: {
        const unsigned width = tab_width - column_ % tab_width;
        if ((modes.output & tabs_mask) == expand_tabs) {
            if (output_.room() < width)
                return false;
            for (unsigned i = 0; i < width; ++i)
                put(' ');
            column_ += width;
            return true;
        }
        if (output_.room() > 0)
            column_ += width;
        break;
    }
    case backspace:
        column_ = column_ > 0 ? column_ - 1 : 0;
        break;
    default:
        if ((modes.output & output_to_upper) != 0 && byte >= 'a' && byte <= 'z')
            byte = static_cast<std::uint8_t>(byte - 0x20);
        if (!is_control(byte) && !((modes.input & utf8) != 0 && goes_on(byte)))
            ++column_;
        break;
    }
    return output_.push(byte);
}

std::size_t LineDiscipline::write(std::span<const std::byte> bytes) {
    std::size_t done = 0;
    while (done < bytes.size() && !stopped_ && put_processed(std::to_integer<std::uint8_t>(bytes[done])))
        ++done;
    return done;
}

bool LineDiscipline::ready() const {
    if (local(canonical))
        return complete_ > 0 || empty_lines_ > 0;
    const std::size_t wanted = modes.characters[time] != 0 ? 1 : modes.characters[least];
    return input_.size() >= wanted;
}

std::size_t LineDiscipline::waiting() const {
    return complete_;
}

std::size_t LineDiscipline::read(std::span<std::byte> to) {
    std::size_t done = 0;
    if (local(canonical) && complete_ == 0) {
        empty_lines_ -= empty_lines_ > 0 ? 1 : 0;
        read_ended_ = true;
        return 0;
    }
    read_ended_ = false;
    while (done < to.size() && complete_ > 0) {
        const std::uint64_t bit = std::uint64_t{1} << base_ % 64;
        const bool ends = (ends_[base_ / 64] & bit) != 0;
        ends_[base_ / 64] &= ~bit;
        to[done++] = static_cast<std::byte>(input_.pop());
        base_ = (base_ + 1) % input_bytes;
        --complete_;
        if (ends && local(canonical)) {
            read_ended_ = true;
            break;
        }
    }
    read_ended_ = read_ended_ || complete_ == 0;
    return done;
}

void LineDiscipline::set_modes(const TerminalModes& to) {
    const bool was_canonical = local(canonical);
    modes = to;
    if (was_canonical != local(canonical)) {
        complete_ = input_.size();
        if (local(canonical) && complete_ > 0) { // what is there is one line
            const std::size_t last = (base_ + complete_ - 1) % input_bytes;
            ends_[last / 64] |= std::uint64_t{1} << last % 64;
        }
        literal_ = false;
    }
    if ((modes.input & start_stop) == 0)
        stopped_ = false;
}

void LineDiscipline::flush_input() {
    input_.clear();
    ends_.fill(0);
    complete_ = base_ = 0;
    empty_lines_ = 0;
    literal_ = false;
}

std::size_t LineDiscipline::take_output(std::span<std::byte> to) {
    std::size_t done = 0;
    while (done < to.size() && output_.size() > 0)
        to[done++] = static_cast<std::byte>(output_.pop());
    sent_ = sent_ > done ? sent_ - done : 0;
    return done;
}

} // namespace uk::fs
