# SPDX-License-Identifier: Apache-2.0
"""Reads the hypervisor's serial line: frames and records (partitions/abi/console.h).

Strict on purpose: a byte between frames after the first one, a wrong length or CRC, a number that is missing or a record
without its keys is an error of the line, and an error of the line fails the case.
"""
import dataclasses
import hashlib
import re

FRAME_START = 0x1E
FRAME_MAX = 1024
FRAME = re.compile(rb"\x1e(([orlaxebk])\x1f(0|[1-9]\d*)\x1f(hv|0|[1-9]\d*)\x1f(0|[1-9]\d*)\x1f"
                   rb"((?:[^\x1d-\x1f]|\x1d[\]^_])*))\x1f(\d+)\x1f([0-9a-f]{8})\n", re.DOTALL)
ESCAPED = re.compile(rb"\x1d(.)", re.DOTALL)
REQUIRED = {
    "x": ["partition", "generation", "status", "reason", "detail", "exits", "refusals", "dropped", "started",
          "first_output", "ended", "last"],
    "e": ["reason", "action"],
    "b": ["entry", "verified", "ready", "memory_hypervisor", "memory_bundle", "memory_partitions", "cpus", "abi", "build"],
    "a": ["event", "seq", "time", "hash"],
}


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ 0x82F63B78 if value & 1 else value >> 1
        table.append(value)
    return table


CRC_TABLE = _crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


@dataclasses.dataclass
class Frame:
    type: str
    partition: str  # "hv" or the plan's index
    generation: int
    payload: bytes
    number: int = 0


@dataclasses.dataclass
class Record:
    type: str
    partition: str
    keys: dict


class Line:
    """All that one run said. errors is empty for a well-formed line. reset: the machine was reset after it, which may have cut
    its last frame short."""

    def __init__(self, data, reset=False):
        self.noise = b""       # before the first frame: firmware
        self.frames = []
        self.records = []
        self.errors = []
        self.data, self.starts = data, []  # where machines begin
        self._split(data, reset)
        for frame in self.frames:
            if frame.type in REQUIRED:
                self._record(frame)
        self._chain()
        self.names = {r.partition: r.keys["partition"] for r in self.records if r.type == "x"}

    def _split(self, data, reset):
        at = data.find(bytes([FRAME_START]))
        if at < 0:
            self.noise = data
            return
        self.noise = data[:at]
        expected = 0
        while at < len(data):
            if data[at] != FRAME_START:
                self.errors.append(f"byte {data[at]:#04x} at {at} stands outside every frame")
                return
            found = FRAME.match(data, at)
            if found is None:
                following = data.find(bytes([FRAME_START]), at + 1)
                if not reset or following >= 0:
                    self.errors.append(f"frame {expected} at {at} is malformed or cut short: {data[at:at + 60]!r}")
                again = FRAME.match(data, following) if following >= 0 else None
                if again is None or int(again[3]) != 0:
                    return
                at = following  # where a machine begins again
                continue
            covered, kind, number, partition, generation, payload, length, crc = found.groups()
            number = int(number)
            if int(length) != len(covered) or int(crc, 16) != crc32c(covered):
                self.errors.append(f"frame {number} at {at}: its length or CRC is wrong")
                return
            if number not in (0, expected):  # 0: a machine that begins again
                self.errors.append(f"frame {number} at {at} stands where frame {expected} should be")
                return
            if number == 0:
                self.starts.append(at)
            expected = number + 1
            payload = ESCAPED.sub(lambda byte: bytes([byte[1][0] ^ 0x40]), payload)
            if len(payload) > FRAME_MAX:
                self.errors.append(f"frame {number} at {at}: {len(payload)} bytes of payload are too many")
                return
            self.frames.append(Frame(kind.decode(), partition.decode(), int(generation), payload, number))
            at = found.end()

    def _record(self, frame):
        keys = {}
        text = frame.payload.decode("utf-8", "replace").rstrip("\n")
        for pair in text.split(" "):
            key, equals, value = pair.partition("=")
            if not equals or not key or key in keys:
                self.errors.append(f"record '{frame.type}': malformed: {text!r}")
                return
            keys[key] = value
        missing = [key for key in REQUIRED[frame.type] if key not in keys]
        if missing:
            self.errors.append(f"record '{frame.type}': no {', '.join(missing)} in {text!r}")
            return
        self.records.append(Record(frame.type, frame.partition, keys))

    def _chain(self):
        """The audit log of each boot: in sequence, hash-chained, and closed when the machine ended in order."""
        previous, expected, closed = bytes(32), 0, True
        for text in (f.payload for f in self.frames if f.type == "a"):
            body, _, tail = text.partition(b" hash=")
            keys = dict(pair.split(b"=", 1) for pair in body.split(b" ") if b"=" in pair)
            if keys.get(b"event") == b"boot":  # a machine that starts again begins a log of its own
                previous, expected = bytes(32), 0
            closed = keys.get(b"event") == b"closed"
            previous = hashlib.sha256(b"caisson audit v1\0" + previous + body).digest()
            if keys.get(b"seq") != b"%d" % expected or not tail.startswith(previous.hex().encode()):
                self.errors.append(f"audit record {expected}: the chain is broken: {text!r}")
                return
            expected += 1
        if not closed and any(f.type == "e" for f in self.frames):
            self.errors.append("the audit log has no closing record")

    def lives(self):
        """One machine after the other, each as a line of its own: a machine that is reset begins again."""
        ends = self.starts[1:] + [len(self.data)]
        return [Line(self.data[start:end], end != ends[-1]) for start, end in zip(self.starts, ends)]

    def of(self, kind):
        return [record for record in self.records if record.type == kind]

    def log(self):
        return "".join(f.payload.decode("utf-8", "replace").rstrip("\n") + "\n" for f in self.frames if f.type == "l")

    def kept(self):
        """What memory kept over a reset of what the machine before said: its logs and records, in order."""
        data = b"".join(f.payload for f in self.frames if f.type == "k")
        payloads = [ESCAPED.sub(lambda byte: bytes([byte[1][0] ^ 0x40]), found[6]) for found in FRAME.finditer(data)
                    if int(found[7]) == len(found[1]) and int(found[8], 16) == crc32c(found[1])]
        return b"".join(payload.rstrip(b"\n") + b"\n" for payload in payloads).decode("utf-8", "replace")

    def name(self, partition):
        return self.names.get(partition, partition)

    def output(self, name):
        """Every console byte of the partition called NAME, both streams in order, all generations."""
        return b"".join(f.payload for f in self.frames if f.type in "or" and self.name(f.partition) == name)

    def error_output(self, name):
        """What of it came on stream 2."""
        return b"".join(f.payload for f in self.frames if f.type == "r" and self.name(f.partition) == name)

    def audit(self):
        """Audit records as dictionaries, with the partition's name."""
        result = []
        for record in self.of("a"):
            keys = {"partition": self.name(record.partition)}
            keys.update(record.keys)
            result.append(keys)
        return result

    def ends(self, name):
        """Its end records; one that could not be stopped has an audit record instead."""
        stuck = {"reason": "quarantined", "last": "1", "exits": "0", "refusals": "0", "dropped": "0", "started": "0",
                 "first_output": "0"}
        return [record.keys if record.type == "x" else {**stuck, "ended": record.keys["time"], **record.keys} for record in self.records
                if record.keys.get("partition") == name and
                (record.type == "x" or (record.type == "a" and record.keys["event"] == "quarantined"))]
