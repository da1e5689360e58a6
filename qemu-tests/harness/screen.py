# SPDX-License-Identifier: Apache-2.0
"""What a person reads on a machine's screen: QEMU's screenshots (PPM), recognised letter by letter with the hypervisor's own font
(hypervisor/core/screen/font.hpp), or VGA's text memory."""
import fnmatch
import os
import re
import socket
import time

COLUMNS, ROWS, WIDTH, HEIGHT = 80, 25, 8, 16
FIRST = 32
COLOURS = {(0xaa, 0xaa, 0xaa): "plain", (0x55, 0xff, 0x55): "green", (0xff, 0x55, 0x55): "red", (0xff, 0xff, 0xff): "white"}
ATTRIBUTES = {7: "plain", 10: "green", 12: "red", 15: "white"}


class ScreenError(Exception):
    pass


def font(source):
    """{rows of a cell as numbers, lowest bit left: letter}"""
    with open(os.path.join(source, "hypervisor/core/screen/font.hpp"), encoding="utf-8") as file:
        drawn = re.findall(r'^    "([.#/]+)"', file.read(), re.M)
    if len(drawn) != 95:
        raise ScreenError(f"the font has {len(drawn)} letters, expected 95")
    letters = {}
    for number, rows in enumerate(drawn):
        dots = tuple(sum(2 << x for x, dot in enumerate(row) if dot == "#") for row in rows.split("/"))
        letters[dots] = chr(FIRST + number)
    return letters


def read_ppm(data):
    """-> (width, height, bytes of red, green, blue)"""
    head = re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data)
    if not head:
        raise ScreenError("no screenshot: not a PPM of 8 bits a colour")
    width, height = int(head[1]), int(head[2])
    pixels = data[head.end():]
    if len(pixels) != width * height * 3:
        raise ScreenError(f"a screenshot of {len(pixels)} bytes, expected {width} x {height} x 3")
    return width, height, pixels


class Screen:
    """rows: 25 lines of text; colours: of each, the colour of every letter. What is no letter of the font reads as \\x00."""

    def __init__(self, rows, colours):
        self.rows, self.colours = [row.rstrip() for row in rows], colours

    def colour_of(self, row, text):
        at = self.rows[row].index(text)
        return {colour for colour in self.colours[row][at:at + len(text)] if colour}


