// SPDX-License-Identifier: Apache-2.0
#include "image-tools/manifest/outside.hpp"

#include "image-tools/manifest/front.hpp"
#include "image-tools/manifest/uplink.hpp"

#include <algorithm>
#include <arpa/inet.h>

namespace manifest {
namespace {

constexpr std::size_t most_name_servers = 3, most_time_servers = 3, most_published = 64;

bool is_of_a_host(std::uint32_t address) {
    const std::uint32_t first = address >> 24;
    return first != 0 && first != 127 && first < 224;
}

std::uint32_t read_host(const Binder& binder, const Node& node, std::string_view what) {
    const std::string whole = binder.non_empty(node, what);
    std::string_view text = whole;
    const auto address = take_ipv4(text);
    if (!address || !text.empty() || !is_of_a_host(*address))
        binder.wrong(node, "'" + whole + "' is not an IPv4 address of a host", "write for example 192.0.2.1");
    return *address;
}

net::Address6 read_host6(const Binder& binder, const Node& node, std::string_view what) {
    const std::string whole = binder.non_empty(node, what);
    const auto address = parse_ipv6(whole);
    if (!address || !net::is_of_a_host(*address))
        binder.wrong(node, "'" + whole + "' is not an IPv6 address of a host",
                     "write for example 2001:db8::1");
    return *address;
}

void read_name_server(const Binder& binder, const Node& node, Outside& out) {
    const bool v6 = binder.non_empty(node, "dns").find(':') != std::string::npos;
    out.name_servers6.push_back(v6 ? read_host6(binder, node, "dns") : net::Address6{});
    out.name_servers.push_back(v6 ? 0 : read_host(binder, node, "dns"));
}

void read_address6(const Binder& binder, const Node& node, Outside& out) {
    constexpr std::string_view subnet = "/64";
    const std::string whole = binder.non_empty(node, "address6");
    out.spot6 = node.spot;
    if (whole == "auto" || whole == "none") {
        out.way6 = whole == "auto" ? Outside::Way6::advertised : Outside::Way6::none;
        return;
    }
    const auto address = whole.ends_with(subnet)
                             ? parse_ipv6(std::string_view(whole).substr(0, whole.size() - subnet.size()))
                             : std::nullopt;
    if (!address || !net::is_of_a_host(*address) || net::is_link_local(*address))
        binder.wrong(node, "'" + whole + "' is not a host's IPv6 address with its subnet",
                     "write for example 2001:db8::10/64, auto or none; the prefix is 64");
    out.way6 = Outside::Way6::written;
    out.address6 = *address;
}

// "192.0.2.1" or "192.0.2.1:123"
Outside::TimeServer read_time_server(const Binder& binder, const Node& node) {
    const std::string whole = binder.non_empty(node, "timeServers");
    std::string_view text = whole;
    const auto address = take_ipv4(text);
    Outside::TimeServer out{address.value_or(0)};
    if (take(text, ":")) {
        const auto port = take_number(text, 65535);
        out.port = static_cast<std::uint16_t>(port.value_or(0));
    }
    if (!address || !text.empty() || out.port == 0 || !is_of_a_host(*address))
        binder.wrong(node, "'" + whole + "' is not an IPv4 address of a time server, with a port or without",
                     "write for example 192.0.2.1");
    return out;
}

void read_address(const Binder& binder, const Node& node, Outside& out) {
    const std::string whole = binder.non_empty(node, "address");
    out.spot = node.spot;
    if (whole == "dhcp") {
        out.leased = true;
        return;
    }
    std::string_view text = whole;
    const auto address = take_ipv4(text);
    const auto prefix = address && take(text, "/") ? take_number(text, 30) : std::nullopt;
    const std::uint32_t hosts = prefix && *prefix != 0 ? ~std::uint32_t{0} >> *prefix : 0;
    const std::uint32_t host = address.value_or(0) & hosts;
    if (!prefix || !text.empty() || *prefix < 8 || !is_of_a_host(*address) || host == 0 || host == hosts)
        binder.wrong(node, "'" + whole + "' is not a host's address with its subnet",
                     "write for example 192.0.2.10/24; the prefix is 8 to 30");
    out.address = *address;
    out.prefix = *prefix;
}

constexpr std::string_view published_help = "write for example 8080:80/tcp, 53:53/udp or 8080:80";

std::string not_published(const std::string& text) {
    return "'" + text + "' is not a port outside and one of the container";
}

std::optional<PublishedPort> parse_published(std::string_view text) {
    constexpr std::uint32_t most = 65535;
    const auto outside = take_number(text, most);
    const auto inside = take(text, ":") ? take_number(text, most) : outside;
    const bool udp = text == "/udp";
    if (!outside || !inside || *outside == 0 || *inside == 0 || (!udp && !text.empty() && text != "/tcp"))
        return std::nullopt;
    return PublishedPort{udp, static_cast<std::uint16_t>(*outside), static_cast<std::uint16_t>(*inside), {}};
}

PublishedPort read_published(const Binder& binder, const Node& node) {
    const std::string whole = binder.non_empty(node, "ports");
    auto out = parse_published(whole);
    if (!out)
        binder.wrong(node, not_published(whole), std::string(published_help));
    out->spot = node.spot;
    return *out;
}

bool meet(const PublishedPort& port, const PublishedPort& other) {
    return other.udp == port.udp && (other.outside == port.outside || other.inside == port.inside);
}

void check_published(const Binder& binder, const Partition& partition) {
    for (const PublishedPort& port : partition.published)
        for (const PublishedPort& other : partition.published) {
            if (&other == &port)
                break;
            if (meet(port, other))
                binder.source().fail(port.spot, "E0309",
                                     "a port is published twice: each has one number outside and one inside",
                                     "", {"the other stands in line " + std::to_string(other.spot.line)});
        }
}

} // namespace

std::optional<std::uint32_t> take_ipv4(std::string_view& text) {
    constexpr std::uint32_t octet = 255;
    std::uint32_t address = 0;
    for (unsigned i = 0; i < 4; ++i) {
        const auto part = i == 0 || take(text, ".") ? take_number(text, octet) : std::nullopt;
        if (!part)
            return std::nullopt;
        address = address << 8 | *part;
    }
    return address;
}

std::optional<net::Address6> parse_ipv6(std::string_view text) {
    std::array<std::byte, net::address6_bytes> bytes;
    if (inet_pton(AF_INET6, std::string(text).c_str(), bytes.data()) != 1)
        return std::nullopt;
    return net::read_address6(bytes);
}

std::string ipv6_text(const net::Address6& address) {
    std::array<std::byte, net::address6_bytes> bytes;
    net::write_address6(address, bytes);
    std::array<char, INET6_ADDRSTRLEN> text{};
    return inet_ntop(AF_INET6, bytes.data(), text.data(), text.size());
}

namespace {

std::optional<AddressRange> parse_range6(std::string_view text) {
    constexpr std::uint32_t most = 128;
    const std::size_t slash = text.find('/');
    const auto network = parse_ipv6(text.substr(0, slash));
    std::string_view rest = slash == std::string_view::npos ? std::string_view{} : text.substr(slash + 1);
    const auto prefix =
        slash == std::string_view::npos ? std::optional<std::uint32_t>{most} : take_number(rest, most);
    if (!network || !prefix || !rest.empty())
        return std::nullopt;
    AddressRange out;
    out.v6 = true;
    out.network6 = *network;
    out.prefix6 = *prefix;
    // With bits behind its prefix it would be another network than it looks.
    for (unsigned bit = *prefix; bit < most; ++bit)
        if (((bit < 64 ? network->high >> (63 - bit) : network->low >> (127 - bit)) & 1) != 0)
            return std::nullopt;
    return out;
}

} // namespace

std::optional<AddressRange> parse_range(std::string_view text) {
    if (text.find(':') != std::string_view::npos)
        return parse_range6(text);
    const auto address = take_ipv4(text);
    const auto prefix = !address || text.empty() ? std::optional<std::uint32_t>{32}
                        : take(text, "/")        ? take_number(text, 32)
                                                 : std::nullopt;
    if (!address || !prefix || !text.empty())
        return std::nullopt;
    AddressRange out;
    out.network = *address;
    out.mask = *prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - *prefix);
    return (out.network & ~out.mask) == 0 ? std::optional{out} : std::nullopt;
}

