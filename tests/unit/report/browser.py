"""A real Chromium, spoken to over its DevTools pipe: what it logs, asks for, shows and prints."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def installed() -> str | None:
    """Where it lies; None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Browser:
    """One page in one browser; everything that it does is kept.

    Attributes:
        requested: The addresses that the page asked for, the page's own first.
        complaints: What stood in its console: exceptions, errors, violations of its policy.
    """

    def __init__(self, program: str, profile: Path) -> None:
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self._loaded = False
        self._number = 0
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()

        def wire() -> None:
            # It reads from 3 and writes to 4; by way of high numbers, as these may be in the way.
            high = [fcntl.fcntl(each, fcntl.F_DUPFD, 50) for each in (theirs_in, theirs_out)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self._process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu",
             "--remote-debugging-pipe", "--disable-dev-shm-usage", "--disable-extensions",
             "--disable-background-networking", "--no-first-run", "--force-device-scale-factor=1",
             "--hide-scrollbars", f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(3, 4), preexec_fn=wire, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._in = os.fdopen(ours_in, "rb")
        self._out = os.fdopen(ours_out, "wb")
        target = self._ask("Target.createTarget", {"url": "about:blank"})["targetId"]
        told = self._ask("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._session = told["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.do(f"{domain}.enable")

    def close(self) -> None:
        """End it."""
        with contextlib.suppress(OSError, AssertionError, ValueError):
            self._ask("Browser.close", {})
        self._in.close()
        with contextlib.suppress(OSError):
            self._out.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def open(self, path: Path, width: int = 1000, height: int = 1400) -> None:
        """Open a file."""
        self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self._loaded = False
        self.do("Page.navigate", url=path.resolve().as_uri())
        while not self._loaded:
            self._hear()

    def ask(self, expression: str) -> Any:
        """What an expression gives in the page."""
        told = self.do("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in told, told
        return told["result"].get("value")

    def picture(self, path: Path) -> None:
        """Write the whole page as a PNG."""
        told = self.do("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def printed(self) -> bytes:
        """The page as a PDF, as a printer would get it."""
        told = self.do("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(told["data"])

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        """One command to the page."""
        return self._ask(method, params, self._session)

    def _ask(self, method: str, params: dict[str, Any], session: str = "") -> dict[str, Any]:
        self._number += 1
        number = self._number
        message = {"id": number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        self._out.write(json.dumps(message).encode() + b"\0")
        self._out.flush()
        while True:
            told = self._hear()
            if told.get("id") == number:
                assert "error" not in told, told
                found: dict[str, Any] = told["result"]
                return found

    def _hear(self) -> dict[str, Any]:
        text = bytearray()
        while (sign := self._in.read(1)) not in (b"\0", b""):
            text += sign
        assert text, "the browser ended"
        told: dict[str, Any] = json.loads(text)
        method, params = told.get("method"), told.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requested.append(params["request"]["url"])
        elif method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(json.dumps(params["args"]))
        return told
