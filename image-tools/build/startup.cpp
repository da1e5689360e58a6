// SPDX-License-Identifier: Apache-2.0
// image-tools/build/startup.cpp - what a container starts as.
#include "image-tools/build/startup.hpp"

#include "image-tools/manifest/values.hpp"
#include "image-tools/rootfs/root_image.hpp"
#include "image-tools/rootfs/tree.hpp"
#include "partitions/abi/boot_page.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace build {
namespace {

constexpr std::string_view default_path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr std::uint32_t default_stop_signal = 15; // SIGTERM

using Spot = manifest::Spot;

[[noreturn]] void fail(const manifest::Manifest& manifest, Spot spot, const char* code, std::string message,
                       std::string help = {}) {
    throw diagnostic::Failure({code,
                               diagnostic::ExitCode::input,
                               std::move(message),
                               manifest.source.place(spot),
                               {},
                               std::move(help)});
}

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

bool may_execute(const rootfs::Inode& inode, const Startup& startup) {
    if (!inode.is_regular())
        return false;
    if (startup.user == 0)
        return (inode.mode & 0111) != 0;
    if (inode.uid == startup.user)
        return (inode.mode & 0100) != 0;
    const bool member = inode.gid == startup.group || std::find(startup.groups.begin(), startup.groups.end(),
                                                                inode.gid) != startup.groups.end();
    return (inode.mode & (member ? 0010 : 0001)) != 0;
}

// The inode that exec would find for `program`.
std::optional<rootfs::InodeId> find_program(const Startup& startup, const rootfs::Tree& tree,
                                            const std::string& program) {
    if (program.find('/') != std::string::npos) {
        const bool absolute = program.front() == '/';
        return tree.lookup(absolute ? program : startup.working_directory + "/" + program);
    }
    const std::string path = value_of(startup.environment, "PATH");
    std::optional<rootfs::InodeId> not_executable;
    for (std::size_t at = 0; at <= path.size();) {
        const std::size_t end = std::min(path.find(':', at), path.size());
        const std::string directory = end == at ? startup.working_directory : path.substr(at, end - at);
        const auto found = tree.lookup(directory + "/" + program);
        if (found && may_execute(tree.inode(*found), startup))
            return found;
        if (found && tree.inode(*found).is_regular())
            not_executable = found;
        at = end + 1;
    }
    return not_executable;
}

// Appends `value` at a multiple of its size and gives its offset.
class Record {
public:
    Record() : bytes_(sizeof(caisson_startup), 0) {}
    std::uint32_t string(const std::string& text) {
        const std::size_t at = bytes_.size();
        bytes_.insert(bytes_.end(), text.begin(), text.end());
        bytes_.push_back(0);
        return static_cast<std::uint32_t>(at);
    }
    template <typename T> std::uint32_t array(const std::vector<T>& items) {
        bytes_.resize((bytes_.size() + alignof(T) - 1) / alignof(T) * alignof(T));
        const std::size_t at = bytes_.size();
        bytes_.resize(at + items.size() * sizeof(T));
        if (!items.empty())
            std::memcpy(bytes_.data() + at, items.data(), items.size() * sizeof(T));
        return static_cast<std::uint32_t>(at);
    }
    std::uint32_t strings(const std::vector<std::string>& texts) {
        std::vector<std::uint32_t> offsets;
        for (const std::string& text : texts)
            offsets.push_back(string(text));
        return array(offsets);
    }
    std::vector<std::uint8_t> finish(caisson_startup head) {
        head.total_bytes = static_cast<std::uint32_t>(bytes_.size());
        std::memcpy(bytes_.data(), &head, sizeof head);
        return std::move(bytes_);
    }

private:
    std::vector<std::uint8_t> bytes_;
};

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
                        const oci::ImageConfig& config, const rootfs::RootImage& root) {
    Startup out;
    out.arguments = command(partition, config);
    if (out.arguments.empty() || out.arguments.front().empty())
        fail(manifest, partition.image->spot, "E0414",
             "the image of '" + partition.name + "' names no command",
             "add for example: entrypoint: [/bin/app]");
    rootfs::User user;
    const std::string specification = partition.user ? partition.user->value : config.user;
    if (!specification.empty()) {
        try {
            user = rootfs::resolve_user(root, specification);
        } catch (const diagnostic::Failure& failure) {
            diagnostic::Diagnostic diagnostic = failure.diagnostic();
            if (diagnostic.place.file.empty())
                diagnostic.place =
                    manifest.source.place(partition.user ? partition.user->spot : partition.image->spot);
            throw diagnostic::Failure(std::move(diagnostic));
        }
    } else {
        user = rootfs::resolve_user(root, "0");
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
    out.stop_timeout_ms = partition.stop_timeout_ms.value_or(out.stop_timeout_ms);
    out.tmpfs = partition.tmpfs;
    out.read_only = partition.read_only;
    out.writable_limit = partition.read_only ? 0 : partition.writable_limit.of(partition.memory);
    return out;
}

std::string start_problem(const Startup& startup, const rootfs::RootImage& root) {
    const rootfs::Tree& tree = root.tree();
    const std::string& program = startup.arguments.front();
    const auto found = find_program(startup, tree, program);
    if (!found)
        return "'" + program + "' is not in the image; it will end with status 127";
    const rootfs::Inode& inode = tree.inode(*found);
    if (!may_execute(inode, startup))
        return "'" + program + "' is not executable; it will end with status 126";
    std::array<std::uint8_t, 20> start{};
    const std::size_t got = root.read(*found, 0, start);
    constexpr std::array<std::uint8_t, 4> elf{0x7F, 'E', 'L', 'F'};
    if (got >= 2 && start[0] == '#' && start[1] == '!')
        return {};
    if (got < start.size() || !std::equal(elf.begin(), elf.end(), start.begin()))
        return "'" + program + "' is neither an ELF program nor a script; it will end with status 126";
    if (start[4] != 2 || start[18] != 62 || start[19] != 0)
        return "'" + program + "' is not an x86-64 program; it will end with status 126";
    return {};
}

std::vector<std::uint8_t> encode(const Startup& startup, const std::string& partition) {
    Record record;
    caisson_startup head{};
    head.magic = CAISSON_STARTUP_MAGIC;
    head.flags = startup.read_only ? CAISSON_STARTUP_READ_ONLY : 0;
    head.argc = static_cast<std::uint32_t>(startup.arguments.size());
    head.argv = record.strings(startup.arguments);
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
    std::vector<std::uint8_t> bytes = record.finish(head);
    if (bytes.size() > CAISSON_STARTUP_MAX)
        throw diagnostic::Failure({"E0802",
                                   diagnostic::ExitCode::limit,
                                   "arguments and environment of '" + partition + "' take " +
                                       std::to_string(bytes.size()) + " bytes; there is room for " +
                                       std::to_string(CAISSON_STARTUP_MAX),
                                   {},
                                   {},
                                   "shorten env or args"});
    return bytes;
}

} // namespace build
