# SPDX-License-Identifier: Apache-2.0
"""How long a program has had its way, whatever else the machine does: what every time limit of the harness counts.

A second counts when the program computed for it (its busiest thread; threads that run side by side count once) or when
all its threads slept by their own choice. A thread that is ready and waits for a CPU, or for a disk, counts nothing, so
a limit means the same on an idle machine and on a busy one. A program that hangs asleep still ends.
"""
import os
import signal
import subprocess
import sys
import threading
import time

LOOK = 0.2  # seconds between two looks
TICK = 1 / os.sysconf("SC_CLK_TCK")
# Fields of /proc/PID/stat (proc(5)) after the name in parentheses: 3 state, 6 session, 14 utime, 15 stime.
STATE, SESSION, UTIME, STIME = 0, 3, 11, 12


def fields(path):
    try:
        with open(path, "rb") as file:
            return file.read().rsplit(b")", 1)[-1].split()
    except OSError:
        return None  # it ended meanwhile


def numbers(path):
    try:
        return [name for name in os.listdir(path) if name.isdigit()]
    except OSError:
        return []


class Patience:
    """Watches every process of the session whose leader is `leader`; it is started with start_new_session=True."""

    def __init__(self, leader, limit):
        self.leader, self.limit = leader, limit
        self.used, self.seen, self.last = 0.0, {}, time.monotonic()

    def look(self):
        """Adds what passed since the last look. -> whether the limit is reached"""
        now, most, waiting, seen = time.monotonic(), 0.0, False, {}
        for process in numbers("/proc"):
            own = fields(f"/proc/{process}/stat")
            if not own or len(own) <= STIME or int(own[SESSION]) != self.leader:
                continue
            for thread in numbers(f"/proc/{process}/task"):
                task = fields(f"/proc/{process}/task/{thread}/stat")
                if not task or len(task) <= STIME:
                    continue
                seen[thread] = (int(task[UTIME]) + int(task[STIME])) * TICK
                most = max(most, seen[thread] - self.seen.get(thread, 0.0))
                waiting |= task[STATE] in (b"R", b"D")
        passed = now - self.last
        self.used += most if waiting else passed
        self.seen, self.last = seen, now
        return self.used >= self.limit


class Stillness:
    """How long no process of a session has computed anything: it waits, and for nothing that comes."""

    def __init__(self, leader):
        self.leader, self.used, self.since = leader, -1, time.monotonic()

    def look(self):
        """-> seconds"""
        own = [fields(f"/proc/{process}/stat") for process in numbers("/proc")]
        used = sum(int(one[UTIME]) + int(one[STIME]) for one in own if one and len(one) > STIME and int(one[SESSION]) == self.leader)
        if used != self.used:
            self.used, self.since = used, time.monotonic()
        return time.monotonic() - self.since


def kill(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def wait(process, limit, more=lambda: False):
    """Until the process has ended and nothing more is wanted of it, or kills its session at the limit.
    -> whether the limit passed"""
    patience = Patience(process.pid, limit)
    while True:
        try:
            process.wait(LOOK)
        except subprocess.TimeoutExpired:
            pass
        else:
            if not more():
                return False
            time.sleep(LOOK)
        if patience.look():
            kill(process)
            return True


def run(command, limit, **options):
    """As subprocess.run with its streams captured, under such a limit. Raises subprocess.TimeoutExpired."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    process = subprocess.Popen(command, start_new_session=True, **streams)
    said, readers = [b"", b""], []

    def read(index, stream):
        with stream:
            said[index] = stream.read()

    for index, stream in enumerate((process.stdout, process.stderr)):
        if stream:
            readers.append(threading.Thread(target=read, args=(index, stream), daemon=True))
            readers[-1].start()
    # What the program left running may still write: its output ends when nobody holds the stream.
    late = wait(process, limit, lambda: any(reader.is_alive() for reader in readers))
    for reader in readers:
        reader.join(5)
    if late:
        raise subprocess.TimeoutExpired(command, limit, *said)
    return subprocess.CompletedProcess(command, process.returncode, *said)


def main():
    """patience.py SECONDS PROGRAM ARGUMENT...: ends as PROGRAM does (128 + n for a signal), or with 124 at the limit."""
    process = subprocess.Popen(sys.argv[2:], start_new_session=True, stdin=subprocess.DEVNULL)
    if wait(process, float(sys.argv[1])):
        sys.exit(124)
    sys.exit(process.returncode if process.returncode >= 0 else 128 - process.returncode)


if __name__ == "__main__":
    main()
