// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/partition.cpp - the keys of a partition: which there are, and what each may hold.
#include "image-tools/manifest/partition.hpp"
#include "image-tools/manifest/devices.hpp"
#include "image-tools/manifest/health.hpp"
#include "image-tools/manifest/outside.hpp"

#include "hypervisor/core/plan/format.hpp"
#include "image-tools/plan/words.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace manifest {
namespace {

using Words = std::span<const std::string_view>;

constexpr std::uint64_t smallest_memory = 64 * 1024;

constexpr std::array<std::string_view, 9> partition_reserved{
    "rights", "volumes", "secrets", "tenant", "labels", "cache", "schedule", "containers", "share"};
constexpr std::array<std::string_view, 1> security_reserved{"exec"};

class PartitionReader {
public:
    explicit PartitionReader(const Binder& binder) : binder_(binder) {}

    [[nodiscard]] Partition partition(const Entry& entry) const;

private:
    void check(const Partition& partition, const Node& node) const;
    [[nodiscard]] Environment environment(const Node& node) const;
    [[nodiscard]] std::vector<Tmpfs> tmpfs(const Node& node) const;
    void restart(const Node& node, plan::Behaviour& out) const;
    [[nodiscard]] WritableLimit writable_limit(const Node& node) const;
    [[nodiscard]] std::string absolute(const Node& node, std::string_view what) const;
    [[nodiscard]] std::string hostname(const Node& node) const;
    void security(const Node& node, Partition& out) const;
    [[nodiscard]] std::vector<Located<std::string>> programs(const Node& node) const;
    void capabilities(const Node& node, std::uint64_t& set) const;
    [[nodiscard]] std::vector<Key> process_keys(Partition& out) const;
    [[nodiscard]] std::vector<Key> machine_keys(Partition& out) const;

    const Binder& binder_;
};

std::string PartitionReader::absolute(const Node& node, std::string_view what) const {
    std::string path = binder_.non_empty(node, what);
    if (path.front() != '/')
        binder_.wrong(node, "'" + std::string(what) + "' must be an absolute path", "write /" + path);
    return path;
}

std::string PartitionReader::hostname(const Node& node) const {
    std::string value = binder_.non_empty(node, "hostname");
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '.';
    };
    if (value.size() > 63 || !std::all_of(value.begin(), value.end(), allowed))
        binder_.wrong(node, "'hostname' has at most 63 letters, digits, '-' and '.'");
    return value;
}

Environment PartitionReader::environment(const Node& node) const {
    Environment out;
    const auto add = [&](const Node& at, std::string key, std::string value) {
        if (key.empty() || key.find('=') != std::string::npos)
            binder_.wrong(at, "'" + key + "' cannot be the name of an environment variable");
        for (const auto& [name, ignored] : out)
            if (name == key)
                binder_.wrong(at, "the environment variable '" + key + "' is given twice");
        out.emplace_back(std::move(key), std::move(value));
    };
    if (node.kind == Node::Kind::mapping) {
        for (const Entry& entry : node.entries) {
            const bool empty = entry.value.kind == Node::Kind::null;
            add(entry.value, entry.key, empty ? std::string{} : binder_.text(entry.value, entry.key));
        }
        return out;
    }
    if (node.kind != Node::Kind::sequence)
        binder_.wrong(node, "'env' must be a map or a list of NAME=value");
    for (const Node& item : node.items) {
        const std::string text = binder_.text(item, "env");
        const std::size_t equals = text.find('=');
        if (equals == std::string::npos)
            binder_.wrong(item, "'" + text + "' has no '='", "write " + text + "=value");
        add(item, text.substr(0, equals), text.substr(equals + 1));
    }
    return out;
}

std::vector<Tmpfs> PartitionReader::tmpfs(const Node& node) const {
    if (node.kind != Node::Kind::sequence)
        binder_.wrong(node, "'tmpfs' must be a list", "write for example [{path: /run, size: 8MiB}]");
    std::vector<Tmpfs> out;
    for (const Node& item : node.items) {
        Tmpfs entry;
        entry.spot = item.spot;
        const std::array keys{
            Key{"path", [&](const Node& value) { entry.path = absolute(value, "path"); }},
            Key{"size", [&](const Node& value) { entry.size = binder_.size(value, "size"); }},
            Key{"mode",
                [&](const Node& value) {
                    const std::string text = binder_.text(value, "mode");
                    std::uint32_t mode = 0;
                    for (char c : text) {
                        if (c < '0' || c > '7' || text.size() > 5)
                            binder_.wrong(value, "'mode' must be octal, for example 1777");
                        mode = mode * 8 + static_cast<std::uint32_t>(c - '0');
                    }
                    if (text.empty() || mode > 07777)
                        binder_.wrong(value, "'mode' must be octal, at most 7777");
                    entry.mode = mode;
                }},
        };
        binder_.map(item, "a tmpfs", keys, {});
        if (entry.path.empty() || entry.size == 0)
            binder_.wrong(item, "a tmpfs needs 'path' and 'size'");
        for (const Tmpfs& other : out)
            if (other.path == entry.path)
                binder_.wrong(item, "two tmpfs at " + entry.path);
        out.push_back(std::move(entry));
    }
    return out;
}

