"""Sockets in reference cycles, which only the collector closes; two are always alive.

collected.py SECONDS RATE PERIOD...: the last period repeats.
"""

import gc
import socket
import sys
import time

gc.disable()
end = time.monotonic() + float(sys.argv[1])
rate, *periods = map(float, sys.argv[2:])


class Cycle:
    def __init__(self):
        self.me = self
        self.socket = socket.socket()


alive = []
due = time.monotonic() + periods.pop(0)
while time.monotonic() < end:
    alive.append(Cycle())
    del alive[:-2]
    if time.monotonic() >= due:
        gc.collect()
        due = time.monotonic() + (periods.pop(0) if len(periods) > 1 else periods[0])
    time.sleep(1 / rate)
