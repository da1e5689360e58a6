#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The firewall beside a second one, written from its description: generated packets get the same verdicts.

usage: reference_test.py JUDGE [SEED...]
"""
import random
import struct
import subprocess
import sys

VERDICTS = ["pass", "malformed", "fragment", "protocol", "source", "target", "no_rule", "no_state", "full"]
OWN, PEERS = 0x64404D02, [0x64404D03, 0x64404D04, 0x64404D05]
TCP, UDP, ICMP = 6, 17, 1
FIN, SYN, RST, ACK = 1, 2, 4, 16
RULES = [(0, "in", TCP, 80, 81), (0, "out", UDP, 53, 53), (1, "in", 0, 0, 65535), (1, "out", TCP, 1000, 1003),
         (2, "out", 0, 0, 65535)]
SECOND = 10 ** 9


class Reference:
    """No limit of places: the generator stays below it."""

    def __init__(self):
        self.connections = {}

    @staticmethod
    def read(data):
        """-> (verdict, fields)"""
        if len(data) < 20 or data[0] != 0x45 or struct.unpack(">H", data[2:4])[0] != len(data):
            return "malformed", None
        if struct.unpack(">H", data[6:8])[0] & ~0x4000:
            return "fragment", None
        protocol, source, target = data[9], *struct.unpack(">II", data[12:20])
        body = data[20:]
        fields = {"protocol": protocol, "source": source, "target": target, "about": None}
        if protocol == TCP:
            if len(body) < 20 or not 20 <= (body[12] >> 4) * 4 <= len(body):
                return "malformed", None
            fields["flags"] = body[13]
        elif protocol == UDP:
            if len(body) < 8 or struct.unpack(">H", body[4:6])[0] != len(body):
                return "malformed", None
        elif protocol == ICMP:
            if len(body) < 8:
                return "malformed", None
            fields["type"] = body[0]
            if body[0] in (0, 8):
                fields["from"] = fields["to"] = struct.unpack(">H", body[4:6])[0]
                return "pass", fields
            if body[0] != 3:
                return "protocol", None
            inner = body[8:]
            if len(inner) < 28 or inner[0] != 0x45 or inner[9] not in (TCP, UDP):
                return "malformed", None
            fields["about"] = (inner[9], *struct.unpack(">II", inner[12:20]), *struct.unpack(">HH", inner[20:24]))
            return "pass", fields
        else:
            return "protocol", None
        fields["from"], fields["to"] = struct.unpack(">HH", body[:4])
        return "pass", fields

    def known(self, key, now):
        connection = self.connections.get(key)
        if connection is not None and connection["until"] <= now:
            del self.connections[key]
            return None
        return connection

    def judge(self, direction, peer, now, data):
        verdict, fields = self.read(data)
        if verdict != "pass":
            return verdict
        inbound = direction == "in"
        if fields["source"] != (PEERS[peer] if inbound else OWN):
            return "source"
        if fields["target"] != (OWN if inbound else PEERS[peer]):
            return "target"
        if fields["about"] is not None:
            protocol, source, target, source_port, target_port = fields["about"]
            ours = (source, target) == ((OWN, PEERS[peer]) if inbound else (PEERS[peer], OWN))
            ports = (source_port, target_port) if inbound else (target_port, source_port)
            return "pass" if ours and self.known((peer, protocol, *ports), now) else "no_state"
        protocol = fields["protocol"]
        own_port, peer_port = (fields["to"], fields["from"]) if inbound else (fields["from"], fields["to"])
        key = (peer, protocol, own_port, peer_port)
        connection = self.known(key, now)
        if protocol == TCP:
            first = fields["flags"] & (SYN | ACK | RST | FIN) == SYN
        else:
            first = protocol == UDP or fields["type"] == 8
        if connection is not None and first and connection["closing"]:
            connection = None
        if connection is None:
            if not first:
                return "no_state"
            port = own_port if inbound else peer_port
            if not any(rule[0] == peer and rule[1] == direction and (rule[2] == 0 or (rule[2] == protocol and rule[3] <= port <= rule[4]))
                       for rule in RULES):
                return "no_rule"
            connection = self.connections[key] = {"began": direction, "answered": False, "ended": set(), "closing": False}
        self.go_on(connection, fields, direction, now)
        return "pass"

    @staticmethod
    def go_on(connection, fields, direction, now):
        answer = direction != connection["began"]
        if fields["protocol"] != TCP:
            connection["answered"] |= answer
            connection["until"] = now + (180 if connection["answered"] else 30) * SECOND
            return
        if fields["flags"] & FIN:
            connection["ended"].add(direction)
        if fields["flags"] & RST:
            connection["closing"] = True
            connection["until"] = now + 10 * SECOND
        elif len(connection["ended"]) == 2:
            connection["closing"] = True
            connection["until"] = now + 60 * SECOND
        elif not connection["answered"] and not connection["closing"] and not answer:
            connection["until"] = now + 30 * SECOND
        elif not connection["closing"]:
            connection["answered"] = True
            connection["until"] = now + 5 * 24 * 3600 * SECOND


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def packet(self):
        """-> (direction, peer, bytes): mostly sound, of few ports, so that connections come about."""
        r = self.random
        direction, peer = r.choice(["in", "out"]), r.randrange(3)
        source, target = (PEERS[peer], OWN) if direction == "in" else (OWN, PEERS[peer])
        if r.random() < 0.05:
            source = r.choice(PEERS + [OWN, 0])
        if r.random() < 0.05:
            target = r.choice(PEERS + [OWN, 0xFFFFFFFF])
        protocol = r.choice([TCP, TCP, TCP, UDP, UDP, ICMP, r.choice([2, 47, 132])])
        here, there = r.choice([80, 81, 82, 53]), r.choice([53, 1000, 1003, 1004])
        ports = (there, here) if direction == "in" else (here, there)
        body = self.body(protocol, ports, direction, peer)
        data = bytearray(struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(body), 0, 0x4000, 64, protocol, 0, source, target) + body)
        if r.random() < 0.15:
            self.spoil(data)
        return direction, peer, bytes(data)

    def body(self, protocol, ports, direction, peer):
        r = self.random
        payload = bytes(r.randrange(30))
        if protocol == TCP:
            flags = r.choice([SYN, SYN, SYN | ACK, ACK, ACK, ACK, ACK | FIN, RST, RST | ACK, SYN | FIN, 0, 0xFF])
            return struct.pack(">HHIIBBHHH", *ports, 0, 0, 0x50, flags, 0, 0, 0) + payload
        if protocol == UDP:
            return struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
        if protocol == ICMP:
            kind = r.choice([8, 8, 0, 3, 3, 5])
            if kind == 3:
                inner = r.choice([TCP, UDP])
                back = (OWN, PEERS[peer]) if direction == "in" else (PEERS[peer], OWN)
                quoted = struct.pack(">BBHHHBBHII", 0x45, 0, 28, 0, 0, 64, inner, 0, *back) + struct.pack(">HHHH", ports[1], ports[0], 8, 0)
                return struct.pack(">BBHI", kind, 3, 0, 0) + quoted
            return struct.pack(">BBHHH", kind, 0, 0, r.randrange(3), 0) + payload
        return payload

    def spoil(self, data):
        r = self.random
        how = r.randrange(4)
        if how == 0:
            del data[r.randrange(len(data)):]
        elif how == 1:
            data.extend(bytes(r.randrange(1, 9)))
        elif how == 2:
            data[r.choice([0, 2, 3, 6, 7])] ^= 1 << r.randrange(8)
        else:
            data[r.randrange(len(data))] = r.randrange(256)


def run(judge, seed, count=500):
    generator, reference = Generator(seed), Reference()
    text = [f"own {OWN}"] + [f"peer {address}" for address in PEERS]
    text += [f"rule {peer} {direction} {protocol} {first} {last}" for peer, direction, protocol, first, last in RULES]
    expected, packets, now = [], [], SECOND
    for _ in range(count):
        now += generator.random.choice([0, SECOND, SECOND, 11 * SECOND, 40 * SECOND])
        direction, peer, data = generator.packet()
        packets.append((direction, peer, now, data.hex() or "-"))
        text.append("packet {} {} {} {}".format(*packets[-1]))
        expected.append(reference.judge(direction, peer, now, data))
    said = subprocess.run([judge], input="\n".join(text) + "\n", capture_output=True, text=True, timeout=60, check=True).stdout.split()
    said = [VERDICTS[int(number)] for number in said]
    if len(said) != count:
        sys.exit(f"{len(said)} verdicts about {count} packets")
    for number, (one, other) in enumerate(zip(expected, said)):
        if one != other:
            sys.exit(f"seed {seed}, packet {number}: reference {one}, firewall {other}\n{packets[number]}")
    return {name: said.count(name) for name in VERDICTS}


def main():
    counts = {}
    for seed in [int(word) for word in sys.argv[2:]] or range(20):
        for name, count in run(sys.argv[1], seed).items():
            counts[name] = counts.get(name, 0) + count
    missing = [name for name in VERDICTS[:-1] if counts[name] == 0]
    if missing:
        sys.exit(f"no packet was {missing}")
    print(", ".join(f"{count} {name}" for name, count in counts.items()))


if __name__ == "__main__":
    main()