namespace {

std::function<Outside&()> outside_of(Partition& out) {
    return [&out]() -> Outside& { return out.outside ? *out.outside : out.outside.emplace(); };
}

} // namespace

std::vector<Key> card_keys(const Binder& binder, Partition& out) {
    const auto of = outside_of(out);
    return {
        Key{"address", [&binder, of](const Node& node) { read_address(binder, node, of()); }},
        Key{"gateway",
            [&binder, of](const Node& node) {
                of().gateway = Located<std::uint32_t>{read_host(binder, node, "gateway"), node.spot};
            }},
        Key{"dns",
            [&binder, of](const Node& node) {
                if (node.kind != Node::Kind::sequence || node.items.size() > most_name_servers)
                    binder.wrong(node,
                                 "'dns' is a list of at most " + std::to_string(most_name_servers) +
                                     " addresses",
                                 "write for example [192.0.2.1]");
                Outside& outside = of();
                for (const Node& item : node.items)
                    read_name_server(binder, item, outside);
                if (outside.spot.line == 0)
                    outside.spot = node.spot;
            }},
    };
}

std::vector<Key> outside_keys(const Binder& binder, Partition& out) {
    const auto of = outside_of(out);
    std::vector<Key> keys = card_keys(binder, out);
    const std::array of_containers{
        Key{"address6", [&binder, of](const Node& node) { read_address6(binder, node, of()); }},
        Key{"gateway6",
            [&binder, of](const Node& node) {
                of().gateway6 = Located<net::Address6>{read_host6(binder, node, "gateway6"), node.spot};
            }},
        Key{"timeServers",
            [&binder, of](const Node& node) {
                if (node.kind != Node::Kind::sequence || node.items.size() > most_time_servers)
                    binder.wrong(node,
                                 "'timeServers' is a list of at most " + std::to_string(most_time_servers) +
                                     " addresses",
                                 "write for example [192.0.2.1]");
                Outside& outside = of();
                for (const Node& item : node.items)
                    outside.time_servers.push_back(read_time_server(binder, item));
                if (outside.spot.line == 0)
                    outside.spot = node.spot;
            }},
        Key{"ports",
            [&binder, &out](const Node& node) {
                if (node.kind != Node::Kind::sequence || node.items.empty() ||
                    node.items.size() > most_published)
                    binder.wrong(node,
                                 "'ports' is a list of at most " + std::to_string(most_published) +
                                     " published ports",
                                 "write for example [\"8080:80/tcp\"]");
                for (const Node& item : node.items)
                    binder.attempt([&] { out.published.push_back(read_published(binder, item)); });
            }},
    };
    keys.insert(keys.end(), of_containers.begin(), of_containers.end());
    return keys;
}

