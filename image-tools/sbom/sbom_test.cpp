// SPDX-License-Identifier: Apache-2.0
#include "image-tools/sbom/documents.hpp"
#include "image-tools/sbom/licence.hpp"
#include "image-tools/sbom/sbom_fixture_test.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

namespace sbom {
namespace {

using test::files_of;

std::string names(const Inventory& inventory) {
    std::string out;
    for (const Package& package : inventory.packages)
        out += (out.empty() ? "" : " ") + package.name + "=" + package.version;
    return out;
}

const char* const status =
    "Package: libc6\nStatus: install ok installed\nMaintainer: GNU Libc <x@y>\n"
    "Architecture: amd64\nSource: glibc\nVersion: 2.36-9+deb12u4\nDescription: C\n long\n\n"
    "Package: gone\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1\n\n"
    "Package: libgcc-s1\nStatus: install ok installed\nArchitecture: amd64\n"
    "Source: gcc-12 (12.2.0-14)\nVersion: 1:12.2.0-14\n";

TEST(Dpkg, StatusWithLicencesAndFiles) {
    const Files files =
        files_of({{"var/lib/dpkg/status", status},
                  {"var/lib/dpkg/info/libc6:amd64.list", "/.\n/lib\n/lib/libc.so.6\n"},
                  {"usr/share/doc/libc6/copyright",
                   "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n\nFiles: *\n"
                   "License: LGPL-2.1+\n\nFiles: x\nLicense: BSD-3-clause\n text\n"},
                  {"usr/share/doc/gcc-12-base/copyright", "see /usr/share/common-licenses/GPL-3.\n"},
                  {"etc/os-release",
                   "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"}},
                 {{"usr/share/doc/libgcc-s1", "gcc-12-base"}});
    const Inventory found = take_inventory(files);
    ASSERT_EQ(names(found), "libc6=2.36-9+deb12u4 libgcc-s1=1:12.2.0-14");
    EXPECT_TRUE(found.notes.empty());
    EXPECT_EQ(found.packages[0].licence, "BSD-3-clause; LGPL-2.1+");
    EXPECT_EQ(found.packages[0].source, "glibc");
    EXPECT_EQ(found.packages[0].files, (std::vector<std::string>{"lib", "lib/libc.so.6"}));
    EXPECT_EQ(found.packages[1].licence, "GPL-3");
    EXPECT_EQ(found.packages[1].source_version, "12.2.0-14");
    EXPECT_EQ(purl(found.packages[0], found.distribution),
              "pkg:deb/debian/libc6@2.36-9%2Bdeb12u4?arch=amd64&distro=debian-12&upstream=glibc");
    EXPECT_EQ(purl(found.packages[1], found.distribution),
              "pkg:deb/debian/libgcc-s1@1:12.2.0-14?arch=amd64&distro=debian-12&upstream=gcc-12%4012.2.0-14");
}

TEST(Dpkg, DistrolessAndDamaged) {
    const Inventory found = take_inventory(files_of(
        {{"var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12.4\nArchitecture: amd64\n"},
         {"var/lib/dpkg/status.d/base-files.md5sums", "0123456789abcdef0123456789abcdef  etc/host.conf\n"},
         {"var/lib/dpkg/status.d/odd", "Package: odd\n"}}));
    EXPECT_EQ(names(found), "base-files=12.4");
    EXPECT_EQ(found.packages[0].files, std::vector<std::string>{"etc/host.conf"});
    ASSERT_EQ(found.notes.size(), 1u);
    EXPECT_NE(found.notes[0].find("status.d/odd: a paragraph without"), std::string::npos);
}

TEST(Apk, Installed) {
    const Inventory found = take_inventory(
        files_of({{"lib/apk/db/installed",
                   "C:Q1x=\nP:musl\nV:1.2.4-r2\nA:x86_64\nL:MIT\no:musl\nm:Me <m@x>\nF:lib\n"
                   "R:ld-musl-x86_64.so.1\n\nP:libcrypto3\nV:3.1.4-r5\nA:x86_64\nL:Apache-2.0\no:openssl\n"},
                  {"etc/os-release", "ID=alpine\nVERSION_ID=3.19.1\n"}}));
    ASSERT_EQ(names(found), "libcrypto3=3.1.4-r5 musl=1.2.4-r2");
    EXPECT_EQ(found.packages[1].files, std::vector<std::string>{"lib/ld-musl-x86_64.so.1"});
    EXPECT_EQ(purl(found.packages[0], found.distribution),
              "pkg:apk/alpine/libcrypto3@3.1.4-r5?arch=x86_64&distro=alpine-3.19.1&upstream=openssl");
}

std::string sqlite_of(const std::vector<std::string>& headers, const char* mode) {
    sqlite3* database = nullptr;
    sqlite3_open(":memory:", &database);
    sqlite3_exec(database,
                 "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)",
                 nullptr, nullptr, nullptr);
    for (const std::string& header : headers) {
        sqlite3_stmt* insert = nullptr;
        sqlite3_prepare_v2(database, "INSERT INTO Packages(blob) VALUES(?)", -1, &insert, nullptr);
        sqlite3_bind_blob(insert, 1, header.data(), static_cast<int>(header.size()), SQLITE_STATIC);
        sqlite3_step(insert);
        sqlite3_finalize(insert);
    }
    sqlite3_int64 size = 0;
    unsigned char* bytes = sqlite3_serialize(database, "main", &size, 0);
    std::string out(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    sqlite3_free(bytes);
    sqlite3_close(database);
    out[18] = out[19] = mode[0];
    return out;
}

TEST(Rpm, SqliteAlsoWithALogOfChanges) {
    for (const char* mode : {"\1", "\2"}) {
        const Inventory found = take_inventory(files_of(
            {{"usr/lib/sysimage/rpm/rpmdb.sqlite", sqlite_of({test::rpm_header("bash", "5.2", "1.fc40", 0),
                                                              test::rpm_header("perl", "5.38", "2", 4),
                                                              test::rpm_header("gpg-pubkey", "1", "2", 0)},
                                                             mode)},
             {"usr/lib/os-release", "ID=fedora\nVERSION_ID=40\n"}}));
        ASSERT_EQ(names(found), "bash=5.2-1.fc40 perl=4:5.38-2");
        EXPECT_EQ(found.packages[0].files, (std::vector<std::string>{"usr/bin/a", "usr/lib/b"}));
        EXPECT_EQ(found.packages[0].source, "bash-src");
        EXPECT_EQ(purl(found.packages[1], found.distribution),
                  "pkg:rpm/fedora/perl@5.38-2?arch=x86_64&distro=fedora-40&epoch=4");
    }
}

TEST(Rpm, NdbAndWhatIsNotRead) {
    const std::string blob = test::rpm_header("zypper", "1.14", "1", 0);
    using test::little;
    std::string database = "RpmP" + little(0, 4) + little(1, 4) + little(1, 4) + std::string(16, '\0');
    database += "Slot" + little(7, 4) + little(256, 4) + little(9, 4);
    while (database.size() < 4096)
        database += "Slot" + little(0, 12);
    database += "BlbS" + little(7, 4) + little(1, 4) + little(blob.size(), 4) + blob;
    EXPECT_EQ(names(take_inventory(files_of({{"var/lib/rpm/Packages.db", database}}))), "zypper=1.14-1");
    database[4096] = 'X';
    EXPECT_EQ(take_inventory(files_of({{"var/lib/rpm/Packages.db", database}})).notes.size(), 1u);
    const Inventory old = take_inventory(files_of({{"var/lib/rpm/Packages", std::string(4096, '\0')}}));
    ASSERT_EQ(old.notes.size(), 1u);
    EXPECT_NE(old.notes[0].find("Berkeley DB"), std::string::npos);
}

TEST(Programs, Go) {
    const std::string mark(16, 'M');
    const std::string modules = mark +
                                "path\texample.com/cmd\nmod\texample.com/cmd\t(devel)\t\n"
                                "dep\tgolang.org/x/net\tv0.17.0\th1:abc=\ndep\tgithub.com/Old/Name\tv1.0.0\n"
                                "=>\tgithub.com/new/name\tv2.0.0\th1:def=\nbuild\tCGO_ENABLED=0\n" +
                                mark;
    const auto counted = [](const std::string& text) {
        std::string out;
        std::size_t left = text.size();
        for (; left >= 128; left >>= 7)
            out += static_cast<char>(left | 128);
        return out + static_cast<char>(left) + text;
    };
    std::string section("\xff Go buildinf:", 14);
    section +=
        std::string("\x08\x02", 2) + std::string(16, '\0') + counted("go1.21.3 X:none") + counted(modules);
    const Inventory found =
        take_inventory(files_of({{"bin/tool", test::elf_with(".go.buildinfo", section)}}));
    EXPECT_EQ(names(found),
              "example.com/cmd= github.com/new/name=v2.0.0 golang.org/x/net=v0.17.0 stdlib=1.21.3");
    EXPECT_EQ(found.packages[2].sum, "h1:abc=");
    EXPECT_EQ(purl(found.packages[2], {}), "pkg:golang/golang.org/x/net@v0.17.0");
    const Inventory bad = take_inventory(
        files_of({{"bin/tool", test::elf_with(".go.buildinfo", section.substr(0, section.size() - 5))}}));
    EXPECT_EQ(bad.notes.size(), 1u);
}

TEST(Programs, Rust) {
    const std::string list = R"({"packages":[{"name":"app","version":"0.1.0","source":"local","root":true},)"
                             R"({"name":"libc","version":"0.2.150","source":"crates.io"},)"
                             R"({"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"}]})";
    EXPECT_EQ(
        names(take_inventory(files_of({{"bin/app", test::elf_with(".dep-v0", test::packed(list, 15))}}))),
        "app=0.1.0 libc=0.2.150");
    EXPECT_EQ(take_inventory(files_of({{"bin/app", test::elf_with(".dep-v0", "not packed")}})).notes.size(),
              1u);
}

TEST(Languages, PythonAndNode) {
    const Inventory found = take_inventory(files_of(
        {{"usr/lib/python3/dist-packages/PyYAML-6.0.dist-info/METADATA",
          "Metadata-Version: 2.1\nName: PyYAML\nVersion: 6.0\nLicense: MIT\n\nDescription\nName: no\n"},
         {"usr/lib/python3/dist-packages/PyYAML-6.0.dist-info/RECORD",
          "yaml/__init__.py,sha256=x,1\n../../bin/x,,\n"},
         {"usr/lib/python3/six.egg-info",
          "Name: six\nVersion: 1.16\nClassifier: License :: OSI Approved :: MIT License\n"},
         {"app/node_modules/@types/node/package.json",
          R"({"name":"@types/node","version":"20.1.0","license":"MIT"})"},
         {"app/node_modules/left-pad/package.json",
          R"({"name":"left-pad","version":"1.3.0","license":{"type":"WTFPL","url":"x"}})"},
         {"app/node_modules/left-pad/test/package.json", R"({"name":"no","version":"0"})"},
         {"app/package.json", R"({"name":"app","version":"0"})"}}));
    ASSERT_EQ(names(found), "PyYAML=6.0 six=1.16 @types/node=20.1.0 left-pad=1.3.0");
    EXPECT_EQ(found.packages[0].files,
              std::vector<std::string>{"usr/lib/python3/dist-packages/yaml/__init__.py"});
    EXPECT_EQ(found.packages[1].licence, "MIT License");
    EXPECT_EQ(purl(found.packages[0], {}), "pkg:pypi/pyyaml@6.0");
    EXPECT_EQ(purl(found.packages[2], {}), "pkg:npm/%40types/node@20.1.0");
    EXPECT_EQ(found.packages[3].licence, "WTFPL");
}

TEST(Languages, Java) {
    const std::string inner = test::zip_of(
        {{"META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nBundle-SymbolicName: org.example.li\r\n"
                                  " brary;x=1\r\nBundle-Version: 9\r\n\r\n"}});
    const std::string outer = test::zip_of({{"META-INF/maven/com.acme/app/pom.properties",
                                             "#made\nversion=1.2.3\ngroupId=com.acme\nartifactId=app\n"},
                                            {"BOOT-INF/lib/lib-2.0.jar", inner}});
    const Inventory found = take_inventory(files_of({{"app.jar", outer}, {"bad.jar", "PK"}}));
    ASSERT_EQ(names(found), "com.acme:app=1.2.3 org.example.library:lib=2.0");
    EXPECT_EQ(found.packages[1].place, "app.jar!/BOOT-INF/lib/lib-2.0.jar");
    EXPECT_EQ(purl(found.packages[0], {}), "pkg:maven/com.acme/app@1.2.3");
    EXPECT_EQ(found.notes.size(), 1u);
}

std::string licence_words(std::string_view field) {
    std::string out;
    for (const Licence& one : licences_of(field))
        out += std::string(one.form == Licence::Form::identifier   ? "i:"
                           : one.form == Licence::Form::expression ? "e:"
                                                                   : "w:") +
               one.text + "|";
    return out;
}

TEST(Licences, InWordsOfSpdxWhereThereAreSome) {
    EXPECT_EQ(licence_words("GPL-2+; Expat; MIT"), "i:GPL-2.0-or-later|i:MIT|");
    EXPECT_EQ(licence_words("MIT AND (Apache-2.0 OR gpl-2.0-only)"),
              "e:MIT AND (Apache-2.0 OR GPL-2.0-only)|");
    EXPECT_EQ(licence_words("GPL-2.0-only WITH Linux-syscall-note"),
              "w:GPL-2.0-only WITH Linux-syscall-note|");
    EXPECT_EQ(licence_words("GPL-3.0-or-later WITH GCC-exception-3.1"),
              "e:GPL-3.0-or-later WITH GCC-exception-3.1|");
    EXPECT_EQ(licence_words("MIT AND"), "w:MIT AND|");
    EXPECT_EQ(licence_words("(MIT"), "w:(MIT|");
    EXPECT_EQ(licence_words("my own"), "w:my own|");
    EXPECT_EQ(licence_words(""), "");
    EXPECT_EQ(reference_of("BSD-variant"), "LicenseRef-BSD-variant");
    EXPECT_EQ(reference_of("my own").rfind("LicenseRef-my-own-", 0), 0u);
    EXPECT_NE(reference_of("my own"), reference_of("my-own"));
}

Bill bill() {
    PartitionBill web{"web", "docker://x/nginx:1", "sha256:" + std::string(64, 'a'), {}, {}};
    web.inventory.distribution = {"debian", "12", "Debian"};
    web.inventory.packages = {
        {Kind::deb, "libc6", "2.36", "amd64", {}, {}, "LGPL-2.1+; my own", "me", {}, "var/x", {}}};
    return {"gateway", "1.0",   std::string(64, 'b'),
            0,         "0.1.0", {{"caisson-hypervisor", "0.1.0", "Apache-2.0", "us", {}, {}}},
            {web},     true};
}

TEST(Documents, AreTheSameEachTimeAndSayWhatIsThere) {
    Bill all = bill();
    const std::string one = spdx(all), other = cyclonedx(all);
    EXPECT_EQ(one, spdx(all));
    EXPECT_EQ(other, cyclonedx(all));
    for (const char* part :
         {"\"SPDX-2.3\"", "\"created\": \"1970-01-01T00:00:00Z\"", "LGPL-2.1-or-later AND LicenseRef-my-own",
          "pkg:deb/debian/libc6@2.36?arch=amd64&distro=debian-12", "\"DESCRIBES\"", "caisson-hypervisor"})
        EXPECT_NE(one.find(part), std::string::npos) << part;
    for (const char* part : {"\"specVersion\": \"1.5\"", "\"id\": \"LGPL-2.1-or-later\"",
                             "\"name\": \"my own\"", "\"ref\": \"partition/web\"", "pkg:oci/nginx@sha256:"})
        EXPECT_NE(other.find(part), std::string::npos) << part;
    all.merged = false;
    EXPECT_NE(spdx(all), one);
    EXPECT_EQ(cyclonedx(all).find("\"appliance\""), std::string::npos);
    all.id[0] = 'c';
    EXPECT_NE(spdx(all).find("urn:uuid:"), std::string::npos);
    EXPECT_NE(spdx(all), spdx(bill()));
}

} // namespace
} // namespace sbom
