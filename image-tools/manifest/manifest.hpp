// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/manifest.hpp - an appliance.yaml as typed values.
//
// Every value has been checked alone (type, range, spelling); what needs images or a machine is checked later
// and can still point at the line, through `source` and the spots kept here. Described in docs/manifest.md.
#pragma once

#include "hypervisor/core/plan/behaviour.hpp"
#include "image-tools/manifest/yaml.hpp"
#include "partitions/net/address6.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace manifest {

template <typename T> struct Located {
    T value;
    Spot spot;
};

using Environment = std::vector<std::pair<std::string, std::string>>;

struct Tmpfs {
    std::string path;
    std::uint64_t size = 0;
    std::uint32_t mode = 01777;
    Spot spot;
};

// What the writable overlay may hold: a part of the partition's memory, or bytes.
struct WritableLimit {
    std::uint32_t percent = 25;
    std::uint64_t bytes = 0; // > 0: instead of percent
    [[nodiscard]] std::uint64_t of(std::uint64_t memory) const {
        return bytes > 0 ? bytes : memory / 100 * percent;
    }
};

// What the container's processes may do, and how many there may be.
struct Processes {
    std::uint64_t capabilities = default_capabilities; // bit N: capability N
    bool no_new_privileges = false;
    bool init = false;                 // the unikernel's own reaper is PID 1
    std::optional<std::uint32_t> pids; // left out: by the memory
    // 512 a 64 MiB; the kernel has stacks for no more than `most_pids`.
    [[nodiscard]] std::uint32_t most(std::uint64_t memory) const;

    static constexpr std::uint64_t default_capabilities = 0xA80425FB; // Docker's
    static constexpr std::uint32_t least_pids = 64, most_pids = 4000;
};

// How a container says that it is well, and how often it is asked.
struct Health {
    enum class Kind : unsigned char { none, http, tcp, exec } kind = Kind::none;
    std::uint16_t port = 0;
    std::string path = "/";
    unsigned least = 200, most = 399; // statuses of http that are well
    std::vector<std::string> words;   // of exec
    std::uint32_t interval_ms = 10'000, timeout_ms = 5'000, start_period_ms = 10'000;
    std::uint32_t retries = 3;
    static constexpr std::size_t most_words = 64;
};

// Whom a container is to try to reach, once and again; no key: of tests.
struct Probe {
    std::uint32_t address = 0;
    std::uint16_t port = 0;
    static constexpr std::size_t most = 32; // of one container
};

// A PCI function, by its ids and its place among those that have them, or by its address (place: as a requester ID), or any network
// card that containers have a driver for (place: among those).
struct DeviceName {
    std::string text;
    Spot spot;
    std::uint16_t vendor = 0, device = 0;
    std::uint32_t place = 0;
    bool by_address = false, firmware_memory = false, any_card = false;
};

// What a partition's network card leads to, or a container's wire to the uplink. IPv4's addresses: the first octet is the highest byte.
struct Outside {
    bool by_uplink = false; // over the wire, from the address in the wires' subnet; else by a card of its own
    bool leased = false;    // the address comes by DHCP
    std::uint32_t address = 0;
    unsigned prefix = 0;
    std::optional<Located<std::uint32_t>> gateway;
    std::vector<std::uint32_t> name_servers;
    std::vector<net::Address6> name_servers6; // as many: of a place where `name_servers` has 0
    // IPv6, which a container's own card speaks where it is not said otherwise.
    enum class Way6 : unsigned char { advertised, written, none } way6 = Way6::advertised;
    net::Address6 address6; // of `written`
    std::optional<Located<net::Address6>> gateway6;
    Spot spot6; // of what is said of it
    struct TimeServer {
        std::uint32_t address = 0;
        std::uint16_t port = 123;
    };
    std::vector<TimeServer> time_servers; // whom the wall clock follows
    Spot spot;                            // of the address
};
struct PublishedPort {
    bool udp = false; // else TCP
    std::uint16_t outside = 0, inside = 0;
    Spot spot;
};
struct AddressRange {
    std::uint32_t network = 0, mask = 0;
    bool v6 = false; // then the rest counts
    net::Address6 network6{};
    unsigned prefix6 = 0;
};

