"""Mail servers for the live tests: one private Dovecot, and an embedded hub or a scripted server for each test."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from router.inbox import Inbox
from router.mailhub import MailHub
from tests.live.scripted_imap import ScriptedImap
from tests.open_house import OpenHouse, opened
from tests.servers import HOST, Dovecot, RecordingSmtp, ServerMissing

FULL = [f"full{number}" for number in range(5)]  # users of the session's Dovecot whose mailbox takes one mail
_users = itertools.count(1)


@pytest.fixture(scope="session")
def dovecot() -> Iterator[Dovecot]:
    try:
        with Dovecot(limited=dict.fromkeys(FULL, "*:messages=1")) as server:
            yield server
    except ServerMissing as error:
        pytest.skip(f"no real IMAP server to test with: {error}")


@pytest.fixture
def smtp() -> Iterator[RecordingSmtp]:
    with RecordingSmtp() as server:
        yield server


@pytest.fixture
def house(tmp_path: Path, dovecot: Dovecot, smtp: RecordingSmtp) -> Iterator[OpenHouse]:
    """A house whose daemon runs in this process, between the real Dovecot and the recording SMTP server."""
    with opened(tmp_path, dovecot.plain_port, smtp.port, f"house{next(_users)}", dovecot.PASSWORD) as house:
        yield house


@pytest.fixture
def scripted() -> Iterator[ScriptedImap]:
    with ScriptedImap() as server:
        yield server


@dataclass
class Mailbox:
    """A user's mailbox on one of the servers, empty at the start of the test."""

    server: str
    settings: dict[str, Any]
    deliver: Callable[..., None]
    inbox: Inbox

    def another(self, **changes: Any) -> Inbox:
        """A second connection to the same mailbox, not yet connected."""
        return Inbox(**{**self.settings, **changes})


@pytest.fixture(params=[pytest.param("dovecot", marks=pytest.mark.dovecot), "hub"])
def mailbox(request: pytest.FixtureRequest) -> Iterator[Mailbox]:
    """The same mailbox on a real Dovecot and on the embedded hub, connected."""
    if request.param == "dovecot":
        yield from _on_dovecot(request.getfixturevalue("dovecot"))
    else:
        yield from _on_hub()


def _on_dovecot(server: Dovecot) -> Iterator[Mailbox]:
    user = f"u{next(_users)}"

    def deliver(raw: bytes, folder: str = "INBOX", received: datetime | None = None) -> None:
        server.deliver(user, raw, folder, received)

    yield from _connected("dovecot", server.plain_port, user, server.PASSWORD, deliver)


def _on_hub() -> Iterator[Mailbox]:
    with MailHub({"buns": "secret"}, {"buns@hub.test": "buns"}) as server:

        def deliver(raw: bytes, folder: str = "INBOX", received: datetime | None = None) -> None:
            server.deliver("buns@hub.test", raw, folder=folder, received=received)

        yield from _connected("hub", server.imap_port, "buns", "secret", deliver)


def _connected(server: str, port: int, user: str, secret: str, deliver: Callable[..., None]) -> Iterator[Mailbox]:
    settings = {
        "host": HOST,
        "port": port,
        "security": "plain",
        "user": user,
        "secret": lambda: secret,
        "read_timeout": 10.0,
    }
    inbox = Inbox(**settings)
    inbox.connect()
    yield Mailbox(server, settings, deliver, inbox)
    inbox.close()
