"""Is the daemon well? What `bun-router health` says to monitors, and what systemd is told.

Job: read the health file that the daemon writes and name every fault in it, and speak sd_notify(3). Shell.

The file is rewritten at least every half minute, so a daemon that was killed or hangs is known by the file's age, and
where we can see its process, at once.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

STALE = timedelta(minutes=2)  # since the file was written
DEAF = timedelta(minutes=15)  # since all folders were last read


def read_health(path: Path) -> dict[str, Any] | None:
    """What the daemon wrote last; None where there is nothing that can be read."""
    try:
        doc = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return doc if isinstance(doc, dict) and {"at", "running", "imap", "smtp", "disk"} <= doc.keys() else None


def faults_of(doc: Mapping[str, Any], now: datetime) -> list[str]:
    """Everything that is not as it should be, a phrase each; empty when all is well."""
    if not doc["running"]:
        return ["the daemon has been stopped"]
    age = now - datetime.fromisoformat(doc["at"])
    if is_gone(doc):
        return [f"the daemon is not running: process {doc['pid']} ended without saying so"]
    faults = [f"{name}: {doc[name]}" for name in ("imap", "smtp", "disk") if doc[name] != "ok"]
    if age > STALE:
        faults.append(f"the daemon was last heard of {age.total_seconds():.0f} s ago; it hangs or is not running")
    heard = datetime.fromisoformat(doc.get("heard") or doc.get("started") or doc["at"])
    if doc["imap"] == "ok" and age <= STALE and now - heard > DEAF:
        faults.append(f"imap: the folders were last read {(now - heard).total_seconds() // 60:.0f} minutes ago")
    if (doc.get("canary") or {}).get("told"):
        faults.append("the canary is late: a mail to ourselves has not come back")
    return faults


def is_gone(doc: Mapping[str, Any]) -> bool:
    """Whether the process is no more; False also where we cannot know, as on another machine or in a container."""
    if doc.get("host") != this_host() or not isinstance(doc.get("pid"), int):
        return False
    try:
        os.kill(doc["pid"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def this_host() -> str:
    """This machine's name and its table of processes: a container has its own."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)), where it asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.connect("\0" + address[1:] if address.startswith("@") else address)
        sock.send(state.encode())
