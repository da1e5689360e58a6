// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/file_test.cpp - descriptors, positions, pipes, event counters, locks and epoll.
#include "partitions/unikernel/fs/executable.hpp"
#include "partitions/unikernel/fs/files/epoll.hpp"
#include "partitions/unikernel/fs/files/eventfd.hpp"
#include "partitions/unikernel/fs/files/inotify.hpp"
#include "partitions/unikernel/fs/files/locks.hpp"
#include "partitions/unikernel/fs/files/memfd.hpp"
#include "partitions/unikernel/fs/files/pipe.hpp"
#include "partitions/unikernel/fs/test_tree.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <set>

namespace uk::fs::test {
namespace {

constexpr int perm = 1, noent = 2, badf = 9, again = 11, exist = 17, inval = 22, mfile = 24, txtbsy = 26,
              spipe = 29, pipe_error = 32;
constexpr std::uint32_t read_write_create = open_flag::read_write | open_flag::create;

struct FileTest : testing::Test {
    FileTest() : t({{}, 1 << 20, false}) {
        t.tree.finish();
        t.run_as(0, 0);
    }
    // Both ends of a pipe.
    std::pair<int, int> make_pipe(std::uint32_t pipe_flags = open_flag::non_block) {
        PipeEnds ends = fs::make_pipe(t.tree.make_anonymous(mode::fifo | 0600).value(), pipe_flags).value();
        const int first = t.files.add(std::move(ends.reader), false).value();
        return {first, t.files.add(std::move(ends.writer), false).value()};
    }
    int make_event(std::uint64_t value) {
        Ref<File> file = make_eventfd(t.tree.make_anonymous(0600).value(), value, false, 0).value();
        return t.files.add(std::move(file), false).value();
    }
    TestTree t;
};

TEST_F(FileTest, TheTableGivesTheLowestNumber) {
    const int first = t.open("/f", read_write_create);
    EXPECT_EQ(first, 0);
    EXPECT_EQ(t.files.add(t.files.get(first).value(), true).value(), 1);
    EXPECT_EQ(t.files.add(t.files.get(first).value(), false, 40).value(), 40);
    EXPECT_EQ(code(t.files.close(0)), 0);
    EXPECT_EQ(t.open("/f", open_flag::read_only), 0);
    EXPECT_EQ(code(t.files.close(39)), badf);
    EXPECT_EQ(code(t.files.get(-1)), badf);
    EXPECT_EQ(code(t.files.put(5000, t.files.get(0).value(), false)), badf);
    EXPECT_TRUE(t.files.close_on_exec(1).value());
    t.files.close_marked();
    EXPECT_EQ(code(t.files.get(1)), badf);
    t.files.limit = 2;
    EXPECT_EQ(t.files.add(t.files.get(0).value(), false).value(), 1);
    EXPECT_EQ(code(t.files.add(t.files.get(0).value(), false)), mfile);
    EXPECT_EQ(code(t.files.add(t.files.get(0).value(), false, 2)), inval);
    t.files.limit = 1024;
    FileTable copy;
    EXPECT_EQ(code(copy.copy_from(t.files)), 0);
    EXPECT_EQ(copy.get(40).value().get(), t.files.get(40).value().get());
    EXPECT_EQ(t.files.next(2), 40);
    t.files.close_range(1, ~0u);
    EXPECT_EQ(t.files.next(1), -1);
}

TEST_F(FileTest, TheTableIsASetOfNumbers) {
    const Ref<File> file = t.files.get(t.open("/f", read_write_create)).value();
    t.files.limit = 10'000;
    std::set<int> used{0};
    std::mt19937 random{3};
    for (int i = 0; i < 20'000; ++i) {
        const int number = static_cast<int>(random() % 9000);
        const unsigned what = random() % 8;
        if (what < 4) {
            const int from = what == 0 ? number : 0;
            int expected = from;
            while (used.contains(expected))
                ++expected;
            ASSERT_EQ(t.files.add(file, false, from).value(), expected);
            used.insert(expected);
        } else if (what == 4) {
            ASSERT_EQ(code(t.files.put(number, file, false)), 0);
            used.insert(number);
        } else if (const auto at = used.lower_bound(number % 3000); at != used.end()) {
            ASSERT_EQ(code(t.files.close(*at)), 0);
            used.erase(at);
        }
        ASSERT_EQ(code(t.files.get(number)), used.contains(number) ? 0 : badf);
    }
}

struct Memfd : FileTest {
    int make(std::uint8_t seals) {
        Ref<File> file =
            make_memfd(t.tree.make_anonymous(mode::regular | 0777).value(), "store", seals).value();
        return t.files.add(std::move(file), false).value();
    }
    int seal(int descriptor, std::uint8_t seals) {
        return code(control_file(t.file(descriptor), control::add_seals, seals));
    }
    int resize(int descriptor, std::uint64_t size) {
        return code(resize_node(*t.file(descriptor).node, size));
    }
};

TEST_F(Memfd, SealsForbidWhatTheySay) {
    const int file = make(0);
    EXPECT_EQ(t.write(file, "0123456789"), 10);
    EXPECT_EQ(seal(file, seal::shrink), 0);
    EXPECT_EQ(resize(file, 5), perm);
    EXPECT_EQ(resize(file, 20), 0);
    EXPECT_EQ(seal(file, seal::grow), 0);
    EXPECT_EQ(resize(file, 21), perm);
    EXPECT_EQ(t.write(file, "0123456789x"), -perm);
    EXPECT_EQ(t.write(file, "0123456789"), 10);
    EXPECT_EQ(seal(file, 0x40), inval);
    EXPECT_TRUE(check_mapping(t.file(file), true, true).ok());
    EXPECT_EQ(seal(file, seal::write), 0);
    EXPECT_EQ(t.write(file, ""), 0);
    EXPECT_EQ(seek_file(t.file(file), 0, 0).value(), 0u);
    EXPECT_EQ(t.write(file, "x"), -perm);
    EXPECT_EQ(code(clear_node(*t.file(file).node, 0, 4)), perm);
    EXPECT_EQ(code(check_mapping(t.file(file), true, true)), perm);
    EXPECT_EQ(map_use(t.file(file), true), MapUse::shared_read);
    EXPECT_EQ(seal(file, seal::seal), 0);
    EXPECT_EQ(seal(file, seal::grow), perm);
    EXPECT_EQ(control_file(t.file(file), control::get_seals, 0).value(),
              seal::seal | seal::shrink | seal::grow | seal::write);
    TextSink shown;
    describe(*t.file(file).node, t.tree.root(), shown);
    EXPECT_EQ(shown.view(), "/memfd:store (deleted)");
    EXPECT_EQ(seal(t.open("/f", read_write_create), seal::grow), inval);
}

TEST_F(FileTest, AFileIsRunOrWrittenTo) {
    const int writer = t.open("/program", read_write_create, 0755);
    EXPECT_EQ(code(Executable::of(t.node("/program"))), txtbsy);
    EXPECT_EQ(code(t.files.close(writer)), 0);
    {
        const Executable running = Executable::of(t.node("/program")).value();
        const Executable child = running;
        EXPECT_EQ(t.open("/program", open_flag::write_only), -txtbsy);
        EXPECT_EQ(code(truncate(t.context, *t.node("/program"), 0)), txtbsy);
        EXPECT_EQ(code(unlink(t.context, t.here(), "/program")), 0);
        EXPECT_EQ(t.put("/program", "another"), 7);
    }
    EXPECT_EQ(code(Executable::of(t.node("/program"))), 0);
    EXPECT_EQ(t.put("/program", "again"), 5);
}

TEST_F(FileTest, AFileWithoutANameMayGetOne) {
    constexpr std::uint32_t temporary = open_flag::temporary | open_flag::directory;
    EXPECT_EQ(t.open("/", temporary), -inval);
    EXPECT_EQ(t.open("/", open_flag::temporary | open_flag::read_write), -inval);
    EXPECT_EQ(t.open("/nowhere", temporary | open_flag::read_write), -noent);
    const int file = t.open("/", temporary | open_flag::read_write, 0640);
    EXPECT_EQ(t.write(file, "text"), 4);
    EXPECT_EQ(t.file(file).node->links, 0u);
    EXPECT_EQ(code(make_link(t.context, *t.file(file).node, "", t.here(), "/named", at::empty_path)), 0);
    EXPECT_EQ(t.content("/named"), "text");
    EXPECT_EQ(t.node("/named")->mode, mode::regular | 0640);
    EXPECT_EQ(code(unlink(t.context, t.here(), "/named")), 0);
    EXPECT_EQ(code(make_link(t.context, *t.file(file).node, "", t.here(), "/again", at::empty_path)), noent);
    const int unnamed = t.open("/", temporary | open_flag::write_only | open_flag::exclusive);
    EXPECT_EQ(code(make_link(t.context, *t.file(unnamed).node, "", t.here(), "/x", at::empty_path)), noent);
}

struct InotifyTest : FileTest {
    InotifyTest() {
        Ref<File> file = make_inotify(t.tree.make_anonymous(0600).value(), open_flag::non_block).value();
        inotify = t.files.add(std::move(file), false).value();
    }
    int watch(std::string_view path, std::uint32_t mask) {
        return add_watch(t.file(inotify), *t.node(path), mask).value();
    }
    // "wd:mask:name " for all that waits.
    std::string told() {
        const std::string bytes = t.read(inotify);
        if (bytes.starts_with("error"))
            return bytes;
        std::string out;
        for (std::size_t at = 0; at < bytes.size();) {
            std::array<std::uint32_t, 4> record{};
            std::memcpy(record.data(), bytes.data() + at, sizeof(record));
            char text[64];
            std::snprintf(text, sizeof(text), "%d:%x:", static_cast<int>(record[0]), record[1]);
            out += text;
            out += record[3] > 0 ? bytes.data() + at + 16 : "";
            out += ' ';
            at += 16 + record[3];
        }
        return out;
    }
    int inotify = -1;
};

TEST_F(InotifyTest, TellsWhatHappensInADirectory) {
    EXPECT_EQ(told(), "error 11");
    EXPECT_EQ(watch("/", notice::all), 1);
    EXPECT_EQ(t.put("/f", "text"), 4);
    EXPECT_EQ(told(), "1:100:f 1:20:f 1:2:f 1:8:f ");
    EXPECT_EQ(t.content("/f"), "text");
    EXPECT_EQ(told(), "1:20:f 1:1:f 1:10:f ");
    EXPECT_EQ(code(rename(t.context, t.here(), "/f", t.here(), "/g", 0)), 0);
    EXPECT_EQ(code(change_mode(t.context, *t.node("/g"), 0600)), 0);
    EXPECT_EQ(code(make_directory(t.context, t.here(), "/d", 0755)), 0);
    EXPECT_EQ(told(), "1:40:f 1:80:g 1:4:g 1:40000100:d ");
    EXPECT_EQ(code(unlink(t.context, t.here(), "/g")), 0);
    EXPECT_EQ(told(), "1:200:g ");
    EXPECT_EQ(code(remove_watch(t.file(inotify), 2)), inval);
    EXPECT_EQ(code(remove_watch(t.file(inotify), 1)), 0);
    EXPECT_EQ(told(), "1:8000: ");
}

TEST_F(InotifyTest, AWatchedFileSaysWhenItGoes) {
    EXPECT_EQ(t.put("/f", "text"), 4);
    EXPECT_EQ(watch("/f", notice::all), 1);
    EXPECT_EQ(watch("/f", notice::remove_self | notice::attributes), 1);
    const int open = t.open("/f", open_flag::read_only);
    EXPECT_EQ(code(unlink(t.context, t.here(), "/f")), 0);
    EXPECT_EQ(told(), "1:4: ");
    EXPECT_EQ(code(t.files.close(open)), 0);
    EXPECT_EQ(told(), "1:400: 1:8000: ");
    EXPECT_EQ(t.put("/f", "another"), 7);
    EXPECT_EQ(told(), "error 11");
}

TEST_F(InotifyTest, WhatIsTooMuchIsLostAndSaid) {
    EXPECT_EQ(watch("/", notice::create | notice::remove), 1);
    EXPECT_EQ(code(make_directory(t.context, t.here(), "/d", 0755)), 0);
    EXPECT_EQ(readiness(t.file(inotify)), ready::in | ready::in_normal);
    EXPECT_EQ(control_file(t.file(inotify), control::bytes_waiting, 0).value(), 32u);
    EXPECT_EQ(t.read(inotify, 31), "error 22");
    for (int i = 0; i < 9000; ++i) {
        EXPECT_EQ(t.put("/x", ""), 0);
        EXPECT_EQ(code(unlink(t.context, t.here(), "/x")), 0);
    }
    EXPECT_EQ(control_file(t.file(inotify), control::bytes_waiting, 0).value(), 16'384u * 32 + 16);
    const std::string all = t.read(inotify);
    EXPECT_EQ(all.substr(all.size() - 16, 8), std::string("\xff\xff\xff\xff\0\x40\0\0", 8));
}

TEST_F(InotifyTest, OnceMeansOnce) {
    EXPECT_EQ(watch("/", notice::create | notice::one_shot), 1);
    EXPECT_EQ(t.put("/a", ""), 0);
    EXPECT_EQ(t.put("/b", ""), 0);
    EXPECT_EQ(told(), "1:100:a 1:8000: ");
    EXPECT_EQ(told::watches, 0u);
}

TEST_F(FileTest, ProcFilesTakeWhatIsWrittenToThem) {
    EXPECT_EQ(t.write(t.open("/proc/self/comm", open_flag::write_only), "name"), 4);
    EXPECT_EQ(host::state().written, "name");
    EXPECT_EQ(t.write(t.open("/proc/self/oom_score_adj", open_flag::write_only), "5"), -inval);
    EXPECT_EQ(t.open("/proc/self/maps", open_flag::write_only), -30);
    const int memory = t.open("/proc/self/mem", open_flag::read_write);
    EXPECT_EQ(seek_file(t.file(memory), 300, 0).value(), 300u);
    EXPECT_EQ(t.read(memory, 2), std::string("\x2c\x2d"));
    EXPECT_EQ(seek_file(t.file(memory), host::memory_end - 1, 0).value(), host::memory_end - 1);
    EXPECT_EQ(t.read(memory, 2).size(), 1u);
    EXPECT_EQ(t.read(memory, 2), "error 5");
    EXPECT_EQ(t.write(memory, "x"), -5);
    const int file = t.open("/f", read_write_create);
    EXPECT_EQ(t.write(file, "12345"), 5);
    EXPECT_EQ(t.content("/proc/self/fdinfo/" + std::to_string(file)).substr(0, 25),
              "pos:\t5\nflags:\t0100002\nmnt");
    EXPECT_TRUE(t.content("/proc/self/fdinfo/" + std::to_string(make_event(255)))
                    .ends_with("\neventfd-count:               ff\n"));
    EXPECT_EQ(t.content("/proc/self/fdinfo/99"), "error 2");
}

TEST_F(FileTest, WaitsForLocksThatFormACircleAreSeen) {
    FileTable a, b, c;
    EXPECT_FALSE(RangeLockWait::closes_circle(a, b));
    {
        const RangeLockWait first{a, b};
        EXPECT_TRUE(RangeLockWait::closes_circle(b, a));
        EXPECT_FALSE(RangeLockWait::closes_circle(c, a));
        const RangeLockWait second{b, c};
        EXPECT_TRUE(RangeLockWait::closes_circle(c, a));
        const RangeLockWait unseen{c, c};
        FileTable d;
        EXPECT_FALSE(RangeLockWait::closes_circle(d, a)); // the circle is others'
    }
    EXPECT_FALSE(RangeLockWait::closes_circle(b, a));
}

TEST_F(FileTest, PositionsAreSharedByDuplicates) {
    const int descriptor = t.open("/f", read_write_create);
    EXPECT_EQ(t.write(descriptor, "0123456789"), 10);
    const int twin = t.files.add(t.files.get(descriptor).value(), false).value();
    EXPECT_EQ(seek_file(t.file(twin), -4, 2).value(), 6u);
    EXPECT_EQ(t.read(descriptor, 2), "67");
    EXPECT_EQ(seek_file(t.file(twin), 0, 1).value(), 8u);
    EXPECT_EQ(code(seek_file(t.file(twin), -9, 1)), inval);
    EXPECT_EQ(code(seek_file(t.file(twin), 0, 9)), inval);
    const int appender = t.open("/f", open_flag::write_only | open_flag::append);
    EXPECT_EQ(t.write(appender, "!"), 1);
    EXPECT_EQ(t.content("/f"), "0123456789!");
    EXPECT_EQ(t.read(appender), "error 9");
    EXPECT_EQ(t.write(t.open("/f", open_flag::read_only), "x"), -badf);
    EXPECT_EQ(t.read(t.open("/f", open_flag::path)), "error 9");
}

TEST_F(FileTest, HolesAreFoundAndCostNothing) {
    const int descriptor = t.open("/f", read_write_create);
    ASSERT_EQ(code(resize_node(*t.file(descriptor).node, 1ull << 40)), 0);
    ASSERT_EQ(seek_file(t.file(descriptor), 1ll << 39, 0).value(), 1ull << 39);
    ASSERT_EQ(t.write(descriptor, "x"), 1);
    EXPECT_EQ(seek_file(t.file(descriptor), 0, 3).value(), 1ull << 39);
    EXPECT_EQ(seek_file(t.file(descriptor), 1ll << 39, 4).value(), (1ull << 39) + 4096);
    EXPECT_EQ(code(seek_file(t.file(descriptor), 1ll << 40, 3)), 6);
    EXPECT_EQ(attributes(*t.file(descriptor).node).blocks, 8u);
    EXPECT_EQ(code(allocate_range(t.file(descriptor), 3, 0, 1ull << 40)), 0);
    EXPECT_EQ(code(seek_file(t.file(descriptor), 1ll << 39, 0)), 0);
    EXPECT_EQ(t.read(descriptor, 1), std::string(1, '\0'));
    EXPECT_EQ(code(allocate_range(t.file(descriptor), 0, 0, 1ull << 43)), 28);
}

TEST_F(FileTest, PipesCarryBytesAndEnd) {
    const auto [reader, writer] = make_pipe();
    EXPECT_EQ(t.read(reader, 1), "error 11");
    EXPECT_EQ(t.write(writer, "hello"), 5);
    EXPECT_EQ(control_file(t.file(reader), control::bytes_waiting, 0).value(), 5u);
    EXPECT_EQ(t.read(reader, 3), "hel");
    EXPECT_EQ(readiness(t.file(reader)) & ready::in, ready::in);
    EXPECT_EQ(readiness(t.file(writer)) & ready::out, ready::out);
    EXPECT_EQ(code(seek_file(t.file(reader), 0, 0)), spipe);
    // Fill it: a small write is all or nothing.
    std::string sent = "lo";
    for (;;) {
        const int wrote = t.write(writer, std::string(3000, static_cast<char>('a' + sent.size() % 26)));
        if (wrote == -again)
            break;
        ASSERT_EQ(wrote, 3000);
        sent += std::string(3000, static_cast<char>('a' + sent.size() % 26));
    }
    EXPECT_EQ(sent.size(), 16u * 3000 + 2); // one page each
    EXPECT_EQ(readiness(t.file(writer)) & ready::out, 0u);
    std::string got;
    while (got.size() < sent.size())
        got += t.read(reader, 1777);
    EXPECT_EQ(got, sent);
    EXPECT_EQ(code(t.files.close(writer)), 0);
    EXPECT_EQ(t.read(reader, 1), "");
    EXPECT_EQ(readiness(t.file(reader)), ready::hang_up);
    const auto [reader2, writer2] = make_pipe();
    (void)t.files.close(reader2);
    EXPECT_EQ(t.write(writer2, "x"), -pipe_error);
}

TEST_F(FileTest, FifosWaitForTheirPeer) {
    ASSERT_EQ(code(make_node(t.context, t.here(), "/p", mode::fifo | 0644, 0)), 0);
    EXPECT_EQ(t.open("/p", open_flag::write_only | open_flag::non_block), -6);
    const int reader = t.open("/p", open_flag::read_only);
    EXPECT_TRUE(fifo_waits_for_peer(t.file(reader)));
    const int writer = t.open("/p", open_flag::write_only);
    EXPECT_FALSE(fifo_waits_for_peer(t.file(reader)));
    EXPECT_FALSE(fifo_waits_for_peer(t.file(writer)));
    EXPECT_EQ(t.write(writer, "x"), 1);
    EXPECT_EQ(t.read(reader), "x");
}

TEST_F(FileTest, EventCountersAdd) {
    const int event = make_event(0);
    const std::string three("\3\0\0\0\0\0\0\0", 8);
    EXPECT_EQ(t.read(event, 8), "error 11");
    EXPECT_EQ(t.write(event, three), 8);
    EXPECT_EQ(t.write(event, three), 8);
    EXPECT_EQ(t.read(event, 8), std::string("\6\0\0\0\0\0\0\0", 8));
    EXPECT_EQ(t.write(event, "short"), -inval);
    EXPECT_EQ(t.write(event, std::string(8, '\xFF')), -inval);
}

TEST_F(FileTest, RangeLocksSplitJoinAndConflict) {
    ASSERT_EQ(t.put("/f", "x"), 1);
    const Ref<Node> node = t.node("/f");
    FileTable mine;
    FileTable other;
    const auto lock = [&](FileTable& owner, std::uint64_t first, std::uint64_t last, bool exclusive) {
        return code(lock_range(*node, {first, last, exclusive, &owner, 1, nullptr}));
    };
    EXPECT_EQ(lock(mine, 0, 99, true), 0);
    EXPECT_EQ(lock(other, 50, 50, false), again);
    EXPECT_EQ(lock(other, 100, 199, true), 0);
    EXPECT_EQ(lock(mine, 40, 59, false), 0); // in the middle, shared
    EXPECT_EQ(lock(other, 50, 50, false), 0);
    EXPECT_EQ(lock(other, 39, 39, false), again);
    EXPECT_EQ(lock(mine, 40, 59, true), again);
    EXPECT_EQ(code(unlock_range(*node, 0, ~0ull, mine)), 0);
    EXPECT_EQ(lock(other, 0, 99, true), 0);
    EXPECT_EQ(node->locks->ranges->first, 0u);
    EXPECT_EQ(node->locks->ranges->last, 199u);
    EXPECT_EQ(node->locks->ranges->next, nullptr);
    unlock_all(*node, other);
    EXPECT_EQ(node->locks->ranges, nullptr);
}

TEST_F(FileTest, WholeFileLocksBelongToDescriptions) {
    const int one = t.open("/f", read_write_create);
    const int two = t.open("/f", open_flag::read_only);
    EXPECT_EQ(code(lock_file(t.file(one), 1)), 0);
    EXPECT_EQ(code(lock_file(t.file(two), 1)), 0);
    EXPECT_EQ(code(lock_file(t.file(two), 2)), again);
    EXPECT_EQ(code(t.files.close(one)), 0);
    EXPECT_EQ(code(lock_file(t.file(two), 2)), 0);
}

TEST_F(FileTest, EventCountersEndBelowTheLastNumber) {
    const int event = make_event(0);
    const std::string most("\xFE\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8), one("\1\0\0\0\0\0\0\0", 8);
    EXPECT_EQ(t.write(event, std::string(9, '\0')), -inval);
    EXPECT_EQ(t.write(event, most), 8);
    EXPECT_EQ(readiness(t.file(event)) & ready::out, 0u);
    EXPECT_EQ(t.write(event, one), -again);
    EXPECT_EQ(t.read(event, 8), most);
}

TEST_F(FileTest, PipePagesAreThoseOfLinux) {
    const auto [reader, writer] = make_pipe();
    // A write of a page and a byte fills a page and begins one; the next byte joins that one.
    EXPECT_EQ(t.write(writer, std::string(4097, 'a')), 4097);
    EXPECT_EQ(t.write(writer, "b"), 1);
    for (int i = 0; i < 14; ++i)
        EXPECT_EQ(t.write(writer, std::string(4096, 'c')), 4096);
    EXPECT_EQ(readiness(t.file(writer)) & ready::out, 0u);
    EXPECT_EQ(t.write(writer, std::string(4096, 'd')), -again);
    EXPECT_EQ(t.read(reader, 4095).size(), 4095u);
    EXPECT_EQ(readiness(t.file(writer)) & ready::out, 0u); // no page is free yet
    EXPECT_EQ(t.read(reader, 1), "a");
    EXPECT_EQ(readiness(t.file(writer)) & ready::out, ready::out);
}

TEST_F(FileTest, PipesChangeTheirSize) {
    const auto [reader, writer] = make_pipe();
    const auto size = [&](std::uint64_t bytes) {
        const auto got = control_file(t.file(writer), control::set_pipe_size, bytes);
        return got.ok() ? static_cast<std::int64_t>(*got) : -static_cast<std::int64_t>(got.error());
    };
    constexpr int busy = 16;
    EXPECT_EQ(control_file(t.file(reader), control::get_pipe_size, 0).value(), 65536u);
    EXPECT_EQ(size(1), 4096);
    EXPECT_EQ(t.write(writer, std::string(9000, 'x')), 4096);
    EXPECT_EQ(size(65537), 131072);
    std::string sent(4096, 'x');
    for (int i = 0; i < 31; ++i) {
        const std::string more(4096, static_cast<char>('a' + i % 26));
        EXPECT_EQ(t.write(writer, more), 4096);
        sent += more;
    }
    EXPECT_EQ(t.write(writer, std::string(4096, 'y')), -again);
    EXPECT_EQ(size(65536), -busy);
    EXPECT_EQ(size(1 << 21), -perm);
    EXPECT_EQ(size(1 << 20), 1 << 20);
    EXPECT_EQ(t.read(reader), sent);
    EXPECT_EQ(size(65536), 65536);
    EXPECT_EQ(t.write(writer, "end"), 3);
    EXPECT_EQ(t.read(reader), "end");
}

TEST_F(FileTest, PacketsAreReadOneByOne) {
    const auto [reader, writer] = make_pipe(open_flag::non_block | open_flag::direct);
    EXPECT_EQ(t.write(writer, "one"), 3);
    EXPECT_EQ(t.write(writer, "two"), 3);
    EXPECT_EQ(t.read(reader), "one");
    EXPECT_EQ(t.read(reader, 1), "t"); // the rest of a packet is lost
    EXPECT_EQ(t.read(reader), "error 11");
}

TEST_F(FileTest, ABadPageEndsATransferWhereItIs) {
    const auto some = [](void* most, std::uint64_t offset, std::span<const std::byte> bytes) {
        const std::uint64_t room = *static_cast<std::uint64_t*>(most);
        return offset >= room ? 0 : std::min<std::uint64_t>(bytes.size(), room - offset);
    };
    const int file = t.open("/f", read_write_create);
    EXPECT_EQ(t.write(file, std::string(10000, 'x')), 10000);
    std::uint64_t good = 5000;
    Destination to{some, &good, 10000};
    EXPECT_EQ(read_file_at(t.file(file), 0, to).value(), 5000u);
    good = 0;
    Destination nowhere{some, &good, 10000};
    EXPECT_EQ(code(read_file_at(t.file(file), 0, nowhere)), 14);
    // A pipe gives whole pages: what did not arrive stays in it.
    const auto [reader, writer] = make_pipe();
    EXPECT_EQ(t.write(writer, std::string(8192, 'p')), 8192);
    good = 6000;
    Destination part{some, &good, 8192};
    EXPECT_EQ(read_file(t.file(reader), part).value(), 4096u);
    EXPECT_EQ(t.read(reader).size(), 4096u);
}

TEST_F(FileTest, TheFileSizeLimitCutsAndThenRefuses) {
    constexpr int fbig = 27;
    const int file = t.open("/f", read_write_create);
    host::state().file_size_limit = 1000;
    host::state().file_size_signals = 0;
    EXPECT_EQ(t.write(file, std::string(4000, 'x')), 1000);
    EXPECT_EQ(t.write(file, "x"), -fbig);
    EXPECT_EQ(host::state().file_size_signals, 1u);
    EXPECT_EQ(code(allocate_range(t.file(file), 0, 0, 2000)), fbig);
    EXPECT_EQ(code(truncate(t.context, *t.file(file).node, 2000)), fbig);
    host::state().file_size_limit = ~std::uint64_t{0};
    EXPECT_EQ(t.write(file, "x"), 1);
}

struct EpollTest : FileTest {
    EpollTest() : set(make()) {}
    Ref<File> make() { return make_epoll(t.tree.make_anonymous(0600).value()).value(); }
    std::size_t ready_now() { return ready_in(*set); }
    std::size_t ready_in(File& which) {
        return collect(which, most, &EpollTest::take, reinterpret_cast<std::uintptr_t>(this)).value();
    }
    static bool take(std::uint64_t where, std::size_t index, const Report& report) {
        auto& test = *reinterpret_cast<EpollTest*>(where);
        if (index >= test.takes)
            return false;
        test.reports.at(index) = report;
        return true;
    }
    int add(File& outer, File& file, std::uint32_t events = ready::in, std::uint64_t data = 0) {
        return code(add_watch(outer, file, 0, events, data));
    }
    Ref<File> set;
    std::array<Report, 4> reports{};
    std::size_t most = 4, takes = 4;
};

TEST_F(EpollTest, LevelsEdgesAndOneShots) {
    const auto [reader, writer] = make_pipe();
    File& end = t.file(reader);
    EXPECT_EQ(code(add_watch(*set, end, reader, ready::in, 7)), 0);
    EXPECT_EQ(code(add_watch(*set, end, reader, ready::in, 7)), exist);
    EXPECT_EQ(code(add_watch(*set, t.file(t.open("/f", read_write_create)), 9, ready::in, 7)), perm);
    EXPECT_EQ(ready_now(), 0u);
    EXPECT_EQ(t.write(writer, "xy"), 2);
    EXPECT_EQ(ready_now(), 1u);
    EXPECT_EQ(reports[0].data, 7u);
    EXPECT_EQ(ready_now(), 1u); // level: still there
    EXPECT_EQ(code(change_watch(*set, end, reader, ready::in | epoll_flag::edge, 8)), 0);
    EXPECT_EQ(ready_now(), 1u);
    EXPECT_EQ(ready_now(), 0u); // edge: reported once
    EXPECT_EQ(readiness(*set), 0u);
    EXPECT_EQ(t.write(writer, "z"), 1);
    EXPECT_EQ(ready_now(), 1u);
    EXPECT_EQ(t.read(reader, 1), "x");
    EXPECT_EQ(ready_now(), 0u); // what was read is no event of a reader
    EXPECT_EQ(code(change_watch(*set, end, reader, ready::in | epoll_flag::one_shot, 9)), 0);
    EXPECT_EQ(ready_now(), 1u);
    EXPECT_EQ(t.write(writer, "z"), 1);
    EXPECT_EQ(ready_now(), 0u);
    EXPECT_EQ(code(remove_watch(*set, end, writer)), noent);
    EXPECT_EQ(code(t.files.close(reader)), 0); // the last close ends the watch
    EXPECT_EQ(readiness(*set), 0u);
}

TEST_F(EpollTest, ManyLevelsTakeTurns) {
    std::array<int, 6> events{};
    for (std::uint64_t i = 0; i < events.size(); ++i) {
        events[i] = make_event(1);
        EXPECT_EQ(add(*set, t.file(events[i]), ready::in, i), 0);
    }
    EXPECT_EQ(ready_now(), 4u);
    EXPECT_EQ(reports[0].data, 0u);
    EXPECT_EQ(reports[3].data, 3u);
    EXPECT_EQ(ready_now(), 4u);
    EXPECT_EQ(reports[0].data, 4u);
    EXPECT_EQ(reports[2].data, 0u);
    (void)t.read(events[5], 8);
    EXPECT_EQ(ready_now(), 4u); // not the one that is no longer ready
    for (const Report& report : reports)
        EXPECT_NE(report.data, 5u);
}

TEST_F(EpollTest, WhatIsNotTakenStaysReady) {
    std::array<int, 4> events{};
    for (std::uint64_t i = 0; i < events.size(); ++i) {
        events[i] = make_event(1);
        EXPECT_EQ(add(*set, t.file(events[i]), ready::in | epoll_flag::edge, i), 0);
    }
    takes = 0;
    EXPECT_EQ(collect(*set, most, &EpollTest::take, reinterpret_cast<std::uintptr_t>(this)).error(),
              Errno::fault);
    takes = 1;
    EXPECT_EQ(ready_now(), 1u);
    EXPECT_EQ(reports[0].data, 0u);
    takes = 4;
    EXPECT_EQ(ready_now(), 3u);
    EXPECT_EQ(reports[0].data, 1u);
    EXPECT_EQ(reports[2].data, 3u);
    EXPECT_EQ(ready_now(), 0u);
}

TEST_F(EpollTest, SetsNestAndCirclesAreRefused) {
    constexpr int loop = 40;
    std::array<Ref<File>, 6> sets{set, make(), make(), make(), make(), make()};
    EXPECT_EQ(add(*sets[1], *sets[0]), 0);
    EXPECT_EQ(add(*sets[0], *sets[1]), loop);
    EXPECT_EQ(add(*sets[0], *sets[0]), inval);
    EXPECT_EQ(add(*sets[2], *sets[1]), 0);
    EXPECT_EQ(add(*sets[0], *sets[2]), loop);
    EXPECT_EQ(add(*sets[3], *sets[2]), 0);
    EXPECT_EQ(add(*sets[4], *sets[3]), 0);
    EXPECT_EQ(add(*sets[5], *sets[4]), loop); // five in a row
    const int event = make_event(0);
    EXPECT_EQ(add(*sets[0], t.file(event)), 0);
    EXPECT_EQ(readiness(*sets[4]), 0u);
    EXPECT_EQ(t.write(event, std::string("\1\0\0\0\0\0\0\0", 8)), 8);
    EXPECT_EQ(ready_in(*sets[4]), 1u);
    (void)t.read(event, 8);
    EXPECT_EQ(ready_in(*sets[4]), 0u);
}

TEST_F(EpollTest, WatchesOutliveNeitherSetNorFile) {
    {
        const Ref<File> other = make();
        const int event = make_event(1);
        EXPECT_EQ(add(*other, t.file(event)), 0);
        EXPECT_EQ(add(*set, t.file(event)), 0);
        EXPECT_EQ(add(*set, *other), 0);
        EXPECT_EQ(ready_now(), 2u);
        EXPECT_EQ(code(t.files.close(event)), 0);
        EXPECT_EQ(ready_now(), 0u);
    }
    EXPECT_EQ(readiness(*set), 0u);
}

TEST_F(EpollTest, ExclusiveWatchesFollowLinuxsRules) {
    const int event = make_event(0);
    File& file = t.file(event);
    EXPECT_EQ(add(*set, file, ready::in | epoll_flag::exclusive | epoll_flag::one_shot), inval);
    EXPECT_EQ(add(*set, *make(), ready::in | epoll_flag::exclusive), inval);
    EXPECT_EQ(add(*set, file, ready::in | epoll_flag::exclusive), 0);
    EXPECT_EQ(code(change_watch(*set, file, 0, ready::in, 0)), inval);
}

} // namespace
} // namespace uk::fs::test
