#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command and answers questions of SNTP beside it, always with the same time of day.

usage: time_server.py PORT UNIX-SECONDS -- COMMAND...

The exit status is the command's; 1 where nobody asked.
"""
import socket
import struct
import subprocess
import sys
import threading

BETWEEN_EPOCHS = 2208988800  # 1900 to 1970


def serve(server, seconds, asked):
    while True:
        question, sender = server.recvfrom(512)
        if len(question) < 48 or question[0] & 7 != 3:
            continue
        asked.append(question)
        head = struct.pack(">BBbb", 0x24, 2, 6, -20) + struct.pack(">III", 0x100, 0x100, 0x7F000001)
        stamp = (seconds + BETWEEN_EPOCHS) << 32
        server.sendto(head + struct.pack(">QQQQ", stamp, struct.unpack(">Q", question[40:48])[0], stamp, stamp), sender)


def main():
    port, seconds, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[sys.argv.index("--") + 1:]
    asked = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", port))
        threading.Thread(target=serve, args=(server, seconds, asked), daemon=True).start()
        status = subprocess.run(command, check=False).returncode
    if not asked:
        print("nobody asked for the time", file=sys.stderr)
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
