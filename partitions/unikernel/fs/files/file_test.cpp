// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/file_test.cpp - descriptors, positions, pipes, event counters, locks and epoll.
#include "partitions/unikernel/fs/files/epoll.hpp"
#include "partitions/unikernel/fs/files/locks.hpp"
#include "partitions/unikernel/fs/files/pipe.hpp"
#include "partitions/unikernel/fs/test_tree.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <gtest/gtest.h>

namespace uk::fs::test {
namespace {

constexpr int perm = 1, noent = 2, badf = 9, again = 11, exist = 17, inval = 22, mfile = 24, spipe = 29,
              pipe_error = 32;
constexpr std::uint32_t read_write_create = open_flag::read_write | open_flag::create;

struct FileTest : testing::Test {
    FileTest() : t({{}, 1 << 20, false}) {
        t.tree.finish();
        t.run_as(0, 0);
    }
    // Both ends of a pipe.
    std::pair<int, int> make_pipe() {
        const Ref<Node> node = t.tree.make_anonymous(mode::fifo | 0600).value();
        node->pipe = mm::make<Pipe>();
        Ref<File> reader = make_file(node, FileKind::pipe, open_flag::read_only).value();
        node->pipe->open_end(true, false);
        Ref<File> writer = make_file(node, FileKind::pipe, open_flag::write_only).value();
        node->pipe->open_end(false, true);
        const int first = t.files.add(reader, false).value();
        return {first, t.files.add(writer, false).value()};
    }
    int make_event(std::uint64_t value) {
        Ref<File> file =
            make_file(t.tree.make_anonymous(0600).value(), FileKind::event, open_flag::read_write).value();
        file->event = mm::make<EventCounter>();
        file->event->value = value;
        return t.files.add(file, false).value();
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
    EXPECT_EQ(code(allocate_range(t.file(descriptor), 0, 0, 1ull << 50)), 28);
}

TEST_F(FileTest, PipesCarryBytesAndEnd) {
    const auto [reader, writer] = make_pipe();
    EXPECT_EQ(t.read(reader, 1), "error 11");
    EXPECT_EQ(t.write(writer, "hello"), 5);
    EXPECT_EQ(bytes_waiting(t.file(reader)).value(), 5u);
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
    EXPECT_GT(sent.size(), 55000u);
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

TEST_F(FileTest, EpollReportsLevelsEdgesAndOneShots) {
    Ref<File> set =
        make_file(t.tree.make_anonymous(0600).value(), FileKind::epoll, open_flag::read_write).value();
    set->epoll = mm::make<EpollSet>();
    const auto [reader, writer] = make_pipe();
    File& end = t.file(reader);
    std::array<Report, 4> reports{};
    EXPECT_EQ(code(add_watch(*set->epoll, end, reader, ready::in, 7)), 0);
    EXPECT_EQ(code(add_watch(*set->epoll, end, reader, ready::in, 7)), exist);
    EXPECT_EQ(code(add_watch(*set->epoll, *set, 9, ready::in, 7)), inval);
    EXPECT_EQ(code(add_watch(*set->epoll, t.file(t.open("/f", read_write_create)), 9, ready::in, 7)), perm);
    EXPECT_EQ(collect(*set->epoll, reports), 0u);
    EXPECT_EQ(t.write(writer, "xy"), 2);
    EXPECT_EQ(collect(*set->epoll, reports), 1u);
    EXPECT_EQ(reports[0].data, 7u);
    EXPECT_EQ(collect(*set->epoll, reports), 1u); // level: still there
    EXPECT_EQ(code(change_watch(*set->epoll, end, reader, ready::in | epoll_flag::edge, 8)), 0);
    EXPECT_EQ(collect(*set->epoll, reports), 1u);
    EXPECT_EQ(collect(*set->epoll, reports), 0u); // edge: reported once
    EXPECT_FALSE(has_ready(*set->epoll));
    EXPECT_EQ(t.write(writer, "z"), 1);
    EXPECT_EQ(collect(*set->epoll, reports), 1u);
    EXPECT_EQ(code(change_watch(*set->epoll, end, reader, ready::in | epoll_flag::one_shot, 9)), 0);
    EXPECT_EQ(collect(*set->epoll, reports), 1u);
    EXPECT_EQ(t.write(writer, "z"), 1);
    EXPECT_EQ(collect(*set->epoll, reports), 0u);
    EXPECT_EQ(code(remove_watch(*set->epoll, end, writer)), noent);
    EXPECT_EQ(code(t.files.close(reader)), 0); // the last close ends the watch
    EXPECT_EQ(set->epoll->watches, nullptr);
}

} // namespace
} // namespace uk::fs::test
