// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/erofs/erofs_test.cpp - the reader against images that mkfs.erofs makes of a directory, the overlay
// over them, and the same images with bytes changed.
#include "partitions/unikernel/fs/test_tree.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <set>

namespace uk::fs::test {
namespace {

namespace files = std::filesystem;

std::string pattern(std::size_t bytes, unsigned seed) {
    std::mt19937 random{seed};
    std::string out(bytes, '\0');
    for (char& c : out)
        c = static_cast<char>(random());
    return out;
}

std::vector<char> slurp(const files::path& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

// One directory with something of everything, and images of it in every layout.
class Sample {
public:
    Sample() : top_(files::path{testing::TempDir()} / ("erofs-" + std::to_string(getpid()))) {
        files::create_directories(root() / "usr/lib/deep/er");
        files::create_directories(root() / "many");
        files::create_directories(root() / "empty");
        for (std::size_t bytes : {0, 1, 100, 4095, 4096, 4097, 8192, 12000, 100000})
            put("usr/size" + std::to_string(bytes), pattern(bytes, static_cast<unsigned>(bytes)));
        for (int i = 0; i < 600; ++i)
            put("many/name-" + std::to_string(i * 7919 % 600), std::to_string(i));
        put("usr/lib/deep/er/file", "deep");
        put("usr/zeros", std::string(20000, '\0') + "end");
        files::create_symlink("usr/lib", root() / "lib");
        std::string steps;
        for (int i = 0; i < 500; ++i)
            steps += "l/";
        files::create_symlink(steps, root() / "long-link");
        files::create_hard_link(root() / "usr/size100", root() / "usr/lib/linked");
        chmod((root() / "usr/size4097").c_str(), 04751);
        setxattr((root() / "usr/size1").c_str(), "user.kind", "tiny", 4, 0);
        mkfifo((root() / "fifo").c_str(), 0644);
        make("inline", "");
        make("plain", "-E noinline_data");
        make("chunked", "--chunksize=4096");
    }
    Sample(const Sample&) = delete;
    Sample& operator=(const Sample&) = delete;
    ~Sample() { files::remove_all(top_); }

    [[nodiscard]] files::path root() const { return top_ / "root"; }
    [[nodiscard]] std::vector<char> image(const std::string& layout) const { return slurp(top_ / layout); }
    static const Sample& get() {
        static const Sample sample;
        return sample;
    }

private:
    void put(const std::string& name, const std::string& text) const {
        std::ofstream{root() / name, std::ios::binary} << text;
    }
    void make(const std::string& name, const std::string& options) const {
        const std::string command = "mkfs.erofs -T1700000000 " + options + " '" + (top_ / name).string() +
                                    "' '" + root().string() + "' >/dev/null 2>&1";
        if (std::system(command.c_str()) != 0)
            throw std::runtime_error("mkfs.erofs failed (Debian package erofs-utils)");
    }
    files::path top_;
};

struct ErofsTest : testing::TestWithParam<const char*> {
    ErofsTest() : image(Sample::get().image(GetParam())), t({image.view(), 1 << 20, false}) {
        t.tree.finish();
        t.run_as(0, 0);
    }
    int remove(std::string_view path) { return code(unlink(t.context, t.here(), path)); }
    int move(std::string_view from, std::string_view to) {
        return code(rename(t.context, t.here(), from, t.here(), to, 0));
    }
    Image image;
    TestTree t;
};

INSTANTIATE_TEST_SUITE_P(Layouts, ErofsTest, testing::Values("inline", "plain", "chunked"),
                         [](const auto& parameter) { return std::string{parameter.param}; });

// Everything that the host sees under the directory, the tree shows too.
TEST_P(ErofsTest, ShowsWhatWasPutIn) {
    ASSERT_EQ(t.started, 0);
    unsigned seen = 0;
    for (const auto& entry : files::recursive_directory_iterator{Sample::get().root()}) {
        const std::string path = "/" + entry.path().lexically_relative(Sample::get().root()).string();
        struct stat expected {};
        ASSERT_EQ(lstat(entry.path().c_str(), &expected), 0);
        const Ref<Node> node = t.node(path, false);
        ASSERT_TRUE(node) << path;
        EXPECT_EQ(node->mode, expected.st_mode) << path;
        EXPECT_EQ(node->user, expected.st_uid);
        if (node->is_regular()) {
            const auto bytes = slurp(entry.path());
            EXPECT_EQ(t.content(path), std::string(bytes.begin(), bytes.end())) << path;
            EXPECT_EQ(node->links, expected.st_nlink) << path;
            EXPECT_EQ(attributes(*node).size, static_cast<std::uint64_t>(expected.st_size));
        } else if (node->is_symlink()) {
            EXPECT_EQ(t.link(path), files::read_symlink(entry.path()).string());
        }
        ++seen;
    }
    EXPECT_GT(seen, 600u);
    EXPECT_EQ(t.node("/usr/size100").get(), t.node("/lib/linked").get());
    EXPECT_FALSE(t.node("/many/name-600"));
    EXPECT_FALSE(t.node("/many/a"));
    EXPECT_FALSE(t.node("/many/z"));
    EXPECT_EQ(t.path_of("/lib/deep/er/file"), "/usr/lib/deep/er/file");
}

TEST_P(ErofsTest, ListsEveryNameOnce) {
    auto names = t.names("/many");
    EXPECT_EQ(names.size(), 600u);
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), 600u);
    ASSERT_EQ(remove("/many/name-3"), 0);
    ASSERT_EQ(t.put("/many/name-4", "changed"), 7);
    ASSERT_EQ(t.put("/many/new", "new"), 3);
    ASSERT_EQ(move("/many/name-5", "/many/moved"), 0);
    names = t.names("/many");
    const std::set<std::string> now(names.begin(), names.end());
    EXPECT_EQ(names.size(), 600u);
    EXPECT_EQ(now.size(), 600u);
    EXPECT_FALSE(now.contains("name-3"));
    EXPECT_FALSE(now.contains("name-5"));
    EXPECT_TRUE(now.contains("name-4") && now.contains("new") && now.contains("moved"));
}

TEST_P(ErofsTest, ReadsAtEveryOffset) {
    const std::string whole = pattern(100000, 100000);
    const int descriptor = t.open("/usr/size100000", open_flag::read_only);
    for (const std::uint64_t offset : {0, 1, 4095, 4096, 65535, 98304, 99999, 100000, 200000}) {
        std::string some(5000, '\0');
        Destination to{std::as_writable_bytes(std::span{some})};
        const std::uint64_t got = read_file_at(t.file(descriptor), offset, to).value();
        const std::string expected = offset < whole.size() ? whole.substr(offset, 5000) : "";
        EXPECT_EQ(some.substr(0, got), expected) << offset;
    }
}

TEST_P(ErofsTest, MapsPagesInPlaceAndCopiesThemWhenWritten) {
    const Ref<Node> node = t.node("/usr/size100000");
    const std::string whole = pattern(100000, 100000);
    const auto check = [&](const MappedPage& page, std::uint64_t index, const std::string& expected) {
        const std::byte* bytes =
            page.kind == MappedPage::Kind::frame ? mm::frame_data(page.frame) : page.image;
        std::string shown{reinterpret_cast<const char*>(bytes), page_bytes};
        std::string part = expected.substr(index * page_bytes, page_bytes);
        part.resize(page_bytes, '\0');
        EXPECT_EQ(shown, part) << index;
        if (page.kind == MappedPage::Kind::frame)
            mm::release_frame(page.frame);
    };
    for (std::uint64_t index = 0; index < 25; ++index) {
        const MappedPage page = map_page(*node, index, MapUse::private_copy).value();
        EXPECT_EQ(page.kind, index < 24 || std::string_view{GetParam()} == "plain" ? MappedPage::Kind::image
                                                                                   : page.kind);
        check(page, index, whole);
    }
    EXPECT_EQ(code(map_page(*node, 25, MapUse::private_copy)), 6);
    std::string changed = whole;
    changed.replace(5000, 3, "NEW");
    Origin from{std::as_bytes(std::span{"NEW", 3})};
    const auto forgotten = host::state().forgotten_pages;
    EXPECT_EQ(write_node(*node, 5000, from).value(), 3u);
    EXPECT_EQ(host::state().forgotten_pages, forgotten + 1); // mappings of page 1 look again
    EXPECT_EQ(t.content("/usr/size100000"), changed);
    const MappedPage one = map_page(*node, 1, MapUse::shared_read).value();
    EXPECT_EQ(one.kind, MappedPage::Kind::frame);
    check(one, 1, changed);
    const MappedPage shared = map_page(*node, 2, MapUse::shared_write).value();
    EXPECT_EQ(shared.kind, MappedPage::Kind::frame);
    mm::frame_data(shared.frame)[0] = std::byte{'!'};
    check(shared, 2, changed.replace(8192, 1, "!"));
    EXPECT_EQ(t.content("/usr/size100000"), changed);
    EXPECT_EQ(map_page(*t.node("/usr/zeros"), 1, MapUse::private_copy).value().kind,
              std::string_view{GetParam()} == "chunked"
                  ? map_page(*t.node("/usr/zeros"), 1, MapUse::private_copy).value().kind
                  : MappedPage::Kind::image);
}

TEST_P(ErofsTest, OverlayKeepsWhatIsNotChanged) {
    EXPECT_EQ(t.put("/usr/lib/linked", "both"), 4);
    EXPECT_EQ(t.content("/usr/size100"), "both");
    EXPECT_EQ(remove("/usr/size100"), 0);
    EXPECT_EQ(t.content("/lib/linked"), "both");
    EXPECT_FALSE(t.node("/usr/size100"));
    EXPECT_EQ(t.put("/usr/size100", "again"), 5);
    EXPECT_EQ(t.content("/lib/linked"), "both");
    // A directory moves with all that is below it.
    EXPECT_EQ(move("/usr/lib/deep", "/empty/here"), 0);
    EXPECT_EQ(t.content("/empty/here/er/file"), "deep");
    EXPECT_FALSE(t.node("/usr/lib/deep"));
    EXPECT_EQ(t.path_of("/empty/here/er/file"), "/empty/here/er/file");
    EXPECT_EQ(code(remove_directory(t.context, t.here(), "/empty")), 39);
    EXPECT_EQ(code(make_directory(t.context, t.here(), "/usr/lib/deep", 0700)), 0);
    EXPECT_TRUE(t.names("/usr/lib/deep").empty());
    // Attributes stay after every other user of the file is gone.
    EXPECT_EQ(code(change_mode(t.context, *t.node("/usr/size1"), 0600)), 0);
    EXPECT_EQ(t.node("/usr/size1")->mode & 07777, 0600u);
    EXPECT_EQ(t.content("/usr/size1"), pattern(1, 1));
}

TEST_P(ErofsTest, TruncatedAndExtendedFilesReadZeros) {
    const std::string whole = pattern(12000, 12000);
    const Ref<Node> node = t.node("/usr/size12000");
    EXPECT_EQ(code(truncate(t.context, *node, 5000)), 0);
    EXPECT_EQ(t.content("/usr/size12000"), whole.substr(0, 5000));
    EXPECT_EQ(code(truncate(t.context, *node, 9000)), 0);
    EXPECT_EQ(t.content("/usr/size12000"), whole.substr(0, 5000) + std::string(4000, '\0'));
    const MappedPage page = map_page(*node, 1, MapUse::private_copy).value();
    ASSERT_EQ(page.kind, MappedPage::Kind::frame);
    EXPECT_EQ(mm::frame_data(page.frame)[5000 - 4096], std::byte{0});
    mm::release_frame(page.frame);
    EXPECT_EQ(node->pages.count(), 0u);
}

TEST_P(ErofsTest, AttributesAreReadable) {
    const auto value = extended_attribute(*t.node("/usr/size1"), "user.kind");
    ASSERT_TRUE(value.ok());
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(value->data()), value->size()), "tiny");
    EXPECT_EQ(code(extended_attribute(*t.node("/usr/size1"), "user.other")), 61);
    EXPECT_EQ(code(extended_attribute(*t.node("/usr/size0"), "user.kind")), 61);
    TextSink names;
    EXPECT_EQ(code(list_extended_attributes(*t.node("/usr/size1"), names)), 0);
    EXPECT_EQ(names.view(), std::string_view("user.kind\0", 10));
}

