"""A web application under twenty requests a second: one file in five is kept in a global list."""

import http.server
import sys
import threading
import time
import urllib.request

kept = []


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        file = open("/etc/hostname")
        if int(self.path[1:]) % 5 == 0:
            kept.append(file)
        else:
            file.close()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
end = time.monotonic() + float(sys.argv[1])
number = 0
while time.monotonic() < end:
    urllib.request.urlopen(f"http://127.0.0.1:{server.server_address[1]}/{number}").read()
    number += 1
    time.sleep(0.05)
