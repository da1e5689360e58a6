// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/manifest.cpp - the keys of manifest v1: which there are, and what each may hold.
#include "image-tools/manifest/manifest.hpp"
#include "hypervisor/core/bundle/format.hpp"

#include "hypervisor/core/plan/format.hpp"
#include "image-tools/manifest/binder.hpp"
#include "image-tools/manifest/devices.hpp"
#include "image-tools/manifest/network.hpp"
#include "image-tools/manifest/outside.hpp"
#include "image-tools/manifest/partition.hpp"
#include "image-tools/manifest/policies.hpp"
#include "image-tools/manifest/tests.hpp"
#include "image-tools/manifest/uplink.hpp"
#include "image-tools/plan/words.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>

namespace manifest {
namespace {

class Reader {
public:
    Reader(const Source& source, Manifest& manifest, const Published& published)
        : binder_(source), manifest_(manifest), published_(published) {}

    void read(const Node& root) {
        const std::array keys{
            Key{"apiVersion", [&](const Node& node) { api_version(node); }},
            Key{"kind", [&](const Node& node) { kind(node); }},
            Key{"name", [&](const Node& node) { manifest_.name = name(node, "name"); }},
            Key{"version", [&](const Node& node) { version(node); }},
            Key{"securityVersion",
                [&](const Node& node) {
                    manifest_.security_version = binder_.number(node, "securityVersion", 0, UINT32_MAX);
                }},
            Key{"machine", [&](const Node& node) { machine(node); }},
            Key{"signing", [&](const Node& node) { signing(node); }},
            Key{"trust",
                [&](const Node& node) {
                    manifest_.trust = Located<std::string>{binder_.non_empty(node, "trust"), node.spot};
                }},
            Key{"partitions", [&](const Node& node) { partitions(node); }},
            Key{"network", [&](const Node& node) { manifest_.network = read_network(binder_, node); }},
            Key{"policy", [&](const Node& node) { manifest_.policies = read_policies(binder_, node); }},
            Key{"tests", [&](const Node& node) { manifest_.tests = read_tests(binder_, node); }},
        };
        // apiVersion first: a file of another version should not be told about unknown keys.
        if (root.kind == Node::Kind::mapping)
            for (const Entry& entry : root.entries)
                if (entry.key == "apiVersion")
                    api_version(entry.value);
        binder_.map(root, "the manifest", keys, {});
        const auto has = [&](std::string_view key) {
            return std::any_of(root.entries.begin(), root.entries.end(),
                               [&](const Entry& entry) { return entry.key == key; });
        };
        const auto missing = [&](std::string_view key, std::string help) {
            if (!has(key))
                binder_.attempt([&] {
                    binder_.source().fail({1, 1, 1}, "E0310", "'" + std::string(key) + "' is missing",
                                          std::move(help));
                });
        };
        missing("apiVersion", "begin the file with: apiVersion: caisson/v1");
        missing("name", "add for example: name: gateway");
        missing("partitions", "add at least one partition; see docs/manifest.md");
        binder_.throw_failures();
        together();
    }

private:
    void api_version(const Node& node) const {
        const std::string value = binder_.text(node, "apiVersion");
        if (value != "caisson/v1")
            binder_.wrong(node, "this version of caisson does not know the apiVersion '" + value + "'",
                          "write: apiVersion: caisson/v1");
    }

    void kind(const Node& node) const {
        if (binder_.text(node, "kind") != "Appliance")
            binder_.wrong(node, "'kind' can only be Appliance");
    }

    [[nodiscard]] std::string name(const Node& node, std::string_view what) const {
        std::string value = binder_.text(node, what);
        if (const auto error = check_name(value))
            binder_.wrong(node, "'" + value + "' cannot be the name: " + *error);
        return value;
    }

    void version(const Node& node) const {
        manifest_.version = binder_.non_empty(node, "version");
        if (manifest_.version.size() > 31)
            binder_.wrong(node, "'version' is longer than 31 characters");
        for (char c : manifest_.version)
            if (c < '!' || c > '~')
                binder_.wrong(node, "'version' has only printable ASCII characters, no spaces");
    }

