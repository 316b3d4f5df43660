"""A house whose daemon runs in this process: the real object and its sending thread, with the clock in the test's hand.

Job: what `house.Running` is for a daemon of its own process. The clock is the machine's, moved on by `pass_time`, so
that outages of hours and retries over days are seen in seconds while every thread waits as it does in earnest. The
mail servers are real ones, or scripted; the disk is whatever `journal_files.disk` is.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from router import cli, daemon, start
from router.clerk import Clerk
from router.config import load
from router.daemon import Daemon
from router.inbox import Inbox
from router.office import Handled, Office
from router.smtp import Timeouts
from router.store import Store
from tests.house import DOMAIN, Running, sent_to, wait_for

START = datetime(2031, 3, 3, 8, 0, tzinfo=UTC)  # a Monday morning; later than any real one, so that files are older
QUICK = Timeouts(connect=3, command=1.5, end=1.5, quit=0.2, idle=30)
OPERATOR = f"operator@{DOMAIN}"
READ_TIMEOUT = 1.5  # seconds of silence after which the mail server counts as gone


class Clock:
    """The machine's time, moved on."""

    def __init__(self) -> None:
        self.ahead = START - datetime.now(UTC)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Watched(Daemon):
    """The daemon, counting how often it has looked around."""

    looks = 0

    def _wait(self, found: bool, once: bool) -> None:
        self.looks += 1
        super()._wait(found, once)


class OpenHouse(Running):
    """A house whose daemon is `daemon`, once it was opened; `events` is what it decided."""

    clock: Clock
    daemon: Watched
    events: list[Handled]
    ended: BaseException | None

    def open(self) -> None:
        """Start the daemon; again after `close`, as a restart."""
        if not hasattr(self, "clock"):
            self.clock, self.events = Clock(), []
        os.environ["BUN_PASSWORD"] = self.password
        settings = load(self.config)
        office = cli.open_office(settings)
        office = Office(office.house, office.store, office.templates, self.clock, self.events.append)
        clerk = Clerk(settings, office)
        self._impatience = [
            patch.object(start, "Timeouts", lambda: QUICK),
            patch.object(daemon, "make_inbox", _impatient_inbox),
        ]
        for each in self._impatience:
            each.start()
        self.daemon = Watched(settings, office, self.clock, clerk=clerk)
        self.ended = None
        self._thread = threading.Thread(target=self._run, name="daemon", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.daemon.run()
        except BaseException as error:
            self.ended = error

    def close(self) -> None:
        """Stop the daemon as a signal would."""
        self.daemon.stop()
        self._thread.join(15)
        for each in self._impatience:
            each.stop()
        self._impatience = []
        assert not self._thread.is_alive(), "the daemon does not end"

    @property
    def runs(self) -> bool:
        return self._thread.is_alive()

    def pass_time(self, span: timedelta, step: timedelta = timedelta(minutes=1)) -> None:
        """Let time pass in steps, in each of which the daemon and its sender look around."""
        left = span
        while left > timedelta(0):
            self.clock.ahead += min(step, left)
            left -= step
            self.look_around()

    def look_around(self) -> None:
        """Wake both threads, and wait until the mail thread has been round once with the time as it is now."""
        self.daemon.sender.wake()
        self.daemon.almanac._ticked = True  # its minute is a real one
        seen, limit = self.daemon.looks, time.monotonic() + 60
        while self.daemon.looks < seen + 2 and self.runs:
            assert time.monotonic() < limit, "the daemon does not come round"
            self.daemon.wake()
            time.sleep(0.001)

    def until(self, what: Callable[[], Any], seconds: float = 45.0, why: str = "", step: float = 0.0) -> Any:
        """Wait until it is so; `step`: and let as many seconds of the house's time pass at each look."""

        def look() -> Any:
            assert self.ended is None, f"the daemon ended: {self.ended!r}"
            if step and not what():
                self.pass_time(timedelta(seconds=step), timedelta(seconds=step))
                self._let_it_send()
            return what()

        return wait_for(look, seconds, why)

    def _let_it_send(self) -> None:
        """Let mail that is under way arrive, so that a busy machine makes no minutes of the house's time of it."""
        limit = time.monotonic() + 1
        time.sleep(0.005)
        while self.daemon.store.in_flight and time.monotonic() < limit:
            time.sleep(0.002)

    def took(self, what: Callable[[], Any], why: str = "", step: float = 5.0, seconds: float = 120.0) -> float:
        """How many seconds of the house's time it took until it was so."""
        began = self.clock()
        self.until(what, seconds, why, step)
        return (self.clock() - began).total_seconds()

    # -- what is known ---------------------------------------------------------------------------------------------

    def store(self) -> Store:
        """The store as a reader beside the daemon sees it."""
        return Store(self.store_path, read_only=True)

    def subjects(self) -> list[str]:
        """The subjects of all leads, in order."""
        return sorted(lead.subject for lead in self.store().leads())

    def health(self) -> dict[str, Any]:
        path = self.store_path.with_name("buns.json.health")
        found: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {}
        return found


_make_inbox = start.make_inbox


def _impatient_inbox(settings: Any) -> Inbox:
    inbox = _make_inbox(settings)
    inbox._account = replace(inbox._account, connect_timeout=READ_TIMEOUT, read_timeout=READ_TIMEOUT)
    return inbox


def alerts(mails: list[Any], what: str = "") -> list[str]:
    """The codes of the alerts that the operator got, or how many there are of one."""
    found = [message.text.split("Code:")[-1].split()[0] for message in sent_to(mails, OPERATOR, "Code:")]
    return [code for code in found if code == what] if what else found


@contextmanager
def opened(folder: Path, imap_port: int, smtp_port: int, user: str, password: str, **more: Any) -> Iterator[OpenHouse]:
    """A house whose daemon runs until the block ends."""
    house = OpenHouse(folder, imap_port, smtp_port, user, password, **more)
    house.open()
    try:
        yield house
    finally:
        house.close()


def settled(condition: Callable[[], Any], seconds: float = 0.3) -> bool:
    """Whether it stays true for so long: for what must not happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not condition():
            return False
        time.sleep(0.01)
    return True
