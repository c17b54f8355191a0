"""JupyterLab on this machine, Debian's Chromium to look at it, and what kernel and page say to each other.

Used by the tests of the explorers, by `benchmarks.exploring` and by ``docs/screenshots.py``. Nothing here reaches
beyond loopback: the server has a folder of its own for all it reads and writes, and looks for no news and no updates.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Browser, Page, WebSocket, sync_playwright

__all__ = ["Lab", "Message", "Wire", "chromium", "chromium_path", "lab_server", "missing_chromium", "new_page"]

_ROOT = Path(__file__).resolve().parents[1]
_SECONDS_TO_START = 60

# The sandbox needs privileges that containers do not have. Without the rest the browser calls its maker's hosts, and
# Voila's page those of its fonts: whether there is a network or not, a test sees the same.
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip

_SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "apputils-extension/themes": {"theme": "JupyterLab Light"},
    # What is not asked for does not disturb what is measured, nor what is compared.
    "completer-extension/manager": {"autoCompletion": False},
    "docmanager-extension/plugin": {"autosave": False},
}


# --- The browser ---


def chromium_path() -> str:
    """Return where Chromium is, or should be."""
    found = shutil.which("chromium") or "/usr/bin/chromium"
    return os.environ.get("CHROMIUM", found)


def missing_chromium() -> str:
    """Say how to get Chromium where there is none; nothing where it is there."""
    path = chromium_path()
    if os.access(path, os.X_OK):
        return ""
    return f"no Chromium in {path}: apt install chromium fonts-dejavu-core, or set CHROMIUM to where it is"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium. While it runs this thread has an event loop, so that others cannot have one."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def new_page(browser: Browser, height: int = 1700, width: int = 1500) -> Page:
    """Open a page, with cookies of its own, that is high enough for an explorer."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, locale="en-US", timezone_id="UTC", color_scheme="light"
    )
    return context.new_page()


# --- The server ---


@dataclass(frozen=True)
class Lab:
    """A JupyterLab server that runs.

    Attributes
    ----------
    url, token
        Where it listens on loopback, and what lets in.
    notebooks
        The folder that it serves.
    log
        What it and its kernels wrote.
    """

    url: str
    token: str
    notebooks: Path
    log: Path

    def address(self, name: str) -> str:
        """Return the address of a notebook in JupyterLab, where it is the only one that is open."""
        return f"{self.url}lab/workspaces/{Path(name).stem}/tree/{name}?token={self.token}"

    def voila_address(self, name: str) -> str:
        """Return the address of a notebook in Voila."""
        return f"{self.url}voila/render/{name}?token={self.token}"

    def write(self, name: str, cells: list[str]) -> Path:
        """Write a notebook with cells of code that have not been run."""
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, self.notebooks / name)
        return self.notebooks / name


@contextmanager
def lab_server(folder: Path) -> Iterator[Lab]:
    """Run JupyterLab, and Voila beside it, on a free port of loopback, with everything it keeps in a folder."""
    notebooks, runtime, log = folder / "notebooks", folder / "runtime", folder / "server.log"
    notebooks.mkdir(parents=True)
    _write_settings(folder / "settings")
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1",
        # It tries another port where somebody has this one, and writes down which one it got.
        "--ServerApp.port_retries=100", f"--ServerApp.root_dir={notebooks}",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None",
        "--LabApp.extension_manager=readonly", "--LabApp.expose_app_in_browser=True",
    ]  # fmt: skip
    with log.open("w") as written:
        server = subprocess.Popen(command, env=_environment(folder), stdout=written, stderr=subprocess.STDOUT)
        try:
            known = _started(server, runtime, log)
            yield Lab(known["url"], known["token"], notebooks, log)
        finally:
            server.terminate()
            server.wait(timeout=30)


def _environment(folder: Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "MPLBACKEND"))}
    places = {
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces", "IPYTHONDIR": "ipython",
    }  # fmt: skip
    of_its_own = {name: str(folder / place) for name, place in places.items()}
    return {**environment, **of_its_own, "PYTHONPATH": str(_ROOT), "TZ": "UTC"}


def _write_settings(folder: Path) -> None:
    for plugin, settings in _SETTINGS.items():
        path = folder / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(settings), encoding="utf-8")


def _started(server: subprocess.Popen[bytes], runtime: Path, log: Path) -> dict[str, Any]:
    """Return what a server wrote down of itself once it listens."""
    written = runtime / f"jpserver-{server.pid}.json"
    for _ in range(_SECONDS_TO_START * 10):
        if server.poll() is not None:
            break
        if written.exists():
            try:
                return dict(json.loads(written.read_text()))
            except json.JSONDecodeError:  # half of it is there
                pass
        time.sleep(0.1)
    server.kill()
    raise AssertionError(f"JupyterLab did not start:\n{log.read_text()}")


# --- The wire ---


@dataclass(frozen=True)
class Message:
    """One message between page and kernel: its bytes, what it is, and to which one it belongs."""

    sent: bool
    size: int
    channel: str
    kind: str
    id: str
    parent: str
    content: dict[str, Any]

    @classmethod
    def read(cls, frame: bytes, *, sent: bool) -> Message:
        """Read a frame of the protocol v1.kernel.websocket.jupyter.org: how many places, the places, and the parts."""
        (count,) = struct.unpack_from("<Q", frame)
        places = struct.unpack_from(f"<{count}Q", frame, 8)
        channel, header, parent, _, content = (frame[begin:end] for begin, end in pairwise(places[:6]))
        head, before = json.loads(header), json.loads(parent)
        return cls(
            sent, len(frame), channel.decode(), head["msg_type"], head["msg_id"], before.get("msg_id", ""),
            json.loads(content),
        )  # fmt: skip


class Wire:
    """All that a page and its kernel say to each other from now on."""

    def __init__(self, page: Page) -> None:
        self.messages: list[Message] = []
        page.on("websocket", self._listen)

    @property
    def busy(self) -> bool:
        """Whether the kernel has not yet done all that it was asked."""
        asked = {message.id for message in self.messages if message.sent and message.channel == "shell"}
        done = {
            message.parent
            for message in self.messages
            if message.kind == "status" and message.content["execution_state"] == "idle"
        }
        return not asked <= done

    @property
    def changes(self) -> int:
        """How many changes of widgets the kernel has sent."""
        return sum(message.kind == "comm_msg" and not message.sent for message in self.messages)

    def kinds(self, since: int = 0) -> set[str]:
        """Return which kinds of messages the kernel sent."""
        return {message.kind for message in self.messages[since:] if not message.sent}

    def largest(self) -> int:
        """Return the bytes of the largest message, whoever sent it."""
        return max(message.size for message in self.messages)

    def _listen(self, socket: WebSocket) -> None:
        if "/channels" in socket.url:  # others tell of the server, not of the kernel
            socket.on("framesent", partial(self._take, sent=True))
            socket.on("framereceived", partial(self._take, sent=False))

    def _take(self, frame: str | bytes, *, sent: bool) -> None:
        assert isinstance(frame, bytes), "the server speaks an older protocol"
        self.messages.append(Message.read(frame, sent=sent))