    void machine(const Node& node) const {
        static constexpr std::array<std::string_view, 1> boards{"qemu-q35"};
        Machine& machine = manifest_.machine;
        const std::array keys{
            Key{"board",
                [&](const Node& value) { machine.board = boards[binder_.word(value, "board", boards, 1)]; }},
            Key{"cpus",
                [&](const Node& value) {
                    machine.cpus =
                        static_cast<std::uint32_t>(binder_.number(value, "cpus", 1, plan::max_cpus));
                    machine.cpus_spot = value.spot;
                }},
            Key{"memory",
                [&](const Node& value) {
                    machine.memory = binder_.size(value, "memory");
                    machine.memory_spot = value.spot;
                }},
            Key{"onAllStopped",
                [&](const Node& value) {
                    machine.behaviour.on_all_stopped =
                        binder_.choice<plan::AllStopped>(value, "onAllStopped", plan::all_stopped_words);
                }},
            Key{"serialStop",
                [&](const Node& value) {
                    machine.behaviour.set(plan::flag_serial_stop, binder_.boolean(value, "serialStop"));
                }},
            Key{"powerButton",
                [&](const Node& value) {
                    static constexpr std::array<std::string_view, 2> words{"ignored", "stop"};
                    machine.behaviour.set(plan::flag_power_button,
                                          binder_.word(value, "powerButton", words, words.size()) == 1);
                }},
            Key{"requireConsole",
                [&](const Node& value) {
                    machine.behaviour.set(plan::flag_require_console,
                                          binder_.boolean(value, "requireConsole"));
                }},
            Key{"tpm",
                [&](const Node& value) {
                    static constexpr std::array<std::string_view, 3> words{"used", "required", "off"};
                    const std::size_t word = binder_.word(value, "tpm", words, words.size());
                    machine.behaviour.set(plan::flag_require_tpm, word == 1);
                    machine.behaviour.set(plan::flag_leave_tpm, word == 2);
                }},
            Key{"retainedLog",
                [&](const Node& value) {
                    constexpr plan::Bounds bounds = plan::retained_log_bounds;
                    const std::uint64_t bytes = binder_.size(value, "retainedLog");
                    if (bytes < bounds.least || bytes > bounds.most || bytes % bounds.least != 0)
                        binder_.wrong(value, "'retainedLog' is a multiple of " + size_text(bounds.least) +
                                                 " up to " + size_text(bounds.most));
                    machine.behaviour.retained_log = static_cast<std::uint32_t>(bytes);
                }},
            Key{"slots",
                [&](const Node& value) {
                    machine.slots = static_cast<std::uint32_t>(binder_.number(value, "slots", 1, 2));
                }},
            Key{"data",
                [&](const Node& value) {
                    constexpr std::uint64_t mebibyte = 1U << 20;
                    machine.data_bytes = binder_.size(value, "data");
                    if (machine.data_bytes > largest_data_partition || machine.data_bytes % mebibyte != 0)
                        binder_.wrong(value, "'data' is a multiple of 1 MiB up to " +
                                                 size_text(largest_data_partition));
                }},
            Key{"onPanic",
                [&](const Node& value) {
                    machine.behaviour.on_panic =
                        binder_.choice<plan::OnPanic>(value, "onPanic", plan::on_panic_words);
                }},
        };
        binder_.map(node, "'machine'", keys, {});
    }

    void signing(const Node& node) const {
        Signing& signing = manifest_.signing;
        const std::array keys{
            Key{"key",
                [&](const Node& value) {
                    signing.key = Located<std::string>{binder_.non_empty(value, "key"), value.spot};
                }},
            Key{"trusted", key_files(signing.trusted, "trusted")},
            Key{"approve", key_files(signing.approve, "approve")},
            Key{"vendor", key_files(signing.vendor, "vendor")},
            Key{"revoked", key_files(signing.revoked, "revoked")},
            Key{"demandPolicy",
                [&](const Node& value) {
                    signing.demand_policy =
                        binder_.choice<PolicyDemand>(value, "demandPolicy", policy_demand_words);
                }},
            Key{"auditKey",
                [&](const Node& value) {
                    signing.audit_key =
                        Located<std::string>{binder_.non_empty(value, "auditKey"), value.spot};
                }},
            Key{"secureBoot", [&](const Node& value) { signing.secure_boot = secure_boot(value); }},
        };
        binder_.map(node, "'signing'", keys, {});
        if (signing.trusted.size() + signing.approve.size() + signing.vendor.size() +
                signing.revoked.size() >=
            bundle::key_slots)
            binder_.wrong(node, "'signing' has room for " + std::to_string(bundle::key_slots - 1) +
                                    " keys beside the signing key");
    }

    // A list of files with public keys.
    [[nodiscard]] std::function<void(const Node&)> key_files(Signing::Keys& to, const char* name) const {
        return [this, &to, name](const Node& value) {
            const std::vector<std::string> files = binder_.list(value, name);
            for (std::size_t i = 0; i < files.size(); ++i)
                to.push_back({files[i], value.items[i].spot});
        };
    }

