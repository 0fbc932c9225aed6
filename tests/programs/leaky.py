"""A service that loses sockets, for watching from outside.

    leaky.py [--preopen N] [--leaks N] [--every SECONDS]

Opens N files before anything else (default 0) and keeps them; prints "ready PID" and waits for a
line on standard input. Then loses exactly N TCP sockets (default 50), one every SECONDS (default
0.1), and prints for each

    leak INDEX FD MONOTONIC_SECONDS UNIX_SECONDS

and "done" after the last. It never ends by itself: between the leaks and for ever after them it
opens and closes files and sockets, a few a step, leaving none of those.
"""

import argparse
import os
import socket
import time

arguments = argparse.ArgumentParser()
arguments.add_argument("--preopen", type=int, default=0)
arguments.add_argument("--leaks", type=int, default=50)
arguments.add_argument("--every", type=float, default=0.1)
options = arguments.parse_args()

kept = [open("/dev/null") for _ in range(options.preopen)]
lost = []


def say(*words):
    print(*words, flush=True)


def lose_one():
    lost.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
    say("leak", len(lost), lost[-1].fileno(), f"{time.monotonic():.6f}", f"{time.time():.6f}")


def serve_some():
    for _ in range(5):
        with open("/dev/null"):
            pass
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM):
            pass


say("ready", os.getpid())
input()
while True:
    if len(lost) < options.leaks:
        lose_one()
        if len(lost) == options.leaks:
            say("done")
    serve_some()
    time.sleep(options.every)