struct Partition {
    std::string name;
    Spot spot;                                  // of the name
    std::optional<Located<std::string>> image;  // exactly one of image ...
    std::optional<Located<std::string>> kernel; // ... and kernel,
    bool is_uplink = false;                     // ... or it carries what the containers say to the outside
    std::string command_line;                   // kernel only
    std::optional<Located<std::string>> module; // kernel only
    std::uint32_t cpus = 1;
    std::uint64_t cpu_set = 0; // 0: any
    Spot cpus_spot;
    std::uint64_t memory = 0;
    Spot memory_spot;
    std::optional<Located<std::vector<std::string>>> entrypoint;
    std::optional<Located<std::vector<std::string>>> args;
    Environment environment;
    std::optional<Located<std::string>> working_directory;
    std::optional<Located<std::string>> user;
    std::optional<std::string> hostname;
    std::optional<Located<std::string>> stop_signal; // left out: the image's
    bool read_only = false;
    WritableLimit writable_limit;
    std::vector<Tmpfs> tmpfs;
    std::uint64_t unpack_limit = 0; // what the image may unpack to, whatever its ratio; 0: oci::Limits decide
    Processes processes;
    std::optional<Located<std::string>>
        system_calls; // default, strict, or a file of JSON; left out: all it has
    std::optional<std::vector<Located<std::string>>> allowed_programs; // left out: every file may be run
    bool record_calls = false; // no key: run --record-syscalls, instead of a policy
    Health health;
    std::vector<Probe> probes;
    std::vector<DeviceName> devices;
    std::optional<Outside> outside;
    std::vector<PublishedPort> published;
    plan::Behaviour behaviour;

    [[nodiscard]] bool has_card() const { return outside && !outside->by_uplink; }
    [[nodiscard]] bool is_behind_uplink() const { return outside && outside->by_uplink; }
    static constexpr std::string_view uplink_name = "uplink"; // no other partition's
};

struct Machine {
    std::string board = "qemu-q35";
    std::uint32_t cpus = 0;   // 0: not said
    std::uint64_t memory = 0; // 0: not said
    Spot cpus_spot;
    Spot memory_spot;
    plan::MachineBehaviour behaviour;
    // Of disks (.img) that are made of it.
    std::uint32_t slots = 2;      // the system partition has room for so many appliances of its size
    std::uint64_t data_bytes = 0; // of a partition for data, in whole MiB; 0: none
};
inline constexpr std::uint64_t largest_data_partition = std::uint64_t{64} << 30;

// An RSA key and its certificate, for firmware with Secure Boot.
struct SecureBoot {
    Located<std::string> key, certificate;
};

// What the loader demands of the policies that a bundle was judged by.
enum class PolicyDemand : unsigned char {
    none,
    set, // just these policies
    met  // and that every rule was met, also those that only warn
};
inline constexpr std::array<std::string_view, 3> policy_demand_words{"none", "set", "met"};

struct Signing {
    using Keys = std::vector<Located<std::string>>;
    std::optional<Located<std::string>> key;
    Keys trusted;
    Keys approve, vendor; // one of each must have countersigned
    Keys revoked;         // what these signed is refused
    PolicyDemand demand_policy{};
    std::optional<Located<std::string>> audit_key; // the operator's, of the audit log
    std::optional<SecureBoot> secure_boot;         // signs UEFI applications
};

