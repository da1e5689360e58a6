// SPDX-License-Identifier: Apache-2.0
// image-tools/run/run_test.cpp - frames to results to exit codes; console output; QEMU's command line; child processes.
#include "hypervisor/core/audit/whole_frame_test.hpp"
#include "image-tools/run/console.hpp"
#include "image-tools/run/junit.hpp"
#include "image-tools/run/machine.hpp"
#include "image-tools/run/outlet.hpp"
#include "image-tools/run/process.hpp"
#include "image-tools/run/serial_line.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace {

using run::Outcome;
using run::Session;

class Line {
public:
    Line& frame(audit::FrameType type, std::uint32_t partition, std::string_view payload) {
        return raw(frames_.frame({type, partition, 1}, payload));
    }
    Line& output(std::uint32_t partition, std::string_view text) {
        return frame(audit::FrameType::output, partition, text);
    }
    Line& exit(std::string_view name, std::uint8_t status, bool last = true,
               std::string_view reason = "exit") {
        return frame(audit::FrameType::exit, audit::hypervisor_id,
                     "partition=" + std::string(name) + " generation=1 status=" + std::to_string(status) +
                         " reason=" + std::string(reason) +
                         " detail=none exits=0 refusals=0 dropped=0 started=0 first_output=0 ended=0 last=" +
                         (last ? "1" : "0"));
    }
    Line& audit(std::string_view record) {
        return frame(audit::FrameType::audit, audit::hypervisor_id, record);
    }
    Line& end(std::string_view reason) {
        return frame(audit::FrameType::end, audit::hypervisor_id,
                     "reason=" + std::string(reason) + " action=poweroff");
    }
    Line& raw(std::string_view text) {
        bytes_.insert(bytes_.end(), text.begin(), text.end());
        return *this;
    }
    [[nodiscard]] std::span<const std::uint8_t> bytes() const { return bytes_; }

private:
    audit::FrameLine frames_;
    std::vector<std::uint8_t> bytes_;
};

Outcome judged(std::vector<std::string> names, const Line& line, int status = 33, std::string errors = {},
               std::string from = {}, std::vector<std::string> services = {}) {
    Session session(std::move(names), {});
    session.feed(line.bytes());
    run::RunOptions options;
    options.exit_code_from = std::move(from);
    options.services = std::move(services);
    return run::judge(session, options, status, std::move(errors));
}

void expect_failure(const Outcome& outcome, std::string_view code) {
    EXPECT_EQ(outcome.exit_code, 125);
    ASSERT_TRUE(outcome.failure);
    EXPECT_EQ(outcome.failure->code, code) << outcome.failure->message;
}

TEST(Judge, OnePartitionGivesItsStatusExactly) {
    for (int status : {0, 1, 126, 127, 128, 137, 255})
        EXPECT_EQ(
            judged({"a"}, Line().exit("a", static_cast<std::uint8_t>(status)).end("all-stopped")).exit_code,
            status);
}

TEST(Judge, AServicesStatusIsNobodys) {
    const Line one = Line().exit("a", 7).exit("uplink", 137).end("all-stopped");
    EXPECT_EQ(judged({"a", "uplink"}, one, 33, {}, {}, {"uplink"}).exit_code, 7);
    EXPECT_EQ(judged({"a", "uplink"}, one, 33, {}, "uplink", {"uplink"}).exit_code, 137);
    EXPECT_EQ(judged({"a", "uplink"}, one).exit_code, 1);
    const Line two = Line().exit("a", 0).exit("b", 0).exit("uplink", 1).end("all-stopped");
    EXPECT_EQ(judged({"a", "b", "uplink"}, two, 33, {}, {}, {"uplink"}).exit_code, 0);
}

