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
        put("usr/sparse", "begin");
        files::resize_file(root() / "usr/sparse", 40 * 4096);
        std::ofstream{root() / "usr/sparse", std::ios::binary | std::ios::in}.seekp(20 * 4096) << "middle";
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

// What was looked up stays for the next time, and goes when memory is short.
TEST_P(ErofsTest, NodesThatWereLookedUpStay) {
    const Volume& volume = *t.tree.root().volume;
    const std::uint64_t before = volume.nodes();
    const Node* const first = t.node("/usr/lib/deep/er/file").get();
    EXPECT_EQ(volume.nodes(), before + 5);
    EXPECT_EQ(t.node("/lib/deep/er/file").get(), first);
    EXPECT_EQ(volume.nodes(), before + 6); // and the link
    EXPECT_TRUE(t.tree.give_back_kept());
    EXPECT_EQ(volume.nodes(), before);
    EXPECT_FALSE(t.tree.give_back_kept());
    const Ref<Node> held = t.node("/usr/lib/deep/er/file");
    EXPECT_TRUE(t.tree.give_back_kept());
    EXPECT_EQ(t.node("/usr/lib/deep/er/file").get(), held.get());
    for (int i = 0; i < 2000; ++i)
        (void)t.node("/many/name-" + std::to_string(i));
    EXPECT_LE(volume.nodes(), before + 300); // the table has 256 places
}

TEST_P(ErofsTest, NamesThatWereLookedUpFollowEveryChange) {
    for (int i = 0; i < 2; ++i)
        EXPECT_FALSE(t.node("/many/new"));
    EXPECT_EQ(t.put("/many/new", "made"), 4);
    EXPECT_EQ(t.content("/many/new"), "made");
    EXPECT_EQ(remove("/many/new"), 0);
    EXPECT_FALSE(t.node("/many/new"));
    const std::string five = t.content("/many/name-5"), six = t.content("/many/name-6");
    EXPECT_EQ(move("/many/name-6", "/many/name-5"), 0);
    EXPECT_EQ(t.content("/many/name-5"), six);
    EXPECT_FALSE(t.node("/many/name-6"));
    EXPECT_EQ(t.put("/many/name-6", five), static_cast<int>(five.size()));
    EXPECT_EQ(t.content("/many/name-6"), five);
    EXPECT_TRUE(t.node("/usr/lib/deep/er/file"));
    EXPECT_EQ(move("/usr/lib/deep", "/empty/deep"), 0);
    EXPECT_FALSE(t.node("/usr/lib/deep/er/file"));
    EXPECT_EQ(t.content("/empty/deep/er/file"), "deep");
    EXPECT_EQ(t.path_of("/empty/deep/er/file"), "/empty/deep/er/file");
    EXPECT_EQ(remove("/usr/size100"), 0);
    EXPECT_FALSE(t.node("/usr/size100"));
    EXPECT_TRUE(t.node("/usr/lib/linked"));
}