// Who may talk to whom. Every name is a partition's, or `to` the outside; a pair has either rules of one way or rules of both.
struct Ports {
    bool udp = false; // else TCP
    std::uint16_t first = 0, last = 0;
};
struct NetworkRule {
    Located<std::string> from, to;
    bool one_way = false;       // nothing flows back
    bool leak_accepted = false; // but through others
    Spot spot;
    std::vector<Ports> ports{};         // of `to`; empty: everything
    std::vector<AddressRange> ranges{}; // of the outside; empty: all of it
    std::uint64_t rate = 0;             // bytes a second each way, kept by the uplink; 0: what the card takes
    Spot rate_spot{};

    [[nodiscard]] bool to_outside() const { return to.value == outside_name; }
    static constexpr std::string_view outside_name = "outside"; // no partition's
};
struct Network {
    std::uint32_t subnet = 0x64404D00; // 100.64.77.0
    unsigned prefix = 24;
    Spot subnet_spot;
    std::vector<NetworkRule> allow;
    std::optional<Partition> uplink; // as it was written

    // IPv4, of the partition in that place of the manifest. The first address is the uplink's.
    [[nodiscard]] std::uint32_t address_of(std::size_t partition) const {
        return subnet + 2 + static_cast<std::uint32_t>(partition);
    }
    [[nodiscard]] std::uint32_t uplink_address() const { return subnet + 1; }
};

// Policies that judge the plan (image-tools/admission), and what somebody answers for not keeping.
struct PolicyException {
    std::string rule, partition;        // no partition: all of them
    std::string owner, reason, expires; // "2027-01-31"
};
struct PolicyUse {
    Located<std::string> name; // a packaged set, a file, a folder
    std::string action;        // empty: the policy's own
    std::vector<PolicyException> exceptions;
};

// What `caisson test` looks for, in one partition.
struct Test {
    std::string name; // as the manifest has it, else made of what is looked for
    Located<std::string> partition;
    std::uint32_t within_ms = 60'000; // from when its turn comes
    Spot spot;

    // A line of its output that has the text.
    struct Log {
        std::string text;
    };
    // How it ended for good.
    struct Exit {
        unsigned status = 0;
    };
    // What a published port answers.
    struct Http {
        std::uint16_t port = 0; // of the container
        std::string path = "/", host = "localhost";
        unsigned status = 200;
        std::string body; // has this text; empty: any
    };
    struct Tcp {
        std::uint16_t port = 0; // of the container
        std::string send;       // at first
        std::string line;       // one that comes has this text
    };
    // Its connect comes through, or must not.
    struct Reach {
        std::string to; // "db:6379"
        bool must = true;
        std::size_t probe = 0; // place in its partition's probes
    };
    // `health` came to that.
    struct Healthy {
        bool well = true;
    };
    std::variant<std::monostate, Log, Exit, Http, Tcp, Reach, Healthy> what;
};

struct Manifest {
    Source source;
    std::filesystem::path directory; // what relative paths start from
    std::string name;
    std::string version = "0";
    std::uint64_t security_version = 0;
    Machine machine;
    Signing signing;
    std::optional<Located<std::string>> trust; // a policy.json; left out: every image is taken
    std::vector<Partition> partitions;         // in the order of the file, the uplink behind them
    Network network;
    std::vector<PolicyUse> policies;
    std::vector<Test> tests; // in the order of the file, which is theirs

    // The one partition that no line of `partitions` stands for, where there is one.
    [[nodiscard]] const Partition* uplink() const;
    // `path` as the manifest means it.
    [[nodiscard]] std::filesystem::path resolve(const std::string& path) const { return directory / path; }
};

// Further published ports, as `ports` would have them: "8080:80/tcp" of the only container, "web=8080:80" of that one.
using Published = std::vector<std::string>;

// Parses and validates text. Throws diagnostic::Failure (exit 3; E0103 where one of `published` is to blame).
Manifest parse(std::string file, std::string text, std::filesystem::path directory,
               const Published& published = {});

// Reads FILE, or stdin when it is "-" (paths are then relative to the current folder), and parses it; a file that is not there or not readable is exit 6, a directory stands for its
// appliance.yaml.
Manifest load(const std::filesystem::path& file, const Published& published = {});

} // namespace manifest
