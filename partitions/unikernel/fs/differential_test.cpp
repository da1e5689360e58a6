// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/differential_test.cpp - the same random operations on a directory of the host and on the tree:
// the same results, errors and contents. As root also as another user, so that permissions are compared too.
#include "partitions/unikernel/fs/test_tree.hpp"

#include <gtest/gtest.h>

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <random>

namespace uk::fs::test {
namespace {

namespace files = std::filesystem;

int host_code(long result) {
    return result < 0 ? errno : 0;
}

// Both sides of the comparison, driven by one random source.
class Twins {
public:
    explicit Twins(unsigned seed)
        : random_(seed), t_({{}, 64u << 20, false}),
          top_(files::path{testing::TempDir()} /
               ("twins-" + std::to_string(getpid()) + "-" + std::to_string(seed))) {
        t_.tree.finish();
        t_.run_as(geteuid(), getegid());
        files::create_directory(top_);
        directory_ = ::open(top_.c_str(), O_RDONLY | O_DIRECTORY);
        fchmod(directory_, 0777);
        t_.run_as(0, 0);
        (void)make_directory(t_.context, t_.here(), "/t", 0777);
        base_ = t_.node("/t");
        (void)change_mode(t_.context, *base_, 0777);
        (void)change_owner(t_.context, *base_, geteuid(), getegid());
        become(geteuid());
        umask(022);
    }
    Twins(const Twins&) = delete;
    Twins& operator=(const Twins&) = delete;
    ~Twins() {
        become(getuid());
        base_ = {};
        ::close(directory_);
        files::remove_all(top_);
    }

    // One operation on both; what differed, or nothing.
    std::string step() {
        if (getuid() == 0 && pick(20) == 0)
            become(pick(2) == 0 ? 0 : 1000);
        switch (pick(13)) {
        case 0:
            return make_directory_step();
        case 1:
            return compare("rmdir", path(), [&](const std::string& p) {
                return std::pair{host_code(unlinkat(directory_, p.c_str(), AT_REMOVEDIR)),
                                 code(remove_directory(t_.context, *base_, p))};
            });
        case 2:
            return compare("unlink", path(), [&](const std::string& p) {
                return std::pair{host_code(unlinkat(directory_, p.c_str(), 0)),
                                 code(unlink(t_.context, *base_, p))};
            });
        case 3:
            return rename_step();
        case 4:
            return link_step();
        case 5:
            return compare("symlink to " + (target_ = path()), path(), [&](const std::string& p) {
                return std::pair{host_code(symlinkat(target_.c_str(), directory_, p.c_str())),
                                 code(make_symlink(t_.context, target_, *base_, p))};
            });
        case 6:
        case 7:
        case 8:
            return open_step();
        case 9:
            return mode_step();
        case 10:
            return truncate_step();
        case 11:
            return access_step();
        default:
            return list_step();
        }
    }
    // The whole of both sides.
    std::string compare_all() {
        become(getuid());
        std::string difference;
        for (const auto& entry : files::recursive_directory_iterator{top_}) {
            const std::string p = entry.path().lexically_relative(top_).string();
            difference += status_step(p);
        }
        return difference;
    }

private:
    unsigned pick(unsigned limit) { return static_cast<unsigned>(random_() % limit); }

    void become(uid_t user) {
        user_ = user;
        if (getuid() == 0) {
            (void)seteuid(0);
            (void)setegid(user);
            (void)setgroups(0, nullptr);
            (void)seteuid(user);
        }
        t_.run_as(user, getuid() == 0 ? user : getegid());
    }

    // Few names, so that operations meet each other.
    std::string path() {
        static constexpr std::string_view names[] = {"a", "b", "c", "d"};
        std::string out;
        for (unsigned depth = 1 + pick(3); depth > 0; --depth) {
            out += names[pick(4)];
            if (depth > 1)
                out += pick(10) == 0 ? "/./" : "/";
        }
        if (pick(20) == 0)
            out += "/../" + std::string{names[pick(4)]};
        if (pick(12) == 0)
            out += '/';
        if (pick(60) == 0)
            out += "/.";
        return out;
    }

    template <typename Both> std::string compare(const std::string& what, const std::string& p, Both both) {
        const auto [host, ours] = both(p);
        if (host == ours)
            return {};
        return what + " " + p + " as " + std::to_string(user_) + ": host " + std::to_string(host) +
               ", ours " + std::to_string(ours) + "\n";
    }