// mkfs.erofs -T gives all inodes the superblock's time, and makes them compact: they have none of their own.
TEST_P(ErofsTest, CompactInodesHaveTheImagesTime) {
    EXPECT_EQ(attributes(*t.node("/usr/size100")).modified, Timestamp{1700000000} * 1'000'000'000);
    EXPECT_EQ(attributes(*t.node("/many")).modified, Timestamp{1700000000} * 1'000'000'000);
}

// mkfs.erofs stores chunks of zeros; as holes they are in images of our own.
std::vector<char> image_with_holes() {
    std::vector<char> bytes = Sample::get().image("chunked");
    const Erofs reader = Erofs::open(std::as_bytes(std::span{bytes})).value();
    const ErofsInode root = reader.inode(reader.root()).value();
    const ErofsInode usr = reader.inode(reader.find(root, "usr").value().nid).value();
    const ErofsInode sparse = reader.inode(reader.find(usr, "sparse").value().nid).value();
    EXPECT_EQ(sparse.chunk_log2, 12);
    for (std::size_t chunk = 0; chunk < 40; ++chunk) {
        const std::size_t entry = sparse.tail + (chunk + 1) * sparse.map_entry_bytes - 4;
        if (chunk != 0 && chunk != 20)
            std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(entry), 4, '\xff');
    }
    bytes[1024 + 8] = static_cast<char>(bytes[1024 + 8] & ~1); // no checksum over the superblock's block
    return bytes;
}

TEST(ErofsHoles, AreHoles) {
    const Image image(image_with_holes());
    TestTree t({image.view(), 1 << 20, false});
    t.tree.finish();
    t.run_as(0, 0);
    const Ref<Node> node = t.node("/usr/sparse");
    EXPECT_EQ(attributes(*node).blocks, 2 * 8u);
    const int descriptor = t.open("/usr/sparse", open_flag::read_write);
    const auto seek = [&](std::int64_t offset, int whence) {
        const auto found = seek_file(t.file(descriptor), offset, whence);
        return found.ok() ? static_cast<std::int64_t>(*found) : -static_cast<std::int64_t>(found.error());
    };
    constexpr int seek_data = 3, seek_hole = 4;
    EXPECT_EQ(seek(0, seek_data), 0);
    EXPECT_EQ(seek(0, seek_hole), 4096);
    EXPECT_EQ(seek(5000, seek_data), 20 * 4096);
    EXPECT_EQ(seek(5000, seek_hole), 5000);
    EXPECT_EQ(seek(20 * 4096 + 7, seek_hole), 21 * 4096);
    EXPECT_EQ(seek(30 * 4096, seek_data), -6);
    const auto page = map_page(*node, 10, MapUse::private_copy);
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(page->kind, MappedPage::Kind::hole);
    // A page written into the hole is data again.
    EXPECT_EQ(seek(30 * 4096, 0), 30 * 4096);
    EXPECT_EQ(t.write(descriptor, "x"), 1);
    EXPECT_EQ(seek(25 * 4096, seek_data), 30 * 4096);
    EXPECT_EQ(seek(30 * 4096 + 1, seek_hole), 31 * 4096);
    EXPECT_EQ(t.content("/usr/sparse").substr(30 * 4096, 2), std::string("x\0", 2));
    EXPECT_EQ(t.content("/usr/sparse").substr(20 * 4096, 6), "middle");
}

// The end of an inlined file lies beside other files' metadata: who maps it gets a copy, all of them the same.
TEST_P(ErofsTest, AnInlinedEndIsMappedAsOneCopy) {
    const Ref<Node> node = t.node("/usr/size4097");
    const auto before = host::state().frames;
    const auto first = map_page(*node, 1, MapUse::private_copy),
               second = map_page(*node, 1, MapUse::private_copy);
    ASSERT_TRUE(first.ok() && second.ok());
    if (std::string_view{GetParam()} == "inline") {
        ASSERT_EQ(first->kind, MappedPage::Kind::frame);
        EXPECT_EQ(first->frame, second->frame);
        EXPECT_EQ(host::state().frames, before + 1);
        const std::byte* data = mm::frame_data(first->frame);
        EXPECT_EQ(std::string(reinterpret_cast<const char*>(data), 1), pattern(4097, 4097).substr(4096));
        EXPECT_TRUE(std::all_of(data + 1, data + page_bytes, [](std::byte b) { return b == std::byte{0}; }));
        mm::release_frame(first->frame);
        mm::release_frame(second->frame);
        EXPECT_EQ(host::state().frames, before + 1) << "kept for the next one";
        const int descriptor = t.open("/usr/size4097", open_flag::write_only);
        EXPECT_EQ(code(seek_file(t.file(descriptor), 4096, 0)), 0);
        EXPECT_EQ(t.write(descriptor, "y"), 1);
        const auto written = map_page(*node, 1, MapUse::private_copy);
        ASSERT_TRUE(written.ok());
        EXPECT_EQ(*mm::frame_data(written->frame), std::byte{'y'});
        mm::release_frame(written->frame);
    }
}

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
