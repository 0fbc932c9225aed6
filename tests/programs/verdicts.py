"""Programs whose verdict is a matter of time.

    verdicts.py forgets    closes four of five files at once, and forgets the fifth: one in 250 ms
    verdicts.py keeps      opens one file of many names in 100 ms, and closes none
    verdicts.py collected  ten sockets a second, each closed by the garbage collector alone, which
                           runs every ten seconds, once after forty

Each runs until it is ended.
"""

import gc
import os
import socket
import sys
import tempfile
import time

kept = []


def forgets():
    for number in range(1_000_000):
        file = open("/etc/hostname")
        if number % 5:
            file.close()
        else:
            kept.append(file)
        time.sleep(0.05)


def keeps():
    with tempfile.TemporaryDirectory() as directory:
        for number in range(1_000_000):
            kept.append(open(os.path.join(directory, str(number % 50)), "w"))
            time.sleep(0.1)


class Cycle:
    def __init__(self):
        self.me = self
        self.socket = socket.socket()


def collected():
    gc.disable()
    pauses = iter([10, 10, 40] + 1_000 * [10])
    due = time.monotonic() + next(pauses)
    while True:
        Cycle()
        if time.monotonic() >= due:
            gc.collect()
            due = time.monotonic() + next(pauses)
        time.sleep(0.1)


{"forgets": forgets, "keeps": keeps, "collected": collected}[sys.argv[1]]()
