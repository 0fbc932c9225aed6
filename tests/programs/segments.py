"""Shared memory with a name, in /dev/shm.

    segments.py left NAME       three segments; two are unlinked, the third is left
    segments.py semaphore NAME  a semaphore, by sem_open, that is left
    segments.py healthy NAME    used as it should be: by one process, by a child and its parent, who
                                waits before it unlinks, and with a resource tracker
    segments.py existing NAME   opens with O_CREAT what is there already
    segments.py workers NAME    one child after the other leaves a segment, then waits
    segments.py grows NAME      a segment a quarter of a second, none of which is unlinked

NAME begins the names of all of them.
"""

import ctypes
import mmap
import os
import sys
import time
from multiprocessing import Process, resource_tracker
from multiprocessing.shared_memory import SharedMemory

what, name = sys.argv[1:]


def create(suffix):
    """Without a tracker: as shm_open(3) and mmap(2) do it."""
    path = f"/dev/shm/{name}{suffix}"
    file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    os.ftruncate(file, 65536)
    place = mmap.mmap(file, 65536)
    os.close(file)
    place[0] = 1
    place.close()
    return path


def left():
    for number in range(3):
        segment = SharedMemory(name=f"{name}{number}", create=True, size=4096)
        segment.buf[0] = number
        segment.close()
        if number < 2:
            segment.unlink()
        else:
            resource_tracker.unregister(segment._name, "shared_memory")


def semaphore():
    libc = ctypes.CDLL(None, use_errno=True)
    libc.sem_open.restype = ctypes.c_void_p
    assert libc.sem_open(f"/{name}".encode(), os.O_CREAT, 0o600, 1)


def in_child(work):
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    os.waitpid(child, 0)


def use(segment_name):
    segment = SharedMemory(name=segment_name)
    segment.buf[0] = 1
    segment.close()


def healthy():
    os.unlink(create("alone"))
    in_child(lambda: create("child"))
    time.sleep(3)
    os.unlink(f"/dev/shm/{name}child")
    segment = SharedMemory(name=f"{name}tracked", create=True, size=4096)
    user = Process(target=use, args=(segment.name,))
    user.start()
    user.join()
    segment.close()
    segment.unlink()


def existing():
    os.close(os.open(f"/dev/shm/{name}before", os.O_CREAT | os.O_RDWR, 0o600))


def workers():
    for number in range(14):
        in_child(lambda: create(number))
    time.sleep(600)


def grows():
    for number in range(2400):
        create(number)
        time.sleep(0.25)


globals()[what]()