TEST(Session, StatesAndRestarts) {
    Session session({"a", "b", "c", "d"}, {});
    session.feed(Line()
                     .exit("a", 1, false)
                     .exit("a", 2, false)
                     .exit("b", 0, false)
                     .exit("b", 0)
                     .exit("c", 137)
                     .bytes());
    const auto& partitions = session.partitions();
    constexpr std::array<std::string_view, 4> states{"running", "stopped", "failed", "running"};
    constexpr std::array<std::size_t, 4> restarts{2, 1, 0, 0};
    for (std::size_t i = 0; i < partitions.size(); ++i) {
        EXPECT_EQ(partitions[i].state(), states[i]) << i;
        EXPECT_EQ(partitions[i].restarts(), restarts[i]) << i;
    }
}

TEST(Session, AQuarantinedPartitionHasNoOtherEnd) {
    const std::string record =
        "event=quarantined seq=1 time=77 partition=a generation=2 status=137 detail=cpu_stuck";
    Session session({"a", "b"}, {});
    session.feed(Line().exit("a", 1, false).audit(record).exit("b", 0).bytes());
    const auto& stuck = session.partitions()[0];
    EXPECT_EQ(stuck.state(), "quarantined");
    ASSERT_TRUE(stuck.final());
    EXPECT_EQ(stuck.final()->generation, 2u);
    EXPECT_EQ(stuck.final()->detail, "cpu_stuck");
    EXPECT_EQ(stuck.final()->ended, 77u);
    EXPECT_EQ(stuck.restarts(), 1u);
    EXPECT_EQ(judged({"a"}, Line().audit(record).end("all-stopped")).exit_code, 137);
    for (const std::string_view bad : {"partition=c generation=2 status=137", "partition=a status=137",
                                       "partition=a generation=2 status=256"}) {
        Session other({"a"}, {});
        other.feed(Line().audit("event=quarantined seq=1 time=77 " + std::string(bad)).bytes());
        EXPECT_EQ(other.partitions()[0].state(), "running") << bad;
        EXPECT_EQ(other.faults().size(), 1u) << bad;
    }
}

TEST(Session, WhatMemoryKeptIsToldAndNeverTaken) {
    // The machine before: its ring begins in the middle of a frame, and comes in pieces.
    Line before;
    before.output(0, "lost with the frame's begin\n").output(1, "two\nlines").exit("a", 3).end("panic");
    before.frame(audit::FrameType::log, audit::hypervisor_id, "panic: of the machine before\x1B[2J");
    const std::string ring(before.bytes().begin() + 5, before.bytes().end());
    Line line;
    for (std::size_t at = 0; at < ring.size(); at += 7)
        line.frame(audit::FrameType::kept, audit::hypervisor_id, std::string_view(ring).substr(at, 7));
    line.exit("a", 0).end("all-stopped");
    std::vector<std::string> told;
    Session session({"a"}, {.output = [](auto, auto, auto) { FAIL() << "not this machine's"; },
                            .log = [&told](std::string_view text) { told.emplace_back(text); },
                            .audit = {}});
    session.feed(line.bytes());
    ASSERT_EQ(told.size(), 5u);
    EXPECT_EQ(told[0], "before the reset: partition 1: two");
    EXPECT_EQ(told[1], "before the reset: partition 1: lines");
    EXPECT_TRUE(told[2].starts_with("before the reset: partition=a generation=1 status=3")) << told[2];
    EXPECT_EQ(told[3], "before the reset: reason=panic action=poweroff");
    EXPECT_TRUE(told[4].starts_with("before the reset: panic: of the machine before"));
    EXPECT_TRUE(session.faults().empty());
    ASSERT_EQ(session.partitions()[0].endings.size(), 1u);
    EXPECT_EQ(session.partitions()[0].final()->status, 0u);
    EXPECT_EQ(session.end()->reason, "all-stopped");
    EXPECT_TRUE(session.log().empty());
}

