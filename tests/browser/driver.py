"""A real chromium, driven through chromedriver's plain HTTP (W3C WebDriver), headless and alone."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Browser:
    """One window. Close it, or use it in a `with`."""

    def __init__(self, folder: Path, *, scripts: bool = True, size: str = "1360,1200") -> None:
        port = free_port()
        self._base = f"http://127.0.0.1:{port}"
        self._process = subprocess.Popen(
            [str(DRIVER), f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        options: dict[str, Any] = {
            "binary": CHROMIUM,
            "args": [*_QUIET, f"--user-data-dir={folder}", f"--window-size={size}"],
        }
        if not scripts:
            options["prefs"] = {"profile.managed_default_content_settings.javascript": 2}
        capabilities = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self._wait()
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self._session = f"/session/{made['sessionId']}"

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._ask("DELETE", self._session)
        finally:
            self._process.terminate()
            self._process.wait(10)

    def open(self, url: str) -> None:
        self._ask("POST", f"{self._session}/url", {"url": url})

    @property
    def url(self) -> str:
        return str(self._ask("GET", f"{self._session}/url"))

    def click(self, css: str) -> None:
        self._ask("POST", f"{self._session}/element/{self._find(css)}/click", {})

    def text(self, css: str) -> str:
        return str(self._ask("GET", f"{self._session}/element/{self._find(css)}/text"))

    def style(self, css: str, name: str) -> str:
        return str(self._ask("GET", f"{self._session}/element/{self._find(css)}/css/{name}"))

    def run(self, script: str) -> Any:
        body = {"script": script, "args": []}
        return self._ask("POST", f"{self._session}/execute/sync", body)

    def scheme(self, name: str) -> None:
        """Prefer light or dark, as a reader's system would."""
        feature = {"name": "prefers-color-scheme", "value": name}
        body = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": [feature]}}
        self._ask("POST", f"{self._session}/goog/cdp/execute", body)

    def complaints(self) -> list[str]:
        """What the page wrote to the console: errors, and what the policy refused."""
        entries = self._ask("POST", f"{self._session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries]

    def picture(self) -> bytes:
        return base64.b64decode(self._ask("GET", f"{self._session}/screenshot"))

    def _find(self, css: str) -> str:
        body = {"using": "css selector", "value": css}
        return str(self._ask("POST", f"{self._session}/element", body)[_ELEMENT])

    def _wait(self) -> None:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                if self._ask("GET", "/status")["ready"]:
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("chromedriver did not come up")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as err:
            raise AssertionError(json.load(err)["value"]["message"]) from err
