#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same of IPv6 and the outside: generated packets with extension headers, and what neighbours say, get the same verdicts.

usage: reference6_test.py JUDGE [SEED...]
"""
import ipaddress
import random
import struct
import subprocess
import sys

from reference_test import ACK, FIN, RST, SECOND, SYN, TCP, UDP, VERDICTS, Reference

ICMP6 = 58
OWN4 = 0xC000020A
OWN, WORLD = ipaddress.ip_address("2001:db8::10"), [ipaddress.ip_address(text) for text in ("2001:db8::20", "2001:db8:1::7", "fe80::1")]
FORGED = [ipaddress.ip_address(text) for text in ("::", "::1", "::ffff:192.0.2.10", "::100.64.77.3", "ff02::1", "2001:db8::10")]
RULES = [("in", TCP, 80, 81, "::/0"), ("out", UDP, 53, 53, "::/0"), ("out", TCP, 1000, 1003, "2001:db8:1::/48"), ("out", 0, 0, 65535, "fe80::/10")]
HOP_BY_HOP, ROUTING, FRAGMENT, OPTIONS = 0, 43, 44, 60


def options_hold(data):
    while data:
        if data[0] == 0:
            data = data[1:]
            continue
        if len(data) < 2 or len(data) < 2 + data[1] or data[0] & 0xC0:
            return False
        data = data[2 + data[1]:]
    return True


def strip(data):
    """-> (verdict, next header, what is behind)"""
    if len(data) < 40:
        return "malformed", None, None
    kind, body, taken, count = data[6], data[40:], 0, 0
    while kind in (HOP_BY_HOP, ROUTING, OPTIONS):
        count += 1
        length = 8 + 8 * body[1] if len(body) >= 8 else 0
        taken += length
        if length == 0 or length > len(body) or count > 4 or taken > 256 or (kind == HOP_BY_HOP and count > 1):
            return "malformed", None, None
        header, body = body[:length], body[length:]
        if kind == ROUTING and (header[2] == 0 or header[3] != 0):
            return "malformed", None, None
        if kind != ROUTING and not options_hold(header[2:]):
            return "malformed", None, None
        kind = header[0]
    return ("fragment" if kind == FRAGMENT else "pass"), kind, body


class Reference6(Reference):
    @staticmethod
    def parse(data, stripped):
        """-> (verdict, fields)"""
        if len(data) < 40 or data[0] >> 4 != 6:
            return "malformed", None
        kind, body = stripped or (data[6], data[40:])
        if not stripped and struct.unpack(">H", data[4:6])[0] != len(body):
            return "malformed", None
        fields = {"protocol": kind, "source": ipaddress.ip_address(data[8:24]), "target": ipaddress.ip_address(data[24:40]), "about": None}
        if kind == FRAGMENT:
            return "fragment", None
        if kind == TCP:
            if len(body) < 20 or not 20 <= (body[12] >> 4) * 4 <= len(body):
                return "malformed", None
            fields["flags"] = body[13]
        elif kind == UDP:
            if len(body) < 8 or struct.unpack(">H", body[4:6])[0] != len(body):
                return "malformed", None
        elif kind == ICMP6:
            if len(body) < 8:
                return "malformed", None
            fields["type"] = 8 if body[0] == 128 else 0
            if body[0] in (128, 129):
                fields["from"] = fields["to"] = struct.unpack(">H", body[4:6])[0]
                return "pass", fields
            if not 1 <= body[0] <= 4:
                return "protocol", None
            inner = body[8:]
            if len(inner) < 48 or inner[0] >> 4 != 6 or inner[6] not in (TCP, UDP):
                return "malformed", None
            fields["about"] = (inner[6], ipaddress.ip_address(inner[8:24]), ipaddress.ip_address(inner[24:40]), *struct.unpack(">HH", inner[40:44]))
            return "pass", fields
        else:
            return "protocol", None
        fields["from"], fields["to"] = struct.unpack(">HH", body[:4])
        return "pass", fields

    @staticmethod
    def is_there(address):
        return int(address) >> 64 != 0 and not address.is_multicast and address != OWN

    @staticmethod
    def has_rule(direction, protocol, peer, port):
        return any(rule[0] == direction and peer in ipaddress.ip_network(rule[4]) and (rule[1] == 0 or (rule[1] == protocol and rule[2] <= port <= rule[3]))
                   for rule in RULES)

    def judge(self, direction, now, data):
        inbound, stripped = direction == "in", None
        if inbound and data and data[0] >> 4 == 6:
            verdict, kind, body = strip(data)
            if verdict != "pass":
                return verdict
            # What is taken off goes with its length; where nothing is, the length stays what was said.
            if kind != data[6] or len(body) != len(data) - 40:
                stripped = kind, body
        verdict, fields = self.parse(data, stripped)
        if verdict != "pass":
            return verdict
        ends = [fields["source"], fields["target"]] + (list(fields["about"][1:3]) if fields["about"] else [])
        if any(end.ipv4_mapped is not None for end in ends):
            return "source"
        here, there = ("target", "source") if inbound else ("source", "target")
        if inbound and not self.is_there(fields[there]):
            return "source"
        if fields[here] != OWN:
            return here
        if not self.is_there(fields[there]):
            return "target"
        if fields["about"] is not None:
            protocol, source, target, source_port, target_port = fields["about"]
            mine, peer = (source, target) if inbound else (target, source)
            ports = (source_port, target_port) if inbound else (target_port, source_port)
            return "pass" if mine == OWN and self.is_there(peer) and self.known((peer, protocol, *ports), now) else "no_state"
        peer, protocol = fields[there], fields["protocol"]
        own_port, peer_port = (fields["to"], fields["from"]) if inbound else (fields["from"], fields["to"])
        key = (peer, protocol, own_port, peer_port)
        connection = self.known(key, now)
        first = fields["flags"] & (SYN | ACK | RST | FIN) == SYN if protocol == TCP else protocol == UDP or fields["type"] == 8
        if connection is not None and first and connection["closing"]:
            connection = None
        if connection is None:
            if not first:
                # An open port says by a reset that it knows of no such connection, to whom it came from.
                astray = inbound and protocol == TCP and not fields["flags"] & RST and self.has_rule("in", protocol, peer, own_port)
                if not astray:
                    return "no_state"
            if not self.has_rule(direction, protocol, peer, own_port if inbound else peer_port):
                return "no_rule"
            connection = self.connections[key] = {"began": direction, "answered": False, "ended": set(), "closing": False}
        self.go_on(connection, fields, direction, now)
        return "pass"


def kind_of_neighbours(data):
    """0 no, 1 neighbour, 2 router, 3 groups"""
    if len(data) < 48 or data[6] != ICMP6:
        return 0
    source, target, message = ipaddress.ip_address(data[8:24]), ipaddress.ip_address(data[24:40]), data[40:]
    is_host = int(source) >> 64 != 0 and not source.is_multicast
    kind, least = message[0], 16 if message[0] == 134 else 24
    if message[1] != 0 or data[7] != (1 if kind == 130 else 255) or len(message) < least:
        return 0
    if kind == 130:
        return 3 if source.is_link_local and target.is_multicast else 0
    options = message[least:]
    while options:
        if len(options) < 8 or options[1] == 0 or 8 * options[1] > len(options):
            return 0
        if options[0] in (1, 2) and (options[1] != 1 or options[2] & 1):
            return 0
        options = options[8 * options[1]:]
    if kind == 134:
        return 2 if source.is_link_local else 0
    asked = ipaddress.ip_address(message[8:24])
    if kind == 135 and int(source) == 0:
        group = ipaddress.ip_address(int(ipaddress.ip_address("ff02::1:ff00:0")) | int(asked) & 0xFFFFFF)
        return 1 if not asked.is_multicast and target == group and len(message) == 24 else 0
    if kind == 135:
        return 1 if not asked.is_multicast and is_host else 0
    if kind == 136:
        return 1 if not asked.is_multicast and is_host and not (target.is_multicast and message[4] & 0x40) else 0
    return 0


class Generator6:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def header(self, kind, source, target, body, hops=64):
        return bytearray(struct.pack(">IHBB", 0x60000000, len(body), kind, hops) + source.packed + target.packed + body)

    def packet(self):
        r = self.random
        direction, there = r.choice(["in", "out"]), r.choice(WORLD)
        source, target = (there, OWN) if direction == "in" else (OWN, there)
        if r.random() < 0.05:
            source = r.choice(WORLD + FORGED)
        if r.random() < 0.05:
            target = r.choice(WORLD + FORGED)
        protocol = r.choice([TCP, TCP, TCP, UDP, UDP, ICMP6, r.choice([2, 47, 59, 132])])
        here, far = r.choice([80, 81, 82, 53]), r.choice([53, 1000, 1003, 1004])
        ports = (far, here) if direction == "in" else (here, far)
        body = self.body(protocol, ports, direction, there)
        while r.random() < 0.2:
            protocol, body = self.extension(protocol, body)
        data = self.header(protocol, source, target, body)
        if r.random() < 0.15:
            self.spoil(data)
        return direction, bytes(data)

    def extension(self, following, body):
        r = self.random
        kind = r.choice([HOP_BY_HOP, OPTIONS, OPTIONS, ROUTING, FRAGMENT])
        units = r.choice([0, 0, 0, 1, 3, 31, 32])
        header = bytearray([following, units]) + bytearray(6 + 8 * units)
        if kind == ROUTING:
            header[2], header[3] = r.choice([0, 2, 4]), r.choice([0, 0, 0, 1])
        elif kind == FRAGMENT:
            header = bytearray(struct.pack(">BBHI", following, 0, r.choice([0, 1, 8, 9]), 7))
        elif r.random() < 0.7:
            header[2], header[3] = r.choice([1, 1, 5, 0x3E, 0xC2, 0x80]), r.choice([4, 2, 0, 5, len(header) - 4 & 0xFF])
        return kind, bytes(header) + body

    def body(self, protocol, ports, direction, there):
        r = self.random
        payload = bytes(r.randrange(30))
        if protocol == TCP:
            flags = r.choice([SYN, SYN, SYN | ACK, ACK, ACK, ACK, ACK | FIN, RST, RST | ACK, SYN | FIN, 0, 0xFF])
            return struct.pack(">HHIIBBHHH", *ports, 0, 0, 0x50, flags, 0, 0, 0) + payload
        if protocol == UDP:
            return struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
        if protocol == ICMP6:
            kind = r.choice([128, 129, 1, 2, 3, 4, 134, 135, 136, 137])
            if kind < 5:
                back = (OWN, there) if direction == "in" else (there, OWN)
                quoted = self.header(r.choice([TCP, UDP, UDP, OPTIONS]), *back, struct.pack(">HHHH", ports[1], ports[0], 8, 0))
                return struct.pack(">BBHI", kind, 0, 0, 0) + bytes(quoted)
            return struct.pack(">BBHHH", kind, 0, 0, r.randrange(3), 0) + payload
        return payload

    def said(self):
        """What may be of neighbours."""
        r = self.random
        kind = r.choice([130, 133, 134, 134, 135, 135, 136, 136, 137])
        asked = r.choice([OWN, *WORLD, FORGED[4]])
        group = ipaddress.ip_address(int(ipaddress.ip_address("ff02::1:ff00:0")) | int(asked) & 0xFFFFFF)
        body = bytearray(struct.pack(">BBHI", kind, r.choice([0, 0, 0, 0, 1]), 0, r.choice([0, 0x40000000, 0x60000000])))
        body += bytes(8) if kind == 134 else asked.packed
        for _ in range(r.randrange(3)):
            units = r.choice([0, 1, 1, 1, 2, 4])
            body += bytes([r.choice([1, 2, 3, 5, 25]), units, r.choice([2, 2, 2, 0x33])]) + bytes(8 * max(units, 1) - 3)
        data = self.header(ICMP6, r.choice([WORLD[2], WORLD[2], WORLD[0], FORGED[0]]), r.choice([OWN, FORGED[4], group]), bytes(body),
                           r.choice([255, 255, 255, 255, 1, 1, 64, 254]))
        if r.random() < 0.1:
            del data[r.randrange(len(data)):]
        return bytes(data)

    def spoil(self, data):
        r = self.random
        how = r.randrange(4)
        if how == 0:
            del data[r.randrange(len(data)):]
        elif how == 1:
            data.extend(bytes(r.randrange(1, 9)))
        elif how == 2:
            data[r.choice([4, 5, 6, 0]) % len(data)] ^= 1 << r.randrange(8)
        else:
            data[r.randrange(1, len(data))] = r.randrange(256)


def run(judge, seed, count=500):
    generator, reference = Generator6(seed), Reference6()
    text = ["own 0", f"outside {OWN4} {OWN.packed.hex()}"]
    for direction, protocol, first, last, network in RULES:
        network = ipaddress.ip_network(network)
        text.append(f"rule6 0 {direction} {protocol} {first} {last} {network.network_address.packed.hex()} {network.prefixlen}")
    expected, asked, now = [], [], SECOND
    for _ in range(count):
        now += generator.random.choice([0, SECOND, SECOND, 11 * SECOND, 40 * SECOND])
        direction, data = generator.packet()
        asked.append(f"packet {direction} 0 {now} {data.hex() or '-'}")
        expected.append(VERDICTS.index(reference.judge(direction, now, data)))
        data = generator.said()
        asked.append(f"neighbours {data.hex() or '-'}")
        expected.append(kind_of_neighbours(data))
    said = subprocess.run([judge], input="\n".join(text + asked) + "\n", capture_output=True, text=True, timeout=60, check=True).stdout.split()
    if len(said) != 2 * count:
        sys.exit(f"{len(said)} answers about {2 * count} packets")
    for line, one, other in zip(asked, expected, said):
        if one != int(other):
            sys.exit(f"seed {seed}: reference {one}, firewall {other}\n{line}")
    return [VERDICTS[verdict] for verdict in expected[::2]], expected[1::2]


def main():
    verdicts, kinds = [], []
    for seed in [int(word) for word in sys.argv[2:]] or range(20):
        some, of_neighbours = run(sys.argv[1], seed)
        verdicts += some
        kinds += of_neighbours
    missing = [name for name in VERDICTS[:-1] if name not in verdicts] + [kind for kind in range(4) if kind not in kinds]
    if missing:
        sys.exit(f"no packet was {missing}")
    print(", ".join(f"{verdicts.count(name)} {name}" for name in VERDICTS), "; neighbours:", [kinds.count(kind) for kind in range(4)])


if __name__ == "__main__":
    main()