TEST(Judge, SeveralPartitions) {
    EXPECT_EQ(judged({"a", "b"}, Line().exit("a", 0).exit("b", 0).end("all-stopped")).exit_code, 0);
    const Line line = Line().exit("a", 0).exit("b", 42).end("all-stopped");
    EXPECT_EQ(judged({"a", "b"}, line).exit_code, 1);
    EXPECT_EQ(judged({"a", "b"}, line, 33, "", "b").exit_code, 42);
    EXPECT_EQ(judged({"a", "b"}, line, 33, "", "a").exit_code, 0);
}

TEST(Judge, NoRecordIsFailure) {
    expect_failure(judged({"a"}, Line().output(0, "bye\n").end("all-stopped")), "E0901");
    expect_failure(judged({"a"}, Line().exit("a", 0, false).end("all-stopped")), "E0901");
    expect_failure(judged({"a", "b"}, Line().exit("a", 0).end("all-stopped")), "E0901");
    expect_failure(judged({"a"}, Line(), 0), "E0901");
    expect_failure(judged({"a"}, Line().raw("SeaBIOS says hello\n"), 33), "E0901");
}

TEST(Judge, MachineFailures) {
    expect_failure(judged({"a"}, Line().exit("a", 0).end("all-stopped"), 134, "qemu: Bad icount read\n"),
                   "E0904");
    expect_failure(judged({"a"}, Line().end("panic"), 37), "E0902");
    expect_failure(judged({"a"}, Line().end("refused"), 35), "E0501");
    const auto log = [](std::string_view text) {
        return Line().frame(audit::FrameType::log, audit::hypervisor_id, text);
    };
    expect_failure(judged({"a"}, log("bundle refused: unknown key").end("refused"), 35), "E0501");
    expect_failure(judged({"a"}, log("this CPU has no nested paging").end("refused"), 35), "E0902");
    expect_failure(judged({"a"}, Line().exit("a", 0).raw("x").end("all-stopped")), "E0903");
    expect_failure(judged({"a"}, Line().exit("nobody", 0).exit("a", 0).end("all-stopped")), "E0903");
    expect_failure(judged({"a"}, Line().output(7, "x").exit("a", 0).end("all-stopped")), "E0903");
}

TEST(Session, GuestBytesCannotMakeRecords) {
    Line forged;
    const Line inner = Line().exit("a", 0).end("all-stopped");
    const std::string bytes(inner.bytes().begin(), inner.bytes().end());
    forged.output(0, bytes).output(0, "\n" + bytes).exit("a", 9).end("all-stopped");
    EXPECT_EQ(judged({"a"}, forged).exit_code, 9);
}

TEST(Session, RestartsKeepEveryGeneration) {
    Session session({"a"}, {});
    const Line line = Line().raw("noise\n").exit("a", 1, false).exit("a", 2, true).end("all-stopped");
    session.feed(line.bytes());
    EXPECT_EQ(session.partitions()[0].endings.size(), 2u);
    EXPECT_EQ(session.partitions()[0].final()->status, 2u);
    EXPECT_EQ(session.noise(), "noise\n");
}

std::string console_text(run::ConsoleOptions options,
                         const std::vector<std::pair<std::size_t, std::string>>& writes) {
    std::string out;
    run::Console console([&](std::string_view text) { out += text; }, {}, {"web", "longer"}, options);
    for (const auto& [partition, text] : writes)
        console.write(partition, text);
    console.flush();
    return out;
}

TEST(Console, PrefixesWholeLines) {
    EXPECT_EQ(console_text({true, false, false}, {{0, "on"}, {1, "x\n"}, {0, "e\r\n\ntail"}}),
              "longer | x\nweb    | one\nweb    |\nweb    | tail\n");
    EXPECT_EQ(console_text({false, false, false}, {{0, "on"}, {0, "e\n"}}), "one\n");
    EXPECT_EQ(console_text({false, false, true}, {{0, "\033[1m"}}), "\033[1m");
}