    std::string make_directory_step() {
        const std::uint32_t permissions = pick(6) == 0 ? 0500 : 0777;
        return compare("mkdir", path(), [&](const std::string& p) {
            return std::pair{host_code(mkdirat(directory_, p.c_str(), permissions)),
                             code(make_directory(t_.context, *base_, p, permissions))};
        });
    }

    std::string rename_step() {
        static constexpr unsigned choices[] = {0, 0, 0, 0, 1, 2};
        const unsigned flags = choices[pick(6)];
        const std::string from = path();
        return compare("rename " + std::to_string(flags) + " " + from, path(), [&](const std::string& p) {
            return std::pair{host_code(renameat2(directory_, from.c_str(), directory_, p.c_str(), flags)),
                             code(rename(t_.context, *base_, from, *base_, p, flags))};
        });
    }

    std::string link_step() {
        const std::string from = path();
        const int flags = pick(2) == 0 ? AT_SYMLINK_FOLLOW : 0;
        return compare("link " + from, path(), [&](const std::string& p) {
            return std::pair{
                host_code(linkat(directory_, from.c_str(), directory_, p.c_str(), flags)),
                code(make_link(t_.context, *base_, from, *base_, p, static_cast<std::uint32_t>(flags)))};
        });
    }

    std::string mode_step() {
        static constexpr std::uint32_t modes[] = {0777, 0755, 0700, 0644, 0000, 02755, 0711, 0444};
        const std::uint32_t wanted = modes[pick(8)];
        return compare("chmod " + std::to_string(wanted), path(), [&](const std::string& p) {
            const auto node = find(t_.context, *base_, p, 0);
            return std::pair{host_code(fchmodat(directory_, p.c_str(), wanted, 0)),
                             node.ok() ? code(change_mode(t_.context, **node, wanted)) : code(node)};
        });
    }

    std::string truncate_step() {
        const std::uint64_t size = pick(20000);
        return compare("truncate", path(), [&](const std::string& p) {
            const auto node = find(t_.context, *base_, p, 0);
            // Without a truncateat, the host goes by the directory of the process.
            const int host =
                fchdir(directory_) == 0 ? host_code(::truncate(p.c_str(), static_cast<off_t>(size))) : -1;
            return std::pair{host, node.ok() ? code(truncate(t_.context, **node, size)) : code(node)};
        });
    }

    std::string access_step() {
        const int wanted = static_cast<int>(pick(8));
        return compare("access " + std::to_string(wanted), path(), [&](const std::string& p) {
            const auto node = find(t_.context, *base_, p, 0);
            return std::pair{host_code(faccessat(directory_, p.c_str(), wanted, AT_EACCESS)),
                             node.ok()
                                 ? code(check_access(t_.context, **node, static_cast<unsigned>(wanted), true))
                                 : code(node)};
        });
    }

    std::string status_step(const std::string& p) {
        struct stat host {};
        const int found = host_code(fstatat(directory_, p.c_str(), &host, AT_SYMLINK_NOFOLLOW));
        const auto node = find(t_.context, *base_, p, at::symlink_no_follow);
        if (found != code(node))
            return "stat " + p + ": host " + std::to_string(found) + ", ours " + std::to_string(code(node)) +
                   "\n";
        if (found != 0)
            return {};
        const Attributes ours = attributes(**node);
        const bool directory = S_ISDIR(host.st_mode);
        if (ours.mode != host.st_mode || ours.user != host.st_uid || ours.group != host.st_gid ||
            (!directory &&
             (ours.links != host.st_nlink || ours.size != static_cast<std::uint64_t>(host.st_size))))
            return "attributes of " + p + " differ: mode " + std::to_string(host.st_mode) + "/" +
                   std::to_string(ours.mode) + " links " + std::to_string(host.st_nlink) + "/" +
                   std::to_string(ours.links) + " size " + std::to_string(host.st_size) + "/" +
                   std::to_string(ours.size) + "\n";
        if (S_ISREG(host.st_mode) && getuid() == 0) {
            std::ifstream in{top_ / p, std::ios::binary};
            const std::string text{std::istreambuf_iterator<char>{in}, {}};
            std::string read(text.size(), '\0');
            (void)read_node(**node, 0, std::as_writable_bytes(std::span{read}));
            if (read != text)
                return "contents of " + p + " differ\n";
        }
        return {};
    }

