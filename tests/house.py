"""A whole house for live tests: configuration, mail servers, and the real daemon as a process of its own.

Job: write a configuration, start `bun-router run` against given servers, put mails in as clients and consultants would,
and wait for what comes out. Used by the live tests, the torture harness and the bench.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from router.ids import Ids
from router.message import Message, read_message

DOMAIN = "coll.example"
SHARED = f"hello@{DOMAIN}"
LIST = f"crew@{DOMAIN}"
PEOPLE = ("anna", "bo", "cy", "kim")

CONFIG = """\
[collective]
name = "The Collective"
address = "{shared}"
list = "{list}"
keeper = "kim"
languages = ["en", "sv"]
operator = "operator@{domain}"
plus_addresses = true

[imap]
host = "127.0.0.1"
port = {imap_port}
security = "{imap_security}"
user = "{user}"
password_env = "BUN_PASSWORD"
{imap_more}

[smtp]
host = "127.0.0.1"
port = {smtp_port}
security = "{smtp_security}"
user = "{smtp_user}"
{smtp_more}

[protocol]
undo_for = "0 seconds"
objection = "0 seconds"
settle = "0 seconds"
{protocol}

[trust]
senders = "address"

[store]
path = "store/buns.json"

{more}
"""


@dataclass
class Running:
    """A house in a folder. `start` runs the daemon; `mail` makes a mail's bytes; nothing here sleeps for luck."""

    folder: Path
    imap_port: int
    smtp_port: int
    user: str
    password: str
    imap_security: str = "plain"
    imap_more: str = ""
    smtp_security: str = "plain"
    smtp_user: str = ""
    smtp_more: str = ""
    protocol: str = ""
    more: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[str] | None = None
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        (self.folder / "store").mkdir(mode=0o700, exist_ok=True)
        self.write_config()

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def store_path(self) -> Path:
        return self.folder / "store" / "buns.json"

    def write_config(self) -> None:
        text = CONFIG.format(
            shared=SHARED,
            list=LIST,
            domain=DOMAIN,
            imap_port=self.imap_port,
            smtp_port=self.smtp_port,
            user=self.user,
            imap_security=self.imap_security,
            imap_more=self.imap_more,
            smtp_security=self.smtp_security,
            smtp_user=self.smtp_user,
            smtp_more=self.smtp_more,
            protocol=self.protocol,
            more=self.more,
        )
        for key in PEOPLE:
            never = "never_claims = true\n" if key == "kim" else ""
            text += f'\n[[consultant]]\nkey = "{key}"\nname = "{key.title()}"\naddresses = ["{key}@{DOMAIN}"]\n{never}'
        self.config.write_text(text)

    # -- the daemon ------------------------------------------------------------------------------------------------

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "router", *words, "--config", str(self.config)]

    def start(self, *words: str) -> subprocess.Popen[str]:
        """`run`, with these words after it; its log goes to daemon.log."""
        with (self.folder / "daemon.log").open("a") as log:
            self.process = subprocess.Popen(
                self.command("run", *words), stderr=log, stdout=log, text=True, env=self._environment()
            )
        return self.process

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "BUN_PASSWORD": self.password, **self.environment}

    def call(self, *words: str, status: int | None = 0) -> str:
        """One command to its end; its standard output. Fails when its status is another."""
        done = subprocess.run(self.command(*words), capture_output=True, text=True, env=self._environment(), timeout=60)
        if status is not None:
            assert done.returncode == status, f"{words}: {done.returncode}, {done.stdout} {done.stderr}"
        return done.stdout + (done.stderr if status else "")

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)

    def stop(self) -> int:
        """SIGTERM, and its exit status. An error when it does not end within ten seconds."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def log(self) -> str:
        path = self.folder / "daemon.log"
        return path.read_text() if path.exists() else ""

    # -- what people see -------------------------------------------------------------------------------------------

    def status(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.call("status", "--json"))
        return found

    def show(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.call("show", str(number), "--json"))
        return found

    def ids(self) -> Ids:
        """The makers of tokens, from this house's own key and installation: for tests that look inside."""
        from router.store import Store

        key = self.store_path.with_name("buns.json.key").read_bytes().strip()
        store = Store(self.store_path, read_only=True)
        return Ids(key, str(store.note("installation")), SHARED)

    # -- mails -----------------------------------------------------------------------------------------------------

    def mail(
        self,
        sender: str,
        subject: str,
        text: str,
        *,
        to: str = SHARED,
        answers: Message | None = None,
        headers: Mapping[str, str] | None = None,
        message_id: str = "",
    ) -> bytes:
        """A mail as an ordinary program writes it."""
        number = next(self._numbers)
        mid = message_id or f"<{number}.{time.time_ns()}@{sender.rstrip('>').rpartition('@')[2]}>"
        lines = {
            "From": sender,
            "To": answers.reply_to[0].address if answers and answers.reply_to else to,
            "Subject": subject,
            "Message-ID": mid,
            "Date": format_datetime(datetime.now(UTC)),
            "MIME-Version": "1.0",
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Transfer-Encoding": "8bit",
        }
        if answers is not None:
            lines["In-Reply-To"] = lines["References"] = answers.message_id
            quote = "\n".join("> " + line for line in answers.text.splitlines()[:8])
            text = f"{text}\n\nOn Mon, 5 Jan 2026 at 10:00, The Collective <{SHARED}> wrote:\n{quote}\n"
        lines.update(headers or {})
        head = "\r\n".join(f"{name}: {value}" for name, value in lines.items())
        return f"{head}\r\n\r\n{text}\r\n".replace("\r\n", "\n").replace("\n", "\r\n").encode()


def sent_to(mails: list[Any], address: str, words: str = "") -> list[Message]:
    """Of recorded mails, those to that address that say these words."""
    out = []
    for mail in mails:
        if address in mail.rcpts:
            message = read_message(mail.raw)
            if words.lower() in f"{message.subject}\n{message.text}".lower():
                out.append(message)
    return out


def wait_for(what: Callable[[], Any], seconds: float = 15.0, why: str = "") -> Any:
    """The first true answer of `what`; AssertionError after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {why or what}")
