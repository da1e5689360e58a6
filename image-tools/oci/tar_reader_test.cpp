// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/tar_reader.hpp"

#include "image-tools/oci/tar_format.hpp"
#include "image-tools/oci/tar_writer.hpp"

#include <cstring>
#include <gtest/gtest.h>
#include <string>

namespace oci {
namespace {

TarReader::Source source_of(std::string_view text, std::size_t run) {
    return [text, run]() mutable -> std::span<const std::uint8_t> {
        const std::string_view part = text.substr(0, run);
        text.remove_prefix(part.size());
        return {reinterpret_cast<const std::uint8_t*>(part.data()), part.size()};
    };
}

std::string record(const std::string& key, const std::string& value) {
    std::size_t length = key.size() + value.size() + 3;
    length += std::to_string(length + 2).size();
    return std::to_string(length) + " " + key + "=" + value + "\n";
}

std::string padded(std::string data) {
    data.resize((data.size() + 511) / 512 * 512, '\0');
    return data;
}

void seal(std::string& block) {
    std::memset(block.data() + 148, ' ', 8);
    unsigned sum = 0;
    for (const char c : block) {
        sum += static_cast<unsigned char>(c);
    }
    std::snprintf(block.data() + 148, 8, "%06o", sum);
}

std::string header(const std::string& name, char type, std::size_t size, const char* magic = "ustar\00000") {
    std::string block(512, '\0');
    block.replace(0, name.size(), name);
    std::memcpy(block.data() + 100,
                "0000644\0"
                "0000001\0"
                "0000002\0",
                24);
    std::snprintf(block.data() + 124, 12, "%011zo", size);
    std::memcpy(block.data() + 136, "00000000012", 11);
    block[156] = type;
    std::memcpy(block.data() + 257, magic, 8);
    seal(block);
    return block;
}

std::string extended(const std::string& records) {
    return header("x", 'x', records.size()) + padded(records);
}

const std::string end_mark(1024, '\0');

struct Read {
    std::vector<TarEntry> entries;
    std::vector<std::string> data;
    std::string error;
};

Read read_all(const std::string& tar, std::size_t run = 1000, const Limits& limits = {}) {
    Read result;
    try {
        TarReader reader(source_of(tar, run), limits);
        TarEntry entry;
        while (reader.next(entry)) {
            std::string data;
            for (auto part = reader.read(); !part.empty(); part = reader.read()) {
                data.append(reinterpret_cast<const char*>(part.data()), part.size());
            }
            result.entries.push_back(entry);
            result.data.push_back(data);
        }
    } catch (const TarError& error) {
        result.error = error.what();
    }
    return result;
}

TEST(TarReader, WhatTheWriterWritesComesBack) {
    TarEntry entry;
    entry.path = std::string(300, 'p');
    entry.link = "";
    entry.mode = 04711;
    entry.uid = 4294967295;
    entry.gid = 3;
    entry.mtime = -1;
    entry.size = 700;
    entry.attributes = {{"user.x", std::string("a\0=b\n", 5)}};
    std::string tar;
    TarWriter writer([&tar](std::span<const std::uint8_t> data) {
        tar.append(reinterpret_cast<const char*>(data.data()), data.size());
    });
    writer.begin(entry);
    const std::string data(700, 'd');
    writer.data({reinterpret_cast<const std::uint8_t*>(data.data()), data.size()});
    writer.end_entry();
    writer.finish();
    for (const std::size_t run : {1, 511, 512, 513, 100000}) {
        const Read read = read_all(tar, run);
        ASSERT_EQ(read.entries.size(), 1u) << read.error;
        EXPECT_EQ(read.entries[0].path, entry.path);
        EXPECT_EQ(read.entries[0].mode, 04711);
        EXPECT_EQ(read.entries[0].uid, 4294967295u);
        EXPECT_EQ(read.entries[0].mtime, -1);
        EXPECT_EQ(read.entries[0].attributes, entry.attributes);
        EXPECT_EQ(read.data[0], data);
    }
}

TEST(TarReader, PaxOverridesAndIsRefusedWhenMalformed) {
    const std::string file = header("short", '0', 0);
    EXPECT_EQ(read_all(extended(record("path", "long") + record("mtime", "-1.5")) + file).entries.at(0).path,
              "long");
    EXPECT_EQ(read_all(extended(record("mtime", "-1.5")) + file).entries.at(0).mtime, -2);
    EXPECT_EQ(read_all(extended(record("mtime", "-1.5")) + file).entries.at(0).mtime_nanoseconds, 500000000u);
    EXPECT_EQ(read_all(extended(record("LIBARCHIVE.xattr.user.a%20b", "aGk")) + file)
                  .entries.at(0)
                  .attributes.at("user.a b"),
              "hi");
    for (const std::string& bad :
         {std::string("5 a=b\n"), std::string("7 a=b\n"), std::string("x"), std::string("6 a=bc"),
          record("size", "-1"), record("uid", "4294967296"), record("path", std::string("a\0b", 3)),
          record("GNU.sparse.offset", "1")}) {
        EXPECT_FALSE(read_all(extended(bad) + file).error.empty()) << bad;
    }
    EXPECT_FALSE(read_all(extended(record("path", "x"))).error.empty()) << "an extended header for nothing";
    std::string global = extended(record("path", "everything"));
    global[156] = 'g';
    std::string first = global.substr(0, 512);
    seal(first);
    EXPECT_NE(read_all(first + global.substr(512) + file).error.find("global"), std::string::npos);
}

TEST(TarReader, GnuLongNamesAndBase256) {
    const std::string name(200, 'n');
    std::string file = header("cut", '0', 0, "ustar  ");
    std::memcpy(file.data() + 108, "\x80\0\0\0\0\x2d\xc6\xc0", 8); // uid 3,000,000
    seal(file);
    const Read read =
        read_all(header("././@LongLink", 'L', 201, "ustar  ") + padded(name + '\0') + file + end_mark);
    ASSERT_EQ(read.entries.size(), 1u) << read.error;
    EXPECT_EQ(read.entries[0].path, name);
    EXPECT_EQ(read.entries[0].uid, 3000000u);
    std::memcpy(file.data() + 108, "\xff\xff\xff\xff\xff\xff\xff\xff", 8); // -1
    seal(file);
    EXPECT_FALSE(read_all(file).error.empty());
}

TEST(TarReader, SparseFormats) {
    const std::string data(1024, 'd');
    const std::string size = record("GNU.sparse.size", "100000");
    const auto pairs = record("GNU.sparse.offset", "0") + record("GNU.sparse.numbytes", "512") +
                       record("GNU.sparse.offset", "4096") + record("GNU.sparse.numbytes", "512");
    const auto check = [&](const std::string& tar, const char* what) {
        const Read read = read_all(tar + end_mark);
        ASSERT_EQ(read.entries.size(), 1u) << what << ": " << read.error;
        EXPECT_EQ(read.entries[0].size, 100000u) << what;
        ASSERT_EQ(read.entries[0].extents.size(), 2u) << what;
        EXPECT_EQ(read.entries[0].extents[1].offset, 4096u) << what;
        EXPECT_EQ(read.data[0], data) << what;
    };
    check(extended(size + record("GNU.sparse.numblocks", "2") + pairs) + header("f", '0', 1024) + data,
          "0.0");
    check(extended(size + record("GNU.sparse.map", "0,512,4096,512")) + header("f", '0', 1024) + data, "0.1");
    check(extended(record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") +
                   record("GNU.sparse.realsize", "100000")) +
              header("f", '0', 1536) + padded("2\n0\n512\n4096\n512\n") + data,
          "1.0");
    std::string old = header("f", 'S', 1024, "ustar  ");
    std::memcpy(old.data() + 386,
                "00000000000\0"
                "00000001000\0"
                "00000010000\0"
                "00000001000\0",
                48);
    std::memcpy(old.data() + 483, "00000303240\0", 12);
    seal(old);
    check(old + data, "old GNU");
    // Out of order, beyond the file, wrong sum.
    for (const char* map : {"4096,512,0,512", "0,512,99999,512", "0,512,4096,511", "0,512,4096"}) {
        EXPECT_FALSE(read_all(extended(size + record("GNU.sparse.map", map)) + header("f", '0', 1024) + data)
                         .error.empty())
            << map;
    }
}

TEST(TarReader, RefusesWhatReadersCouldReadDifferently) {
    const std::string file = header("f", '0', 3) + padded("abc");
    EXPECT_EQ(read_all(file).error, "") << "no end mark is accepted";
    EXPECT_EQ(read_all(file + end_mark + std::string(10240, '\0')).error, "");
    EXPECT_NE(read_all(file + end_mark + file).error.find("after the tar's end mark"), std::string::npos);
    EXPECT_NE(read_all(file + end_mark.substr(0, 512) + file).error.find("single block of zeros"),
              std::string::npos);
    EXPECT_NE(read_all(file.substr(0, 514)).error.find("ends in the middle"), std::string::npos);
    EXPECT_NE(read_all(header("h", '1', 3) + padded("abc")).error.find("is no file but names a size"),
              std::string::npos);
    EXPECT_NE(read_all(header("v", 'V', 0)).error.find("of type 'V'"), std::string::npos);
    std::string wrong = file;
    wrong[0] = 'g';
    EXPECT_NE(read_all(wrong).error.find("checksum"), std::string::npos);
    std::string octal = header("f", '0', 0);
    octal.replace(124, 11, "00000000009");
    seal(octal);
    EXPECT_NE(read_all(octal).error.find("size is not a number"), std::string::npos);
    Limits limits;
    limits.extended_header_bytes = 10;
    EXPECT_FALSE(read_all(extended(record("path", "0123456789")), 512, limits).error.empty());
}

std::string paths_of(const Read& read) {
    std::string out;
    for (const TarEntry& entry : read.entries) {
        out += entry.path + " ";
    }
    return out + read.error;
}

std::string with_prefix(std::string block, const std::string& prefix) {
    block.replace(345, prefix.size(), prefix);
    seal(block);
    return block;
}

TEST(TarReader, ThePrefixCountsWhateverTheVersionSays) {
    for (const std::string& version :
         {std::string("00"), std::string("\0\0", 2), std::string(" \0", 2), std::string("zz")}) {
        std::string block = header("name", '0', 0);
        block.replace(263, 2, version);
        EXPECT_EQ(paths_of(read_all(with_prefix(block, "some/dir"))), "some/dir/name ") << version;
    }
    EXPECT_EQ(paths_of(read_all(with_prefix(header("name", '0', 0, "ustar  "), "times"))), "name ") << "GNU";
    EXPECT_EQ(paths_of(read_all(with_prefix(header("name", '0', 0, std::string(8, char{}).c_str()), "junk"))),
              "name ")
        << "v7";
    std::string star = with_prefix(header("name", '0', 0), "dir");
    star.replace(345 + 131, 11, "00000000012");
    star.replace(508, 4, std::string("tar\0", 4));
    seal(star);
    EXPECT_EQ(paths_of(read_all(star)), "dir/name ");
}

TEST(TarReader, NoDataAfterLinksAndDirectoriesWhateverSizeTheyName) {
    const std::string file = header("f", '0', 3) + padded("abc");
    for (const char type : {'1', '2', '5'}) {
        for (const std::size_t size : {5, 4096, 1 << 30}) {
            const Read read = read_all(header("h", type, size) + file + file + end_mark, 700);
            EXPECT_EQ(paths_of(read), "h f f ") << type << size;
            EXPECT_EQ(read.data.back(), "abc");
        }
    }
    // A reader that skips 1024 bytes goes on at the second file: all of them find it there or not at all.
    EXPECT_EQ(paths_of(read_all(header("d", '5', 1024) + file + file + end_mark)), "d f f ");
    // One that skips 512 goes on inside the first.
    const std::string inside = header("hidden", '0', 0);
    const std::string carrier = header("f", '0', 512) + inside;
    EXPECT_NE(read_all(header("d", '5', 512) + carrier + end_mark, 300).error.find("find other entries"),
              std::string::npos);
    // libarchive does take data of a hard link after PAX records.
    const std::string link = extended(record("comment", "x")) + header("h", '1', 1024);
    EXPECT_NE(read_all(link + file + file + end_mark).error.find("find other entries"), std::string::npos);
    EXPECT_EQ(paths_of(read_all(extended(record("comment", "x")) + header("h", '1', 3) + file + end_mark)),
              "h f ");
}

TEST(TarReader, TheEndIsWhereGoSeesIt) {
    const std::string file = header("f", '0', 3) + padded("abc");
    std::string junk;
    for (int i = 0; i < 200; ++i) {
        junk += "junk";
    }
    for (const std::string& end : {std::string(), std::string(512, '\0'), std::string(700, '\0'),
                                   std::string(10240, '\0'), end_mark + junk}) {
        EXPECT_EQ(paths_of(read_all(file + end, 333)), "f ") << end.size();
    }
    for (const std::size_t bytes : {515, 524, 1023}) { // the last padding is short
        EXPECT_EQ(paths_of(read_all(file.substr(0, bytes), 333)), "f ") << bytes;
    }
    EXPECT_EQ(paths_of(read_all("")), "");
    EXPECT_NE(read_all(file + end_mark + std::string(512, 'x') + file, 100).error.find("after the tar's end"),
              std::string::npos);
}

TEST(TarReader, GlobalTimesAndOwnersAreNotApplied) {
    const auto global = [](const std::string& records) {
        return header("g", 'g', records.size()) + padded(records);
    };
    const std::string file = header("f", '0', 0);
    const Read read = read_all(
        global(record("comment", "0") + record("mtime", "1") + record("uid", "5") + record("gid", "5")) +
        file);
    ASSERT_EQ(read.entries.size(), 1u) << read.error;
    EXPECT_EQ(read.entries[0].mtime, 10);
    EXPECT_EQ(read.entries[0].uid, 1u);
    for (const std::string& bad : {record("path", "p"), record("linkpath", "p"), record("size", "1"),
                                   record("SCHILY.xattr.user.a", "b"), record("GNU.sparse.major", "1")}) {
        EXPECT_NE(read_all(global(bad) + file).error.find("global"), std::string::npos) << bad;
    }
}

TEST(TarFormat, Numbers) {
    EXPECT_EQ(tar::time("1700000000.123456789")->nanoseconds, 123456789u);
    EXPECT_FALSE(tar::time("1e9"));
    EXPECT_FALSE(tar::decimal("9223372036854775808"));
    EXPECT_FALSE(tar::decimal(""));
    EXPECT_EQ(*tar::base64("AAEC"), std::string("\0\1\2", 3));
    EXPECT_FALSE(tar::base64("A*"));
    EXPECT_FALSE(tar::percent_decoded("a%4"));
}

} // namespace
} // namespace oci