void PartitionReader::restart(const Node& node, plan::Behaviour& out) const {
    const std::string value = binder_.text(node, "restart");
    if (constexpr std::string_view counted = "on-failure:"; value.starts_with(counted)) {
        const auto count = binder_.take(node, parse_number(value.substr(counted.size())));
        if (count > UINT32_MAX || !plan::restart_max_bounds.hold(static_cast<std::uint32_t>(count)))
            binder_.wrong(node, "'restart: on-failure:N' takes N from 1 to " +
                                    std::to_string(plan::restart_max_bounds.most));
        out.restart = plan::Restart::on_failure;
        out.restart_max = static_cast<std::uint32_t>(count);
        return;
    }
    out.restart = binder_.choice<plan::Restart>(node, "restart", plan::restart_words);
}

WritableLimit PartitionReader::writable_limit(const Node& node) const {
    std::string text = binder_.text(node, "writableLimit");
    WritableLimit limit;
    if (!text.ends_with('%')) {
        limit.bytes = binder_.size(node, "writableLimit");
        return limit;
    }
    text.pop_back();
    while (text.ends_with(' '))
        text.pop_back();
    const auto percent = binder_.take(node, parse_number(text));
    if (percent == 0 || percent > 90)
        binder_.wrong(node, "'writableLimit' must be from 1 % to 90 %");
    limit.percent = static_cast<std::uint32_t>(percent);
    return limit;
}

// Docker's --cap-add and --cap-drop: ALL is all of them; what is added by name stays where ALL is dropped, and the other way round.
void PartitionReader::capabilities(const Node& node, std::uint64_t& set) const {
    constexpr std::uint64_t every = (std::uint64_t{1} << (last_capability + 1)) - 1;
    struct Change {
        std::uint64_t named = 0;
        bool all = false;
    } add, drop;
    const auto change = [this](std::string_view key, Change& into) {
        return Key{key, [this, key, &into](const Node& list) {
                       const std::vector<std::string> names = binder_.list(list, key);
                       for (std::size_t i = 0; i < names.size(); ++i) {
                           const auto number = capability_number(names[i]);
                           if (names[i] == "ALL")
                               into.all = true;
                           else if (number)
                               into.named |= std::uint64_t{1} << *number;
                           else
                               binder_.wrong(list.items[i], "'" + names[i] + "' is not a capability",
                                             "write for example NET_RAW, or ALL");
                       }
                   }};
    };
    const std::array keys{change("add", add), change("drop", drop)};
    binder_.map(node, "'capabilities'", keys, {});
    if (const std::uint64_t both = add.named & drop.named; both != 0 || (add.all && drop.all))
        binder_.wrong(node, "'capabilities' adds and drops " + (both != 0 ? capability_names(both) : "ALL"));
    set = ((add.all ? every : drop.all ? 0 : set) | add.named) & ~drop.named;
}

std::vector<Located<std::string>> PartitionReader::programs(const Node& node) const {
    constexpr std::size_t most = 256;
    if (node.kind != Node::Kind::sequence)
        binder_.wrong(node, "'allowExec' must be a list", "write for example [/usr/bin/app, /bin/sh]");
    if (node.items.size() > most)
        binder_.wrong(node, "'allowExec' has at most " + std::to_string(most) + " paths");
    std::vector<Located<std::string>> out;
    for (const Node& item : node.items)
        out.push_back({absolute(item, "allowExec"), item.spot});
    return out;
}

void PartitionReader::security(const Node& node, Partition& out) const {
    const std::array keys{
        Key{"capabilities", [&](const Node& value) { capabilities(value, out.processes.capabilities); }},
        Key{"noNewPrivileges",
            [&](const Node& value) {
                out.processes.no_new_privileges = binder_.boolean(value, "noNewPrivileges");
            }},
        Key{"syscalls",
            [&](const Node& value) {
                out.system_calls = Located<std::string>{binder_.non_empty(value, "syscalls"), value.spot};
            }},
        Key{"allowExec", [&](const Node& value) { out.allowed_programs = programs(value); }},
    };
    binder_.map(node, "'security'", keys, security_reserved);
}

