// SPDX-License-Identifier: Apache-2.0
// image-tools/build/startup.cpp - what a container starts as.
#include "image-tools/build/startup.hpp"

#include "image-tools/build/network.hpp"
#include "image-tools/build/record.hpp"
#include "image-tools/build/root_facts.hpp"
#include "image-tools/build/system_calls.hpp"
#include "image-tools/manifest/values.hpp"
#include "image-tools/oci/failure.hpp"
#include "partitions/abi/boot_page.h"

#include <algorithm>
#include <cstring>
#include <optional>

namespace build {
namespace {

constexpr std::string_view default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::uint32_t default_stop_signal = 15; // SIGTERM

std::string_view name_of(std::string_view variable) {
    return variable.substr(0, variable.find('='));
}

void set(std::vector<std::string>& environment, std::string_view name, std::string_view value) {
    std::string text = std::string(name) + "=" + std::string(value);
    for (std::string& variable : environment)
        if (name_of(variable) == name) {
            variable = std::move(text);
            return;
        }
    environment.push_back(std::move(text));
}

bool has(const std::vector<std::string>& environment, std::string_view name) {
    return std::any_of(environment.begin(), environment.end(),
                       [&](const std::string& variable) { return name_of(variable) == name; });
}

std::string value_of(const std::vector<std::string>& environment, std::string_view name) {
    for (const std::string& variable : environment)
        if (name_of(variable) == name)
            return variable.substr(name.size() + 1);
    return {};
}

bool may_execute(const Program& program, const Startup& startup) {
    if (!program.is_file())
        return false;
    if (startup.user == 0)
        return (program.mode & 0111) != 0;
    if (program.user == startup.user)
        return (program.mode & 0100) != 0;
    const bool member =
        program.group == startup.group ||
        std::find(startup.groups.begin(), startup.groups.end(), program.group) != startup.groups.end();
    return (program.mode & (member ? 0010 : 0001)) != 0;
}

struct Found {
    std::string path;
    Program program;
};

// What exec would find for `program`.
std::optional<Found> find_program(const Startup& startup, RootFacts& root, const std::string& program) {
    const auto look = [&](const std::string& path) -> std::optional<Found> {
        if (auto found = root.program(path))
            return Found{path, *std::move(found)};
        return std::nullopt;
    };
    if (program.find('/') != std::string::npos)
        return look(program.front() == '/' ? program : startup.working_directory + "/" + program);
    const std::string path = value_of(startup.environment, "PATH");
    std::optional<Found> not_executable;
    for (std::size_t at = 0; at <= path.size();) {
        const std::size_t end = std::min(path.find(':', at), path.size());
        const std::string directory = end == at ? startup.working_directory : path.substr(at, end - at);
        auto found = look(directory + "/" + program);
        if (found && may_execute(found->program, startup))
            return found;
        if (found && found->program.is_file())
            not_executable = std::move(found);
        at = end + 1;
    }
    return not_executable;
}

constexpr int most_interpreters = 4; // as Linux follows them

// The manifest's list, and what runs when the container starts: its program and, of scripts, the interpreters.
std::vector<std::string> allowed_programs(const manifest::Manifest& manifest,
                                          const manifest::Partition& partition, const Startup& startup,
                                          RootFacts& root) {
    std::vector<std::string> out;
    for (const manifest::Located<std::string>& path : *partition.allowed_programs) {
        const auto program = root.program(path.value);
        if (!program || !program->is_file())
            throw diagnostic::fail("E0431", "allowExec: '" + path.value + "' is " +
                                                (program ? "no file" : "not in the image"))
                .at(manifest.source.place(path.spot));
        out.push_back(path.value);
    }
    std::vector<std::string> names{startup.arguments.front()};
    if (startup.health.kind == manifest::Health::Kind::exec)
        names.push_back(startup.health.words.front());
    for (const std::string& name : names) {
        auto found = find_program(startup, root, name);
        for (int i = 0; found && i <= most_interpreters; ++i) {
            if (std::find(out.begin(), out.end(), found->path) == out.end())
                out.push_back(found->path);
            if (found->program.kind != Program::Kind::script)
                break;
            found = find_program(startup, root, found->program.interpreter);
        }
    }
    return out;
}

// partitions/init/watch.hpp says how they are read.
std::vector<std::string> words_of_health(const Startup& startup) {
    using Kind = manifest::Health::Kind;
    const manifest::Health& health = startup.health;
    if (health.kind == Kind::none)
        return {""};
    std::vector<std::string> out;
    for (const std::uint32_t value : {health.interval_ms, health.timeout_ms, health.start_period_ms,
                                      health.retries, startup.restarted ? 1U : 0U})
        out.push_back(std::to_string(value));
    if (health.kind == Kind::exec) {
        out.emplace_back("exec");
        out.push_back(std::to_string(health.words.size()));
        out.insert(out.end(), health.words.begin(), health.words.end());
        return out;
    }
    out.emplace_back(health.kind == Kind::http ? "http" : "tcp");
    out.push_back(std::to_string(health.port));
    if (health.kind == Kind::http)
        for (const std::string& word :
             {std::to_string(health.least), std::to_string(health.most), health.path})
            out.push_back(word);
    return out;
}

// The words of PID 1: the container's program, behind the reaper and what that is to look after.
std::vector<std::string> words_of_first(const Startup& startup) {
    std::vector<std::string> out;
    if (!startup.has_init())
        return startup.arguments;
    out.emplace_back("/dev/init");
    if (startup.health.kind != manifest::Health::Kind::none || !startup.probes.empty()) {
        out.emplace_back("");
        for (std::string& word : words_of_health(startup))
            out.push_back(std::move(word));
        for (const manifest::Probe& probe : startup.probes) {
            out.push_back(std::to_string(probe.address));
            out.push_back(std::to_string(probe.port));
        }
        out.emplace_back("");
    }
    out.insert(out.end(), startup.arguments.begin(), startup.arguments.end());
    return out;
}

std::string in_quotes(const std::string& text) {
    return "'" + text + "'";
}

} // namespace

std::vector<std::string> command(const manifest::Partition& partition, const oci::ImageConfig& config) {
    std::vector<std::string> out = partition.entrypoint ? partition.entrypoint->value : config.entrypoint;
    std::vector<std::string> rest;
    if (partition.args)
        rest = partition.args->value;
    else if (!partition.entrypoint)
        rest = config.cmd;
    out.insert(out.end(), rest.begin(), rest.end());
    return out;
}

std::vector<std::string> environment(const manifest::Partition& partition, const oci::ImageConfig& config,
                                     const std::string& home) {
    std::vector<std::string> out;
    if (!has(config.env, "PATH"))
        set(out, "PATH", default_path);
    set(out, "HOSTNAME", partition.hostname.value_or(partition.name));
    for (const std::string& variable : config.env) {
        const std::string_view name = name_of(variable);
        set(out, name,
            name.size() < variable.size() ? std::string_view(variable).substr(name.size() + 1) : "");
    }
    for (const auto& [name, value] : partition.environment)
        set(out, name, value);
    if (!has(out, "HOME"))
        set(out, "HOME", home);
    return out;
}

Startup resolve_startup(const manifest::Manifest& manifest, const manifest::Partition& partition,
                        const oci::ImageConfig& config, RootFacts& root) {
    Startup out;
    out.arguments = command(partition, config);
    if (out.arguments.empty() || out.arguments.front().empty())
        throw diagnostic::fail("E0414", "the image of '" + partition.name + "' names no command")
            .at(manifest.source.place(partition.image->spot))
            .help("add for example: entrypoint: [/bin/app]");
    rootfs::User user;
    const std::string specification = partition.user ? partition.user->value : config.user;
    try {
        user = rootfs::resolve_user(root.image_name(), specification.empty() ? "0" : specification,
                                    root.text(RootFacts::Text::passwd), root.text(RootFacts::Text::group));
    } catch (diagnostic::Failure& failure) {
        throw failure.at_if_nowhere(
            manifest.source.place(partition.user ? partition.user->spot : partition.image->spot));
    }
    out.user = user.uid;
    out.group = user.gid;
    out.groups = user.groups;
    out.environment = environment(partition, config, user.home.empty() ? "/" : user.home);
    out.hostname = partition.hostname.value_or(partition.name);
    if (partition.working_directory)
        out.working_directory = partition.working_directory->value;
    else if (!config.working_dir.empty())
        out.working_directory =
            config.working_dir.front() == '/' ? config.working_dir : "/" + config.working_dir;
    const std::string signal = partition.stop_signal ? partition.stop_signal->value : config.stop_signal;
    out.stop_signal = manifest::signal_number(signal).value_or(default_stop_signal);
    out.stop_timeout_ms = partition.behaviour.stop_timeout_ms;
    out.tmpfs = partition.tmpfs;
    out.read_only = partition.read_only;
    out.processes = partition.processes;
    out.pids = partition.processes.most(partition.memory);
    out.filter = filter_of(manifest, partition);
    out.record_calls = partition.record_calls;
    out.health = partition.health;
    out.restarted = partition.behaviour.restart != plan::Restart::no;
    out.probes = partition.probes;
    out.network = network_of(manifest, partition);
    out.writable_limit = partition.read_only ? 0 : partition.writable_limit.of(partition.memory);
    if (partition.allowed_programs)
        out.programs = allowed_programs(manifest, partition, out, root);
    return out;
}

std::string start_problem(const Startup& startup, RootFacts& root) {
    std::string program = startup.arguments.front();
    const auto first = find_program(startup, root, program);
    if (!first)
        return in_quotes(program) + " is not in the image; it will end with status 127";
    std::optional<Program> found = first->program;
    for (int i = 0; i <= most_interpreters; ++i) {
        if (!may_execute(*found, startup))
            return in_quotes(program) + " is not executable; it will end with status 126";
        if (found->kind == Program::Kind::neither)
            return in_quotes(program) +
                   " is neither an ELF program nor a script; it will end with status 126";
        if (found->kind == Program::Kind::other_machine)
            return in_quotes(program) + " is not an x86-64 program; it will end with status 126";
        const std::string interpreter = found->interpreter;
        if (interpreter.empty())
            return {};
        const bool script = found->kind == Program::Kind::script;
        found = root.program(interpreter);
        if (!found || !found->is_file())
            return in_quotes(program) + " needs " + (script ? "the interpreter " : "the ELF loader ") +
                   oci::printable(interpreter) + ", which is not in the image" +
                   (interpreter.ends_with('\r') ? " (its first line ends in CR LF: save it with LF alone)"
                                                : "") +
                   "; it will end with status 127";
        if (!script)
            return {};
        program = interpreter;
    }
    return in_quotes(startup.arguments.front()) +
           " goes through too many interpreters; it will end with status 126";
}

// init_program.S
extern "C" const std::uint8_t caisson_init_begin[], caisson_init_end[];

std::span<const std::uint8_t> init_program() {
    return {caisson_init_begin, caisson_init_end};
}

namespace {

// What the container's card is told of IPv6; 0: that it speaks none.
std::uint32_t add_outside6(Record<caisson_startup>& record, const StartupNetwork& network) {
    const manifest::Outside& from = *network.outside;
    if (from.by_uplink || from.way6 == manifest::Outside::Way6::none)
        return 0;
    const auto put = [](const net::Address6& address, unsigned char(&to)[net::address6_bytes]) {
        net::write_address6(address, std::as_writable_bytes(std::span{to}));
    };
    caisson_outside6 out{};
    const bool written = from.way6 == manifest::Outside::Way6::written;
    out.way = written ? CAISSON_OUTSIDE6_WRITTEN : CAISSON_OUTSIDE6_ADVERTISED;
    put(from.address6, out.address);
    if (from.gateway6)
        put(from.gateway6->value, out.gateway);
    for (std::size_t i = 0; i < from.name_servers6.size(); ++i)
        put(from.name_servers6[i], out.name_servers[i]);
    out.rule_count = static_cast<std::uint32_t>(network.rules6.size());
    out.rules = record.array(network.rules6);
    return record.array(std::vector{out});
}

} // namespace

std::vector<std::uint8_t> encode(const Startup& startup, const std::string& partition) {
    Record<caisson_startup> record;
    caisson_startup head{};
    head.magic = CAISSON_STARTUP_MAGIC;
    head.flags = (startup.read_only ? CAISSON_STARTUP_READ_ONLY : 0) |
                 (startup.processes.no_new_privileges ? CAISSON_STARTUP_NO_NEW_PRIVILEGES : 0) |
                 (startup.record_calls ? CAISSON_STARTUP_RECORD_CALLS : 0) |
                 (startup.programs ? CAISSON_STARTUP_ONLY_LISTED : 0);
    const std::vector<std::string> arguments = words_of_first(startup);
    if (startup.has_init()) {
        head.init_bytes = static_cast<std::uint32_t>(init_program().size());
        head.init = record.array(std::vector(init_program().begin(), init_program().end()));
    }
    head.argc = static_cast<std::uint32_t>(arguments.size());
    head.argv = record.strings(arguments);
    head.capabilities = startup.processes.capabilities;
    head.pids = startup.pids;
    head.envc = static_cast<std::uint32_t>(startup.environment.size());
    head.envp = record.strings(startup.environment);
    head.working_dir = record.string(startup.working_directory);
    head.hostname = record.string(startup.hostname);
    head.user_id = startup.user;
    head.group_id = startup.group;
    head.group_count = static_cast<std::uint32_t>(startup.groups.size());
    head.groups = record.array(startup.groups);
    head.stop_signal = startup.stop_signal;
    head.stop_timeout_ms = startup.stop_timeout_ms;
    std::vector<caisson_tmpfs> mounts;
    for (const manifest::Tmpfs& mount : startup.tmpfs)
        mounts.push_back({record.string(mount.path), mount.mode, mount.size});
    head.tmpfs_count = static_cast<std::uint32_t>(mounts.size());
    head.tmpfs = record.array(mounts);
    head.writable_limit = startup.writable_limit;
    head.filter_count = static_cast<std::uint32_t>(startup.filter.size());
    head.filter = record.array(startup.filter);
    if (startup.programs) {
        head.program_count = static_cast<std::uint32_t>(startup.programs->size());
        head.programs = record.strings(*startup.programs);
    }
    std::vector<caisson_peer> peers;
    for (const StartupNetwork::Peer& peer : startup.network.peers)
        peers.push_back({record.string(peer.name), peer.address, static_cast<std::uint32_t>(peers.size())});
    head.address = startup.network.address;
    head.prefix = startup.network.prefix;
    head.peer_count = static_cast<std::uint32_t>(peers.size());
    head.peers = record.array(peers);
    head.rule_count = static_cast<std::uint32_t>(startup.network.rules.size());
    head.rules = record.array(startup.network.rules);
    if (const auto& outside = startup.network.outside) {
        head.outside = outside->by_uplink ? CAISSON_OUTSIDE_UPLINK
                       : outside->leased  ? CAISSON_OUTSIDE_LEASED
                                          : CAISSON_OUTSIDE_STATIC;
        head.outside_link = startup.network.outside_link;
        head.outside_address = outside->address;
        head.outside_prefix = outside->prefix;
        head.gateway = outside->gateway ? outside->gateway->value : 0;
        std::copy(outside->name_servers.begin(), outside->name_servers.end(), head.name_servers);
        for (std::size_t i = 0; i < outside->time_servers.size(); ++i) {
            head.time_servers[i] = outside->time_servers[i].address;
            head.time_ports[i] = outside->time_servers[i].port;
        }
        head.outside6 = add_outside6(record, startup.network);
    }
    head.published_count = static_cast<std::uint32_t>(startup.network.published.size());
    head.published = record.array(startup.network.published);
    std::vector<std::uint8_t> bytes = record.finish(head);
    if (bytes.size() > CAISSON_STARTUP_MAX)
        throw diagnostic::fail("E0802", "arguments and environment of '" + partition + "' take " +
                                            std::to_string(bytes.size()) + " bytes; there is room for " +
                                            std::to_string(CAISSON_STARTUP_MAX))
            .help("shorten env or args, or read them from a file: a program that is started later has "
                  "Linux's limits");
    return bytes;
}

} // namespace build
