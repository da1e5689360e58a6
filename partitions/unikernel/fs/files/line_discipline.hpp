// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/line_discipline.hpp - what a terminal makes of what is typed and what is written:
// lines and their editing, echo, characters that mean signals, line ends.
//
// Pure: bytes in, bytes and signals out. Spec: POSIX.1-2017 chapter 11 "General Terminal Interface"; termios(3) for
// what Linux adds (IUTF8, ECHOCTL, WERASE, LNEXT, REPRINT). Not there: parity, delays, and VTIME, which needs a timer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace uk::fs {

namespace terminal {
// c_iflag
inline constexpr std::uint32_t ignore_break = 1, strip = 040, nl_to_cr = 0100, ignore_cr = 0200,
                               cr_to_nl = 0400, to_lower = 01000, start_stop = 02000, any_starts = 04000,
                               bell_when_full = 020000, utf8 = 040000;
// c_oflag
inline constexpr std::uint32_t process = 1, output_to_upper = 2, nl_to_cr_nl = 4, output_cr_to_nl = 010,
                               no_cr_at_start = 020, nl_returns = 040, tabs_mask = 014000,
                               expand_tabs = 014000;
// c_lflag
inline constexpr std::uint32_t signals = 1, canonical = 2, echo = 010, echo_erase = 020, echo_kill = 040,
                               echo_nl = 0100, no_flush = 0200, stop_output = 0400, echo_control = 01000,
                               echo_print = 02000, echo_kill_line = 04000, extended = 0100000;
// c_cc
inline constexpr std::size_t interrupt = 0, quit = 1, erase = 2, kill = 3, end_of_file = 4, time = 5,
                             least = 6, start = 8, stop = 9, suspend = 10, end_of_line = 11, reprint = 12,
                             discard = 13, word_erase = 14, literal_next = 15, end_of_line2 = 16;
} // namespace terminal

struct TerminalModes { // struct termios of the kernel
    std::uint32_t input = terminal::cr_to_nl | terminal::start_stop;
    std::uint32_t output = terminal::process | terminal::nl_to_cr_nl;
    std::uint32_t control = 0xBF; // 38,400 baud, eight bits, receiver on
    std::uint32_t local = 0x8A3B;
    std::uint8_t discipline = 0;
    std::array<std::uint8_t, 19> characters{3,    0x1C, 0x7F, 0x15, 4,    0,    1, 0, 0x11, 0x13,
                                            0x1A, 0,    0x12, 0xF,  0x17, 0x16, 0, 0, 0};
};
static_assert(sizeof(TerminalModes) == 36);

// Bytes in order, as many as fit.
template <std::size_t Size> class ByteRing {
public:
    [[nodiscard]] std::size_t size() const { return used_; }
    [[nodiscard]] std::size_t room() const { return Size - used_; }
    [[nodiscard]] std::uint8_t at(std::size_t index) const { return bytes_[(first_ + index) % Size]; }
    bool push(std::uint8_t byte) {
        if (used_ == Size)
            return false;
        bytes_[(first_ + used_++) % Size] = byte;
        return true;
    }
    std::uint8_t pop() {
        const std::uint8_t byte = bytes_[first_];
        first_ = (first_ + 1) % Size;
        --used_;
        return byte;
    }
    void drop_last() { --used_; }
    void clear() { first_ = used_ = 0; }

private:
    std::array<std::uint8_t, Size> bytes_;
    std::size_t first_ = 0, used_ = 0;
};

class LineDiscipline {
public:
    static constexpr std::size_t input_bytes = 4096; // as N_TTY
    static constexpr std::size_t output_bytes = 8192;

    TerminalModes modes;

    // What is in the output now is with the other side: no signal typed after this takes it away.
    void begin_typing() { sent_ = output_.size(); }
    // One typed byte. Echo goes to the output. A signal's number, or 0.
    [[nodiscard]] int type(std::uint8_t byte);
    // A program writes: how many of the bytes are taken; fewer when the output is full.
    [[nodiscard]] std::size_t write(std::span<const std::byte> bytes);
    // A program reads: at most one line in canonical mode. 0 where `ready()` and nothing comes: the end of input.
    [[nodiscard]] std::size_t read(std::span<std::byte> to);
    // The last read came to the end of a line, or of all there is.
    [[nodiscard]] bool read_ended() const { return read_ended_; }
    // A read would not wait.
    [[nodiscard]] bool ready() const;
    [[nodiscard]] std::size_t waiting() const; // FIONREAD
    [[nodiscard]] bool takes_input() const { return input_.room() > 1 || canonical_full(); }
    [[nodiscard]] bool stopped() const { return stopped_; }
    void set_stopped(bool on) { stopped_ = on; }
    // New modes; what was typed stays. Leaving canonical mode makes it all readable.
    void set_modes(const TerminalModes& to);
    void flush_input();
    void flush_output() {
        output_.clear();
        sent_ = 0;
    }
    // What the other side of the line reads.
    [[nodiscard]] std::size_t take_output(std::span<std::byte> to);
    [[nodiscard]] std::size_t output_waiting() const { return output_.size(); }
    [[nodiscard]] std::size_t output_room() const { return stopped_ ? 0 : output_.room(); }

private:
    [[nodiscard]] bool local(std::uint32_t bit) const { return (modes.local & bit) != 0; }
    [[nodiscard]] bool is(std::uint8_t byte, std::size_t which) const {
        return byte == modes.characters[which] && byte != 0;
    }
    // A line that fills the input takes no more, but is still edited.
    [[nodiscard]] bool canonical_full() const { return local(terminal::canonical) && complete_ == 0; }
    int signal_of(std::uint8_t byte) const;
    void edit(std::uint8_t byte);
    void add(std::uint8_t byte, bool ends_line);
    void erase_last();
    void echo(std::uint8_t byte);
    void put(std::uint8_t byte);
    bool put_processed(std::uint8_t byte);
    [[nodiscard]] std::size_t typed() const { return input_.size() - complete_; }

    // Bytes below `complete_` are whole lines; a line's end is marked, for it may be no character (end_of_file).
    ByteRing<input_bytes> input_;
    std::size_t complete_ = 0;
    std::array<std::uint64_t, input_bytes / 64> ends_{}; // by place since `base_`
    std::size_t base_ = 0;                               // place of the first byte
    unsigned empty_lines_ = 0;                           // ends of file with nothing typed before
    ByteRing<output_bytes> output_;
    std::size_t sent_ = 0; // of output_, when typing began
    unsigned column_ = 0, line_start_ = 0;
    bool literal_ = false;
    bool read_ended_ = false;
    bool stopped_ = false;
};

} // namespace uk::fs