// What the container's process gets.
std::vector<Key> PartitionReader::process_keys(Partition& out) const {
    const auto command = [this](std::string_view key,
                                std::optional<Located<std::vector<std::string>>>& into) {
        return Key{key, [this, key, &into](const Node& node) {
                       into = Located<std::vector<std::string>>{binder_.list(node, key), node.spot};
                   }};
    };
    return {
        command("entrypoint", out.entrypoint),
        command("args", out.args),
        Key{"env", [this, &out](const Node& node) { out.environment = environment(node); }},
        Key{"workingDir",
            [this, &out](const Node& node) {
                out.working_directory = Located<std::string>{absolute(node, "workingDir"), node.spot};
            }},
        Key{"user",
            [this, &out](const Node& node) {
                out.user = Located<std::string>{binder_.non_empty(node, "user"), node.spot};
            }},
        Key{"hostname", [this, &out](const Node& node) { out.hostname = hostname(node); }},
        Key{"readOnly",
            [this, &out](const Node& node) { out.read_only = binder_.boolean(node, "readOnly"); }},
        Key{"writableLimit", [this, &out](const Node& node) { out.writable_limit = writable_limit(node); }},
        Key{"tmpfs", [this, &out](const Node& node) { out.tmpfs = tmpfs(node); }},
        Key{"unpackLimit",
            [this, &out](const Node& node) { out.unpack_limit = binder_.size(node, "unpackLimit"); }},
        Key{"init", [this, &out](const Node& node) { out.processes.init = binder_.boolean(node, "init"); }},
        Key{"pids",
            [this, &out](const Node& node) {
                out.processes.pids =
                    static_cast<std::uint32_t>(binder_.number(node, "pids", 1, Processes::most_pids));
            }},
        Key{"security", [this, &out](const Node& node) { security(node, out); }},
    };
}

// What the partition itself gets.
std::vector<Key> PartitionReader::machine_keys(Partition& out) const {
    static constexpr std::array<std::string_view, 3> payloads{"auto", "unikernel", "linux"};
    plan::Behaviour& behaviour = out.behaviour;
    const auto rate = [this](const Node& node, std::string_view key, plan::Bounds bounds) {
        const std::uint64_t bytes = binder_.size(node, key);
        if (bytes < bounds.least || bytes > bounds.most)
            binder_.wrong(node, "'" + std::string(key) + "' is from " + size_text(bounds.least) + " to " +
                                    size_text(bounds.most) + " a second");
        return static_cast<std::uint32_t>(bytes);
    };
    const auto flag = [this, &behaviour](std::string_view key, std::uint32_t bit, Words words) {
        return Key{key, [this, &behaviour, key, bit, words](const Node& node) {
                       behaviour.set(bit, binder_.word(node, key, words, words.size()) == 1);
                   }};
    };
    const auto file = [this](std::string_view key, std::optional<Located<std::string>>& into) {
        return Key{key, [this, key, &into](const Node& node) {
                       into = Located<std::string>{binder_.non_empty(node, key), node.spot};
                   }};
    };
    return {
        file("image", out.image),
        file("kernel", out.kernel),
        file("module", out.module),
        Key{"devices", [this, &out](const Node& node) { out.devices = read_devices(binder_, node); }},
        Key{"cmdline",
            [this, &out](const Node& node) {
                out.command_line = binder_.text(node, "cmdline");
                if (out.command_line.size() > 1024)
                    binder_.wrong(node, "'cmdline' is longer than 1024 bytes");
            }},
        Key{"payload",
            [this](const Node& node) { static_cast<void>(binder_.word(node, "payload", payloads, 2)); }},
        Key{"cpus",
            [this, &out](const Node& node) {
                out.cpus = static_cast<std::uint32_t>(binder_.number(node, "cpus", 1, plan::max_cpus));
                out.cpus_spot = node.spot;
            }},
        Key{"cpuset",
            [this, &out](const Node& node) {
                out.cpu_set = binder_.take(node, parse_cpu_set(binder_.text(node, "cpuset")));
            }},
        Key{"memory",
            [this, &out](const Node& node) {
                out.memory = binder_.size(node, "memory");
                out.memory_spot = node.spot;
                if (out.memory % smallest_memory != 0)
                    binder_.wrong(node, "'memory' must be a multiple of 64 KiB");
            }},
        Key{"restart", [this, &behaviour](const Node& node) { restart(node, behaviour); }},
        Key{"restartDelay",
            [this, &behaviour](const Node& node) {
                behaviour.restart_delay_ms =
                    binder_.duration_ms(node, "restartDelay", plan::restart_delay_ms_bounds);
            }},
        Key{"restartBackOff",
            [this, &behaviour](const Node& node) {
                behaviour.set(plan::flag_same_delay, !binder_.boolean(node, "restartBackOff"));
            }},
        Key{"stopSignal",
            [this, &out](const Node& node) {
                const std::string text = binder_.text(node, "stopSignal");
                if (!signal_number(text))
                    binder_.wrong(node, "'" + text + "' is not a signal", "write for example SIGTERM or 15");
                out.stop_signal = Located<std::string>{text, node.spot};
            }},
        Key{"stopTimeout",
            [this, &behaviour](const Node& node) {
                behaviour.stop_timeout_ms =
                    binder_.duration_ms(node, "stopTimeout", plan::stop_timeout_ms_bounds);
            }},
        Key{"outputRate",
            [rate, &behaviour](const Node& node) {
                behaviour.output_rate = rate(node, "outputRate", plan::output_rate_bounds);
            }},
        Key{"noteRate",
            [rate, &behaviour](const Node& node) {
                behaviour.note_rate = rate(node, "noteRate", plan::note_rate_bounds);
            }},
        Key{"watchdog",
            [this, &behaviour](const Node& node) {
                behaviour.watchdog_ms = binder_.duration_ms(node, "watchdog", plan::watchdog_ms_bounds);
            }},
        Key{"console",
            [this, &behaviour](const Node& node) {
                constexpr std::size_t none = 0, screen = 2;
                const std::size_t word =
                    binder_.word(node, "console", plan::console_words, plan::console_words.size());
                behaviour.set(plan::flag_console_serial, word != none);
                behaviour.set(plan::flag_console_screen, word == screen);
            }},
        flag("smt", plan::flag_smt_shared, plan::smt_words),
        flag("storeBypass", plan::flag_no_store_bypass, plan::store_bypass_words),
    };
}

