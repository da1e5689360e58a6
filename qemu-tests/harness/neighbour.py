# SPDX-License-Identifier: Apache-2.0
"""The other station on the wire of a network card (QEMU's -netdev dgram), which speaks IPv6: a router that advertises a network, a neighbour that
asks for pages and serves one, and somebody who lies.

The machine sends Ethernet frames to UDP port `there` and takes those that come to `here`. RFC 4861, RFC 4862, RFC 8106, RFC 9293 as far as it takes.
"""
import ipaddress
import socket
import struct
import time

OWN_STATION, ALL_STATIONS = bytes.fromhex("020000000009"), bytes.fromhex("333300000001")
PREFIX = ipaddress.ip_network("2001:db8::/64")
ROUTER, NEIGHBOUR, SERVER = (ipaddress.ip_address(text) for text in ("fe80::9", "2001:db8::1", "2001:db8::53"))
ALL_NODES = ipaddress.ip_address("ff02::1")
TCP, ICMP6, FRAGMENT = 6, 58, 44
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
SERVED_PORT, PAGE = 8000, b"served by the neighbour\n"


def checksum(data):
    total = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(kind, source, target, body, hops=64, place=None):
    """An IPv6 packet; the transport's sum goes to `place`."""
    if place is not None:
        total = checksum(source.packed + target.packed + struct.pack(">II", len(body), kind) + body)
        body = body[:place] + struct.pack(">H", total) + body[place + 2:]
    return struct.pack(">IHBB", 0x60000000, len(body), kind, hops) + source.packed + target.packed + body


def advertisement(prefix=PREFIX, source=ROUTER, hops=255):
    """The router: this network is on the link, make addresses of it; names are asked of SERVER."""
    body = struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + b"\1\1" + OWN_STATION
    body += struct.pack(">BBBBIII", 3, 4, 64, 0xC0, 86400, 14400, 0) + prefix.network_address.packed
    body += struct.pack(">BBHI", 25, 3, 0, 1800) + SERVER.packed
    return packet(ICMP6, source, ALL_NODES, body, hops, 2)


class Connection:
    """One of TCP's, in one piece each way and in order: what comes otherwise is asked for again by the other end."""

    def __init__(self, wire, own, peer, ports, passive=None):
        self.wire, self.own, self.peer, self.ports = wire, own, peer, ports
        self.next_out, self.next_in = 1000, None if passive is None else passive + 1
        self.unanswered, self.sent_at, self.received, self.ended, self.refused = None, 0, b"", False, False

    def send(self, flags, data=b"", again=True):
        own_port, peer_port = self.ports
        head = struct.pack(">HHIIBBHHH", own_port, peer_port, self.next_out, self.next_in or 0, 0x50, flags | (ACK if self.next_in is not None else 0), 60000, 0, 0)
        whole = packet(TCP, self.own, self.peer, head + data, place=16)
        self.wire.send(whole)
        if again:
            self.unanswered, self.sent_at = whole, time.monotonic()
            self.next_out += len(data) + (1 if flags & (SYN | FIN) else 0)

    def tick(self):
        if self.unanswered is not None and time.monotonic() - self.sent_at > 1:
            self.sent_at = time.monotonic()
            self.wire.send(self.unanswered)

    def take(self, segment):
        sequence, acknowledged, offset, flags = struct.unpack(">IIBB", segment[4:14])
        data = segment[(offset >> 4) * 4:]
        if flags & RST:
            self.refused = self.ended = True
            return
        if flags & ACK and acknowledged == self.next_out:
            self.unanswered = None
        if self.next_in is None:
            if flags & (SYN | ACK) != SYN | ACK:
                return
            self.next_in = sequence + 1
        elif sequence == self.next_in:
            self.received += data
            self.next_in += len(data) + (1 if flags & FIN else 0)
            self.ended |= bool(flags & FIN)
        if data or flags & (SYN | FIN):
            self.send(0, again=False)


class Wire:
    def __init__(self, here, there):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", here))
        self.socket.settimeout(0.05)
        self.there = ("127.0.0.1", there)
        self.station, self.asked_for, self.connections, self.served, self.sizes = None, [], {}, 0, []

    def send(self, whole):
        target = ipaddress.ip_address(whole[24:40])
        station = b"\x33\x33" + target.packed[12:] if target.is_multicast else self.station
        if station is None:
            return
        frame = station + OWN_STATION + b"\x86\xdd" + whole
        try:
            self.socket.sendto(frame.ljust(60, b"\0"), self.there)
        except OSError:
            pass  # the machine is not there yet, or no longer

    def turn(self):
        """What has come, and what time does."""
        for connection in list(self.connections.values()):
            connection.tick()
        try:
            frame = self.socket.recv(2048)
        except OSError:
            return
        if frame[12:14] != b"\x86\xdd" or len(frame) < 14 + 48:
            return
        self.station = frame[6:12]
        self.sizes.append(len(frame) - 14)
        source, target, body = ipaddress.ip_address(frame[22:38]), ipaddress.ip_address(frame[38:54]), frame[54:54 + struct.unpack(">H", frame[18:20])[0]]
        if frame[20] == ICMP6 and body[0] == 133:
            self.send(advertisement())
        elif frame[20] == ICMP6 and body[0] == 135:
            asked = ipaddress.ip_address(body[8:24])
            if int(source) == 0:
                self.asked_for.append(asked)
            elif asked in (ROUTER, NEIGHBOUR):
                answer = struct.pack(">BBHI", 136, 0, 0, 0x60000000) + asked.packed + b"\2\1" + OWN_STATION
                self.send(packet(ICMP6, asked, source, answer, 255, 2))
        elif frame[20] == TCP:
            self.take_segment(source, target, body)

    def take_segment(self, source, target, body):
        peer_port, own_port = struct.unpack(">HH", body[:4])
        key = (source, own_port, peer_port)
        if key not in self.connections:
            if own_port != SERVED_PORT or body[13] & (SYN | ACK) != SYN:
                return
            made = self.connections[key] = Connection(self, target, source, (own_port, peer_port), struct.unpack(">I", body[4:8])[0])
            made.send(SYN)
            return
        connection = self.connections[key]
        connection.take(body)
        if own_port == SERVED_PORT and connection.received.endswith(b"\r\n\r\n") and not connection.ended:
            connection.received = b""
            self.served += 1
            connection.send(FIN | PSH, b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PAGE) + PAGE)

    def until(self, wish, seconds, process):
        end = time.monotonic() + seconds
        while not wish():
            if process.poll() is not None or time.monotonic() > end:
                return False
            self.turn()
        return True

    def connect(self, target, port, own_port, source=NEIGHBOUR):
        made = self.connections[target, own_port, port] = Connection(self, source, target, (own_port, port))
        made.send(SYN)
        return made


