# SPDX-License-Identifier: Apache-2.0
"""Reads the hypervisor's serial line: frames and records (partitions/abi/console.h).

Strict on purpose: a byte between frames after the first one, a length that is not followed by LF or a record without
its keys is an error of the line, and an error of the line fails the case.
"""
import dataclasses
import hashlib

FRAME_START = 0x1E
FRAME_MAX = 1024
TYPES = "olaxeb"
REQUIRED = {
    "x": ["partition", "generation", "status", "reason", "detail", "exits", "refusals", "dropped", "started",
          "first_output", "ended", "last"],
    "e": ["reason", "action"],
    "b": ["entry", "verified", "ready", "memory_hypervisor", "memory_bundle", "memory_partitions", "cpus", "abi", "build"],
    "a": ["event", "seq", "time", "hash"],
}


@dataclasses.dataclass
class Frame:
    type: str
    partition: str  # "hv" or the plan's index
    generation: int
    payload: bytes


@dataclasses.dataclass
class Record:
    type: str
    partition: str
    keys: dict


class Line:
    """All that one run said. errors is empty for a well-formed line."""

    def __init__(self, data):
        self.noise = b""       # before the first frame: firmware
        self.frames = []
        self.records = []
        self.errors = []
        self._split(data)
        for frame in self.frames:
            if frame.type in REQUIRED:
                self._record(frame)
        self._chain()
        self.names = {r.partition: r.keys["partition"] for r in self.records if r.type == "x" and "partition" in r.keys}

    def _split(self, data):
        at = data.find(bytes([FRAME_START]))
        if at < 0:
            self.noise = data
            return
        self.noise = data[:at]
        while at < len(data):
            if data[at] != FRAME_START:
                self.errors.append(f"byte {data[at]:#04x} at {at} stands outside every frame")
                return
            end = self._frame(data, at)
            if end is None:
                return
            at = end

    def _frame(self, data, at):
        fields, position = [], at + 1
        for index in range(4):
            space = data.find(b" ", position, position + 24)
            if space < 0:
                self.errors.append(f"frame at {at}: its head is cut short or malformed")
                return None
            fields.append(data[position:space])
            position = space + 1
        try:
            kind, partition = fields[0].decode("ascii"), fields[1].decode("ascii")
            generation, length = int(fields[2]), int(fields[3])
        except ValueError:
            self.errors.append(f"frame at {at}: malformed head {data[at:position]!r}")
            return None
        if len(kind) != 1 or kind not in TYPES or not (partition == "hv" or partition.isdigit()) or not 0 <= length <= FRAME_MAX:
            self.errors.append(f"frame at {at}: malformed head {data[at:position]!r}")
            return None
        if data[position + length:position + length + 1] != b"\n":
            self.errors.append(f"frame at {at}: {length} bytes of payload are not followed by LF")
            return None
        self.frames.append(Frame(kind, partition, generation, data[position:position + length]))
        return position + length + 1

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

    def of(self, kind):
        return [record for record in self.records if record.type == kind]

    def log(self):
        return "".join(f.payload.decode("utf-8", "replace").rstrip("\n") + "\n" for f in self.frames if f.type == "l")

    def name(self, partition):
        return self.names.get(partition, partition)

    def output(self, name):
        """Every console byte of the partition called NAME, all generations."""
        return b"".join(f.payload for f in self.frames if f.type == "o" and self.name(f.partition) == name)

    def audit(self):
        """Audit records as dictionaries, with the partition's name."""
        result = []
        for record in self.of("a"):
            keys = {"partition": self.name(record.partition)}
            keys.update(record.keys)
            result.append(keys)
        return result

    def ends(self, name):
        return [record.keys for record in self.of("x") if record.keys["partition"] == name]