Partition PartitionReader::partition(const Entry& entry) const {
    Partition out;
    out.name = entry.key;
    out.spot = entry.spot;
    std::vector<Key> keys = machine_keys(out);
    for (Key& key : process_keys(out))
        keys.push_back(std::move(key));
    for (Key& key : outside_keys(binder_, out))
        keys.push_back(std::move(key));
    keys.push_back(
        Key{"health", [this, &out](const Node& node) { out.health = read_health(binder_, node); }});
    const std::size_t before = binder_.failures();
    binder_.map(entry.value, "a partition", keys, partition_reserved);
    if (binder_.failures() == before) // else it would only be told what follows from that
        check(out, entry.value);
    if (out.cpu_set != 0)
        out.cpus = static_cast<std::uint32_t>(std::popcount(out.cpu_set));
    return out;
}

// What one partition's keys mean together.
void PartitionReader::check(const Partition& partition, const Node& node) const {
    const Source& source = binder_.source();
    const std::string who = "partition '" + partition.name + "'";
    if (!partition.image && !partition.kernel)
        source.fail(partition.spot, "E0310", who + " has neither 'image' nor 'kernel'",
                    "add for example: image: oci:./image:tag");
    if (partition.image && partition.kernel)
        source.fail(partition.kernel->spot, "E0309", who + " has both 'image' and 'kernel'",
                    "keep one of them");
    if (partition.memory == 0)
        source.fail(partition.spot, "E0310", who + " has no 'memory'", "add for example: memory: 64MiB");
    static constexpr std::array<std::string_view, 2> kernel_only{"cmdline", "module"};
    static constexpr std::array<std::string_view, 22> image_only{
        "payload",  "entrypoint",  "args",          "env",     "workingDir",  "user",
        "hostname", "readOnly",    "writableLimit", "tmpfs",   "unpackLimit", "init",
        "pids",     "security",    "address",       "gateway", "dns",         "ports",
        "health",   "timeServers", "address6",      "gateway6"};
    for (const Entry& entry : node.entries) {
        const auto among = [&](Words words) {
            return std::find(words.begin(), words.end(), entry.key) != words.end();
        };
        if (partition.image && among(kernel_only))
            source.fail(entry.spot, "E0309", "'" + entry.key + "' goes with 'kernel', not with 'image'");
        if (partition.kernel && among(image_only))
            source.fail(entry.spot, "E0309", "'" + entry.key + "' goes with 'image', not with 'kernel'");
    }
    if (partition.cpu_set != 0 && partition.cpus_spot.line != 0 &&
        static_cast<std::uint32_t>(std::popcount(partition.cpu_set)) != partition.cpus)
        source.fail(partition.cpus_spot, "E0309", "'cpus' and 'cpuset' of " + who + " disagree",
                    "keep one of them");
    std::uint64_t promised = partition.read_only ? 0 : partition.writable_limit.of(partition.memory);
    for (const Tmpfs& entry : partition.tmpfs) {
        promised += entry.size;
        if (promised > partition.memory)
            source.fail(entry.spot, "E0309",
                        "the tmpfs and writableLimit of " + who + " together exceed its memory of " +
                            size_text(partition.memory));
    }
    if (partition.writable_limit.bytes > partition.memory)
        source.fail(partition.memory_spot, "E0309", "'writableLimit' of " + who + " exceeds its memory");
}

} // namespace

Partition read_partition(const Binder& binder, const Entry& entry) {
    return PartitionReader(binder).partition(entry);
}

} // namespace manifest