def solicitation(asked):
    """Who has it? So the other end hears where the neighbour is."""
    group = ipaddress.ip_address(int(ipaddress.ip_address("ff02::1:ff00:0")) | int(asked) & 0xFFFFFF)
    return packet(ICMP6, NEIGHBOUR, group, struct.pack(">BBHI", 135, 0, 0, 0) + asked.packed + b"\1\1" + OWN_STATION, 255, 2)


def lies(wire, address):
    """Nothing of this may be heard: it comes from behind a router, from nobody's address, or in pieces."""
    elsewhere = ipaddress.ip_network("2001:db8:bad::/64")
    syn = struct.pack(">HHIIBBHHH", 30000, 8080, 1, 0, 0x50, SYN, 60000, 0, 0)
    for hops in (254, 64, 1):
        wire.send(advertisement(elsewhere, ipaddress.ip_address("fe80::bad"), hops))
    wire.send(advertisement(elsewhere, ipaddress.ip_address("2001:db8::bad")))
    for source in (address, ipaddress.ip_address("::ffff:192.0.2.20"), ipaddress.ip_address("::1"), ALL_NODES):
        wire.send(packet(TCP, source, address, syn, place=16))
    whole = packet(TCP, NEIGHBOUR, address, syn, place=16)[40:]
    wire.send(packet(FRAGMENT, NEIGHBOUR, address, struct.pack(">BBHI", TCP, 0, 0, 7) + whole))
    wire.send(packet(FRAGMENT, NEIGHBOUR, address, struct.pack(">BBHI", TCP, 0, 1, 8) + whole[:16]))
    wire.send(packet(FRAGMENT, NEIGHBOUR, address, struct.pack(">BBHI", TCP, 0, 8, 8) + whole[8:]))
    options = whole
    for _ in range(5):
        options = struct.pack(">BBBBI", TCP if options is whole else 60, 0, 1, 4, 0) + options
    wire.send(packet(60, NEIGHBOUR, address, options))


def play(step, process):
    """-> complaints. Asks at the address that the machine makes for itself, and at that of the link; ends with a word to port 81."""
    wire = Wire(*(int(port) for port in step["neighbour"].split()))
    found = []

    def has_address():
        found[:] = [address for address in wire.asked_for if address in PREFIX]
        return bool(found)

    if not wire.until(has_address, 120, process):
        return ["the machine made no address of the network that was advertised"]
    address, of_link = found[0], next((one for one in wire.asked_for if one.is_link_local), None)
    if of_link is None:
        return ["the machine did not ask whether its address of the link is free"]
    wire.until(lambda: wire.served > 0, 60, process)  # it has fetched a page: then its own is there soon
    if wire.served == 0:
        return ["the machine asked for no page"]
    wire.send(solicitation(address))
    lies(wire, address)
    complaints = []
    unpublished = wire.connect(address, 80, 30001)
    for number, target in enumerate((address, of_link)):
        page = None
        for attempt in range(30):  # until the server listens
            page = wire.connect(target, 8080, 31000 + 100 * number + attempt)
            wire.until(lambda one=page: one.next_in is not None or one.refused, 10, process)
            if page.next_in is not None:
                break
            wire.until(lambda: False, 0.5, process)
        page.send(PSH, b"GET / HTTP/1.0\r\n\r\n")
        if not wire.until(lambda one=page: one.ended, 30, process):
            complaints.append(f"http://[{target}]:8080/: no answer")
        elif step["contains"].encode() not in page.received:
            complaints.append(f"http://[{target}]:8080/: {step['contains']!r} is not in {page.received[-200:]}")
        page.send(FIN)
    if unpublished.next_in is not None or unpublished.refused:
        complaints.append("port 80, which is not published, was answered")
    if any(one[1] == 30000 for one in wire.connections) or max(wire.sizes) > 1280:
        complaints.append(f"a packet of {max(wire.sizes)} bytes came")
    last = wire.connect(address, 81, 32000)
    if not wire.until(lambda: last.next_in is not None, 30, process):
        return complaints + ["port 81: no answer"]
    last.send(PSH, b"over\n")
    last.send(FIN)
    wire.until(lambda: last.ended, 10, process)
    return complaints
