"""A browser for tests: headless Chromium, spoken to over a pipe in its own protocol (CDP).

No driver and no package is needed: the messages are JSON, each ended by a zero byte. Everything
that the page writes to its console, and every request that it makes, is kept.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Page", "browsing", "program"]

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_WAIT_MAX = 30.0
_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-extensions", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--remote-debugging-pipe"),
)


@dataclass
class Page:
    """One tab.

    Args:
        requests: addresses that it asked for, in order.
        console: what it wrote to its console, and exceptions of its scripts.
    """

    asks: int
    tells: int
    session: str = ""
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _rest: bytes = b""
    _loaded: int = 0

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        number = next(self._numbers)
        message: dict[str, object] = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.asks, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                found: dict[str, Any] = answer["result"]
                return found

    def open(self, address: str) -> None:
        """Go there and wait until all is loaded."""
        before = self._loaded
        self.ask("Page.navigate", url=address)
        while self._loaded == before:
            self._next()

    def says(self, expression: str) -> Any:  # noqa: ANN401  whatever the expression is
        """The value of an expression in the page."""
        made = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in made, made
        return made["result"].get("value")

    def window(self, width: int, height: int = 900) -> None:
        """Show the page as a window of this size does."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.ask("Emulation.setDeviceMetricsOverride", **size)

    def prefer(self, scheme: str) -> None:
        """Show the page to somebody who likes it `light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", features=features)

    def pdf(self) -> bytes:
        """The page as it prints."""
        return base64.b64decode(self.ask("Page.printToPDF", printBackground=True)["data"])

    def _next(self) -> dict[str, Any]:
        """The next message; events are kept as they pass by."""
        until = time.monotonic() + _WAIT_MAX
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self.tells], [], [], max(0, until - time.monotonic()))
            more = os.read(self.tells, 1 << 20) if ready else b""
            assert more, "the browser said nothing more"
            self._rest += more
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._keep(message.get("method", ""), message.get("params", {}))
        return message

    def _keep(self, event: str, about: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])
        elif event == "Runtime.consoleAPICalled":
            self.console.append(str(about["args"]))
        elif event in {"Runtime.exceptionThrown", "Log.entryAdded"}:
            self.console.append(str(about))
        elif event == "Page.loadEventFired":
            self._loaded += 1


def program() -> str | None:
    """Where Chromium is; none where there is none."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextmanager
def browsing(profile: Path) -> Iterator[Page]:
    """Start a browser with one empty tab."""
    found = program()
    if found is None:
        pytest.fail("there is no Chromium: apt install chromium (or have google-chrome in PATH)")
    to_read, asks = os.pipe()
    tells, to_write = os.pipe()

    def renumbered() -> None:
        """The browser reads at 3 and writes at 4."""
        high_read, high_write = os.dup(to_read), os.dup(to_write)
        os.dup2(high_read, 3)
        os.dup2(high_write, 4)

    process = subprocess.Popen(
        [found, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        close_fds=False,
        preexec_fn=renumbered,  # noqa: PLW1509  the tests' process has one thread here
        start_new_session=True,
    )
    os.close(to_read)
    os.close(to_write)
    page = Page(asks, tells)
    try:
        tabs = page.ask("Target.getTargets")["targetInfos"]
        tab = next(one["targetId"] for one in tabs if one["type"] == "page")
        page.session = page.ask("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            page.ask(f"{domain}.enable")
        yield page
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its helpers too; the profile goes with them
        process.wait()
        os.close(asks)
        os.close(tells)
