"""work.py WORKLOAD AGE WARM SPAN FOLDER: services in Python, some of which lose something.

Says what the programs in C say (work.h): "ready"; what it has lost after SPAN seconds; "done".
"""

import asyncio
import gc
import http.client
import http.server
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


class Handler(http.server.BaseHTTPRequestHandler):
    """Forgets the file of one request in five."""

    protocol_version = "HTTP/1.0"

    def do_GET(self):
        source = one_file()
        if int(self.path[1:]) % 5 == 0 and may_lose():
            kept.append(source)
        else:
            source.close()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *words):
        pass


def web_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address


def request_files(turn):
    """Leaks files: a web server with a thread for each request. In seconds: twenty requests in one."""
    connection = http.client.HTTPConnection(*address)
    connection.request("GET", f"/{turn}")
    connection.getresponse().read()
    connection.close()


def fast_files(turn):
    """Leaks files, ten a second, and does nothing else."""
    if may_lose():
        kept.append(one_file())


class Cycle:
    """Closes its socket when the collector finds it."""

    def __init__(self):
        self.me = self
        self.socket = socket.socket()


PERIODS = [10, 10, 10, 10, 40, 12]


def collected_sockets(turn):
    """Leaks nothing: sockets in cycles, which only the collector closes, at uneven times. In seconds."""
    global next_collection
    if turn == 0:
        gc.disable()
        say("at_most", 500)
        next_collection = begun + PERIODS.pop(0)
    Cycle()
    if time.monotonic() >= next_collection:
        gc.collect()
        next_collection = time.monotonic() + (PERIODS.pop(0) if len(PERIODS) > 1 else PERIODS[0])
        gave_back()


def idle_ramp(turn):
    """Leaks nothing: modules and tables are loaded in the first minute, 6 MiB, and then it idles."""
    if time.monotonic() - begun < 60:
        kept.append([object() for _ in range(1500)])


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


LOSES = {
    "files_kept": "fd file",
    "sockets_kept": "socket udp",
    "request_files": "fd file",
    "fast_files": "fd file",
}
# Seconds between two steps, where they are not measured in ages.
PACES = {"request_files": 0.05, "fast_files": 0.1, "collected_sockets": 0.1, "idle_ramp": 0.5}
said = set()


def say_once(word):
    """With the time, in seconds since 1970."""
    if word not in said:
        said.add(word)
        say(word, f"{time.time():.3f}")


def gave_back():
    """Who has not seen this yet cannot tell what stayed from a leak."""
    say("gave_back", f"{time.time():.3f}")


def go_on(step):
    turn, told = 0, False
    while True:
        step(turn)
        turn += 1
        if WORKLOAD in LOSES and kept:
            say_once("first")
        if not told and not may_lose():
            told = True
            if WORKLOAD in LOSES:
                say("finds", os.getpid(), "leak", LOSES[WORKLOAD], len(kept), "* *")
            say("done")
        if select.select([0], [], [], PACES.get(WORKLOAD, AGE / 20))[0]:
            return


address = peer() if WORKLOAD in ("sockets_kept", "mixed_service") else None
if WORKLOAD == "request_files":
    address = web_server()
say("ready")
os.read(0, 100)
begun = time.monotonic()
if WORKLOAD == "asyncio_server":
    asyncio_server()
else:
    go_on(globals()[WORKLOAD])
os._exit(0)
