// SPDX-License-Identifier: Apache-2.0
// image-tools/bundle/bundle_test.cpp - bundles: written deterministically, verified, refused after any change.
#include "image-tools/bundle/loader_elf.hpp"
#include "image-tools/bundle/sections.hpp"
#include "image-tools/bundle/verify.hpp"

#include <algorithm>
#include <csignal>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace bundle {
namespace {

class Folder {
public:
    Folder() {
        std::string name = (std::filesystem::temp_directory_path() / "caisson-test-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::filesystem::path operator/(const char* name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

std::string noise(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    std::string out(size, '\0');
    for (char& c : out)
        c = static_cast<char>(random());
    return out;
}

std::vector<SectionInput> inputs() {
    return {section(SectionType::table, no_partition, "table", noise(1000, 1)),
            section(SectionType::kernel, no_partition, "unikernel", noise(70000, 2)),
            section(SectionType::root, 0, "web.root", noise((2 << 20) + 8192, 3)),
            section(SectionType::kernel, 1, "plc.kernel", noise(4096, 4)),
            section(SectionType::module, 1, "plc.module", noise(1, 5)),
            section(SectionType::meta, no_partition, "meta", "{\"schema\":\"caisson.meta/1\"}\n")};
}

std::string made(const SigningKey& key, std::uint64_t security_version = 4) {
    const Folder folder;
    files::AtomicFile file(folder / "x.bundle");
    const auto written = write_bundle(file, {"gate", "1.0", security_version, 7}, inputs(), key, {});
    file.commit();
    std::string bytes = files::read_file(folder / "x.bundle", 64 << 20);
    EXPECT_EQ(bytes.size(), written.total_size);
    return bytes;
}

KeyTable trusting(const SigningKey& key, std::uint64_t floor = 0) {
    KeyTable keys = empty_keys();
    keys.slots[1] = slot(purpose_bundle, 0, floor, key.public_key());
    return keys;
}

bytes::Source source(const std::string& text) {
    return bytes::Source(std::as_bytes(std::span(text.data(), text.size())));
}

// The code with which verify refuses, empty when it does not.
std::string refusal(const std::string& text, const KeyTable& keys) {
    try {
        static_cast<void>(verify(source(text), keys, "x.bundle"));
    } catch (const diagnostic::Failure& failure) {
        EXPECT_TRUE(failure.diagnostic().exit == diagnostic::ExitCode::trust ||
                    failure.diagnostic().exit == diagnostic::ExitCode::input);
        return failure.diagnostic().code + " " + failure.diagnostic().message;
    }
    return {};
}

class BundleTest : public testing::Test {
protected:
    const SigningKey key = SigningKey::generate();
    const std::string good = made(key);
    const KeyTable keys = trusting(key);
    BundleSummary summary = summarize(source(good), "x");
};

TEST_F(BundleTest, VerifiesAndSaysWhatItHolds) {
    const Verified verified = verify(source(good), keys, "x");
    EXPECT_EQ(verified.signer.slot, 1u);
    EXPECT_EQ(verified.signer.security_version, 4u);
    EXPECT_EQ(verified.key, key.public_key());
    EXPECT_EQ(verified.summary.name(), "gate");
    ASSERT_EQ(verified.summary.sections.size(), 7u);
    EXPECT_EQ(verified.summary.sections[3].name, "web.root");
    EXPECT_EQ(verified.summary.table.size(), 1000u);
    EXPECT_EQ(verified.summary.meta, "{\"schema\":\"caisson.meta/1\"}\n");
}

TEST_F(BundleTest, SameInputSameBytes) {
    EXPECT_EQ(made(key), good);
}

TEST_F(BundleTest, RefusesAThousandFlips) {
    std::set<std::size_t> places;
    std::mt19937 random(42);
    const auto some = [&](std::size_t from, std::size_t to, std::size_t count) {
        for (std::size_t i = 0; i < count && to > from; ++i)
            places.insert(from + random() % (to - from));
    };
    const std::size_t header_size = summary.header.header_size;
    for (std::size_t i = 0; i < sections_offset; ++i) // every header field
        places.insert(i);
    for (std::size_t s = 0; s < summary.sections.size(); ++s) { // every field of every section entry
        const std::size_t entry = sections_offset + s * section_entsize;
        for (std::size_t field : {0, 4, 8, 16, 24, 32, 36, 40, 60, 72, 90, 104, 127})
            places.insert(entry + field);
        some(entry, entry + section_entsize, 20);
    }
    some(sections_offset + summary.sections.size() * section_entsize, header_size - 64, 60);
    for (std::size_t i = header_size - 64; i < header_size; ++i) // the signature
        places.insert(i);
    std::size_t end = header_size;
    for (const SectionSummary& section : summary.sections) {
        some(end, section.offset, 30); // the gap before it
        places.insert(section.offset);
        places.insert(section.offset + section.size - 1);
        some(section.offset, section.offset + section.size, 60);
        end = section.offset + section.size;
    }
    EXPECT_GE(places.size(), 1000u);
    std::string changed = good;
    for (std::size_t place : places) {
        const char before = changed[place];
        changed[place] = static_cast<char>(before ^ (1 << random() % 8));
        EXPECT_NE(refusal(changed, keys), "") << "flip at " << place;
        changed[place] = before;
    }
    EXPECT_EQ(refusal(changed, keys), "");
}

TEST_F(BundleTest, RefusesTruncationAndAdditionAtEverySection) {
    std::vector<std::size_t> places{0, 1, 255, 4096, summary.header.header_size};
    for (const SectionSummary& section : summary.sections) {
        places.push_back(section.offset);
        places.push_back(section.offset + section.size);
    }
    for (std::size_t place : places) {
        if (place < good.size()) {
            EXPECT_NE(refusal(good.substr(0, place), keys), "") << "cut at " << place;
        }
        for (const char extra : {'\0', 'x'}) {
            std::string longer = good;
            longer.insert(place, 1, extra);
            EXPECT_NE(refusal(longer, keys), "") << "one byte at " << place;
        }
    }
}

TEST_F(BundleTest, NamesSectionAndLeaf) {
    std::string changed = good;
    changed[summary.sections[3].offset + (2 << 20) + 5] ^= 1;
    const std::string text = refusal(changed, keys);
    EXPECT_NE(text.find("E0501"), std::string::npos) << text;
    EXPECT_NE(text.find("'web.root' leaf 1 (bytes 0x"), std::string::npos) << text;
}

TEST_F(BundleTest, TrustNeedsTheRightKeyAndVersion) {
    EXPECT_NE(refusal(good, empty_keys()), "");
    EXPECT_NE(refusal(good, trusting(SigningKey::generate())), "");
    EXPECT_EQ(refusal(good, trusting(key, 4)), "");
    EXPECT_NE(refusal(good, trusting(key, 5)), "");
    KeyTable purposeless = keys;
    purposeless.slots[1].purpose = 0;
    EXPECT_NE(refusal(good, purposeless), "");
    std::string unsigned_bundle = good;
    std::fill_n(unsigned_bundle.begin() + static_cast<std::ptrdiff_t>(summary.header.header_size) - 64, 64,
                '\0');
    EXPECT_NE(refusal(unsigned_bundle, keys), "");
}

TEST_F(BundleTest, ReadsFromAFile) {
    const Folder folder;
    EXPECT_TRUE(files::write_new_file(folder / "x.bundle", good, 0644));
    const FileSource file(folder / "x.bundle");
    EXPECT_EQ(verify(file.source(), keys, "x").summary.sections.size(), 7u);
    EXPECT_THROW(FileSource(folder / "nothing"), diagnostic::Failure);
}

TEST(Bundle, TooLargeIsRefusedBeforeWriting) {
    const Folder folder;
    EXPECT_TRUE(files::write_new_file(folder / "big", "", 0600));
    std::filesystem::resize_file(folder / "big", max_total_size + 1);
    std::vector<SectionInput> sections = inputs();
    sections.push_back(section_of_file(SectionType::root, 1, "big", *files::FileRange::open(folder / "big")));
    try {
        files::AtomicFile file(folder / "x.bundle");
        static_cast<void>(write_bundle(file, {"gate", "1", 0, 0}, sections, SigningKey::generate(), {}));
        FAIL();
    } catch (const diagnostic::Failure& failure) {
        EXPECT_EQ(failure.diagnostic().exit, diagnostic::ExitCode::limit);
    }
    EXPECT_FALSE(std::filesystem::exists(folder / "x.bundle"));
}

// A root that was written straight to its place, and its second copy, give the bundle that copies give.
void expect_the_same_in_place(std::size_t bytes) {
    const Folder folder;
    const SigningKey key = SigningKey::generate();
    const std::string root = noise(bytes, 9);
    const auto made = [&](const char* name, bool in_place) {
        files::AtomicFile file(folder / name);
        const std::uint64_t offset = first_section_offset(5);
        std::vector<SectionInput> sections;
        for (std::uint32_t partition : {0u, 1u})
            if (in_place)
                sections.push_back(section_of_file(SectionType::root, partition, "root",
                                                   {file.handle(), name, offset, root.size()}));
            else
                sections.push_back(section(SectionType::root, partition, "root", root));
        sections.push_back(section(SectionType::table, no_partition, "table", noise(9, 1)));
        sections.push_back(section(SectionType::meta, no_partition, "meta", "{}"));
        if (in_place) {
            EXPECT_EQ(::pwrite(file.handle()->get(), root.data(), root.size(), static_cast<off_t>(offset)),
                      static_cast<ssize_t>(root.size()));
        }
        static_cast<void>(write_bundle(file, {"gate", "1", 0, 0}, sections, key, {}));
        file.commit();
        return files::read_file(folder / name, 128 << 20);
    };
    const std::string copied = made("copied", false);
    EXPECT_TRUE(made("in-place", true) == copied);
    EXPECT_EQ(refusal(copied, trusting(key)), "");
}
TEST(Bundle, SectionWrittenInPlace) {
    expect_the_same_in_place((2 << 20) + 4096);
}
// Of 19 and 18 leaves: two threads read it.
TEST(Bundle, LongSectionWrittenInPlace) {
    expect_the_same_in_place((36 << 20) + 4096);
    expect_the_same_in_place((36 << 20));
}

TEST(Scratch, RemovedWhenASignalEndsTheTool) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        const Folder folder;
        const pid_t child = ::fork();
        if (child == 0) {
            std::filesystem::create_directory(folder / "work");
            const files::Scratch work(folder / "work");
            files::AtomicFile part(folder / "work/a");
            files::AtomicFile other(folder / "b");
            ::raise(signal);
            ::_exit(1);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << status;
        EXPECT_TRUE(std::filesystem::is_empty(folder / "."));
    }
}

TEST(Keys, SavedLoadedAndNeverOverwritten) {
    const Folder folder;
    const SigningKey key = SigningKey::generate();
    key.save(folder / "a.key", folder / "a.pub");
    struct stat status {};
    ASSERT_EQ(::stat((folder / "a.key").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777u, 0600u);
    EXPECT_EQ(SigningKey::load(folder / "a.key").public_key(), key.public_key());
    EXPECT_EQ(load_public_key(folder / "a.pub"), key.public_key());
    EXPECT_EQ(load_public_key(folder / "a.key"), key.public_key());
    EXPECT_THROW(key.save(folder / "a.key", folder / "b.pub"), diagnostic::Failure);
    EXPECT_THROW(key.save(folder / "b.key", folder / "a.pub"), diagnostic::Failure);
    EXPECT_FALSE(std::filesystem::exists(folder / "b.key"));
    EXPECT_THROW(static_cast<void>(SigningKey::load(folder / "a.pub")), diagnostic::Failure);
    ::chmod((folder / "a.key").c_str(), 0640);
    EXPECT_THROW(static_cast<void>(SigningKey::load(folder / "a.key")), diagnostic::Failure);
}

TEST(Keys, DevelopmentKeyIsMadeOnceForTheUser) {
    const Folder folder;
    ::setenv("XDG_CONFIG_HOME", (folder / "config").c_str(), 1);
    bool made_first = false, made_again = true;
    const SigningKey first = SigningKey::development(made_first);
    const SigningKey again = SigningKey::development(made_again);
    EXPECT_TRUE(made_first);
    EXPECT_FALSE(made_again);
    EXPECT_TRUE(first.is_development());
    EXPECT_EQ(first.public_key(), again.public_key());
}

TEST(Files, ANewFileHasItsNameOnlyWhenItIsWhole) {
    const Folder folder;
    const std::filesystem::path file = folder / "new";
    const std::string text(std::size_t{32} << 20, 'x');
    bool made = false;
    std::jthread writer([&] { made = files::write_new_file(file, text, 0600); });
    while (!std::filesystem::exists(file))
        std::this_thread::yield();
    EXPECT_EQ(std::filesystem::file_size(file), text.size());
    writer.join();
    EXPECT_TRUE(made);
    EXPECT_FALSE(files::write_new_file(file, "other", 0600));
    EXPECT_EQ(files::read_file(file, text.size()), text);
    const std::filesystem::directory_iterator left(file.parent_path());
    EXPECT_EQ(std::distance(begin(left), end(left)), 1);
}

TEST(LoaderElf, AWeakenedHypervisorIsNoProductsLoader) {
    ::unsetenv("CAISSON_TEST_WEAK_LOADER");
    std::string loader = "an ELF, and a selector: CAISSON-WEAK-V1";
    const auto refusal_code = [&loader] {
        try {
            (void)keys_of(loader);
        } catch (const diagnostic::Failure& failure) {
            return failure.diagnostic().code;
        }
        return std::string();
    };
    EXPECT_EQ(refusal_code(), "E0507");
    ::setenv("CAISSON_TEST_WEAK_LOADER", "1", 1);
    EXPECT_EQ(refusal_code(), "E0706"); // taken for a loader, and it has no key slot
    ::unsetenv("CAISSON_TEST_WEAK_LOADER");
}

} // namespace
} // namespace bundle
