// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/terminal_test.cpp - line discipline and pseudo-terminals.
#include "partitions/unikernel/fs/files/pty.hpp"
#include "partitions/unikernel/fs/test_tree.hpp"

#include <gtest/gtest.h>

#include <random>

namespace uk::fs::test {
namespace {

constexpr int io = 5, nxio = 6, again = 11, perm = 1, notty = 25;

struct Line : LineDiscipline {
    // The last signal.
    int type_all(std::string_view text) {
        int last = 0;
        for (const char c : text)
            if (const int number = type(static_cast<std::uint8_t>(c)); number != 0)
                last = number;
        return last;
    }
    std::string echoed() {
        std::string text(output_bytes, '\0');
        text.resize(take_output(std::as_writable_bytes(std::span{text})));
        return text;
    }
    std::string get(std::size_t bytes = 4096) {
        std::string text(bytes, '\0');
        text.resize(read(std::as_writable_bytes(std::span{text})));
        return text;
    }
    std::size_t say(std::string_view text) { return write(std::as_bytes(std::span{text})); }
    void local(std::uint32_t off, std::uint32_t on = 0) {
        TerminalModes changed = modes;
        changed.local = (changed.local & ~off) | on;
        set_modes(changed);
    }
};

TEST(LineDiscipline, GivesLinesAndEchoesThem) {
    Line line;
    EXPECT_EQ(line.type_all("ab"), 0);
    EXPECT_FALSE(line.ready());
    EXPECT_EQ(line.type_all("c\rnext\r"), 0);
    EXPECT_EQ(line.echoed(), "abc\r\nnext\r\n");
    EXPECT_TRUE(line.ready());
    EXPECT_EQ(line.waiting(), 9u);
    EXPECT_EQ(line.get(2), "ab");
    EXPECT_FALSE(line.read_ended());
    EXPECT_EQ(line.get(), "c\n");
    EXPECT_TRUE(line.read_ended());
    EXPECT_EQ(line.get(), "next\n");
    EXPECT_FALSE(line.ready());
}

TEST(LineDiscipline, EditsTheLine) {
    Line line;
    EXPECT_EQ(line.type_all("ab\x7f"
                            "c"),
              0);
    EXPECT_EQ(line.echoed(), "ab\b \bc");
    EXPECT_EQ(line.type_all(" two words\x17"), 0);
    EXPECT_EQ(line.echoed(), " two words\b \b\b \b\b \b\b \b\b \b");
    EXPECT_EQ(line.type_all("\n"), 0);
    EXPECT_EQ(line.get(), "ac two \n");
    EXPECT_EQ(line.type_all("all gone\x15"
                            "x\n"),
              0);
    EXPECT_EQ(line.get(), "x\n");
    (void)line.echoed();
    EXPECT_EQ(line.type_all("\x7f\x17\x15"), 0); // nothing to take away
    EXPECT_EQ(line.echoed(), "");
    EXPECT_EQ(line.type_all("\x16\x03"
                            "a\tb\x7f\x7f"),
              0);
    EXPECT_EQ(line.echoed(), "^\b^Ca\tb\b \b\b\b\b\b\b");
    EXPECT_EQ(line.type_all("\n"), 0);
    EXPECT_EQ(line.get(), std::string("\x03"
                                      "a\n"));
    TerminalModes wide = line.modes;
    wide.input |= terminal::utf8;
    line.set_modes(wide);
    (void)line.echoed();
    EXPECT_EQ(line.type_all("\xc3\xa4\x7f"), 0);
    EXPECT_EQ(line.echoed(), "\xc3\xa4\b \b");
    EXPECT_EQ(line.type_all("\n"), 0);
    EXPECT_EQ(line.get(), "\n");
}

TEST(LineDiscipline, TheEndOfInputIsAnEmptyRead) {
    Line line;
    EXPECT_EQ(line.type_all("\x04"), 0);
    EXPECT_TRUE(line.ready());
    EXPECT_EQ(line.get(), "");
    EXPECT_FALSE(line.ready());
    EXPECT_EQ(line.type_all("text\x04more\n"), 0);
    EXPECT_EQ(line.get(), "text");
    EXPECT_EQ(line.get(), "more\n");
    EXPECT_FALSE(line.ready());
}

TEST(LineDiscipline, CharactersMeanSignals) {
    Line line;
    EXPECT_EQ(line.type_all("typed\x03"), 2);
    EXPECT_EQ(line.echoed(), "^C"); // what was typed with it is gone
    EXPECT_EQ(line.type_all("seen"), 0);
    line.begin_typing();
    EXPECT_EQ(line.type_all("not\x03"), 2);
    EXPECT_EQ(line.echoed(), "seen^C");
    EXPECT_EQ(line.type_all("\x1c"), 3);
    EXPECT_EQ(line.type_all("\x1a"), 20);
    EXPECT_EQ(line.type_all("a\n"), 0);
    EXPECT_EQ(line.get(), "a\n");
    line.local(terminal::signals);
    EXPECT_EQ(line.type_all("\x03\n"), 0);
    EXPECT_EQ(line.get(), "\x03\n");
    line.local(0, terminal::signals | terminal::no_flush);
    EXPECT_EQ(line.type_all("kept\x03\n"), 2);
    EXPECT_EQ(line.get(), "kept\n");
}

TEST(LineDiscipline, RawModeGivesEveryByte) {
    Line line;
    EXPECT_EQ(line.type_all("half a line"), 0);
    line.local(terminal::canonical | terminal::echo | terminal::signals);
    (void)line.echoed();
    EXPECT_TRUE(line.ready());
    EXPECT_EQ(line.get(), "half a line");
    EXPECT_EQ(line.type_all("\x03\x7f\x04"), 0);
    EXPECT_EQ(line.echoed(), "");
    EXPECT_EQ(line.get(2), "\x03\x7f");
    EXPECT_EQ(line.get(), "\x04");
    TerminalModes modes = line.modes;
    modes.characters[terminal::least] = 3;
    line.set_modes(modes);
    EXPECT_EQ(line.type_all("ab"), 0);
    EXPECT_FALSE(line.ready());
    EXPECT_EQ(line.type_all("c"), 0);
    EXPECT_TRUE(line.ready());
    modes.characters[terminal::least] = 0;
    line.set_modes(modes);
    EXPECT_EQ(line.get(), "abc");
    EXPECT_TRUE(line.ready());
    EXPECT_EQ(line.get(), "");
}

TEST(LineDiscipline, OutputHasItsLineEnds) {
    Line line;
    EXPECT_EQ(line.say("a\nb\tc\r"), 6u);
    EXPECT_EQ(line.echoed(), "a\r\nb\tc\r");
    TerminalModes modes = line.modes;
    modes.output = terminal::process | terminal::expand_tabs | terminal::output_to_upper;
    line.set_modes(modes);
    EXPECT_EQ(line.say("ab\tc\n"), 5u);
    EXPECT_EQ(line.echoed(), "AB      C\n");
    modes.output = 0;
    line.set_modes(modes);
    EXPECT_EQ(line.say("a\n"), 2u);
    EXPECT_EQ(line.echoed(), "a\n");
    EXPECT_EQ(line.type_all("\x13"), 0);
    EXPECT_EQ(line.say("held"), 0u);
    EXPECT_EQ(line.type_all("\x11"), 0);
    EXPECT_EQ(line.say("goes on"), 7u);
    EXPECT_EQ(line.echoed(), "goes on");
}

TEST(LineDiscipline, AFullLineIsStillEnded) {
    Line line;
    line.local(terminal::echo);
    for (int i = 0; i < 5000; ++i)
        EXPECT_EQ(line.type('x'), 0);
    EXPECT_TRUE(line.takes_input());
    EXPECT_EQ(line.type('\n'), 0);
    EXPECT_EQ(line.get(), std::string(4095, 'x') + "\n");
    EXPECT_EQ(line.say(std::string(10'000, 'y')), LineDiscipline::output_bytes);
    EXPECT_EQ(line.say("y"), 0u);
}

// Whatever is typed and set, what is read was typed, and nothing is lost that is not edited.
TEST(LineDiscipline, SurvivesAnything) {
    std::mt19937 random{5};
    Line line;
    std::size_t read = 0;
    for (int i = 0; i < 200'000; ++i) {
        switch (random() % 40) {
        case 0: {
            TerminalModes modes = line.modes;
            modes.local = random() & 0x8FFF;
            modes.input = random() & 0x7FFF;
            modes.output = random() & 0x183F;
            line.set_modes(modes);
            break;
        }
        case 1:
            read += line.get(random() % 50).size();
            break;
        case 2:
            (void)line.echoed();
            break;
        case 3:
            (void)line.say("some\toutput\r\n");
            break;
        default:
            (void)line.type(static_cast<std::uint8_t>(random() % 3 == 0 ? random() % 32 : random()));
            break;
        }
        ASSERT_LE(line.waiting(), LineDiscipline::input_bytes);
        ASSERT_LE(line.output_waiting(), LineDiscipline::output_bytes);
    }
    EXPECT_GT(read, 0u);
}

struct PtyTest : testing::Test {
    PtyTest() : t({{}, 1 << 20, false}) {
        t.tree.finish();
        t.run_as(0, 0);
        host::state().session = 0;
        host::state().signalled.clear();
        master = t.open("/dev/ptmx", open_flag::read_write | open_flag::non_block);
    }
    ~PtyTest() override { host::state().session = 0; }
    Pty& pty() { return *terminal_of(t.file(master)); }
    int open_other(std::uint32_t flags = 0) {
        return t.open("/dev/pts/" + std::to_string(pty().number),
                      open_flag::read_write | open_flag::non_block | flags);
    }
    TestTree t;
    int master = -1;
};

TEST_F(PtyTest, JoinsTwoEnds) {
    ASSERT_GE(master, 0);
    EXPECT_EQ(open_other(), -io); // locked
    pty().locked = false;
    EXPECT_EQ(t.names("/dev/pts"), (std::vector<std::string>{"ptmx", "0"}));
    EXPECT_EQ(t.read(master), "error 11");
    const int slave = open_other();
    ASSERT_GE(slave, 0);
    EXPECT_EQ(t.write(slave, "out\n"), 4);
    EXPECT_EQ(t.read(master), "out\r\n");
    EXPECT_EQ(t.write(master, "in"), 2);
    EXPECT_EQ(t.read(slave), "error 11");
    EXPECT_EQ(readiness(t.file(slave)) & ready::in, 0u);
    EXPECT_EQ(t.write(master, "put\nmore\n"), 9);
    EXPECT_EQ(readiness(t.file(slave)) & ready::in, ready::in);
    EXPECT_EQ(control_file(t.file(slave), control::bytes_waiting, 0).value(), 11u);
    EXPECT_EQ(t.read(slave, 3), "inp");
    EXPECT_EQ(t.read(slave), "ut\n");
    EXPECT_EQ(t.read(slave), "more\n");
    EXPECT_EQ(t.read(master), "input\r\nmore\r\n");
    EXPECT_EQ(code(seek_file(t.file(slave), 0, 0)), 29);
    const std::string longest = std::string(3000, 'l') + "\n";
    EXPECT_EQ(t.write(master, longest), 3001);
    EXPECT_EQ(t.read(slave), longest);
    pty().packets = true;
    EXPECT_EQ(t.read(master, 5), std::string("\0llll", 5));
}

TEST_F(PtyTest, EndsWithEitherSide) {
    pty().locked = false;
    const int slave = open_other();
    EXPECT_EQ(t.write(slave, "last"), 4);
    EXPECT_EQ(code(t.files.close(slave)), 0);
    EXPECT_EQ(readiness(t.file(master)) & ready::hang_up, ready::hang_up);
    EXPECT_EQ(t.read(master), "last");
    EXPECT_EQ(t.read(master), "error 5");
    const int again_open = open_other();
    EXPECT_EQ(t.read(master), "error 11");
    EXPECT_EQ(code(t.files.close(master)), 0);
    EXPECT_EQ(t.names("/dev/pts"), std::vector<std::string>{"ptmx"});
    EXPECT_EQ(t.read(again_open), "");
    EXPECT_EQ(t.write(again_open, "x"), -io);
    EXPECT_EQ(readiness(t.file(again_open)) & ready::hang_up, ready::hang_up);
    EXPECT_EQ(t.open("/dev/pts/0", open_flag::read_write), -2);
}

TEST_F(PtyTest, IsTheTerminalOfASession) {
    pty().locked = false;
    EXPECT_EQ(t.open("/dev/tty", open_flag::read_write), -nxio);
    const int plain = open_other();
    EXPECT_EQ(pty().session, 0); // no session to give it to
    EXPECT_EQ(code(set_foreground(pty(), 1)), notty);
    host::state().session = 1;
    EXPECT_GE(open_other(open_flag::no_controlling_tty), 0);
    EXPECT_EQ(pty().session, 0);
    EXPECT_GE(open_other(), 0);
    EXPECT_EQ(pty().session, 1);
    EXPECT_EQ(pty().foreground, 1);
    const int own = t.open("/dev/tty", open_flag::read_write | open_flag::non_block);
    EXPECT_EQ(t.write(own, "x"), 1);
    EXPECT_EQ(t.read(master), "x");
    EXPECT_EQ(t.write(master, "\x03"), 1);
    EXPECT_EQ(host::state().signalled, "1:2 ");
    set_window_size(pty(), {24, 80, 0, 0});
    set_window_size(pty(), {24, 80, 0, 0});
    EXPECT_EQ(host::state().signalled, "1:2 1:28 ");
    EXPECT_EQ(code(set_foreground(pty(), 99)), perm);
    EXPECT_EQ(code(set_foreground(pty(), 2)), 0);
    host::state().signalled.clear();
    EXPECT_EQ(t.read(plain), "error 512"); // in the background
    EXPECT_EQ(host::state().signalled, "1:21 ");
    host::state().signalled.clear();
    EXPECT_EQ(code(t.files.close(master)), 0);
    EXPECT_EQ(host::state().signalled, "p1:1 p1:18 2:1 ");
    EXPECT_EQ(t.open("/dev/tty", open_flag::read_write), -nxio);
}

} // namespace
} // namespace uk::fs::test
