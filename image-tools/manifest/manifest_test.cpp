// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/manifest_test.cpp - every key of manifest v1, accepted and refused.
#include "image-tools/manifest/failures.hpp"
#include "image-tools/manifest/manifest.hpp"
#include "image-tools/manifest/manifest_test_support.hpp"
#include "image-tools/manifest/values.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>

namespace {

using namespace manifest_test;
using manifest::Manifest;

// The keys that the binder names when it meets one it does not know.
std::set<std::string> keys_said(const std::string& text) {
    const std::string help = refusal(text).help;
    const std::string before = "has the keys ";
    const std::size_t from = help.find(before), to = help.find(';');
    EXPECT_TRUE(from != std::string::npos && to != std::string::npos) << help;
    std::set<std::string> keys;
    std::istringstream list(help.substr(from + before.size(), to - from - before.size()));
    for (std::string key; std::getline(list >> std::ws, key, ',');)
        keys.insert(key);
    return keys;
}

std::set<std::string> keys_of(const nlohmann::json& object) {
    std::set<std::string> keys;
    for (const auto& item : object.at("properties").items())
        keys.insert(item.key());
    return keys;
}

// Editors check manifests by the schema, the tool by the binder: both know the same keys.
TEST(Manifest, SchemaAndBinderKnowTheSameKeys) {
    std::ifstream file("../../docs/manifest.schema.json");
    const nlohmann::json schema = nlohmann::json::parse(file);
    const std::string unknown = "qqqqqqqqqqqq: 1";
    EXPECT_EQ(keys_of(schema), keys_said(head + unknown + "\n" + small));
    EXPECT_EQ(keys_of(schema.at("properties").at("machine")),
              keys_said(head + "machine: {" + unknown + "}\n" + small));
    EXPECT_EQ(keys_of(schema.at("properties").at("signing")),
              keys_said(head + "signing: {" + unknown + "}\n" + small));
    const nlohmann::json& network = schema.at("properties").at("network");
    EXPECT_EQ(keys_of(network), keys_said(head + "network: {" + unknown + "}\n" + small));
    EXPECT_EQ(keys_of(network.at("properties").at("allow").at("items")),
              keys_said(head + "network: {allow: [{" + unknown + "}]}\n" + small));
    EXPECT_EQ(keys_of(network.at("properties").at("uplink")),
              keys_said(head + "network: {uplink: {" + unknown + "}}\n" + small));
    const nlohmann::json& test = schema.at("properties").at("tests").at("items");
    EXPECT_EQ(keys_of(test), keys_said(head + "tests: [{" + unknown + "}]\n" + small));
    for (const char* look : {"http", "tcp"})
        EXPECT_EQ(keys_of(test.at("properties").at(look)),
                  keys_said(head + "tests: [{" + look + ": {" + unknown + "}}]\n" + small));
    const nlohmann::json& partition = schema.at("$defs").at("partition");
    EXPECT_EQ(keys_of(partition), keys_said(with(unknown)));
    const nlohmann::json& health = partition.at("properties").at("health");
    EXPECT_EQ(keys_of(health), keys_said(with("health: {" + unknown + "}")));
    for (const char* look : {"http", "tcp"})
        EXPECT_EQ(keys_of(health.at("properties").at(look)),
                  keys_said(with(std::string("health: {") + look + ": {" + unknown + "}}")));
    EXPECT_EQ(keys_of(partition.at("properties").at("tmpfs").at("items")),
              keys_said(with("tmpfs: [{" + unknown + "}]")));
}

std::vector<manifest::DeviceName> devices_of(const std::string& list) {
    return parse(head + "partitions:\n  own: {kernel: x.elf, memory: 64MiB, devices: " + list + "}\n")
        .partitions.at(0)
        .devices;
}

TEST(Manifest, DevicesByIdsAndByAddress) {
    const auto devices = devices_of(
        R"(["pci:8086:10D3", "pci:8086:10d3#2", {device: "pci:0000:3f:1f.7", firmwareMemory: allow}])");
    ASSERT_EQ(devices.size(), 3u);
    EXPECT_EQ(devices[0].vendor, 0x8086);
    EXPECT_EQ(devices[0].device, 0x10d3);
    EXPECT_EQ(devices[0].place, 0u);
    EXPECT_EQ(devices[1].place, 2u);
    EXPECT_FALSE(devices[1].by_address);
    EXPECT_TRUE(devices[2].by_address);
    EXPECT_EQ(devices[2].place, 0x3fffu);
    EXPECT_TRUE(devices[2].firmware_memory);
    EXPECT_TRUE(devices_of("[auto]").at(0).any_card);
}

TEST(Manifest, DevicesThatAreNone) {
    const auto refused = [](const std::string& list, const char* code, const char* text) {
        expect_refused(head + "partitions:\n  own: {kernel: x.elf, memory: 64MiB, devices: " + list + "}\n",
                       code, 4, text);
    };
    for (const char* name : {"8086:10d3", "pci:8086", "pci:886:10d3", "pci:8086:10d3#", "pci:8086:10d3#256",
                             "pci:8086:10d3#1x", "pci:0001:00:1f.2", "pci:0000:00:20.0", "pci:0000:00:1f.8",
                             "pci:0000:00:1f.2 ", "pci:ffff:ffff", "usb:1"})
        refused(std::string("[\"") + name + "\"]", "E0309", "does not name a device");
    refused("nic", "E0309", "must be a list");
    refused("[{firmwareMemory: allow}]", "E0309", "needs 'device'");
    refused(R"(["pci:8086:10d3", "pci:8086:10d3#0"])", "E0309", "is named twice");
    refused(R"(["pci:8086:0001", "pci:8086:0002", "pci:8086:0003", "pci:8086:0004", "pci:8086:0005"])",
            "E0309", "has room for 4");
}

TEST(Manifest, IndependentFailuresAreToldTogether) {
    try {
        static_cast<void>(
            parse(head + "machine: {cpus: 257}\npartitions:\n  web: {image: \"oci:./x\", memmory: 1MiB}\n"
                         "  Up: {image: \"oci:./x\", memory: 64MiB}\n  db: {memory: 64MiB}\n"));
        FAIL() << "accepted";
    } catch (const manifest::Failures& failures) {
        std::string all = failures.diagnostic().message;
        for (const diagnostic::Diagnostic& other : failures.rest())
            all += "|" + other.message;
        // Not: 'web' has no memory, which follows from the slip.
        EXPECT_EQ(
            all, "'cpus' must be a whole number from 1 to 64, not '257'|unknown key 'memmory' in a partition|"
                 "'Up' cannot be a partition's name: a name has only the characters a-z, 0-9 and '-'|"
                 "partition 'db' has neither 'image' nor 'kernel'");
    }
}

TEST(Manifest, AllKeysOfThisVersion) {
    const Manifest m = parse(R"(apiVersion: caisson/v1
kind: Appliance
name: gateway
version: 1.4.0
securityVersion: 4
machine: {board: qemu-q35, cpus: 4, memory: 2GiB, onAllStopped: halt, onPanic: reboot}
signing: {key: keys/release.key, trusted: [keys/other.pub], approve: [keys/a.pub, keys/b.pub],
  vendor: [keys/v.pub], revoked: [keys/old.pub], demandPolicy: met, auditKey: keys/audit.pub,
  secureBoot: {key: keys/db.key, certificate: keys/db.pem}}
x-owner: line 3
partitions:
  web:
    image: oci:./nginx:1.27
    payload: auto
    cpus: 2
    memory: 96MiB
    entrypoint: [/usr/sbin/nginx]
    args: [-g, "daemon off;"]
    env: {MODE: prod, EMPTY: }
    workingDir: /srv
    user: "101:101"
    hostname: www
    stopSignal: SIGQUIT
    stopTimeout: 10s
    readOnly: false
    writableLimit: 10%
    unpackLimit: 40GiB
    tmpfs: [{path: /run, size: 8MiB, mode: "0755"}]
    restart: on-failure:5
    restartDelay: 250ms
    watchdog: 5s
    console: none
    smt: shared
    storeBypass: disabled
    x-note: anything
  plc: {kernel: plc.elf, cmdline: quiet, module: plc.cpio, cpuset: "2-3", memory: 512MiB, restart: always, console: screen}
)");
    EXPECT_EQ(m.name, "gateway");
    EXPECT_EQ(m.version, "1.4.0");
    EXPECT_EQ(m.security_version, 4u);
    EXPECT_EQ(m.machine.memory, 2ull << 30);
    EXPECT_EQ(m.machine.behaviour.on_all_stopped, plan::AllStopped::halt);
    EXPECT_EQ(m.signing.key->value, "keys/release.key");
    ASSERT_EQ(m.signing.approve.size(), 2u);
    EXPECT_EQ(m.signing.approve[1].value, "keys/b.pub");
    EXPECT_EQ(m.signing.vendor.at(0).value, "keys/v.pub");
    EXPECT_EQ(m.signing.revoked.at(0).value, "keys/old.pub");
    EXPECT_EQ(m.signing.demand_policy, manifest::PolicyDemand::met);
    EXPECT_EQ(m.signing.audit_key->value, "keys/audit.pub");
    EXPECT_EQ(m.signing.secure_boot->key.value, "keys/db.key");
    EXPECT_EQ(m.signing.secure_boot->certificate.value, "keys/db.pem");
    EXPECT_EQ(m.resolve("x").string(), "/dir/x");
    EXPECT_EQ(m.resolve("/abs/x").string(), "/abs/x");
    ASSERT_EQ(m.partitions.size(), 2u);
    const manifest::Partition& web = m.partitions[0];
    EXPECT_EQ(web.cpus, 2u);
    EXPECT_EQ(web.memory, 96ull << 20);
    EXPECT_EQ(web.args->value, (std::vector<std::string>{"-g", "daemon off;"}));
    EXPECT_EQ(web.environment, (manifest::Environment{{"MODE", "prod"}, {"EMPTY", ""}}));
    EXPECT_EQ(web.tmpfs[0].mode, 0755u);
    EXPECT_EQ(web.behaviour.restart, plan::Restart::on_failure);
    EXPECT_EQ(web.behaviour.restart_max, 5u);
    EXPECT_EQ(web.behaviour.restart_delay_ms, 250u);
    EXPECT_EQ(web.behaviour.watchdog_ms, 5000u);
    EXPECT_EQ(m.machine.behaviour.on_panic, plan::OnPanic::reboot);
    EXPECT_EQ(web.behaviour.flags, plan::flag_smt_shared | plan::flag_no_store_bypass);
    EXPECT_EQ(m.partitions[1].behaviour.flags, plan::flag_console_serial | plan::flag_console_screen);
    EXPECT_EQ(web.behaviour.stop_timeout_ms, 10000u);
    EXPECT_EQ(web.writable_limit.percent, 10u);
    EXPECT_EQ(web.unpack_limit, std::uint64_t{40} << 30);
    EXPECT_EQ(m.partitions[1].cpu_set, 0xCu);
    EXPECT_EQ(m.partitions[1].cpus, 2u);
    EXPECT_EQ(m.partitions[1].behaviour.restart, plan::Restart::always);
    EXPECT_EQ(m.partitions[1].behaviour.restart_delay_ms, 100u);
    EXPECT_EQ(m.partitions[1].behaviour.watchdog_ms, 0u);
}

TEST(Manifest, CapabilitiesAsDockerAddsAndDropsThem) {
    const auto set = [](const char* changes) {
        return parse(with("security: {capabilities: " + std::string(changes) + "}"))
            .partitions[0]
            .processes.capabilities;
    };
    constexpr std::uint64_t docker = 0xA80425FB, every = (std::uint64_t{1} << 41) - 1;
    EXPECT_EQ(parse(with("init: true")).partitions[0].processes.capabilities, docker);
    EXPECT_EQ(set("{add: [SYS_ADMIN, cap_chown]}"), docker | 1 << 21);
    EXPECT_EQ(set("{drop: [NET_RAW, SYS_TIME]}"), docker & ~(1ull << 13));
    EXPECT_EQ(set("{drop: [ALL], add: [KILL]}"), 1u << 5);
    EXPECT_EQ(set("{add: [ALL], drop: [KILL]}"), every & ~(1ull << 5));
    EXPECT_EQ(set("{drop: [ALL]}"), 0u);
}

TEST(Manifest, ProcessesByMemory) {
    const auto most = [](const char* line) {
        const Manifest m = parse(with(line));
        return m.partitions[0].processes.most(64 << 20);
    };
    EXPECT_EQ(most("init: true"), 512u);
    EXPECT_EQ(most("pids: 7"), 7u);
    EXPECT_EQ(manifest::Processes{}.most(1 << 20), 64u);
    EXPECT_EQ(manifest::Processes{}.most(std::uint64_t{64} << 30), 4000u);
}

TEST(Manifest, EnvironmentAsList) {
    const Manifest m = parse(with("env: [A=1, B=x=y]"));
    EXPECT_EQ(m.partitions[0].environment, (manifest::Environment{{"A", "1"}, {"B", "x=y"}}));
}

TEST(Manifest, UnknownKeysComeWithASuggestion) {
    expect_refused(with("memmory: 1MiB"), "E0302", 7, "did you mean 'memory'?");
    expect_refused("apiVersion: caisson/v1\nname: g\npartition:\n", "E0302", 3, "did you mean 'partitions'?");
    expect_refused(head + "machine: {cpu: 4}\n" + small, "E0302", 3, "did you mean 'cpus'?");
    expect_refused(with("zebra: 1"), "E0302", 7, "keys of your own start with x-");
}

TEST(Manifest, ReservedKeysAreKnownNotYetSupported) {
    for (const char* line :
         {"volumes: []", "secrets: []", "rights: []", "security: {exec: [x]}", "tenant: it", "labels: {}",
          "cache: {ways: 4}", "schedule: {}", "containers: []", "payload: linux"})
        expect_refused(with(line), "E0308", 7, "known, not yet supported");
}

TEST(Manifest, WhomAClockFollows) {
    const auto outside =
        parse(with("timeServers: [192.0.2.1, \"192.0.2.2:1123\"]")).partitions.at(0).outside.value();
    ASSERT_EQ(outside.time_servers.size(), 2u);
    EXPECT_EQ(outside.time_servers[0].address, 0xC0000201u);
    EXPECT_EQ(outside.time_servers[0].port, 123);
    EXPECT_EQ(outside.time_servers[1].port, 1123);
    EXPECT_TRUE(outside.leased);
    for (const char* wrong :
         {"time.example", "127.0.0.1", "192.0.2.1:0", "192.0.2.1:70000", "192.0.2.1:", "192.0.2.1 "})
        expect_refused(with("timeServers: [\"" + std::string(wrong) + "\"]"), "E0309", 7, "time server");
    expect_refused(with("timeServers: [192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4]"), "E0309", 7,
                   "at most 3");
}

TEST(Manifest, PoliciesAndTheirExceptions) {
    const auto all = parse(head +
                           "policy: [baseline, {name: ./ours, action: warn, exceptions: [{rule: a, "
                           "partition: web, owner: me, "
                           "reason: moving, expires: 2027-01-31}]}]\n" +
                           small)
                         .policies;
    ASSERT_EQ(all.size(), 2u);
    EXPECT_EQ(all[0].name.value, "baseline");
    EXPECT_EQ(all[1].action, "warn");
    ASSERT_EQ(all[1].exceptions.size(), 1u);
    EXPECT_EQ(all[1].exceptions[0].expires, "2027-01-31");
    const auto refused = [](const std::string& list, const char* text) {
        expect_refused(head + "policy: " + list + "\n" + small, "E0309", 3, text);
    };
    refused("baseline", "'policy' is a list");
    refused("[{action: warn}]", "a policy needs 'name'");
    refused("[{name: a, action: refuse}]", "cannot be 'refuse'");
    refused("[{name: a, exceptions: [{rule: b}]}]", "an exception needs");
    refused("[{name: a, exceptions: [{rule: b, owner: c, reason: d, expires: soon}]}]", "'expires' is a day");
    refused("[{name: a, exceptions: [{rule: b, owner: c, reason: d, expires: 2027-13-01}]}]",
            "'expires' is a day");
}

// Three kernels, and rules from line 9 on.
std::string with_rules(const std::string& rules) {
    return head +
           "partitions:\n  a: {kernel: a.elf, memory: 4MiB}\n  b: {kernel: b.elf, memory: 4MiB}\n"
           "  c: {kernel: c.elf, memory: 4MiB}\nnetwork:\n  allow:\n" +
           rules;
}

TEST(Manifest, RulesNameTwoPartitions) {
    const Manifest m = parse(with_rules("  - {from: a, to: b}\n  - {from: b, to: c, oneWay: true}\n"));
    ASSERT_EQ(m.network.allow.size(), 2u);
    EXPECT_EQ(m.network.allow[0].from.value, "a");
    EXPECT_EQ(m.network.allow[0].to.value, "b");
    EXPECT_FALSE(m.network.allow[0].one_way);
    EXPECT_TRUE(m.network.allow[1].one_way);
    EXPECT_EQ(m.network.allow[1].to.spot.line, 10u);
    expect_refused(with_rules("  - {from: a}\n"), "E0309", 9, "a rule needs 'from' and 'to'");
    expect_refused(with_rules("  - {from: a, too: b}\n"), "E0302", 9, "did you mean 'to'?");
    expect_refused(with_rules("  - {from: a, to: d}\n"), "E0309", 9, "there is no partition 'd'");
    expect_refused(with_rules("  - {from: a, to: a}\n"), "E0309", 9, "'a' reaches itself without a rule");
    expect_refused(with_rules("  - {from: outside, to: a}\n"), "E0309", 9, "a rule lets partitions begin");
    expect_refused(with_rules("  - {from: a, to: outside}\n"), "E0309", 9, "has no way to the outside");
    expect_refused(with_rules("  - {from: a, to: b, cidr: [10.0.0.0/8]}\n"), "E0309", 9, "is of the outside");
    expect_refused(head + "partitions: {outside: {kernel: a.elf, memory: 4MiB}}\n", "E0309", 3,
                   "in rules it is the world");
    expect_refused(with_rules("  {from: a, to: b}\n"), "E0309", 9, "'allow' must be a list");
}

// Two containers and a kernel of one's own; rules from line 9 on.
std::string with_containers(const std::string& rules, const std::string& subnet = "100.64.77.0/24") {
    return head +
           "partitions:\n  web: {image: \"oci:x\", memory: 16MiB}\n  db: {image: \"oci:x\", memory: 16MiB}\n"
           "  own: {kernel: c.elf, memory: 4MiB}\nnetwork:\n  subnet: " +
           subnet + "\n  allow:\n" + rules;
}

TEST(Manifest, RulesOfContainersHavePorts) {
    const Manifest m =
        parse(with_containers("    - {from: web, to: db, ports: [6379/tcp, 100-200/udp]}\n", "10.1.0.0/16"));
    ASSERT_EQ(m.network.allow.at(0).ports.size(), 2u);
    EXPECT_FALSE(m.network.allow[0].ports[0].udp);
    EXPECT_EQ(m.network.allow[0].ports[0].last, 6379);
    EXPECT_TRUE(m.network.allow[0].ports[1].udp);
    EXPECT_EQ(m.network.allow[0].ports[1].first, 100);
    EXPECT_EQ(m.network.allow[0].ports[1].last, 200);
    EXPECT_EQ(m.network.address_of(1), 0x0A010003u);
    for (const char* port :
         {"80", "0/tcp", "65536/tcp", "80/icmp", "90-80/tcp", "-80/tcp", "80-/tcp", "80/tcp ", "http/tcp"})
        expect_refused(with_containers("    - {from: web, to: db, ports: ['" + std::string(port) + "']}\n"),
                       "E0309", 10, "is not a port of a protocol");
    expect_refused(with_containers("    - {from: web, to: db, ports: []}\n"), "E0309", 10,
                   "must be a list of ports");
    expect_refused(with_containers("    - {from: web, to: own}\n"), "E0308", 10, "a kernel of one's own");
    expect_refused(with_containers("    - {from: web, to: db, ports: [1/tcp], oneWay: true}\n"), "E0309", 10,
                   "TCP needs a way back");
    expect_refused(with_rules("  - {from: a, to: b, ports: [1/tcp]}\n"), "E0309", 9,
                   "nobody keeps the ports");
    for (const char* subnet : {"10.0.0.0", "10.0.0/8", "10.0.0.0/7", "10.0.0.0/29", "256.0.0.0/8",
                               "10.0.0.1/24", "127.0.0.0/8", "224.0.0.0/8"})
        expect_refused(with_containers("    - {from: web, to: db}\n", subnet), "E0309", 8, subnet);
}

// A container with a card in line 4, a kernel of one's own; rules from line 8 on.
std::string with_card(const std::string& keys, const std::string& rules = "[]") {
    return head + "partitions:\n  web: {image: \"oci:x\", memory: 16MiB, " + keys +
           "}\n  db: {image: \"oci:x\", memory: 16MiB}\nnetwork:\n  subnet: 100.64.77.0/24\n  allow: " +
           rules + "\n";
}

TEST(Manifest, AContainerOwnsItsCard) {
    const std::string card = "devices: [\"pci:8086:10c9\"], address: 192.0.2.10/24";
    const Manifest m = parse(with_card(card + ", gateway: 192.0.2.1, dns: [192.0.2.3, 198.51.100.1], ports: "
                                              "[\"8080:80/tcp\", \"53/udp\", \"443:443\"]",
                                       "[{from: web, to: outside, cidr: [203.0.113.0/24, 198.51.100.7], "
                                       "ports: [443/tcp]}, {from: web, to: db}]"));
    const manifest::Partition& web = m.partitions.at(0);
    ASSERT_TRUE(web.outside);
    EXPECT_EQ(web.outside->address, 0xC000020Au);
    EXPECT_EQ(web.outside->prefix, 24u);
    EXPECT_EQ(web.outside->gateway.value().value, 0xC0000201u);
    EXPECT_EQ(web.outside->name_servers, (std::vector<std::uint32_t>{0xC0000203, 0xC6336401}));
    ASSERT_EQ(web.published.size(), 3u);
    EXPECT_EQ(web.published[0].outside, 8080);
    EXPECT_EQ(web.published[0].inside, 80);
    EXPECT_TRUE(web.published[1].udp);
    EXPECT_EQ(web.published[1].inside, 53);
    EXPECT_FALSE(web.published[2].udp);
    const manifest::NetworkRule& rule = m.network.allow.at(0);
    EXPECT_TRUE(rule.to_outside());
    ASSERT_EQ(rule.ranges.size(), 2u);
    EXPECT_EQ(rule.ranges[0].network, 0xCB007100u);
    EXPECT_EQ(rule.ranges[0].mask, 0xFFFFFF00u);
    EXPECT_EQ(rule.ranges[1].mask, 0xFFFFFFFFu);
}

TEST(Manifest, WhatIsNotSaidOfACardIsAutomatic) {
    for (const char* keys :
         {"ports: [\"8080:80\"]", "address: dhcp", "devices: [auto]", "dns: [192.0.2.1]"}) {
        const Manifest m = parse(with_card(keys));
        const manifest::Partition& web = m.partitions.at(0);
        ASSERT_TRUE(web.outside) << keys;
        EXPECT_TRUE(web.outside->leased);
        ASSERT_EQ(web.devices.size(), 1u);
        EXPECT_TRUE(web.devices[0].any_card);
        EXPECT_FALSE(m.partitions.at(1).outside);
    }
    const Manifest both = parse(with_card("devices: [auto]", "[{from: db, to: outside}]"));
    EXPECT_EQ(both.partitions.at(0).devices.at(0).place, 0u);
    EXPECT_EQ(both.partitions.at(1).devices.at(0).place, 1u);
    const Manifest fixed = parse(with_card("address: 192.0.2.10/24"));
    EXPECT_FALSE(fixed.partitions.at(0).outside->leased);
    EXPECT_TRUE(fixed.partitions.at(0).devices.at(0).any_card);
}

TEST(Manifest, APortIsPublishedForOneRun) {
    const auto published = [](const std::string& text, const manifest::Published& ports) {
        return manifest::parse("f.yaml", text, "/dir", ports);
    };
    const auto refused = [&published](const std::string& text, const manifest::Published& ports) {
        try {
            static_cast<void>(published(text, ports));
            ADD_FAILURE() << "accepted: -p " << ports.back();
        } catch (const diagnostic::Failure& failure) {
            EXPECT_EQ(failure.diagnostic().code, "E0103") << ports.back();
        }
    };
    const std::string one = with("readOnly: true"), two = with_card("readOnly: true");
    EXPECT_FALSE(parse(one).partitions.at(0).outside);
    const Manifest m = published(one, {"8080:80/tcp", "53/udp"});
    EXPECT_EQ(m.partitions.at(0).published.size(), 2u);
    EXPECT_TRUE(m.partitions.at(0).outside->leased);
    EXPECT_EQ(m.partitions.at(0).devices.size(), 1u);
    for (const char* port : {"8080:81", "81:80", "x", "80:80/icmp"})
        refused(one, {"8080:80/tcp", port});
    for (const char* port : {"80:80", "nobody=80:80", "=80:80", "web=", "web=x"})
        refused(two, {port});
    const Manifest other = published(two, {"db=8080:80"});
    EXPECT_TRUE(other.partitions.at(0).published.empty());
    ASSERT_EQ(other.partitions.at(1).published.size(), 1u);
    EXPECT_EQ(other.partitions.at(1).published[0].inside, 80);
    EXPECT_EQ(other.uplink(), nullptr);
    EXPECT_NE(published(two, {"db=8080:80", "web=81:81"}).uplink(), nullptr);
    EXPECT_THROW(static_cast<void>(published(two, {"db=80:80", "web=80:81"})), diagnostic::Failure);
}

TEST(Manifest, WhatACardNeeds) {
    const std::string devices = "devices: [\"pci:8086:10c9\"]", card = devices + ", address: 192.0.2.10/24";
    const auto refused = [](const std::string& keys, const char* code, const char* text,
                            const std::string& rules = "[]") {
        expect_refused(with_card(keys, rules), code, 4, text);
    };
    refused(devices + ", gateway: 192.0.2.1", "E0309", "a gateway goes with an address");
    refused(devices + ", address: dhcp, gateway: 192.0.2.1", "E0309", "a gateway goes with an address");
    for (const char* address :
         {"192.0.2.10", "192.0.2.10/31", "192.0.2.10/7", "192.0.2.0/24", "192.0.2.255/24", "127.0.0.1/8",
          "224.0.0.1/24", "192.0.2.256/24", "192.0.2/24", "192.0.2.10/24 "})
        refused(devices + ", address: '" + address + "'", "E0309", "is not a host's address");
    refused(card + ", gateway: 192.0.3.1", "E0309", "no neighbour");
    refused(card + ", gateway: 192.0.2.10", "E0309", "no neighbour");
    refused(card + ", gateway: router", "E0309", "is not an IPv4 address");
    refused(card + ", dns: [1.1.1.1, 1.1.1.2, 1.1.1.3, 1.1.1.4]", "E0309", "at most 3");
    for (const char* port :
         {"http", "0:80", "80:0", "65536:80", "80:65536", "80:80/icmp", "80:80:80", "80-90:80"})
        refused(card + ", ports: ['" + port + "']", "E0309", "is not a port outside");
    refused(card + ", ports: [\"80:80\", \"80:81\"]", "E0309", "published twice");
    refused(card + ", ports: [\"80:80\", \"81:80\"]", "E0309", "published twice");
    refused(devices + ", address: 100.64.77.9/24", "E0309", "overlaps", "[{from: web, to: db}]");
    expect_refused(with_card(card, "[{from: web, to: outside, oneWay: true}]"), "E0309", 8,
                   "cannot be one-way");
    for (const char* range : {"10.0.0.1/8", "10.0.0.0/33", "10.0.0", "any"})
        expect_refused(with_card(card, "[{from: web, to: outside, cidr: ['" + std::string(range) + "']}]"),
                       "E0309", 8, "is not a network");
    expect_refused(head + "partitions: {own: {kernel: x.elf, memory: 4MiB, ports: [\"80:80\"]}}\n", "E0309",
                   3, "goes with 'image'");
}

TEST(Manifest, OneWayIsKept) {
    expect_refused(with_rules("  - {from: a, to: b}\n  - {from: b, to: a, oneWay: true}\n"), "E0309", 9,
                   "go one way and not one way");
    expect_refused(with_rules("  - {from: a, to: b, oneWay: true}\n  - {from: b, to: a, oneWay: true}\n"),
                   "E0309", 9, "go one way and not one way");
    const std::string round = "  - {from: b, to: c}\n  - {from: c, to: a}\n";
    expect_refused(with_rules("  - {from: a, to: b, oneWay: true}\n" + round), "E0309", 9,
                   "'b' reaches 'a' through others");
    EXPECT_EQ(parse(with_rules("  - {from: a, to: b, oneWay: true, leak: accepted}\n" + round))
                  .network.allow.size(),
              3u);
    expect_refused(with_rules("  - {from: a, to: b, oneWay: true, leak: refused}\n" + round), "E0309", 9,
                   "leak");
    // A chain of one-way rules leads nowhere back.
    EXPECT_EQ(parse(with_rules("  - {from: a, to: b, oneWay: true}\n  - {from: b, to: c, oneWay: true}\n"))
                  .network.allow.size(),
              2u);
}

TEST(Manifest, APolicyOfSystemCallsIsAWordOrAFile) {
    const Manifest m = parse(with("security: {syscalls: policy/web.json}"));
    EXPECT_EQ(m.partitions[0].system_calls->value, "policy/web.json");
    EXPECT_EQ(m.partitions[0].system_calls->spot.line, 7u);
    expect_refused(with("security: {syscalls: \"\"}"), "E0309", 7, "syscalls");
    expect_refused(with("security: {syscal: strict}"), "E0302", 7, "did you mean 'syscalls'?");
    expect_refused(head + "partitions: {a: {kernel: k, memory: 1MiB, security: {syscalls: strict}}}\n",
                   "E0309", 3, "security");
}

TEST(Manifest, SizesShowBothReadings) {
    expect_refused(head + "partitions: {a: {image: x, memory: 96M}}", "E0309", 3,
                   "96,000,000 bytes or 100,663,296 bytes");
}

TEST(Manifest, WrongValuesAreRefusedWhereTheyStand) {
    expect_refused(with("cpus: 0"), "E0309", 7, "from 1 to 64");
    expect_refused(with("cpus: two"), "E0309", 7, "whole number from 1 to 64, not 'two'");
    expect_refused(with("cpuset: \"3-2\""), "E0309", 7, "ascending");
    expect_refused(with("cpuset: \"1,1\""), "E0309", 7, "named twice");
    expect_refused(with("entrypoint: /bin/sh"), "E0309", 7, "[/bin/sh]");
    expect_refused(with("args: {a: b}"), "E0309", 7, "must be a list");
    expect_refused(with("env: [NOVALUE]"), "E0309", 7, "NOVALUE=value");
    expect_refused(with("env: [A=1, A=2]"), "E0309", 7, "given twice");
    expect_refused(with("workingDir: srv"), "E0309", 7, "write /srv");
    expect_refused(with("stopSignal: SIGNOPE"), "E0309", 7, "not a signal");
    expect_refused(with("stopTimeout: 10"), "E0309", 7, "not a duration");
    expect_refused(with("outputRate: 512KiBs"), "E0309", 7, "512KiBs");
    expect_refused(with("outputRate: 2GiB"), "E0309", 7, "from 1 KiB to 1 GiB a second");
    expect_refused(with("noteRate: 2MiB"), "E0309", 7, "to 1 MiB a second");
    expect_refused(with("stopTimeout: 61m"), "E0309", 7, "to 60m");
    expect_refused(head + "machine: {serialStop: 1}\n" + small, "E0309", 3, "true or false");
    expect_refused(head + "machine: {powerButton: off}\n" + small, "E0309", 3, "powerButton");
    expect_refused(head + "machine: {tpm: require}\n" + small, "E0309", 3, "did you mean 'required'?");
    for (const char* bytes : {"6KiB", "2MiB", "1KiB"})
        expect_refused(head + "machine: {retainedLog: " + bytes + "}\n" + small, "E0309", 3,
                       "a multiple of 4 KiB up to 1 MiB");
    expect_refused(head + "machine: {slots: 3}\n" + small, "E0309", 3, "from 1 to 2");
    for (const char* bytes : {"512KiB", "65GiB", "1536KiB"})
        expect_refused(head + "machine: {data: " + bytes + "}\n" + small, "E0309", 3,
                       "a multiple of 1 MiB up to 64 GiB");
    expect_refused(with("readOnly: yes"), "E0309", 7, "true or false");
    expect_refused(with("init: 1"), "E0309", 7, "true or false");
    expect_refused(with("pids: 0"), "E0309", 7, "from 1 to 4000");
    expect_refused(with("security: {capabilities: {add: [NET_RAWW]}}"), "E0309", 7,
                   "write for example NET_RAW");
    expect_refused(with("security: {capabilities: {add: [KILL], drop: [CAP_KILL]}}"), "E0309", 7, "KILL");
    expect_refused(with("security: {capabilities: {keep: [KILL]}}"), "E0302", 7, "'keep'");
    expect_refused(with("security: {allowExec: /bin/sh}"), "E0309", 7, "must be a list");
    expect_refused(with("security: {allowExec: [/bin/sh, bin/ls]}"), "E0309", 7, "write /bin/ls");
    expect_refused(with("restart: allways"), "E0309", 7, "did you mean 'always'?");
    expect_refused(with("restart: on-failure:0"), "E0309", 7, "from 1");
    expect_refused(with("restartDelay: 61s"), "E0309", 7, "from 0s to 1m");
    expect_refused(with("watchdog: 99ms"), "E0309", 7, "from 100ms to 60m");
    expect_refused(with("watchdog: 61m"), "E0309", 7, "from 100ms to 60m");
    expect_refused(head + "machine: {onPanic: stop}\n" + small, "E0309", 3, "onPanic");
    expect_refused(with("console: vga"), "E0309", 7, "none, serial, screen");
    expect_refused(with("smt: yes"), "E0309", 7, "exclusive, shared");
    expect_refused(with("storeBypass: none"), "E0309", 7, "allowed, disabled");
    expect_refused(with("writableLimit: 95%"), "E0309", 7, "90 %");
    expect_refused(with("tmpfs: [{path: /run}]"), "E0309", 7, "'path' and 'size'");
    expect_refused(with("tmpfs: [{path: /a, size: 60MiB}]"), "E0309", 7, "exceed its memory");
    expect_refused(with("hostname: a_b"), "E0309", 7, "hostname");
    expect_refused(with("user: \"\""), "E0309", 7, "empty");
    expect_refused(with("kernel: k.elf"), "E0309", 7, "both");
    expect_refused(with("cmdline: quiet"), "E0309", 7, "goes with 'kernel'");
    expect_refused(head + "securityVersion: -1\n" + small, "E0309", 3, "whole number");
    expect_refused(head + "partitions: [a]\n", "E0309", 3, "map of names");
    expect_refused(head + "partitions: {Web: {image: x, memory: 1MiB}}\n", "E0309", 3, "a-z");
    expect_refused(head + "partitions: {hv: {image: x, memory: 1MiB}}\n", "E0309", 3, "hypervisor");
    expect_refused("apiVersion: caisson/v2\nfoo: 1\n", "E0309", 1, "caisson/v1");
    expect_refused("apiVersion: caisson/v1\nkind: Pod\n", "E0309", 2, "Appliance");
}

TEST(Manifest, MissingKeys) {
    expect_refused("name: a\n" + small, "E0310", 1, "apiVersion");
    expect_refused("apiVersion: caisson/v1\n" + small, "E0310", 1, "name");
    expect_refused(head, "E0310", 1, "partitions");
    expect_refused(head + "partitions: {a: {memory: 1MiB}}\n", "E0310", 3, "neither");
    expect_refused(head + "partitions: {a: {image: x}}\n", "E0310", 3, "memory");
}

TEST(Manifest, CpusGivenTwice) {
    expect_refused(head + "partitions:\n  a: {image: x, memory: 1MiB, cpuset: \"0-2\"}\n"
                          "  b: {image: x, memory: 1MiB, cpuset: \"2\"}\n",
                   "E0312", 5, "CPU 2");
}

TEST(Values, SizesDurationsSignals) {
    using manifest::ValueError;
    EXPECT_EQ(std::get<std::uint64_t>(manifest::parse_size("96MiB")), 96ull << 20);
    EXPECT_EQ(std::get<std::uint64_t>(manifest::parse_size("1 GiB")), 1ull << 30);
    for (const char* bad :
         {"", "MiB", "-1MiB", "0MiB", "99999999999999999999MiB", "9999999999GiB", "1.5GiB", "4"})
        EXPECT_TRUE(std::holds_alternative<ValueError>(manifest::parse_size(bad))) << bad;
    EXPECT_EQ(std::get<std::uint32_t>(manifest::parse_duration_ms("2m")), 120000u);
    EXPECT_EQ(manifest::signal_number("SIGTERM"), 15u);
    EXPECT_EQ(manifest::signal_number("quit"), 3u);
    EXPECT_EQ(manifest::signal_number("SIGRTMIN+3"), 37u);
    EXPECT_FALSE(manifest::signal_number("0"));
    EXPECT_FALSE(manifest::signal_number(""));
    EXPECT_FALSE(manifest::signal_number("SIG"));
    EXPECT_EQ(manifest::size_text(96ull << 20), "96 MiB");
    EXPECT_EQ(manifest::size_text(3ull << 29), "1.5 GiB");
}

} // namespace