namespace {

bool needs_outside(const Manifest& manifest, const Partition& partition) {
    const bool begins = std::ranges::any_of(manifest.network.allow, [&partition](const NetworkRule& rule) {
        return rule.to_outside() && rule.from.value == partition.name;
    });
    return partition.image &&
           (begins || partition.outside || !partition.published.empty() || !partition.devices.empty());
}

// It has said so: a device is its own, and an address too.
bool wants_own_card(const Partition& partition) {
    return !partition.devices.empty() || partition.outside->leased || partition.outside->address != 0 ||
           partition.outside->way6 == Outside::Way6::written;
}

void give_card(Partition& partition) {
    if (!partition.outside)
        partition.outside.emplace();
    if (partition.outside->address == 0)
        partition.outside->leased = true;
    if (partition.devices.empty()) {
        partition.devices.emplace_back();
        partition.devices.back().text = "auto";
        partition.devices.back().any_card = true;
        partition.devices.back().spot = partition.spot;
    }
}

} // namespace

void complete_outside(Manifest& manifest) {
    std::vector<Partition*> without_card;
    for (Partition& partition : manifest.partitions) {
        if (!needs_outside(manifest, partition))
            continue;
        if (!partition.outside)
            partition.outside.emplace();
        if (wants_own_card(partition))
            give_card(partition);
        else
            without_card.push_back(&partition);
    }
    const std::optional<Partition>& written = manifest.network.uplink;
    if (without_card.size() == 1 && !written) {
        give_card(*without_card.front());
    } else if (!without_card.empty()) {
        for (Partition* partition : without_card)
            partition->outside->by_uplink = true;
        Partition uplink = written ? *written : default_uplink(without_card[1]->spot);
        give_card(uplink);
        manifest.partitions.push_back(std::move(uplink));
    }
    std::uint32_t cards = 0;
    for (Partition& partition : manifest.partitions)
        for (DeviceName& device : partition.devices)
            if (device.any_card)
                device.place = cards++;
}

