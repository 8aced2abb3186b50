"""A client's webhook receiver, as small as it can be: it notes what comes and answers as told."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Got:
    """One webhook as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def document(self) -> dict[str, Any]:
        """Give the body as JSON."""
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def type(self) -> str:
        """Give an event's type, or the status where there is none."""
        return str(self.document.get("type") or self.document["status"])


@dataclass
class Receiver:
    """A server of its own thread.

    Args:
        answers: statuses of the next answers; afterwards all are `usual`.
        pause_s: before each answer.
    """

    usual: int = 204
    answers: deque[int] = field(default_factory=deque)
    pause_s: float = 0.0
    got: list[Got] = field(default_factory=list)
    peers: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Start to listen."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.got.append(Got(self.path, headers, body, time.time()))
                receiver.peers.add(self.client_address)
                time.sleep(receiver.pause_s)
                self.send_response(
                    receiver.answers.popleft() if receiver.answers else receiver.usual
                )
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def wait(self, count: int, seconds: float = 10) -> list[Got]:
        """Wait until so many webhooks have come, and give all."""
        deadline = time.monotonic() + seconds
        while len(self.got) < count:
            assert time.monotonic() < deadline, f"{len(self.got)} of {count} webhooks came"
            time.sleep(0.005)
        return self.got

    def of(self, reference: str) -> list[Got]:
        """Give what came for one reference."""
        return [got for got in self.got if reference.encode() in got.body]

    def close(self) -> None:
        """Stop."""
        self.server.shutdown()
        self.server.server_close()
