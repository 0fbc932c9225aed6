"""work.py WORKLOAD AGE WARM SPAN FOLDER: services in Python, some of which lose something.

Says what the programs in C say (work.h): "ready"; what it has lost after SPAN seconds; "done".
"""

import asyncio
import gc
import os
import random
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time

WORKLOAD, AGE, WARM, SPAN, FOLDER = sys.argv[1], *map(float, sys.argv[2:5]), sys.argv[5]
random.seed(WORKLOAD)
kept = []


def say(*words):
    print(*words, flush=True)


def may_lose():
    return time.monotonic() - begun < SPAN


def one_file():
    return open(__file__, "rb")


def peer():
    """A server that reads what comes, with a thread for each connection."""
    listening = socket.create_server(("127.0.0.1", 0))

    def read_all(connection):
        with connection:
            while connection.recv(100):
                pass

    def accept():
        while True:
            threading.Thread(target=read_all, args=(listening.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listening.getsockname()


def files_kept(turn):
    """Leaks files: a list of them that is only ever appended to."""
    with one_file() as source:
        source.read(10)
    if turn % 4 == 0 and may_lose():
        kept.append(one_file())


def sockets_kept(turn):
    """Leaks sockets: a cache of connections under a key that is new each time."""
    with socket.create_connection(address) as connection:
        connection.send(b"x")
    if turn % 4 == 0 and may_lose():
        kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))


def mixed_service(turn):
    """Leaks nothing: temporary files, connections of all lengths, a program now and then."""
    now = time.monotonic()
    for connection, until in list(kept):
        if until < now:
            kept.remove((connection, until))
            connection.close()
    with tempfile.TemporaryFile() as scratch:
        scratch.write(b"x" * 5000)
    kept.append((socket.create_connection(address), now + random.uniform(0.1, 1.8) * AGE))
    if turn % 10 == 0:
        subprocess.run(["true"], check=True)


def objects_come_and_go(turn):
    """Leaks nothing: a list at its capacity, and cycles, which are collected about once in an age."""
    gc.set_threshold(700, 10, 3)
    for number in range(1000):
        kept.append([number] * random.randint(1, 50))
        kept[-1].append(kept[-1])
    del kept[:-3000]


def asyncio_server():
    """Leaks nothing: a server and its clients in one loop, which come and go."""

    async def serve(reader, writer):
        while await reader.read(100):
            pass
        writer.close()

    async def be_client(port):
        while True:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.sleep(random.expovariate(1.5 / AGE))
            writer.close()

    async def all_of_it():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        clients = [asyncio.create_task(be_client(port)) for _ in range(10)]
        await asyncio.to_thread(go_on, lambda turn: None)
        # What waits in the loop is not worth an orderly end.
        os._exit(len(clients) - 10)

    asyncio.run(all_of_it())


LOSES = {"files_kept": "fd file", "sockets_kept": "socket udp"}


def go_on(step):
    turn, told = 0, False
    while True:
        step(turn)
        turn += 1
        if not told and not may_lose():
            told = True
            if WORKLOAD in LOSES:
                say("finds", os.getpid(), "leak", LOSES[WORKLOAD], len(kept), "* *")
            say("done")
        if select.select([0], [], [], AGE / 20)[0]:
            return


address = peer() if WORKLOAD in ("sockets_kept", "mixed_service") else None
say("ready")
os.read(0, 100)
begun = time.monotonic()
if WORKLOAD == "asyncio_server":
    asyncio_server()
else:
    go_on(globals()[WORKLOAD])
os._exit(0)
