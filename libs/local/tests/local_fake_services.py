"""A stand-in for the four services in tests of the stack: small real processes.

``gateway`` answers the health request; it calls a service healthy once that service has written its name
into the folder of heartbeats. The others write their name and wait.
"""

from __future__ import annotations

import http.server
import json
import os
import signal
import sys
import threading
from pathlib import Path


def main() -> None:
    role, folder = sys.argv[1], Path(os.environ["HEARTBEATS"])
    folder.mkdir(exist_ok=True)
    (folder / role).write_text(str(os.getpid()))
    print(f"{role} is up", flush=True)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    if role == "gateway":
        serve(folder)
    ended.wait()
    (folder / f"{role}.ended").touch()


def serve(folder: Path) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            names = ("gateway", "scheduler", "worker", "results")
            services = [
                {"name": n, "status": "healthy" if (folder / n).exists() else "missing"} for n in names
            ]
            body = json.dumps({"status": "ok", "details": {"services": services}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    address = (os.environ["FRAMELOOM_GATEWAY_HOST"], int(os.environ["FRAMELOOM_GATEWAY_PORT"]))
    server = http.server.ThreadingHTTPServer(address, Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


if __name__ == "__main__":
    main()
