// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/tests_test.cpp - `tests` and `health`, accepted and refused.
#include "image-tools/manifest/manifest_test_support.hpp"

namespace {

using namespace manifest_test;
using manifest::Manifest;

// Two partitions, of which the first has one more line, and tests.
std::string tested(const std::string& ports, const std::string& test) {
    return head + "partitions:\n  web: {image: \"oci:./x\", memory: 64MiB" + ports +
           "}\n  db: {image: \"oci:./x\", memory: 64MiB}\ntests:\n  - {" + test + "}\n";
}

TEST(Manifest, TestsLookForOneThingEach) {
    const manifest::Manifest parsed =
        parse(tested(", ports: [\"8080:80\"]",
                     "partition: web, http: {port: 80, path: /a, body: b}, within: 2s}\n  - {name: it, "
                     "partition: db, exit: 3}\n  - {partition: web, log: ready"));
    ASSERT_EQ(parsed.tests.size(), 3u);
    EXPECT_EQ(parsed.tests[0].name, "web: http 80 /a");
    EXPECT_EQ(parsed.tests[0].within_ms, 2000u);
    EXPECT_EQ(std::get<manifest::Test::Http>(parsed.tests[0].what).status, 200u);
    EXPECT_EQ(parsed.tests[1].name, "it");
    EXPECT_EQ(std::get<manifest::Test::Exit>(parsed.tests[1].what).status, 3u);
    EXPECT_EQ(parsed.tests[2].name, "web: log ready");
    EXPECT_EQ(parsed.tests[2].within_ms, 60000u);
    EXPECT_EQ(parse(head + "tests: [{exit: 0}]\n" + small).tests.at(0).partition.value, "web");
}

TEST(Manifest, HealthIsAskedForInOneWay) {
    const manifest::Health page =
        parse(with("health: {http: {port: 80, path: /up}, interval: 2s, retries: 5, startPeriod: 0s}"))
            .partitions.at(0)
            .health;
    EXPECT_EQ(page.kind, manifest::Health::Kind::http);
    EXPECT_EQ(page.path, "/up");
    EXPECT_EQ(page.interval_ms, 2000u);
    EXPECT_EQ(page.timeout_ms, 5000u);
    EXPECT_EQ(page.start_period_ms, 0u);
    EXPECT_EQ(page.retries, 5u);
    EXPECT_EQ(page.least, 200u);
    EXPECT_EQ(page.most, 399u);
    EXPECT_EQ(parse(with("health: {exec: [redis-cli, ping]}")).partitions.at(0).health.words.size(), 2u);
    expect_refused(with("health: {}"), "E0309", 7, "exactly one of http, tcp and exec");
    expect_refused(with("health: {tcp: {port: 1}, exec: [a]}"), "E0309", 7, "exactly one");
    expect_refused(with("health: {tcp: {}}"), "E0309", 7, "needs the port");
    expect_refused(with("health: {exec: []}"), "E0309", 7, "list of a program");
    expect_refused(with("health: {tcp: {port: 1}, retries: 0}"), "E0309", 7, "retries");
    expect_refused(with("health: {http: {port: 1, path: up}}"), "E0309", 7, "begins with /");
    expect_refused(head + "partitions:\n  own: {kernel: x.elf, memory: 64MiB, health: {tcp: {port: 1}}}\n",
                   "E0309", 4, "goes with 'image'");
}

TEST(Manifest, TestsOfWhomAContainerReaches) {
    const manifest::Manifest parsed = parse(tested(
        "", "partition: web, reaches: \"db:6379\"}\n  - {partition: web, cannotReach: \"192.0.2.1:80\""));
    EXPECT_EQ(parsed.tests[0].name, "web: reaches db:6379");
    EXPECT_EQ(parsed.tests[1].name, "web: cannot reach 192.0.2.1:80");
    EXPECT_EQ(std::get<manifest::Test::Reach>(parsed.tests[1].what).probe, 1u);
    ASSERT_EQ(parsed.partitions[0].probes.size(), 2u);
    EXPECT_EQ(parsed.partitions[0].probes[0].address, 0x64404D03u);
    EXPECT_EQ(parsed.partitions[0].probes[1].address, 0xC0000201u);
    for (const char* to : {"db", "db:", "db:0", "db:65536", "nobody:80", "db:80x", "192.0.2.1"})
        expect_refused(tested("", "partition: web, reaches: \"" + std::string(to) + "\""), "E0309", 7,
                       "not a container or an IPv4 address");
    expect_refused(tested("", "partition: web, health: healthy"), "E0309", 7, "has no 'health'");
    expect_refused(tested("", "partition: web, health: well"), "E0309", 7, "healthy");
}

TEST(Manifest, TestsThatMeanNothing) {
    const std::string open = ", ports: [\"8080:80\"]";
    expect_refused(head + "tests: []\n" + small, "E0309", 3, "'tests' is a list");
    expect_refused(tested("", "partition: web"), "E0309", 7, "exactly one of log, exit, http, tcp, reaches");
    expect_refused(tested("", "partition: web, exit: 0, log: x"), "E0309", 7, "exactly one of");
    expect_refused(tested("", "partition: web, exit: 256"), "E0309", 7, "255");
    expect_refused(tested("", "log: x"), "E0310", 7, "partition: web");
    expect_refused(tested("", "partition: cache, log: x"), "E0309", 7, "no partition 'cache'");
    expect_refused(tested("", "partition: web, http: {port: 80}"), "E0309", 7,
                   "'web' does not publish its port 80");
    expect_refused(tested(open, "partition: web, http: {port: 8080}"), "E0309", 7,
                   "does not publish its port 8080");
    expect_refused(tested(", ports: [\"80:80/udp\"]", "partition: web, http: {port: 80}"), "E0309", 7,
                   "does not publish");
    expect_refused(tested(open, "partition: web, http: {path: /}"), "E0309", 7, "'http' needs 'port'");
    expect_refused(tested(open, "partition: web, http: {port: 80, path: a}"), "E0309", 7, "begins with /");
    expect_refused(tested(open, "partition: web, http: {port: 80, path: \"/a b\"}"), "E0309", 7, "no spaces");
    expect_refused(tested(open, "partition: web, http: {port: 80, host: \"a\\r\\nb\"}"), "E0309", 7,
                   "one line");
    expect_refused(tested(open, "partition: web, tcp: {port: 80}"), "E0309", 7, "'line'");
    expect_refused(tested(open, "partition: web, log: x, within: 2h"), "E0309", 7, "");
}

} // namespace
