// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/tree_test.cpp - the tree without an image: names, permissions, /proc, /dev, tmpfs.
#include "partitions/unikernel/fs/test_tree.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

namespace uk::fs::test {
namespace {

constexpr int perm = 1, noent = 2, acces = 13, busy = 16, exist = 17, xdev = 18, notdir = 20, isdir = 21,
              inval = 22, nospc = 28, rofs = 30, nametoolong = 36, notempty = 39, loop = 40;
constexpr std::uint32_t read_write_create = open_flag::read_write | open_flag::create;

struct TreeTest : testing::Test {
    TreeTest() : t({{}, 1 << 20, false}) {
        t.tree.finish();
        t.run_as(0, 0);
    }
    int mkdir(std::string_view path, std::uint32_t mode = 0755) {
        return code(make_directory(t.context, t.here(), path, mode));
    }
    int rmdir(std::string_view path) { return code(remove_directory(t.context, t.here(), path)); }
    int remove(std::string_view path) { return code(unlink(t.context, t.here(), path)); }
    int move(std::string_view from, std::string_view to, std::uint32_t flags = 0) {
        return code(rename(t.context, t.here(), from, t.here(), to, flags));
    }
    int symlink(std::string_view target, std::string_view path) {
        return code(make_symlink(t.context, target, t.here(), path));
    }
    int link(std::string_view from, std::string_view to) {
        return code(make_link(t.context, t.here(), from, t.here(), to, 0));
    }
    TestTree t;
};

TEST_F(TreeTest, StartsAndGivesEverythingBack) {
    EXPECT_EQ(t.started, 0);
    EXPECT_EQ(t.put("/a", "text"), 4);
    EXPECT_EQ(t.content("/a"), "text");
}

TEST(TreeStart, FilesThatAreMissingAreAdded) {
    TestTree t({{}, 0, true});
    t.run_as(0, 0);
    EXPECT_EQ(code(t.tree.add_file("/etc/hosts", "127.0.0.1 localhost\n", Tree::Existing::kept)), 0);
    EXPECT_EQ(code(t.tree.add_file("/etc/hosts", "other", Tree::Existing::kept)), 0);
    EXPECT_EQ(code(t.tree.add_file("/etc/hosts/below", "x", Tree::Existing::kept)), notdir);
    EXPECT_EQ(code(t.tree.add_file("/etc/resolv.conf", "nameserver 192.0.2.1\n", Tree::Existing::kept)), 0);
    EXPECT_EQ(code(t.tree.add_file("/etc/resolv.conf", "none\n", Tree::Existing::replaced)), 0);
    t.tree.finish();
    EXPECT_EQ(t.content("/etc/hosts"), "127.0.0.1 localhost\n");
    EXPECT_EQ(t.content("/etc/resolv.conf"), "none\n");
}

TEST(TreeEnd, NothingIsLeftBehind) {
    const auto before = host::state();
    {
        TestTree t({{}, 1 << 20, false});
        t.tree.finish();
        t.run_as(0, 0);
        EXPECT_EQ(t.put("/file", std::string(10000, 'x')), 10000);
        EXPECT_EQ(code(make_directory(t.context, t.here(), "/d", 0755)), 0);
        EXPECT_EQ(t.put("/d/e", "x"), 1);
        EXPECT_EQ(t.put("/dev/shm/e", "x"), 1);
        EXPECT_GT(host::state().frames, before.frames);
    }
    EXPECT_EQ(host::state().frames, before.frames);
    EXPECT_EQ(host::state().heap_objects, before.heap_objects);
}

TEST_F(TreeTest, NamesAndTheirErrors) {
    EXPECT_EQ(mkdir("/d"), 0);
    EXPECT_EQ(mkdir("/d"), exist);
    EXPECT_EQ(mkdir("/d/e/"), 0);
    EXPECT_EQ(mkdir("/x/y"), noent);
    EXPECT_EQ(t.put("/d/f", "f"), 1);
    EXPECT_EQ(mkdir("/d/f/g"), notdir);
    EXPECT_EQ(t.open("/d/f/", open_flag::read_only), -notdir);
    EXPECT_EQ(t.open("/new/", read_write_create), -isdir);
    EXPECT_EQ(t.open("/d", read_write_create), -isdir);
    EXPECT_EQ(t.open("/d", open_flag::read_write), -isdir);
    EXPECT_EQ(t.open("/d/f", open_flag::directory), -notdir);
    EXPECT_EQ(t.open("", open_flag::read_only), -noent);
    EXPECT_EQ(t.open("/d/f", read_write_create | open_flag::exclusive), -exist);
    EXPECT_EQ(remove("/d"), isdir);
    EXPECT_EQ(rmdir("/d"), notempty);
    EXPECT_EQ(rmdir("/d/f"), notdir);
    EXPECT_EQ(rmdir("/d/e/."), inval);
    EXPECT_EQ(rmdir("/d/e/.."), notempty);
    EXPECT_EQ(rmdir("/"), busy);
    EXPECT_EQ(rmdir("/dev"), busy);
    EXPECT_EQ(rmdir("/d/e"), 0);
    EXPECT_EQ(remove("/d/f"), 0);
    EXPECT_EQ(remove("/d/f"), noent);
    EXPECT_EQ(rmdir("/d"), 0);
    EXPECT_EQ(mkdir(std::string(255, 'n')), 0);
    EXPECT_EQ(mkdir(std::string(256, 'n')), nametoolong);
    EXPECT_EQ(mkdir("/" + std::string(4095, '/')), nametoolong);
}

TEST_F(TreeTest, SymlinksAreFollowedAndBounded) {
    ASSERT_EQ(mkdir("/d"), 0);
    ASSERT_EQ(t.put("/d/f", "here"), 4);
    EXPECT_EQ(symlink("d", "/l"), 0);
    EXPECT_EQ(symlink("/d/f", "/lf"), 0);
    EXPECT_EQ(t.content("/l/f"), "here");
    EXPECT_EQ(t.content("/lf"), "here");
    EXPECT_EQ(t.open("/lf/", open_flag::read_only), -notdir);
    EXPECT_EQ(t.open("/lf", open_flag::no_follow), -loop);
    EXPECT_EQ(t.link("/lf"), "/d/f");
    EXPECT_EQ(t.node("/l/", false)->type(), mode::directory);
    EXPECT_EQ(t.node("/l", false)->type(), mode::symlink);
    EXPECT_EQ(symlink("self", "/self"), 0);
    EXPECT_EQ(t.open("/self", open_flag::read_only), -loop);
    EXPECT_EQ(symlink("d/made", "/dangling"), 0);
    EXPECT_EQ(t.open("/dangling", read_write_create | open_flag::exclusive), -exist);
    EXPECT_EQ(t.put("/dangling", "x"), 1);
    EXPECT_EQ(t.content("/d/made"), "x");
    EXPECT_EQ(mkdir("/dangling"), exist);
    // 40 links are followed, 41 are not.
    for (int i = 0; i < 41; ++i)
        ASSERT_EQ(symlink(i == 0 ? "d" : "c" + std::to_string(i - 1), "/c" + std::to_string(i)), 0);
    EXPECT_EQ(t.content("/c39/f"), "here");
    EXPECT_EQ(t.open("/c40/f", open_flag::read_only), -loop);
    EXPECT_EQ(t.path_of("/c39/../d/./f"), "/d/f");
}

TEST_F(TreeTest, Renames) {
    ASSERT_EQ(mkdir("/a"), 0);
    ASSERT_EQ(mkdir("/a/b"), 0);
    ASSERT_EQ(mkdir("/e"), 0);
    ASSERT_EQ(t.put("/f", "f"), 1);
    ASSERT_EQ(t.put("/g", "g"), 1);
    EXPECT_EQ(move("/a", "/a/b/c"), inval);
    EXPECT_EQ(move("/f", "/e"), isdir);
    EXPECT_EQ(move("/e", "/f"), notdir);
    EXPECT_EQ(move("/e", "/a"), notempty);
    EXPECT_EQ(move("/f", "/g", rename_no_replace), exist);
    EXPECT_EQ(move("/f", "/dev/shm/f"), xdev);
    EXPECT_EQ(move("/dev", "/e2"), busy);
    EXPECT_EQ(move("/a/b/..", "/x"), busy);
    EXPECT_EQ(move("/f", "/x/"), notdir);
    EXPECT_EQ(move("/f", "/g", rename_exchange), 0);
    EXPECT_EQ(t.content("/f"), "g");
    EXPECT_EQ(move("/f", "/g"), 0);
    EXPECT_EQ(t.content("/g"), "g");
    EXPECT_EQ(move("/a/b", "/e"), 0);
    EXPECT_EQ(t.path_of("/e"), "/e");
    EXPECT_EQ(t.node("/")->links, 2u + 5u); // proc sys dev a e
    EXPECT_EQ(t.node("/a")->links, 2u);
    EXPECT_EQ(t.names("/a").size(), 0u);
}

TEST_F(TreeTest, HardLinksAreOneFile) {
    ASSERT_EQ(t.put("/f", "one"), 3);
    EXPECT_EQ(link("/f", "/g"), 0);
    EXPECT_EQ(t.node("/f")->links, 2u);
    EXPECT_EQ(t.put("/g", "two"), 3);
    EXPECT_EQ(t.content("/f"), "two");
    EXPECT_EQ(move("/f", "/g"), 0);
    EXPECT_EQ(t.node("/f")->links, 2u); // both are the same file: nothing happens
    EXPECT_EQ(remove("/f"), 0);
    EXPECT_EQ(t.content("/g"), "two");
    ASSERT_EQ(mkdir("/d"), 0);
    EXPECT_EQ(link("/d", "/x"), perm);
    EXPECT_EQ(link("/dev", "/x"), xdev);
    EXPECT_EQ(link("/g", "/dev/shm/g"), xdev);
}

TEST_F(TreeTest, RemovedFilesLiveWhileOpen) {
    const int descriptor = t.open("/f", read_write_create);
    EXPECT_EQ(t.write(descriptor, "kept"), 4);
    EXPECT_EQ(remove("/f"), 0);
    EXPECT_EQ(t.file(descriptor).node->links, 0u);
    EXPECT_EQ(seek_file(t.file(descriptor), 0, 0).value(), 0u);
    EXPECT_EQ(t.read(descriptor), "kept");
    EXPECT_EQ(t.link("/proc/self/fd/" + std::to_string(descriptor)), "/f (deleted)");
    ASSERT_EQ(mkdir("/w"), 0);
    ASSERT_EQ(code(change_directory(t.context, t.node("/w"))), 0);
    EXPECT_EQ(rmdir("/w"), 0);
    TextSink path;
    EXPECT_EQ(code(path_of_working_directory(t.context, path)), noent);
    EXPECT_EQ(t.put("x", "x"), -noent);
    EXPECT_EQ(t.names("."), std::vector<std::string>{});
    t.context.working = t.context.root;
}

TEST_F(TreeTest, ModesAreEnforced) {
    ASSERT_EQ(mkdir("/home", 0711), 0);
    ASSERT_EQ(t.put("/home/secret", "s", 0600), 1);
    ASSERT_EQ(t.put("/home/shown", "s", 0644), 1);
    ASSERT_EQ(mkdir("/tmp", 0777), 0);
    ASSERT_EQ(code(change_mode(t.context, *t.node("/tmp"), 01777)), 0);
    ASSERT_EQ(t.put("/tmp/roots", "r"), 1);
    t.run_as(1000, 1000);
    EXPECT_EQ(t.content("/home/secret"), "error 13");
    EXPECT_EQ(t.content("/home/shown"), "s");
    EXPECT_EQ(t.put("/home/shown", "x"), -acces);
    EXPECT_EQ(t.put("/home/new", "x"), -acces);
    EXPECT_EQ(t.names("/home"), std::vector<std::string>{"error 13"});
    EXPECT_EQ(remove("/home/shown"), acces);
    EXPECT_EQ(t.put("/tmp/mine", "x", 0666), 1);
    EXPECT_EQ(t.node("/tmp/mine")->mode, mode::regular | 0644);
    EXPECT_EQ(t.node("/tmp/mine")->user, 1000u);
    EXPECT_EQ(remove("/tmp/roots"), perm);
    EXPECT_EQ(move("/tmp/roots", "/tmp/x"), perm);
    EXPECT_EQ(move("/tmp/mine", "/tmp/roots"), perm);
    EXPECT_EQ(code(change_mode(t.context, *t.node("/tmp/roots"), 0777)), perm);
    EXPECT_EQ(code(change_owner(t.context, *t.node("/tmp/mine"), 0, keep_owner)), perm);
    EXPECT_EQ(code(change_owner(t.context, *t.node("/tmp/mine"), keep_owner, 5)), perm);
    EXPECT_EQ(code(change_owner(t.context, *t.node("/tmp/mine"), keep_owner, 1000)), 0);
    EXPECT_EQ(code(make_node(t.context, t.here(), "/tmp/dev", mode::character | 0666, make_device(1, 3))),
              perm);
    EXPECT_EQ(code(make_node(t.context, t.here(), "/tmp/fifo", mode::fifo | 0666, 0)), 0);
    EXPECT_EQ(code(check_access(t.context, *t.node("/home/shown"), want::write, true)), acces);
    EXPECT_EQ(code(check_access(t.context, *t.node("/home/shown"), want::read, true)), 0);
    EXPECT_EQ(mkdir("/x"), acces);
    t.run_as(0, 0);
    EXPECT_EQ(code(check_access(t.context, *t.node("/home/shown"), want::execute, true)), acces);
    EXPECT_EQ(code(find_executable(t.context, t.here(), "/home/shown")), acces);
}

TEST_F(TreeTest, GroupsAndSetIdBits) {
    ASSERT_EQ(mkdir("/g", 0775), 0);
    ASSERT_EQ(code(change_owner(t.context, *t.node("/g"), 0, 50)), 0);
    ASSERT_EQ(code(change_mode(t.context, *t.node("/g"), 02775)), 0);
    t.run_as(1000, 1000);
    EXPECT_EQ(t.put("/g/x", "x"), -acces);
    t.context.credentials.groups = GroupList::make(3);
    ASSERT_TRUE(t.context.credentials.groups);
    std::ranges::copy(std::array{90u, 50u, 7u}, t.context.credentials.groups->ids().begin());
    t.context.credentials.groups->sort();
    EXPECT_EQ(t.put("/g/x", "x"), 1);
    EXPECT_EQ(t.node("/g/x")->group, 50u);
    EXPECT_EQ(mkdir("/g/d"), 0);
    EXPECT_EQ(t.node("/g/d")->mode & 07777, 02755u);
    // Writing takes a file's set-id bits away.
    ASSERT_EQ(code(change_mode(t.context, *t.node("/g/x"), 06755)), 0);
    const int descriptor = t.open("/g/x", open_flag::read_write);
    EXPECT_EQ(t.write(descriptor, "y"), 1);
    EXPECT_EQ(t.node("/g/x")->mode & 07777, 0755u);
}

TEST_F(TreeTest, LimitsGiveEnospcAndComeBack) {
    const std::string half(512 * 1024, 'x');
    ASSERT_EQ(t.put("/a", half), 512 * 1024);
    EXPECT_LT(t.put("/b", half), 512 * 1024);
    EXPECT_EQ(t.put("/c", "c"), -nospc);
    EXPECT_EQ(remove("/a"), 0);
    EXPECT_EQ(t.put("/c", "c"), 1);
    EXPECT_EQ(code(t.tree.mount_tmpfs("/run", 01777, 8192)), 0);
    EXPECT_LT(t.put("/run/x", std::string(9000, 'x')), 9000);
    EXPECT_EQ(t.node("/run")->mode & 07777, 01777u);
}

TEST_F(TreeTest, DevicesAndStandardStreams) {
    ASSERT_EQ(code(t.tree.open_standard(t.files)), 0);
    EXPECT_EQ(t.read(0), "");
    EXPECT_EQ(t.write(1, "out "), 4);
    EXPECT_EQ(t.write(2, "err"), 3);
    EXPECT_EQ(t.put("/dev/stdout", "more"), 4);
    EXPECT_EQ(host::state().console, "out more");
    EXPECT_EQ(host::state().errors, "err");
    host::state().console.clear();
    const int zero = t.open("/dev/zero", open_flag::read_only);
    EXPECT_EQ(t.read(zero, 5000), std::string(5000, '\0'));
    EXPECT_EQ(t.put("/dev/full", "x"), -nospc);
    EXPECT_EQ(t.put("/dev/null", "x"), 1);
    EXPECT_EQ(t.open("/dev/tty", open_flag::read_write), -6);
    EXPECT_NE(t.read(t.open("/dev/urandom", open_flag::read_only), 16), std::string(16, '\0'));
    EXPECT_EQ(code(seek_file(t.file(1), 0, 1)), 29);
    EXPECT_EQ(t.link("/proc/self/fd/0"), "/dev/null");
    EXPECT_EQ(t.link("/proc/self/fd/1").substr(0, 6), "pipe:[");
}

TEST_F(TreeTest, ProcAndSys) {
    EXPECT_EQ(t.link("/proc/self"), "1");
    EXPECT_EQ(t.link("/proc/thread-self"), "1/task/1");
    EXPECT_EQ(t.content("/proc/self/maps"), "text 0 1 0\n");
    EXPECT_EQ(t.content("/proc/self/task/1/comm"), "text 9 1 1\n");
    EXPECT_EQ(t.content("/proc/sys/kernel/hostname"), "host\n");
    EXPECT_EQ(t.content("/proc/sys/vm/overcommit_memory"), "1\n");
    EXPECT_EQ(t.content("/sys/devices/system/cpu/online"), "0-1\n");
    EXPECT_EQ(t.content("/sys/kernel/mm/transparent_hugepage/enabled"), "always madvise [never]\n");
    EXPECT_EQ(t.open("/proc/2/maps", open_flag::read_only), -noent);
    EXPECT_EQ(t.open("/proc/01/maps", open_flag::read_only), -noent);
    EXPECT_EQ(t.open("/proc/self/maps", open_flag::read_write), -rofs);
    EXPECT_EQ(t.put("/proc/x", "x"), -noent);
    EXPECT_EQ(mkdir("/sys/x"), perm);
    const auto names = t.names("/proc");
    EXPECT_NE(std::find(names.begin(), names.end(), "1"), names.end());
    EXPECT_NE(std::find(names.begin(), names.end(), "meminfo"), names.end());
    EXPECT_EQ(t.path_of("/proc/self/task/1/comm"), "/proc/1/task/1/comm");
    EXPECT_EQ(t.link("/proc/self/cwd"), "/");
    EXPECT_EQ(t.link("/proc/self/exe"), "error 2");
    EXPECT_EQ(t.content("/proc/mounts"),
              "overlay / overlay rw,relatime 0 0\nproc /proc proc ro,relatime 0 0\n"
              "sysfs /sys sysfs ro,relatime 0 0\ntmpfs /dev tmpfs rw,relatime 0 0\n"
              "devpts /dev/pts devpts rw,relatime 0 0\ntmpfs /dev/shm tmpfs rw,relatime 0 0\n");
    ASSERT_EQ(t.put("/f", "through the link"), 16);
    const int descriptor = t.open("/f", open_flag::read_only);
    EXPECT_EQ(t.content("/dev/fd/" + std::to_string(descriptor)), "through the link");
}

TEST_F(TreeTest, ListingSurvivesRemovals) {
    ASSERT_EQ(mkdir("/d"), 0);
    for (int i = 0; i < 300; ++i)
        ASSERT_EQ(t.put("/d/" + std::to_string(i), ""), 0);
    const int descriptor = t.open("/d", open_flag::directory);
    int seen = 0;
    for (;;) {
        std::vector<std::string> some;
        (void)list(
            t.file(descriptor),
            [](void* to, const ListedEntry& entry) {
                auto& names = *static_cast<std::vector<std::string>*>(to);
                if (names.size() == 7)
                    return false;
                names.emplace_back(entry.name);
                return true;
            },
            &some);
        if (some.empty())
            break;
        for (const auto& name : some)
            if (name != "." && name != "..") {
                ++seen;
                ASSERT_EQ(remove("/d/" + name), 0);
            }
    }
    EXPECT_EQ(seen, 300);
    EXPECT_EQ(rmdir("/d"), 0);
}

TEST_F(TreeTest, ReadOnlyRootRefusesChanges) {
    ASSERT_EQ(t.put("/f", "x"), 1);
    t.tree.root().volume->set_read_only(true);
    EXPECT_EQ(t.put("/f", "y"), -rofs);
    EXPECT_EQ(t.put("/g", "y"), -rofs);
    EXPECT_EQ(mkdir("/d"), rofs);
    EXPECT_EQ(remove("/f"), rofs);
    EXPECT_EQ(move("/f", "/h"), rofs);
    EXPECT_EQ(code(change_mode(t.context, *t.node("/f"), 0600)), rofs);
    EXPECT_EQ(code(truncate(t.context, *t.node("/f"), 0)), rofs);
    EXPECT_EQ(code(check_access(t.context, *t.node("/f"), want::write, true)), rofs);
    EXPECT_EQ(t.put("/dev/shm/x", "x"), 1);
    t.tree.root().volume->set_read_only(false);
}

TEST_F(TreeTest, FailedAllocationsChangeNothing) {
    ASSERT_EQ(mkdir("/d"), 0);
    ASSERT_EQ(t.put("/f", "f"), 1);
    for (int budget = 0; budget < 12; ++budget) {
        const auto frames = host::state().frames;
        host::state().allocations_left = budget;
        const int made = mkdir("/d/e");
        const int linked = symlink("target", "/d/l");
        const int moved = move("/f", "/d/f");
        host::state().allocations_left = -1;
        EXPECT_EQ(made == 0, t.node("/d/e", false).get() != nullptr);
        EXPECT_EQ(linked == 0, t.node("/d/l", false).get() != nullptr);
        EXPECT_EQ(moved == 0, t.node("/d/f").get() != nullptr);
        EXPECT_EQ(moved != 0, t.node("/f").get() != nullptr);
        (void)rmdir("/d/e");
        (void)remove("/d/l");
        (void)move("/d/f", "/f");
        EXPECT_EQ(t.content("/f"), "f");
        EXPECT_EQ(host::state().frames, frames);
    }
}

} // namespace
} // namespace uk::fs::test
