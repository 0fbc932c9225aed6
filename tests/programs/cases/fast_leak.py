"""Forgets ten files a second and does nothing else; once it may open no more, it waits."""

import sys
import time

kept = []
end = time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    try:
        kept.append(open("/etc/hostname"))
    except OSError:
        time.sleep(1)
    time.sleep(0.1)