namespace {

// The container that "NAME=8080:80" names, or the only one; what is left of `port` says which port.
Partition& published_by(Manifest& manifest, std::string_view& port) {
    const std::size_t mark = port.find('=');
    const std::string_view name = port.substr(0, mark == std::string_view::npos ? 0 : mark);
    port.remove_prefix(mark == std::string_view::npos ? 0 : mark + 1);
    std::vector<Partition*> found;
    for (Partition& partition : manifest.partitions)
        if (partition.image && (mark == std::string_view::npos || partition.name == name))
            found.push_back(&partition);
    if (found.empty() && mark != std::string_view::npos)
        throw diagnostic::fail("E0103", "-p: there is no container '" + std::string(name) + "'");
    if (found.size() != 1)
        throw diagnostic::fail("E0103", "-p does not say which of the appliance's " +
                                            std::to_string(found.size()) + " containers it is for")
            .help("name it: -p NAME=" + std::string(port));
    return *found.front();
}

} // namespace

void publish(Manifest& manifest, const std::string& port) {
    std::string_view rest = port;
    Partition& partition = published_by(manifest, rest);
    const auto published = parse_published(rest);
    if (!published)
        throw diagnostic::fail("E0103", "-p: " + not_published(std::string(rest)))
            .help(std::string(published_help));
    for (const PublishedPort& other : partition.published)
        if (meet(*published, other))
            throw diagnostic::fail("E0103",
                                   "-p " + port + ": the manifest or another -p has that port already");
    partition.published.push_back(*published);
}

namespace {

// IPv6 is spoken by a container's own card: the uplink carries IPv4.
void check_six(const Source& source, const Manifest& manifest, const Partition& partition) {
    const Outside& outside = *partition.outside;
    if (outside.gateway6 && outside.way6 != Outside::Way6::written)
        source.fail(outside.gateway6->spot, "E0309",
                    "a gateway6 goes with an address6: routers that advertise themselves are found without",
                    "add for example: address6: 2001:db8::10/64");
    if (outside.gateway6 && !net::is_link_local(outside.gateway6->value) &&
        (!net::is_within(outside.gateway6->value, outside.address6, 64) ||
         outside.gateway6->value == outside.address6))
        source.fail(outside.gateway6->spot, "E0309", "the gateway6 is no neighbour of the address6",
                    "a gateway6 lies in the address6's subnet, or is an address of the link (fe80::)");
    const bool named =
        std::ranges::any_of(outside.name_servers6, [](const net::Address6& one) { return !one.none(); });
    const bool speaks = partition.has_card() && !partition.is_uplink && outside.way6 != Outside::Way6::none;
    if (named && !speaks)
        source.fail(outside.spot, "E0309", "an IPv6 name server cannot be reached: this speaks IPv4 alone",
                    "name one by its IPv4 address, or let a container with a card of its own speak IPv6");
    if (partition.is_behind_uplink() && outside.spot6.line != 0 && outside.way6 != Outside::Way6::none)
        source.fail(outside.spot6, "E0309", "the uplink carries IPv4 alone",
                    "take address6 out, or give the container a card of its own: devices: [auto]");
    for (const NetworkRule& rule : manifest.network.allow)
        if (rule.to_outside() && rule.from.value == partition.name && !speaks &&
            std::ranges::any_of(rule.ranges, &AddressRange::v6))
            source.fail(
                rule.spot, "E0309", "'" + partition.name + "' reaches no IPv6 network: it speaks IPv4 alone",
                "take the network out of cidr, or give the container a card of its own: devices: [auto]");
}

} // namespace

void check_outside(const Binder& binder, const Manifest& manifest) {
    const Source& source = binder.source();
    const Network& network = manifest.network;
    for (const Partition& partition : manifest.partitions) {
        check_published(binder, partition);
        if (!partition.outside)
            continue;
        const Outside& outside = *partition.outside;
        check_six(source, manifest, partition);
        if (outside.address == 0 && outside.gateway)
            source.fail(outside.gateway->spot, "E0309", "a gateway goes with an address: DHCP names its own",
                        "add for example: address: 192.0.2.10/24");
        if (!partition.has_card() || outside.leased)
            continue;
        const std::uint32_t mask = ~std::uint32_t{0} << (32 - outside.prefix);
        if (outside.gateway && (((outside.gateway->value ^ outside.address) & mask) != 0 ||
                                outside.gateway->value == outside.address))
            source.fail(outside.gateway->spot, "E0309", "the gateway is no neighbour of the address",
                        "a gateway lies in the address's subnet");
        const std::uint32_t wires = ~std::uint32_t{0} << (32 - network.prefix), both = mask & wires;
        if ((!network.allow.empty() || manifest.uplink() != nullptr) &&
            ((outside.address ^ network.subnet) & both) == 0)
            source.fail(outside.spot, "E0309", "the subnet outside overlaps that of the wires",
                        "give network.subnet another one");
    }
}

} // namespace manifest