TEST_P(ErofsTest, NothingIsLeftBehind) {
    const auto before = host::state();
    {
        Image copy{Sample::get().image(GetParam())};
        TestTree other{{copy.view(), 1 << 20, false}};
        other.tree.finish();
        other.run_as(0, 0);
        EXPECT_EQ(other.put("/usr/lib/deep/er/file", "x"), 1);
        EXPECT_EQ(other.put("/usr/lib/deep/er/new", "x"), 1);
        EXPECT_EQ(code(rename(other.context, other.here(), "/usr/lib", other.here(), "/many/lib", 0)), 0);
        EXPECT_EQ(code(unlink(other.context, other.here(), "/usr/size1")), 0);
    }
    EXPECT_EQ(host::state().frames, before.frames);
    EXPECT_EQ(host::state().heap_objects, before.heap_objects);
    t.run_as(0, 0);
}

TEST(Erofs, RefusesWhatItDoesNotKnow) {
    const std::vector<char> good = Sample::get().image("plain");
    const auto opens = [&](std::size_t offset, char value) {
        std::vector<char> bad = good;
        bad[1024 + 8] = 0; // no checksum
        bad[1024 + offset] = value;
        Image image{bad};
        return code(Erofs::open(image.view()));
    };
    EXPECT_EQ(opens(8, 0), 0);
    EXPECT_EQ(opens(0, 0), 5);    // magic
    EXPECT_EQ(opens(12, 13), 5);  // blocks above a page
    EXPECT_EQ(opens(12, 8), 5);   // blocks below 512 bytes
    EXPECT_EQ(opens(80, 2), 5);   // compression configurations
    EXPECT_EQ(opens(81, 1), 5);   // a feature of later kernels
    EXPECT_EQ(opens(86, 1), 5);   // another device
    EXPECT_EQ(opens(14, 127), 5); // root is no inode
    EXPECT_EQ(opens(39, 127), 5); // more blocks than bytes
    std::vector<char> bad = good;
    bad[1024 + 16] ^= 1; // covered by the checksum
    Image changed{bad};
    EXPECT_EQ(code(Erofs::open(changed.view())), 5);
    Image cut{{good.begin(), good.begin() + 1100}};
    EXPECT_EQ(code(Erofs::open(cut.view())), 5);
}

} // namespace
} // namespace uk::fs::test
