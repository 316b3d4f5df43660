"""An outbox in memory that remembers and can be told to fail, a clock that is set by hand, and a sender on both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from router.delivery import Accepted, Later, Mail, Never, Outcome, Paused
from router.outbox import Result, Sender
from router.smtp import Server, Timeouts

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
QUICK = Timeouts(connect=2, command=2, end=2, quit=0.5, idle=30)
TEXT = b"From: buns@example.org\r\nSubject: offer\r\n\r\nA bun is warm.\r\n"


class Outbox:
    """Rows are due by the clock, in flight from `take` to `report`, gone when settled: as the store keeps them."""

    def __init__(self) -> None:
        self.now = START
        self.rows: dict[int, Mail] = {}
        self.flying: set[int] = set()
        self.outcomes: list[tuple[int, Outcome]] = []
        self.batches: list[int] = []
        self.states: list[str] = []
        self.failing: Exception | None = None  # what `report` raises
        self._lock = threading.Lock()
        self._next = 1

    def clock(self) -> datetime:
        return self.now

    def add(self, *recipients: str, raw: bytes = TEXT, sender: str = "buns@example.org") -> int:
        with self._lock:
            row, self._next = self._next, self._next + 1
            self.rows[row] = Mail(row, 1, sender, recipients, raw, f"<{row}@example.org>", 0, self.now)
        return row

    def take(self, count: int) -> Sequence[Mail]:
        with self._lock:
            due = [m for m in self.rows.values() if m.row not in self.flying and m.not_before <= self.now]
            self.flying.update(mail.row for mail in due[:count])
            return due[:count]

    def report(self, results: Sequence[Result]) -> None:
        with self._lock:
            if self.failing:
                raise self.failing
            self.batches.append(len(results))
            for mail, outcome, _ in results:
                assert mail.row in self.flying, "a result for a mail that was not in flight"
                self.flying.discard(mail.row)
                self.outcomes.append((mail.row, outcome))
                self._apply(mail, outcome)

    def _apply(self, mail: Mail, outcome: Outcome) -> None:
        tried = replace(mail, tries=mail.tries + 1, first_tried=mail.first_tried or self.now)
        if isinstance(outcome, Later):
            self.rows[mail.row] = replace(tried, not_before=outcome.retry_at)
        elif isinstance(outcome, Accepted) and outcome.retry_at:
            self.rows[mail.row] = replace(tried, recipients=outcome.rest, not_before=outcome.retry_at)
        elif isinstance(outcome, Accepted | Never):
            del self.rows[mail.row]

    def of(self, row: int) -> list[Outcome]:
        """The outcomes of one row, in order, without the pauses."""
        return [each for at, each in self.outcomes if at == row and not isinstance(each, Paused)]


class Run:
    """A running sender with its outbox."""

    def __init__(self, outbox: Outbox, sender: Sender) -> None:
        self.outbox, self.sender = outbox, sender

    def until(self, condition: Callable[[], Any], what: str, seconds: float = 5.0) -> Any:
        deadline = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < deadline, f"waited for {what}; state {self.sender.state}, {self.outbox.outcomes}"
            time.sleep(0.002)
        return value

    def outcome(self, row: int, number: int = 1) -> Outcome:
        """The `number`-th outcome of `row`."""
        self.until(lambda: len(self.outbox.of(row)) >= number, f"outcome {number} of row {row}")
        return self.outbox.of(row)[number - 1]

    def send(self, *recipients: str, **more: Any) -> int:
        row = self.outbox.add(*recipients or ("bo@example.org",), **more)
        self.sender.wake()
        return row

    def pass_time(self, span: timedelta) -> None:
        self.outbox.now += span
        self.sender.wake()

    def pass_pauses(self) -> None:
        """Let time pass, pause after pause, until mail gets through."""

        def works() -> bool:
            if self.sender.state != "ok":
                self.pass_time(timedelta(minutes=1))
                time.sleep(0.01)
            return self.sender.state == "ok"

        self.until(works, "the end of the pauses")


@contextmanager
def running(
    port: int, *, connections: int = 2, timeouts: Timeouts = QUICK, outbox: Outbox | None = None, **server: Any
) -> Iterator[Run]:
    """A sender to 127.0.0.1:port until the block ends."""
    outbox = outbox or Outbox()
    server = {"host": "127.0.0.1", "security": "plain", **server}
    target = Server(port=port, connections=connections, timeouts=timeouts, name="router.example.org", **server)
    sender = Sender(target, take=outbox.take, report=outbox.report, clock=outbox.clock, on_state=outbox.states.append)
    sender.start()
    try:
        yield Run(outbox, sender)
    finally:
        outbox.failing = None
        sender.stop(0.2)
