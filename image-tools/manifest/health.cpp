// SPDX-License-Identifier: Apache-2.0
#include "image-tools/manifest/health.hpp"

#include <algorithm>
#include <array>

namespace manifest {
namespace {

constexpr plan::Bounds interval_bounds{100, 3'600'000}, start_bounds{0, 3'600'000};
constexpr std::uint64_t most_retries = 1000;

void read_http(const Binder& binder, const Node& node, Health& out) {
    const std::array keys{Key{"port", [&](const Node& value) { out.port = read_port(binder, value); }},
                          Key{"path", [&](const Node& value) { out.path = read_path(binder, value); }},
                          Key{"status", [&](const Node& value) {
                                  out.least = out.most =
                                      static_cast<unsigned>(binder.number(value, "status", 100, 599));
                              }}};
    binder.map(node, "'http'", keys, {});
}

void read_tcp(const Binder& binder, const Node& node, Health& out) {
    const std::array keys{Key{"port", [&](const Node& value) { out.port = read_port(binder, value); }}};
    binder.map(node, "'tcp'", keys, {});
}

void read_exec(const Binder& binder, const Node& node, Health& out) {
    out.words = binder.list(node, "exec");
    if (out.words.empty() || out.words.front().empty() || out.words.size() > Health::most_words)
        binder.wrong(node,
                     "'exec' is a list of a program and its words, at most " +
                         std::to_string(Health::most_words),
                     "write for example exec: [redis-cli, ping]");
}

} // namespace

std::string read_line(const Binder& binder, const Node& node, const char* what) {
    std::string out = binder.non_empty(node, what);
    if (std::ranges::any_of(out, [](unsigned char c) { return c < 0x20 && c != '\t'; }))
        binder.wrong(node, std::string("'") + what + "' is text of one line");
    return out;
}

std::string read_word(const Binder& binder, const Node& node, const char* what) {
    std::string out = read_line(binder, node, what);
    if (out.find_first_of(" \t") != std::string::npos)
        binder.wrong(node, std::string("'") + what + "' has no spaces");
    return out;
}

std::string read_path(const Binder& binder, const Node& node) {
    std::string out = read_word(binder, node, "path");
    if (out.front() != '/')
        binder.wrong(node, "'path' begins with /");
    return out;
}

std::uint16_t read_port(const Binder& binder, const Node& node) {
    return static_cast<std::uint16_t>(binder.number(node, "port", 1, 65535));
}

Health read_health(const Binder& binder, const Node& node) {
    Health out;
    unsigned looks = 0;
    const auto look = [&](Health::Kind kind, void (*read)(const Binder&, const Node&, Health&)) {
        return [&binder, &out, &looks, kind, read](const Node& value) {
            read(binder, value, out);
            out.kind = kind;
            ++looks;
        };
    };
    const auto time = [&binder](std::uint32_t& to, const char* key, plan::Bounds bounds) {
        return Key{key, [&binder, &to, key, bounds](const Node& value) {
                       to = binder.duration_ms(value, key, bounds);
                   }};
    };
    const std::array keys{Key{"http", look(Health::Kind::http, &read_http)},
                          Key{"tcp", look(Health::Kind::tcp, &read_tcp)},
                          Key{"exec", look(Health::Kind::exec, &read_exec)},
                          time(out.interval_ms, "interval", interval_bounds),
                          time(out.timeout_ms, "timeout", interval_bounds),
                          time(out.start_period_ms, "startPeriod", start_bounds),
                          Key{"retries", [&](const Node& value) {
                                  out.retries = static_cast<std::uint32_t>(
                                      binder.number(value, "retries", 1, most_retries));
                              }}};
    const std::size_t before = binder.failures();
    binder.map(node, "'health'", keys, {});
    if (binder.failures() != before)
        return out;
    if (looks != 1)
        binder.wrong(node, "'health' has exactly one of http, tcp and exec",
                     "write for example health: {http: {port: 80, path: /}}");
    if (out.kind != Health::Kind::exec && out.port == 0)
        binder.wrong(node, "'health' needs the port that it asks", "write for example tcp: {port: 6379}");
    return out;
}

} // namespace manifest
