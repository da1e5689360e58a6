// SPDX-License-Identifier: Apache-2.0
#include "image-tools/manifest/tests.hpp"

#include "image-tools/manifest/front.hpp"
#include "image-tools/manifest/health.hpp"
#include "image-tools/manifest/outside.hpp"

#include <algorithm>
#include <array>

namespace manifest {
namespace {

constexpr std::size_t most_tests = 1000;
constexpr plan::Bounds within_bounds{100, 3'600'000};

Test::Http read_http(const Binder& binder, const Node& node) {
    Test::Http out;
    const std::array keys{
        Key{"port", [&](const Node& value) { out.port = read_port(binder, value); }},
        Key{"path", [&](const Node& value) { out.path = read_path(binder, value); }},
        Key{"host", [&](const Node& value) { out.host = read_word(binder, value, "host"); }},
        Key{"status",
            [&](const Node& value) {
                out.status = static_cast<unsigned>(binder.number(value, "status", 100, 599));
            }},
        Key{"body", [&](const Node& value) { out.body = binder.non_empty(value, "body"); }},
    };
    binder.map(node, "'http'", keys, {});
    if (out.port == 0)
        binder.wrong(node, "'http' needs 'port'", "write for example http: {port: 80, path: /}");
    return out;
}

Test::Tcp read_tcp(const Binder& binder, const Node& node) {
    Test::Tcp out;
    const std::array keys{
        Key{"port", [&](const Node& value) { out.port = read_port(binder, value); }},
        Key{"send", [&](const Node& value) { out.send = binder.non_empty(value, "send"); }},
        Key{"line", [&](const Node& value) { out.line = read_line(binder, value, "line"); }},
    };
    binder.map(node, "'tcp'", keys, {});
    if (out.port == 0 || out.line.empty())
        binder.wrong(node, "'tcp' needs 'port' and the 'line' that comes",
                     "write for example tcp: {port: 6379, send: \"PING\\r\\n\", line: +PONG}");
    return out;
}

Test read_test(const Binder& binder, const Node& node) {
    Test out;
    out.spot = node.spot;
    unsigned looks = 0;
    const auto look = [&out, &looks](auto value) {
        out.what = std::move(value);
        ++looks;
    };
    const std::array keys{
        Key{"name", [&](const Node& value) { out.name = read_line(binder, value, "name"); }},
        Key{"partition",
            [&](const Node& value) {
                out.partition = {binder.non_empty(value, "partition"), value.spot};
            }},
        Key{"within",
            [&](const Node& value) { out.within_ms = binder.duration_ms(value, "within", within_bounds); }},
        Key{"log", [&](const Node& value) { look(Test::Log{read_line(binder, value, "log")}); }},
        Key{"exit",
            [&](const Node& value) {
                look(Test::Exit{static_cast<unsigned>(binder.number(value, "exit", 0, 255))});
            }},
        Key{"http", [&](const Node& value) { look(read_http(binder, value)); }},
        Key{"tcp", [&](const Node& value) { look(read_tcp(binder, value)); }},
        Key{"reaches",
            [&](const Node& value) {
                look(Test::Reach{read_word(binder, value, "reaches"), true, 0});
            }},
        Key{"cannotReach",
            [&](const Node& value) {
                look(Test::Reach{read_word(binder, value, "cannotReach"), false, 0});
            }},
        Key{"health",
            [&](const Node& value) {
                static constexpr std::array<std::string_view, 2> words{"healthy", "unhealthy"};
                look(Test::Healthy{binder.word(value, "health", words, words.size()) == 0});
            }},
    };
    const std::size_t before = binder.failures();
    binder.map(node, "a test", keys, {});
    if (binder.failures() == before && looks != 1)
        binder.wrong(node, "a test has exactly one of log, exit, http, tcp, reaches, cannotReach and health",
                     "write for example {partition: web, http: {port: 80}}");
    return out;
}

std::string described(const Test& test) {
    struct Words {
        std::string operator()(std::monostate) const { return {}; }
        std::string operator()(const Test::Log& look) const { return "log " + look.text; }
        std::string operator()(const Test::Exit& look) const { return "exit " + std::to_string(look.status); }
        std::string operator()(const Test::Http& look) const {
            return "http " + std::to_string(look.port) + " " + look.path;
        }
        std::string operator()(const Test::Tcp& look) const { return "tcp " + std::to_string(look.port); }
        std::string operator()(const Test::Reach& look) const {
            return (look.must ? "reaches " : "cannot reach ") + look.to;
        }
        std::string operator()(const Test::Healthy& look) const {
            return look.well ? "healthy" : "unhealthy";
        }
    };
    return test.partition.value + ": " + std::visit(Words{}, test.what);
}

// The port that a test knocks at; 0: none.
std::uint16_t port_of(const Test& test) {
    if (const auto* http = std::get_if<Test::Http>(&test.what))
        return http->port;
    if (const auto* tcp = std::get_if<Test::Tcp>(&test.what))
        return tcp->port;
    return 0;
}

// "db:6379" or "192.0.2.1:80".
Probe probe_of(const Source& source, const Manifest& manifest, const Test& test, const std::string& to) {
    const std::size_t colon = to.rfind(':');
    std::string_view port = std::string_view(to).substr(colon == std::string::npos ? to.size() : colon + 1),
                     name = std::string_view(to).substr(0, colon);
    const auto number = take_number(port, 65535);
    const auto partition = std::ranges::find(manifest.partitions, name, &Partition::name);
    Probe out;
    if (partition != manifest.partitions.end() && partition->image)
        out.address =
            manifest.network.address_of(static_cast<std::size_t>(partition - manifest.partitions.begin()));
    else if (const auto address = take_ipv4(name); address && name.empty())
        out.address = *address;
    if (!number || !port.empty() || *number == 0 || out.address == 0)
        source.fail(test.spot, "E0309",
                    "'" + to + "' is not a container or an IPv4 address with a port of TCP",
                    "write for example db:6379");
    out.port = static_cast<std::uint16_t>(*number);
    return out;
}

void add_probe(const Source& source, const Manifest& manifest, const Test& test, Partition& owner,
               Test::Reach& reach) {
    if (!owner.image)
        source.fail(test.spot, "E0309", "'" + owner.name + "' is no container, and nobody can try for it");
    if (owner.probes.size() == Probe::most)
        source.fail(test.spot, "E0309",
                    "more than " + std::to_string(Probe::most) + " tests of whom '" + owner.name +
                        "' reaches");
    reach.probe = owner.probes.size();
    owner.probes.push_back(probe_of(source, manifest, test, reach.to));
}

} // namespace

std::vector<Test> read_tests(const Binder& binder, const Node& node) {
    if (node.kind != Node::Kind::sequence || node.items.empty() || node.items.size() > most_tests)
        binder.wrong(node, "'tests' is a list of at most " + std::to_string(most_tests) + " tests",
                     "write for example - {partition: web, http: {port: 80}}");
    std::vector<Test> out;
    for (const Node& item : node.items)
        binder.attempt([&] { out.push_back(read_test(binder, item)); });
    return out;
}

void check_tests(const Binder& binder, Manifest& manifest) {
    const Source& source = binder.source();
    for (Test& test : manifest.tests) {
        if (test.partition.value.empty()) {
            if (manifest.partitions.size() - (manifest.uplink() != nullptr ? 1 : 0) != 1)
                source.fail(test.spot, "E0310", "a test does not say of which partition it is",
                            "add for example partition: " + manifest.partitions.front().name);
            test.partition.value = manifest.partitions.front().name;
        }
        const auto owner = std::ranges::find(manifest.partitions, test.partition.value, &Partition::name);
        if (owner == manifest.partitions.end())
            source.fail(test.partition.spot, "E0309", "there is no partition '" + test.partition.value + "'");
        const std::uint16_t port = port_of(test);
        const bool open = std::ranges::any_of(owner->published, [port](const PublishedPort& published) {
            return !published.udp && published.inside == port;
        });
        if (port != 0 && !open)
            source.fail(test.spot, "E0309",
                        "'" + owner->name + "' does not publish its port " + std::to_string(port) +
                            ", at which a test is to knock",
                        "add to the partition: ports: [\"" + std::to_string(port) + ":" +
                            std::to_string(port) + "/tcp\"]");
        if (auto* reach = std::get_if<Test::Reach>(&test.what))
            add_probe(source, manifest, test, *owner, *reach);
        if (std::holds_alternative<Test::Healthy>(test.what) && owner->health.kind == Health::Kind::none)
            source.fail(test.spot, "E0309", "'" + owner->name + "' has no 'health'",
                        "add to the partition for example: health: {tcp: {port: 80}}");
        if (test.name.empty())
            test.name = described(test);
    }
}

} // namespace manifest