def decode(data, letters):
    width, height, pixels = read_ppm(data)
    # As hypervisor/core/screen/fit.hpp puts it.
    scale = min(max(height // 1000, 1), width // (COLUMNS * WIDTH), height // (ROWS * HEIGHT), 4)
    if scale == 0:
        raise ScreenError(f"{width} x {height} pixels are too few")
    left, top = (width - COLUMNS * WIDTH * scale) // 2, (height - ROWS * HEIGHT * scale) // 2
    rows, colours = [], []
    for row in range(ROWS):
        text, inks = "", []
        for column in range(COLUMNS):
            dots, found, whole = [], set(), True
            for y in range(HEIGHT * scale):
                start = ((top + (row * HEIGHT * scale) + y) * width + left + column * WIDTH * scale) * 3
                line = pixels[start:start + WIDTH * scale * 3]
                bits = 0
                if line.count(0) != len(line):
                    for x in range(WIDTH * scale):
                        pixel = tuple(line[x * 3:x * 3 + 3])
                        if pixel != (0, 0, 0):
                            found.add(pixel)
                            whole = whole and (bits >> x // scale & 1 or x % scale == 0)
                            bits |= 1 << x // scale
                        elif bits >> x // scale & 1:
                            whole = False
                dots.append(bits)
            step = 2 * scale
            whole = whole and all(len(set(dots[i:i + step])) == 1 for i in range(0, len(dots), step)) and len(found) <= 1
            text += letters.get(tuple(dots[::step]), "\0") if whole else "\0"
            inks.append(COLOURS.get(found.pop(), "other") if len(found) == 1 else None)
        rows.append(text)
        colours.append(inks)
    return Screen(rows, colours)


def decode_vga(data):
    """VGA's text memory, two bytes a cell."""
    if len(data) != COLUMNS * ROWS * 2:
        raise ScreenError(f"{len(data)} bytes of text memory")
    cells = [(chr(data[at]) if data[at] else " ", ATTRIBUTES.get(data[at + 1])) for at in range(0, len(data), 2)]
    lines = [cells[at:at + COLUMNS] for at in range(0, len(cells), COLUMNS)]
    return Screen(["".join(c for c, _ in line) for line in lines], [[colour for _, colour in line] for line in lines])


def compare(screen, golden):
    """Line for line; a line of the golden text may have * for what differs from build to build, and begins with the colour of its
    first letter, or '-' where nobody asks. -> complaints"""
    complaints = []
    if len(golden) != ROWS:
        return [f"the golden text has {len(golden)} lines, expected {ROWS}"]
    for number, (is_, expected) in enumerate(zip(screen.rows, golden)):
        colour, _, text = expected.partition("|")
        pattern = re.sub(r"[\[?]", lambda match: f"[{match[0]}]", text.rstrip())
        if not fnmatch.fnmatchcase(is_, pattern):
            complaints.append(f"screen, line {number}: {is_!r}, expected {text!r}")
        elif is_ and colour.strip() not in ("", "-"):
            at = len(is_) - len(is_.lstrip())
            if screen.colours[number][at] != colour.strip():
                complaints.append(f"screen, line {number}: {is_!r} is {screen.colours[number][at]}, expected {colour.strip()}")
    return complaints


def read_golden(path):
    """Its lines; to be written where it is not there yet."""
    if not os.path.exists(path) and "CAISSON_WRITE_GOLDEN" in os.environ:
        return []
    with open(path, encoding="utf-8") as file:
        return file.read().removesuffix("\n").split("\n")


def command(monitor, text):
    """Gives the monitor one command and waits for its prompt."""
    monitor.sendall(text.encode() + b"\n")
    said = b""
    while not said.endswith(b"(qemu) "):
        data = monitor.recv(4096)
        if not data:
            raise ScreenError("the machine ended before its screen was looked at")
        said += data
    return said


def look(step, monitor, directory, letters):
    """One screenshot, which stays in the directory, decoded."""
    name = step["golden"].removesuffix(".screen")
    path = os.path.join(directory, name + (".cells" if step.get("vga") else ".ppm"))
    if os.path.exists(path):
        os.remove(path)
    command(monitor, f"pmemsave 0xb8000 {COLUMNS * ROWS * 2} \"{path}\"" if step.get("vga") else f"screendump {path}")
    since = time.monotonic()
    while True:
        try:
            with open(path, "rb") as file:
                data = file.read()
            return decode_vga(data) if step.get("vga") else decode(data, letters)
        except (OSError, ScreenError):  # not written yet, or not whole
            if time.monotonic() - since > 10:
                raise
            time.sleep(0.1)


def play(steps, socket_path, serial_file, process, directory, source, complaints):
    """Looks at the screen, each step when its text has appeared on the serial line, until it is as it should be or nothing changes any more
    for a while; then ends the machine."""
    letters, patience, writes = font(source), 20, "CAISSON_WRITE_GOLDEN" in os.environ
    try:
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.settimeout(60)
            connected = False
            for step in steps:
                while process.poll() is None:
                    with open(serial_file, "rb") as serial:
                        if step["after"].encode() in serial.read():
                            break
                    time.sleep(0.05)
                if not connected:
                    monitor.connect(socket_path)
                    command(monitor, "")
                    connected = True
                golden = read_golden(os.path.join(step["folder"], step["golden"]))
                since = time.monotonic()
                while True:
                    seen = look(step, monitor, directory, letters)
                    wrong = compare(seen, golden)
                    if not wrong or time.monotonic() - since > (2 if writes else patience):
                        break
                    time.sleep(0.2)
                if wrong and writes:
                    with open(os.path.join(step["folder"], step["golden"]), "w", encoding="utf-8") as file:
                        file.write("".join(f"{next((c for c in inks if c), '-'):5}|{row}\n" for row, inks in zip(seen.rows, seen.colours)))
                    wrong = []
                complaints += [f"{step['golden']}: {text}" for text in wrong]
    except (OSError, ScreenError) as error:
        complaints.append(f"the screen: {error}")
    process.terminate()  # QEMU ends in order then, with status 0