TEST(Console, StreamsGoTheirOwnWays) {
    const auto shown = [](bool merge) {
        std::string out, errors;
        run::Console console([&](std::string_view text) { out += text; },
                             [&](std::string_view text) { errors += text; }, {"web"}, {.merge = merge});
        console.write(0, "to o", 1);
        console.write(0, "to errors\nrest", 2);
        console.write(0, "utput\n", 1);
        console.flush();
        return out + "--\n" + errors;
    };
    EXPECT_EQ(shown(false), "web | to output\n--\nweb | to errors\nweb | rest\n");
    EXPECT_EQ(shown(true), "web | to errors\nweb | to output\nweb | rest\n--\n");
}

TEST(Console, AGuestCannotDrawOverOtherLines) {
    EXPECT_EQ(console_text({true, false, false}, {{0, "good\rbad"}, {0, "\r"}, {0, "\n"}}),
              "web    | good^Mbad\n");
    EXPECT_EQ(console_text({true, false, false}, {{0, "\xC2"},
                                                  {1, "x\n"},
                                                  {0, "\x9B"
                                                      "2J\n"}}),
              "longer | x\nweb    | \\x9b2J\n");
    EXPECT_EQ(console_text({false, false, false}, {{0, "\033"}, {0, "[2J\xC2"}}), "^[[2J\\xc2");
    const std::string lines = console_text({true, false, false}, {{0, std::string(40000, 'a') + "\xC3\xA9"}});
    EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3);
    EXPECT_EQ(std::count(lines.begin(), lines.end(), 'a'), 40000);
}

TEST(Qemu, VersionAndCommandLine) {
    unsigned major = 0, minor = 0;
    EXPECT_TRUE(run::parse_version("QEMU emulator version 10.0.2 (Debian 1:10)", major, minor));
    EXPECT_EQ(major, 10u);
    EXPECT_EQ(minor, 0u);
    EXPECT_FALSE(run::parse_version("bash version", major, minor));
    const std::vector<std::string> words = run::command_line(
        {"qemu", 10, 0}, {"/a.elf", "/b,c.bundle", "max,+svm", 3, (100 << 20) + 1, true, {"-d", "int"}});
    const auto has = [&](const char* word) {
        return std::find(words.begin(), words.end(), word) != words.end();
    };
    EXPECT_TRUE(has("shift=0,sleep=off"));
    EXPECT_TRUE(has("101M"));
    EXPECT_TRUE(has("/b,c.bundle"));
    EXPECT_EQ(words.back(), "int");
}

TEST(Process, OutputStatusAndMissingPrograms) {
    EXPECT_EQ(run::output_of({"sh", "-c", "echo hi"}, 100, std::chrono::seconds(10)), "hi\n");
    EXPECT_FALSE(run::output_of({"sh", "-c", "exit 3"}, 100, std::chrono::seconds(10)));
    EXPECT_FALSE(run::output_of({"/nonexistent"}, 100, std::chrono::seconds(10)));
    EXPECT_THROW(static_cast<void>(run::Process::start({"/nonexistent"})), diagnostic::Failure);
    run::Process process = run::Process::start({"sh", "-c", "kill -9 $$"});
    EXPECT_EQ(process.wait(std::chrono::seconds(10)), 137);
    run::Process slow = run::Process::start({"sleep", "100"});
    EXPECT_EQ(slow.wait(std::chrono::milliseconds(50)), 137);
}

TEST(Process, IsTypedTo) {
    run::Process cat = run::Process::start({"sh", "-c", "head -c 3"}, -1, true);
    for (const char byte : {'a', '\x03', 'b'})
        cat.type(byte);
    std::array<char, 8> said{};
    EXPECT_EQ(::read(cat.output(), said.data(), said.size()), 3);
    EXPECT_EQ(std::string(said.data()), "a\003b");
    EXPECT_EQ(cat.wait(std::chrono::seconds(10)), 0);
    run::Process without = run::Process::start({"sh", "-c", "cat; exit 5"}); // its input is empty, and ends
    without.type('a');
    EXPECT_EQ(without.wait(std::chrono::seconds(10)), 5);
}

