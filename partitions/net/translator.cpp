// SPDX-License-Identifier: Apache-2.0
// partitions/net/translator.cpp - see translator.hpp.
#include "partitions/net/translator.hpp"

#include "partitions/net/checksum.hpp"

namespace net {

namespace {

constexpr std::uint16_t domain_port = 53, first_free = 1024, first_chosen = 49152, chosen_ports = 16384;
constexpr unsigned ports_tried = 64;
constexpr std::uint64_t server_patience = 2'000'000'000;
constexpr std::size_t source_at = 12, target_at = 16, ip_sum_at = 10, id_at = ip_header + 4;

std::uint16_t word(std::span<const std::byte> bytes, std::size_t at) {
    return static_cast<std::uint16_t>(static_cast<unsigned>(bytes[at]) << 8 |
                                      static_cast<unsigned>(bytes[at + 1]));
}

// Changes words of an IP packet, and the sums that they are part of as far as the packet goes.
class Editor {
public:
    explicit Editor(std::span<std::byte> packet) : bytes_(packet) {
        const auto protocol = static_cast<std::uint8_t>(packet[9]);
        const std::size_t at = place_of_sum(protocol);
        const bool there = at != 0 && packet.size() >= at + 2;
        const bool none = protocol == protocol::udp && there && word(packet, at) == 0;
        sum_at_ = there && !none ? at : 0;
        udp_ = protocol == protocol::udp;
        covers_addresses_ = protocol != protocol::icmp;
    }
    void set_address(std::size_t at, std::uint32_t to) {
        for (std::size_t half = 0; half < 2; ++half) {
            const auto value = static_cast<std::uint16_t>(half == 0 ? to >> 16 : to);
            const std::size_t where = at + 2 * half;
            adjust(ip_sum_at, word(bytes_, where), value);
            if (covers_addresses_)
                adjust(sum_at_, word(bytes_, where), value);
            put(where, value);
        }
    }
    // Of the transport.
    void set_word(std::size_t at, std::uint16_t to) {
        adjust(sum_at_, word(bytes_, at), to);
        put(at, to);
    }

private:
    void put(std::size_t at, std::uint16_t value) {
        bytes_[at] = static_cast<std::byte>(value >> 8);
        bytes_[at + 1] = static_cast<std::byte>(value);
    }
    void adjust(std::size_t sum_at, std::uint16_t from, std::uint16_t to) {
        if (sum_at == 0)
            return;
        const std::uint16_t changed = change_sum(word(bytes_, sum_at), from, to);
        put(sum_at, sum_at == sum_at_ && udp_ && changed == 0 ? std::uint16_t{0xFFFF} : changed);
    }
    std::span<std::byte> bytes_;
    std::size_t sum_at_ = 0; // of the transport; 0: none
    bool udp_ = false, covers_addresses_ = true;
};

// An end of a packet: its source or its target.
struct End {
    std::size_t address_at, port_at;
};
constexpr End source_end{source_at, ip_header}, target_end{target_at, ip_header + 2};

void rename(std::span<std::byte> bytes, const End& end, std::uint32_t address, std::uint16_t port) {
    Editor editor{bytes};
    editor.set_address(end.address_at, address);
    editor.set_word(static_cast<std::uint8_t>(bytes[9]) == protocol::icmp ? id_at : end.port_at, port);
}

// An end of the packet that an ICMP error quotes, which is part of the message's own sum: what was there goes out of it, what is
// there now comes in.
void rename_quoted(std::span<std::byte> bytes, const End& end, std::uint32_t address, std::uint16_t port) {
    const std::span<std::byte> quoted = bytes.subspan(ip_header + icmp_header);
    const std::size_t sum_at = place_of_sum(protocol::icmp);
    const auto sum = [quoted] { return static_cast<std::uint16_t>(sum_words(quoted)); };
    const std::uint16_t before = sum();
    rename(quoted, end, address, port);
    const std::uint16_t changed = change_sum(word(bytes, sum_at), before, sum());
    bytes[sum_at] = static_cast<std::byte>(changed >> 8);
    bytes[sum_at + 1] = static_cast<std::byte>(changed);
}

bool is_of(const Translation& translation, const Connection& connection) {
    return translation.far != 0 && connection.state != Connection::State::none &&
           translation.protocol == connection.protocol && translation.own_port == connection.own_port &&
           translation.peer_port == connection.peer_port &&
           translation.peer_address == v4_of(connection.peer_address);
}

// What ICMP's echo has on both ends is one number: only that of the own end is a port.
std::uint16_t far_port_of(std::uint8_t protocol, std::uint16_t port) {
    return protocol == protocol::icmp ? std::uint16_t{0} : port;
}

} // namespace

std::uint64_t Translator::random() { // Marsaglia's xorshift: no secret hangs on it
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_;
}

std::size_t Translator::bucket_of(const OuterKey& key) {
    const std::uint32_t mixed = (std::uint32_t{key.outer_port} << 16 | key.far_port) * 0x9E3779B1u ^
                                key.far * 0xC2B2AE35u ^ key.protocol * 0x85EBCA6Bu;
    return mixed >> 22;
}

std::size_t Translator::first_of(std::uint8_t container) const {
    std::size_t out = 0;
    for (const Contained& one : containers_.first(container))
        out += one.table.size();
    return out;
}

const Connection& Translator::connection_at(std::size_t place, std::uint8_t& container) const {
    container = 0;
    while (place >= containers_[container].table.size())
        place -= containers_[container++].table.size();
    return containers_[container].table[place];
}

bool Translator::is_live(std::size_t place, std::uint64_t now) const {
    std::uint8_t container = 0;
    const Connection& connection = connection_at(place, container);
    return is_of(translations_[place], connection) && connection.until > now;
}

void Translator::unlink(Translation& translation) {
    const auto place = static_cast<std::uint32_t>(&translation - translations_.data() + 1);
    std::uint32_t* link = &first_[bucket_of(
        {translation.far, translation.outer_port, translation.far_port, translation.protocol})];
    while (*link != place)
        link = &translations_[*link - 1].next;
    *link = translation.next;
    translation = {};
}

Translation* Translator::find(const OuterKey& key, std::uint64_t now) {
    std::uint32_t at = first_[bucket_of(key)];
    while (at != 0) {
        Translation& one = translations_[at - 1];
        const std::uint32_t place = at - 1;
        at = one.next;
        if (one.far != key.far || one.outer_port != key.outer_port || one.far_port != key.far_port ||
            one.protocol != key.protocol)
            continue;
        if (is_live(place, now))
            return &one;
        unlink(one);
    }
    return nullptr;
}

const Publication* Translator::publication(std::uint8_t protocol, std::uint16_t port) const {
    for (const Publication& one : publications_)
        if (one.protocol == protocol && one.outside == port)
            return &one;
    return nullptr;
}

// The connection's own where it can be, else one of those that nobody keeps; 0: none is free.
std::uint16_t Translator::choose_port(const OuterKey& wish, std::uint64_t now) {
    OuterKey key = wish;
    for (unsigned i = 0; i < ports_tried; ++i) {
        if (key.outer_port >= first_free && publication(key.protocol, key.outer_port) == nullptr &&
            find(key, now) == nullptr)
            return key.outer_port;
        key.outer_port = static_cast<std::uint16_t>(first_chosen + random() % chosen_ports);
    }
    return 0;
}

bool Translator::link(std::uint8_t container, const Connection& connection, std::uint32_t far,
                      std::uint16_t outer_port) {
    const std::size_t place =
        first_of(container) + static_cast<std::size_t>(&connection - containers_[container].table.data());
    Translation& translation = translations_[place];
    if (translation.far != 0)
        unlink(translation);
    if (outer_port == 0)
        return false;
    translation = {far,
                   0,
                   outer_port,
                   far_port_of(connection.protocol, connection.peer_port),
                   connection.protocol,
                   v4_of(connection.peer_address),
                   connection.own_port,
                   connection.peer_port};
    std::uint32_t& first = first_[bucket_of({far, outer_port, translation.far_port, translation.protocol})];
    translation.next = first;
    first = static_cast<std::uint32_t>(place + 1);
    return true;
}

// The same one as before while it answers, else the next one.
std::uint32_t Translator::name_server(std::uint64_t now) {
    if (asked_at_ == 0) {
        asked_at_ = now;
    } else if (now - asked_at_ > server_patience) {
        ++server_;
        asked_at_ = now;
    }
    for (std::size_t i = 0; i < name_servers_.size(); ++i, ++server_) {
        server_ %= name_servers_.size();
        if (name_servers_[server_] != 0)
            return name_servers_[server_];
    }
    return 0;
}

// A packet that may wait passes: whoever asked keeps it until then.
Verdict Translator::pay(std::uint8_t container, const Connection& connection, bool enters, std::size_t bytes,
                        std::uint64_t now) {
    const Contained& who = containers_[container];
    const std::size_t limit = who.rules[connection.rule].limit;
    goes_at_ = 0;
    paid_ = nullptr;
    if (limit == 0)
        return Verdict::pass;
    Pace& pace = who.paces[2 * (limit - 1) + (enters ? 1 : 0)];
    const auto at = pace.pay(bytes, now);
    if (!at)
        return Verdict::rate;
    goes_at_ = *at;
    paid_ = &pace;
    return Verdict::pass;
}

void Translator::take_back(std::size_t bytes) {
    if (paid_ != nullptr)
        paid_->give_back(bytes);
    paid_ = nullptr;
}

void Translator::set_outside(std::uint32_t address) {
    if (address == outside_)
        return;
    outside_ = address;
    for (Translation& one : translations_)
        one = {};
    first_ = {};
    for (std::uint8_t i = 0; i < containers_.size(); ++i)
        forget(i);
}

Verdict Translator::leave(std::uint8_t container, std::span<std::byte> bytes, std::uint64_t now_ns,
                          Packet& packet) {
    const Contained& who = containers_[container];
    packet = {};
    if (bytes.size() > mtu)
        return Verdict::malformed;
    if (const Verdict parsed = parse(bytes, packet); parsed != Verdict::pass)
        return parsed;
    // An error goes to whom it is about, not past the names that stand for others here.
    const bool astray = packet.about.protocol != 0 && packet.target != packet.about.source;
    if (outside_ == 0 || packet.target == outside_ || astray)
        return Verdict::target;
    if (const Verdict verdict = who.firewall->outbound(0, bytes, now_ns, packet); verdict != Verdict::pass)
        return verdict;
    const Connection& connection = *who.firewall->passed();
    const bool of_names = v4_of(connection.peer_address) == gateway_;
    const std::size_t place = first_of(container) + static_cast<std::size_t>(&connection - who.table.data());
    const Translation& there = translations_[place];
    // A question that is asked again goes to whom is asked now.
    const bool known = is_of(there, connection);
    const std::uint32_t far = !of_names ? v4_of(connection.peer_address)
                              : known && connection.state != Connection::State::opening ? there.far
                                                                                        : name_server(now_ns);
    if (of_names && (connection.peer_port != domain_port || far == 0))
        return Verdict::target;
    if (!known || there.far != far) {
        const std::uint16_t port =
            choose_port({far, connection.own_port, far_port_of(connection.protocol, connection.peer_port),
                         connection.protocol},
                        now_ns);
        if (!link(container, connection, far, port))
            return Verdict::full;
    }
    if (const Verdict verdict = pay(container, connection, false, bytes.size(), now_ns);
        verdict != Verdict::pass)
        return verdict;
    if (packet.about.protocol != 0) {
        Editor{bytes}.set_address(source_at, outside_);
        rename_quoted(bytes, target_end, outside_, there.outer_port);
        if (of_names) {
            Editor{bytes}.set_address(target_at, far);
            rename_quoted(bytes, source_end, far, connection.peer_port);
        }
        return Verdict::pass;
    }
    rename(bytes, source_end, outside_, there.outer_port);
    if (of_names)
        rename(bytes, target_end, far, connection.peer_port);
    return Verdict::pass;
}

Verdict Translator::enter(std::span<std::byte> bytes, std::uint64_t now_ns, std::uint8_t& container) {
    Packet packet;
    if (const Verdict parsed = parse(bytes, packet); parsed != Verdict::pass)
        return parsed;
    if (packet.target != outside_ || outside_ == 0)
        return Verdict::target;
    if (packet.source == outside_ || packet.source == gateway_)
        return Verdict::source;
    const Packet::About& about = packet.about;
    const bool error = about.protocol != 0;
    if (error && about.source != outside_)
        return Verdict::no_state;
    const std::uint8_t protocol = error ? about.protocol : packet.protocol;
    // An echo that comes is for nobody: its number is not one that was given away.
    if (packet.protocol == protocol::icmp && !error && packet.type != icmp_type::echo_reply)
        return Verdict::no_rule;
    const OuterKey key{error ? about.target : packet.source, error ? about.source_port : packet.target_port,
                       far_port_of(protocol, error ? about.target_port : packet.source_port), protocol};
    Translation* const translation = find(key, now_ns);
    const Publication* const published =
        translation == nullptr && !error ? publication(protocol, key.outer_port) : nullptr;
    if (translation == nullptr && published == nullptr)
        return Verdict::no_state;
    std::uint32_t peer_address = packet.source;
    std::uint16_t port = 0;
    if (translation != nullptr) {
        peer_address =
            v4_of(connection_at(static_cast<std::size_t>(translation - translations_.data()), container)
                      .peer_address);
        port = translation->own_port;
    } else {
        container = published->container;
        port = published->inside;
    }
    const Contained& who = containers_[container];
    const bool of_names = translation != nullptr && peer_address == gateway_;
    if (error) {
        Editor{bytes}.set_address(target_at, who.address);
        rename_quoted(bytes, source_end, who.address, port);
        if (of_names)
            rename_quoted(bytes, target_end, peer_address, about.target_port);
    } else {
        rename(bytes, target_end, who.address, port);
        if (of_names)
            rename(bytes, source_end, peer_address, packet.source_port);
    }
    Packet inner;
    if (const Verdict verdict = who.firewall->inbound(0, bytes, now_ns, inner); verdict != Verdict::pass)
        return verdict;
    const Connection& connection = *who.firewall->passed();
    if (of_names && !error)
        asked_at_ = 0;
    if (translation == nullptr && !link(container, connection, packet.source, key.outer_port))
        return Verdict::full;
    return pay(container, connection, true, bytes.size(), now_ns);
}

} // namespace net
