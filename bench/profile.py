"""`python -m bench.profile`: where the time of a mail goes.

Runs the daemon in this process over a full inbox, Dovecot and smtp-sink beside it, and counts the CPU time of each
stage without that of the stages inside it, by the clock of the thread it runs in. `--functions` shows Python's own
profile of the mail thread instead, which makes cheap functions look dear.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

import router.arrivals
import router.compose
import router.office
import router.triage
from bench.mails import requests
from bench.runs import Bench, house
from router.config import load
from router.counter import open_office
from router.daemon import Daemon
from router.inbox import Inbox
from router.outbox import Sender
from router.store import Store
from tests.servers import Dovecot, SmtpSink

STAGES: tuple[tuple[Any, str, str], ...] = (
    (Inbox, "search", "IMAP: search"),
    (Inbox, "_fetch_whole", "IMAP: fetch"),
    (Inbox, "file", "IMAP: file"),
    (router.office, "read_message", "MIME to text"),
    (router.office, "triage", "triage: the rest"),
    (router.triage, "read_bounce", "triage: delivery reports"),
    (router.triage, "auto_reply_reason", "triage: robots"),
    (router.triage, "bulk_reason", "triage: bulk"),
    (router.triage, "form_letter_reason", "triage: form letters"),
    (router.office, "decide", "deciding"),
    (router.arrivals, "guess_language", "deciding: the client's language"),
    (router.arrivals, "fingerprint", "deciding: whether it came twice"),
    (router.office, "compose", "writing mails: the rest"),
    (router.compose, "facts_for", "writing mails: facts"),
    (router.compose.Templates, "render", "writing mails: templates"),
    (router.compose, "to_text", "writing mails: text"),
    (router.compose, "to_html", "writing mails: HTML"),
    (router.compose, "write_mail", "writing mails: MIME"),
    (router.office, "weigh", "restraint"),
    (router.office, "keep_file", "files on disk"),
    (Store, "stage", "storing: staging"),
    (Store, "flush", "storing: journal"),
    (router.office.Office, "take_results", "results of sending"),
    (Store, "take", "sender: rows out"),
    (Store, "mark", "sender: rows back"),
    (Sender, "_run", "sender: SMTP"),
    (Daemon, "run", "the loop, and the rest"),
)


class Clock:
    """CPU seconds of each stage, less those of the stages inside it."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._inside = threading.local()

    def timed(self, function: Callable[..., Any], stage: str) -> Callable[..., Any]:
        def measured(*words: Any, **named: Any) -> Any:
            above, self._inside.spent = getattr(self._inside, "spent", 0.0), 0.0
            began = time.thread_time()
            try:
                return function(*words, **named)
            finally:
                took = time.thread_time() - began
                self.spent[stage] += took - self._inside.spent
                self.calls[stage] += 1
                self._inside.spent = above + took

        return measured


@contextmanager
def watched(clock: Clock) -> Iterator[None]:
    """Every stage goes by the clock until the block ends."""
    patches = [
        mock.patch.object(where, name, clock.timed(getattr(where, name), stage)) for where, name, stage in STAGES
    ]
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()


def take_in(mails: int, around: Callable[[Daemon], None]) -> float:
    """Wall seconds of a daemon's `run --once` over so many mails; `around` runs it."""
    os.environ["BUN_PASSWORD"] = Dovecot.PASSWORD
    with Dovecot() as dovecot, SmtpSink() as sink, tempfile.TemporaryDirectory() as name:
        own = house(Path(name), Bench(dovecot, sink, mails, 1, 0), "profile")
        for raw in requests(mails, 1):
            dovecot.deliver("profile", raw)
        settings = load(own.config)
        daemon = Daemon(settings, open_office(settings), lambda: datetime.now(UTC))
        began = time.perf_counter()
        around(daemon)
        return time.perf_counter() - began


def by_stage(mails: int) -> None:
    clock = Clock()
    with watched(clock):
        seconds = take_in(mails, lambda daemon: daemon.run(once=True))
    total = sum(clock.spent.values())
    print("| stage | µs a mail | % | calls a mail |\n| --- | --- | --- | --- |")
    for stage, spent in clock.spent.most_common():
        print(f"| {stage} | {spent / mails * 1e6:.0f} | {100 * spent / total:.1f} | {clock.calls[stage] / mails:.1f} |")
    print(f"\n{total / mails * 1000:.2f} ms of CPU a mail, {seconds / mails * 1000:.2f} ms by the clock on the wall")


def by_function(mails: int, lines: int) -> None:
    profile = cProfile.Profile(time.thread_time)
    take_in(mails, lambda daemon: profile.runcall(daemon.run, once=True))
    pstats.Stats(profile).sort_stats("tottime").print_stats(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--functions", type=int, metavar="N", help="show the N dearest functions of the mail thread")
    arguments = parser.parse_args()
    if arguments.functions:
        by_function(arguments.mails, arguments.functions)
    else:
        by_stage(arguments.mails)
    return 0


if __name__ == "__main__":
    sys.exit(main())