    std::string open_step() {
        static constexpr int extras[] = {O_CREAT,
                                         O_CREAT,
                                         O_CREAT | O_EXCL,
                                         O_TRUNC,
                                         0,
                                         O_CREAT | O_TRUNC,
                                         O_NOFOLLOW,
                                         O_DIRECTORY,
                                         O_PATH,
                                         O_CREAT | O_NOFOLLOW,
                                         O_APPEND,
                                         O_PATH | O_NOFOLLOW};
        const int flags = extras[pick(12)] | static_cast<int>(pick(3)) | O_CLOEXEC;
        const std::string p = path();
        const int descriptor = openat(directory_, p.c_str(), flags, 0666);
        const int host = host_code(descriptor);
        auto file = fs::open(t_.context, *base_, p, static_cast<std::uint32_t>(flags), 0666);
        if (host != code(file)) {
            ::close(descriptor);
            return "open " + std::to_string(flags) + " " + p + " as " + std::to_string(user_) + ": host " +
                   std::to_string(host) + ", ours " + std::to_string(code(file)) + "\n";
        }
        std::string difference;
        if (host == 0) {
            difference = use(descriptor, **file);
            ::close(descriptor);
        }
        return difference + status_step(p);
    }

    std::string use(int descriptor, File& file) {
        const std::string text(pick(9000), static_cast<char>('a' + pick(26)));
        const auto offset = static_cast<off_t>(pick(3) == 0 ? pick(30000) : 0);
        (void)lseek(descriptor, offset, SEEK_SET);
        (void)seek_file(file, offset, SEEK_SET);
        const long wrote = ::write(descriptor, text.data(), text.size());
        const int wrote_code = host_code(wrote);
        Origin from{std::as_bytes(std::span{text})};
        const auto ours = write_file(file, from);
        const bool path_only = file.is(path_file);
        if (!path_only && (wrote_code != code(ours) || (ours.ok() && static_cast<long>(*ours) != wrote)))
            return "write: host " + std::to_string(wrote_code) + ", ours " + std::to_string(code(ours)) +
                   "\n";
        std::string host_text(5000, '\0');
        std::string our_text(5000, '\0');
        const long got = pread(descriptor, host_text.data(), host_text.size(), offset / 2);
        const int got_code = host_code(got);
        Destination to{std::as_writable_bytes(std::span{our_text})};
        const auto read = read_file_at(file, static_cast<std::uint64_t>(offset / 2), to);
        if (got_code != code(read) || host_text != our_text)
            return "read: host " + std::to_string(got_code) + ", ours " + std::to_string(code(read)) + "\n";
        return {};
    }

    std::string list_step() {
        const std::string p = path();
        std::vector<std::string> host;
        const int descriptor = openat(directory_, p.c_str(), O_RDONLY | O_DIRECTORY);
        const int found = host_code(descriptor);
        if (DIR* listing = descriptor >= 0 ? fdopendir(descriptor) : nullptr) {
            while (const dirent* entry = readdir(listing))
                host.emplace_back(entry->d_name);
            closedir(listing);
        }
        std::vector<std::string> ours;
        auto file = fs::open(t_.context, *base_, p, open_flag::directory, 0);
        if (file.ok())
            (void)list(
                **file,
                [](void* to, const ListedEntry& entry) {
                    static_cast<std::vector<std::string>*>(to)->emplace_back(entry.name);
                    return true;
                },
                &ours);
        std::sort(host.begin(), host.end());
        std::sort(ours.begin(), ours.end());
        if (found != code(file) || host != ours)
            return "list " + p + ": host " + std::to_string(found) + " with " + std::to_string(host.size()) +
                   " names, ours " + std::to_string(code(file)) + " with " + std::to_string(ours.size()) +
                   "\n";
        return {};
    }

    std::mt19937 random_;
    TestTree t_;
    files::path top_;
    int directory_ = -1;
    Ref<Node> base_;
    uid_t user_ = 0;
    std::string target_;
};

TEST(Differential, TheTreeAnswersAsTheHostDoes) {
    std::string setting;
    std::ifstream{"/proc/sys/fs/protected_hardlinks"} >> setting;
    if (getuid() == 0 && setting != "1")
        GTEST_SKIP() << "this host lets anybody link to anything (fs.protected_hardlinks is not 1)";
    for (unsigned seed = 1; seed <= 40; ++seed) {
        Twins twins{seed};
        for (int i = 0; i < 400; ++i) {
            const std::string difference = twins.step();
            EXPECT_EQ(difference, "") << "seed " << seed << ", step " << i;
            if (!difference.empty())
                break;
        }
        EXPECT_EQ(twins.compare_all(), "") << "seed " << seed;
    }
}

} // namespace
} // namespace uk::fs::test