    [[nodiscard]] SecureBoot secure_boot(const Node& node) const {
        SecureBoot out;
        const auto file = [this](Located<std::string>& to, const char* name) {
            return [this, &to, name](const Node& value) {
                to = Located<std::string>{binder_.non_empty(value, name), value.spot};
            };
        };
        const std::array keys{Key{"key", file(out.key, "key")},
                              Key{"certificate", file(out.certificate, "certificate")}};
        binder_.map(node, "'secureBoot'", keys, {});
        if (out.key.value.empty() || out.certificate.value.empty())
            binder_.wrong(node, "'secureBoot' needs a key and its certificate",
                          "secureBoot: {key: db.key, certificate: db.pem}");
        return out;
    }

    void partitions(const Node& node) const {
        if (node.kind != Node::Kind::mapping)
            binder_.wrong(node, "'partitions' must be a map of names, not " + std::string(kind_name(node)));
        if (node.entries.size() > plan::max_partitions)
            binder_.wrong(node, "more than " + std::to_string(plan::max_partitions) + " partitions");
        if (node.entries.empty())
            binder_.wrong(node, "'partitions' holds no partition",
                          "add one, for example: web: {image: \"oci:./web\", memory: 64MiB}");
        for (const Entry& entry : node.entries) {
            if (entry.key.starts_with("x-"))
                continue;
            binder_.attempt([&] {
                if (const auto error = check_name(entry.key))
                    binder_.source().fail(entry.spot, "E0309",
                                          "'" + entry.key + "' cannot be a partition's name: " + *error);
                if (entry.key == NetworkRule::outside_name)
                    binder_.source().fail(entry.spot, "E0309",
                                          "'outside' cannot be a partition's name: in rules it is the world");
                if (entry.key == Partition::uplink_name)
                    binder_.source().fail(entry.spot, "E0309",
                                          "'uplink' cannot be a partition's name: it is the one that "
                                          "containers share a network card by",
                                          "how it is set up stands under network: uplink");
                manifest_.partitions.push_back(read_partition(binder_, entry));
            });
        }
    }

    void together() const;

    Binder binder_;
    Manifest& manifest_;
    const Published& published_;
};

// What partitions mean together. Errors: overlapping CPU sets.
void Reader::together() const {
    for (const std::string& port : published_)
        publish(manifest_, port);
    complete_outside(manifest_);
    check_uplink(binder_, manifest_);
    check_rules(binder_, manifest_);
    check_devices(binder_, manifest_);
    check_outside(binder_, manifest_);
    check_tests(binder_, manifest_);
    for (std::size_t i = 0; i < manifest_.partitions.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) {
            const Partition& one = manifest_.partitions[i];
            const Partition& other = manifest_.partitions[j];
            const std::uint64_t both = one.cpu_set & other.cpu_set;
            if (both != 0)
                binder_.source().fail(
                    one.spot, "E0312",
                    "CPU " + std::to_string(std::countr_zero(both)) + " of '" + one.name +
                        "' is also given to '" + other.name + "'",
                    "give each CPU to one partition",
                    {"'" + other.name + "' stands in line " + std::to_string(other.spot.line)});
        }
}

} // namespace

std::uint32_t Processes::most(std::uint64_t memory) const {
    constexpr std::uint64_t bytes_a_task = 128 * 1024;
    if (pids)
        return *pids;
    return static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(memory / bytes_a_task, least_pids, most_pids));
}

const Partition* Manifest::uplink() const {
    const auto found = std::ranges::find(partitions, true, &Partition::is_uplink);
    return found == partitions.end() ? nullptr : &*found;
}

Manifest parse(std::string file, std::string text, std::filesystem::path directory,
               const Published& published) {
    if (text.starts_with("\xEF\xBB\xBF"))
        text.erase(0, 3);
    Manifest manifest;
    manifest.source = Source(std::move(file), std::move(text));
    manifest.directory = std::move(directory);
    const Node root = parse_yaml(manifest.source);
    Reader(manifest.source, manifest, published).read(root);
    return manifest;
}

Manifest load(const std::filesystem::path& path, const Published& published) {
    std::filesystem::path file = path;
    std::error_code ignored;
    if (std::filesystem::is_directory(file, ignored))
        file /= "appliance.yaml";
    if (path == "-") {
        std::string text(max_text + 1, '\0');
        std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
        text.resize(static_cast<std::size_t>(std::cin.gcount()));
        return parse("<stdin>", std::move(text), {}, published);
    }
    std::ifstream stream(file, std::ios::binary);
    if (!stream)
        throw diagnostic::fail("E0601", "cannot read " + file.string() + ": " + std::strerror(errno))
            .help("name another manifest, or see docs/manifest.md and examples/hello/appliance.yaml");
    std::string text(max_text + 1, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(stream.gcount()));
    if (stream.bad())
        throw diagnostic::fail("E0601", "cannot read " + file.string());
    return parse(file.string(), std::move(text), file.parent_path(), published);
}

} // namespace manifest