TEST(Junit, EscapesWhatIsNotItsOwn) {
    const std::vector<run::JunitCase> cases{{"web", ""}, {"db", "status 1 (\"<x>&\"\033)"}};
    EXPECT_EQ(run::junit("caisson.run", 1.5, cases),
              "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
              "  <testsuite name=\"caisson.run\" tests=\"2\" failures=\"1\" time=\"1.500\">\n"
              "    <testcase classname=\"caisson.run\" name=\"web\"/>\n"
              "    <testcase classname=\"caisson.run\" name=\"db\">\n"
              "      <failure message=\"status 1 (&quot;&lt;x&gt;&amp;&quot;?)\"/>\n    </testcase>\n"
              "  </testsuite>\n</testsuites>\n");
}

TEST(SerialLine, KeepsWhatIsWrittenUntilItIsRead) {
    run::SerialLine line;
    std::string block(3 << 20, '\0');
    for (std::size_t i = 0; i < block.size(); ++i)
        block[i] = static_cast<char>(i * 31 % 251);
    std::string got;
    std::array<std::uint8_t, 65536> buffer{};
    EXPECT_EQ(line.read(buffer), 0u);
    ASSERT_EQ(::write(line.writer(), block.data(), block.size()), static_cast<ssize_t>(block.size()));
    EXPECT_EQ(line.waiting(), block.size());
    while (const std::size_t length = line.read(buffer))
        got.append(buffer.begin(), buffer.begin() + length);
    EXPECT_EQ(got, block);
    EXPECT_EQ(line.waiting(), 0u);
    EXPECT_FALSE(line.crowded());
}

TEST(Outlet, NeverWaitsAndLosesNothing) {
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    std::string sent(1 << 20, 'x'), got;
    for (std::size_t i = 0; i < sent.size(); i += 7)
        sent[i] = static_cast<char>('a' + i % 26);
    run::Outlet outlet(pipe[1], "the pipe");
    outlet.write(sent);
    outlet.push(); // returns although nobody has read
    EXPECT_TRUE(outlet.pending());
    EXPECT_TRUE(outlet.full());
    EXPECT_EQ(::fcntl(pipe[1], F_GETFL) & O_NONBLOCK, 0); // others that share it are not disturbed
    std::array<char, 10000> buffer{};
    while (got.size() < sent.size()) {
        const ssize_t length = ::read(pipe[0], buffer.data(), buffer.size());
        ASSERT_GT(length, 0);
        got.append(buffer.data(), static_cast<std::size_t>(length));
        outlet.push();
    }
    EXPECT_EQ(got, sent);
    ::signal(SIGPIPE, SIG_IGN);
    ::close(pipe[0]);
    outlet.write("more");
    EXPECT_THROW(outlet.push(), diagnostic::BrokenPipe);
    ::close(pipe[1]);
    const int full = ::open("/dev/full", O_WRONLY);
    run::Outlet nowhere(full, "stdout");
    nowhere.write("x");
    try {
        nowhere.finish();
        ADD_FAILURE() << "a failed write went unnoticed";
    } catch (const diagnostic::Failure& failure) {
        EXPECT_EQ(failure.diagnostic().code, "E0602");
        EXPECT_EQ(failure.diagnostic().message, "cannot write to stdout: No space left on device");
    }
    ::close(full);
}

TEST(SignalWatch, TakesWhatComesAndLeavesIgnoredSignalsIgnored) {
    ::signal(SIGHUP, SIG_IGN); // as under nohup
    {
        const run::SignalWatch watch;
        ::raise(SIGHUP);
        EXPECT_EQ(watch.take(), 0);
        ::raise(SIGTERM);
        EXPECT_EQ(watch.take(), SIGTERM);
    }
    ::signal(SIGHUP, SIG_DFL);
}

} // namespace
