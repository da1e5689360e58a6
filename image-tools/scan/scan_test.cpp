// SPDX-License-Identifier: Apache-2.0
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/files/atomic_file.hpp"
#include "image-tools/scan/match.hpp"

#include <gtest/gtest.h>
#include <map>
#include <sstream>

namespace scan {
namespace {

// versions.txt: of each scheme how many of its own tests' facts and of ours.
TEST(Versions, AreOrderedAsTheSchemesOwnTestsSay) {
    const std::map<std::string, Scheme> schemes{{"dpkg", Scheme::dpkg},
                                                {"apk", Scheme::apk},
                                                {"rpm", Scheme::rpm},
                                                {"semver", Scheme::semver},
                                                {"pep440", Scheme::pep440}};
    std::map<std::string, int> facts;
    std::istringstream lines(files::read_file("versions.txt", 1 << 20));
    bool ours = false;
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string name, one, sign, other;
        if (line.starts_with("# O"))
            ours = line == "# Ours:";
        if (line.empty() || line[0] == '#' || !(words >> name >> one))
            continue;
        const Scheme scheme = schemes.at(name);
        for (; words >> sign >> other; one = other) {
            const auto order = compare(scheme, one, other);
            EXPECT_EQ(order < 0 ? "<" : order > 0 ? ">" : "=", sign) << one << " and " << other;
            const auto turned = compare(scheme, other, one);
            EXPECT_EQ(turned < 0 ? ">" : turned > 0 ? "<" : "=", sign) << other << " and " << one;
            facts[name] += ours ? 0 : 1;
        }
    }
    for (const auto& [name, scheme] : schemes) {
        EXPECT_GE(facts[name], 60) << name;
        EXPECT_TRUE(compare(scheme, "", "1") < 0) << name;
    }
}

TEST(Cvss, BaseScores) {
    // Of the specification's examples and first.org's calculator.
    EXPECT_EQ(cvss3_score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), 9.8);
    EXPECT_EQ(cvss3_score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"), 10.0);
    EXPECT_EQ(cvss3_score("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N"), 6.1);
    EXPECT_EQ(cvss3_score("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:N/I:N/A:H"), 5.5);
    EXPECT_EQ(cvss3_score("CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:N"), 0.0);
    EXPECT_EQ(cvss3_score("CVSS:3.1/AV:N"), std::nullopt);
    EXPECT_EQ(cvss3_score("high"), std::nullopt);
}

std::string record(const std::string& id, const std::string& package, const std::string& ranges,
                   const std::string& more = "") {
    return R"({"id":")" + id + R"(","modified":"2026-01-02T00:00:00Z","aliases":["CVE-)" + id + R"("],)" +
           more + R"("affected":[{"package":)" + package + R"(,"ranges":[{"type":"ECOSYSTEM","events":)" +
           ranges + "}]}]}";
}

sbom::Bill bill() {
    sbom::Bill out;
    sbom::PartitionBill web;
    web.name = "web";
    web.inventory.distribution = {"debian", "12", {}};
    sbom::Package ssl{sbom::Kind::deb, "libssl3", "3.0.11-1~deb12u2", "amd64", "openssl"};
    sbom::Package flask{sbom::Kind::pypi, "Flask_X", "2.0"};
    web.inventory.packages = {
        ssl, flask, {sbom::Kind::npm, "left-pad", "1.0.0"}, {sbom::Kind::maven, "a:b", "1.0"}};
    out.partitions = {web};
    return out;
}

const char* const debian = R"({"ecosystem":"Debian:12","name":"openssl"})";

std::string found(const std::vector<std::string>& records, const Vex& vex = {}) {
    Advisories advisories;
    for (const std::string& text : records)
        advisories.add(text, "record");
    std::string out;
    for (const Finding& finding : match(bill(), advisories, vex).findings)
        out += finding.id + "/" + finding.package + "/" + std::string(word(finding.severity)) + "/" +
               finding.fixed + (finding.cleared.empty() ? "" : "(" + finding.cleared + ")") + " ";
    return out;
}

TEST(Match, RangesReleasesSeverities) {
    const std::string until = R"([{"introduced":"0"},{"fixed":"3.0.11-1~deb12u3"}])";
    EXPECT_EQ(found({record("A", debian, until)}), "A/libssl3/unknown/3.0.11-1~deb12u3 ");
    EXPECT_EQ(found({record("A", debian, R"([{"introduced":"0"},{"fixed":"3.0.11-1~deb12u2"}])")}), "");
    EXPECT_EQ(found({record("A", debian, R"([{"introduced":"3.0.12"}])")}), "");
    EXPECT_EQ(found({record("A", debian, R"([{"introduced":"3.0"},{"last_affected":"3.0.11-1~deb12u2"}])")}),
              "A/libssl3/unknown/ ");
    EXPECT_EQ(found({record("A", debian,
                            R"([{"fixed":"1"},{"introduced":"0"},{"introduced":"3"},{"fixed":"4"}])")}),
              "A/libssl3/unknown/4 ");
    EXPECT_EQ(found({record("A", R"({"ecosystem":"Debian:11","name":"openssl"})", until)}), "")
        << "another release";
    EXPECT_EQ(found({record("A", R"({"ecosystem":"Debian","name":"openssl"})", until)}),
              "A/libssl3/unknown/3.0.11-1~deb12u3 ");
    EXPECT_EQ(found({record("A", R"({"ecosystem":"Ubuntu:12","name":"openssl"})", until)}), "");
    EXPECT_EQ(found({record("A", debian, until, R"("withdrawn":"2026-01-01T00:00:00Z",)")}), "");
    EXPECT_EQ(
        found({record(
            "A", debian, until,
            R"("severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],)")}),
        "A/libssl3/critical/3.0.11-1~deb12u3 ");
    EXPECT_EQ(found({record("A", debian, until, R"("database_specific":{"severity":"MODERATE"},)")}),
              "A/libssl3/medium/3.0.11-1~deb12u3 ");
    EXPECT_EQ(
        found({record("P", R"({"ecosystem":"PyPI","name":"flask-x"})",
                      R"([{"introduced":"0"},{"fixed":"2.0.1"}])"),
               record("N", R"({"ecosystem":"npm","name":"left-pad"})", R"([{"introduced":"1.0.0-0"}])")}),
        "P/Flask_X/unknown/2.0.1 N/left-pad/unknown/ ");
}

TEST(Match, ListsOfVersionsAndWhatIsNotKnown) {
    Advisories advisories;
    advisories.add(
        R"({"id":"M","affected":[{"package":{"ecosystem":"Maven","name":"a:b"},"versions":["0.9","1.0"]}]})",
        "m");
    advisories.add(record("A", debian, "[]"), "a");
    const Result result = match(bill(), advisories, {});
    ASSERT_EQ(result.findings.size(), 1u);
    EXPECT_EQ(result.findings[0].id, "M");
    EXPECT_EQ(result.blind,
              (std::vector<std::string>{"web: npm packages: the database has nothing of npm",
                                        "web: pypi packages: the database has nothing of PyPI"}));
    EXPECT_EQ(advisories.unordered(), std::set<std::string>{"Maven"});
    EXPECT_EQ(advisories.newest(), "2026-01-02T00:00:00Z");
    EXPECT_THROW(advisories.add("{}", "x"), diagnostic::Failure);
}

TEST(Match, VexClearsWhatItNames) {
    const auto vex = [](const std::string& name, const std::string& product, const std::string& status) {
        Vex out;
        out.add(R"({"@context":"https://openvex.dev/ns/v0.2.0","statements":[{"vulnerability":{"name":")" +
                    name + R"("},"products":[{"@id":")" + product + R"("}],"status":")" + status +
                    R"(","justification":"vulnerable_code_not_present"}]})",
                "vex");
        return out;
    };
    const std::vector<std::string> records{record("A", debian, R"([{"introduced":"0"}])")};
    const std::string counts = "A/libssl3/unknown/ ",
                      cleared = "A/libssl3/unknown/(not_affected: vulnerable_code_not_present) ";
    EXPECT_EQ(found(records, vex("CVE-A", "pkg:deb/debian/libssl3@3.0.11-1~deb12u2", "not_affected")),
              cleared);
    EXPECT_EQ(found(records, vex("A", "pkg:deb/debian/libssl3", "not_affected")), cleared);
    EXPECT_EQ(found(records, vex("CVE-B", "pkg:deb/debian/libssl3", "not_affected")), counts);
    EXPECT_EQ(found(records, vex("CVE-A", "pkg:deb/debian/libssl", "not_affected")), counts);
    EXPECT_EQ(found(records, vex("CVE-A", "pkg:deb/debian/libssl3@3.0.10", "not_affected")), counts);
    EXPECT_EQ(found(records, vex("CVE-A", "pkg:deb/debian/libssl3", "affected")), counts);
    Vex bad;
    EXPECT_THROW(bad.add(R"({"@context":"x"})", "x"), diagnostic::Failure);
    EXPECT_THROW(bad.add("no", "x"), diagnostic::Failure);
}

} // namespace
} // namespace scan
