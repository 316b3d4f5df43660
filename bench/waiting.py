"""Rows about time that passes: from arrival to offer, claims that come at once, servers at a distance."""

from __future__ import annotations

import imaplib
import random
import re
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from imapclient import IMAPClient

from bench.mails import requests
from bench.proxy import DelayProxy
from bench.runs import BOUNDS, Bench, Row, Run, house, run_to_end, without
from router.journal import JournalDB, StoreError
from tests.house import DOMAIN, LIST, Running, wait_for
from tests.servers import Dovecot, RecordingSmtp

ARRIVALS = 25  # mails in a round
POLL = 2.0  # seconds
CLAIMANTS = 500
FAR = 0.020  # seconds of a round trip
FAR_MAILS = 400


def idle(bench: Bench) -> list[Row]:
    """From a mail's arrival to its offer accepted, with IDLE, less what the server takes to tell a bare client.

    The bare client has a mailbox of its own, where each mail arrives too: in the router's it may be filed before the
    server has told anybody else of it.
    """
    over, ours, bare = [], [], []
    other = bench.user()
    with _daemon(bench, bench.dovecot) as (running, offers), Notices(bench.dovecot, other) as notices:
        for number in range(bench.rounds):
            arrivals = _arrive(bench.dovecot, running, offers, 1000 + number, (1.3, 1.9), other)
            ours.append(_p95([offers.after(at) for at in arrivals]))
            bare.append(_p95([notices.after(at) for at in arrivals]))
            over.append(ours[-1] - bare[-1])
            bench.tell(f"  round {number + 1}: offer {ours[-1]:.0f} ms, a bare client's notice {bare[-1]:.0f} ms")
    return [
        Row("IDLE: arrival → offer accepted, beyond a bare client's notice, p95, ms", tuple(over), 20.0),
        Row("the same in all, p95, ms", tuple(ours)),
    ]


def polling(bench: Bench) -> list[Row]:
    """The same where the server has no IDLE, and the router looks every two seconds."""
    over = []
    extra = "imap_capability = IMAP4rev1 LITERAL+ NAMESPACE UIDPLUS MOVE SPECIAL-USE\n"
    with (
        Dovecot(extra=extra) as dovecot,
        _daemon(bench, dovecot, imap_more=f'poll = "{POLL:.0f} seconds"') as (running, offers),
    ):
        for number in range(bench.rounds):
            arrivals = _arrive(dovecot, running, offers, 2000 + number, (1.3, 1.3 + POLL))
            over.append(_p95([offers.after(at) for at in arrivals]) - POLL * 1000)
            bench.tell(f"  round {number + 1}: {over[-1]:+.0f} ms beyond the period")
    return [Row(f"polling every {POLL:.0f} s: arrival → offer accepted, beyond the period, p95, ms", tuple(over), 50.0)]


class Moments:
    """When something happened, on one clock; written by one thread, read by another."""

    def __init__(self) -> None:
        self._moments: list[float] = []

    def note(self) -> None:
        self._moments.append(time.perf_counter())

    def after(self, moment: float) -> float:
        """Milliseconds from `moment` to what happened next."""
        later = [each for each in self._moments if each > moment]
        if not later:
            raise RuntimeError("nothing was heard of the last mail")
        return (later[0] - moment) * 1000

    def __len__(self) -> int:
        return len(self._moments)


class Notices(Moments):
    """A bare IDLE client on a mailbox, in a thread: when it was told of each mail that came."""

    def __init__(self, dovecot: Dovecot, user: str) -> None:
        super().__init__()
        self._client = IMAPClient("127.0.0.1", dovecot.plain_port, ssl=False)
        self._client.login(user, dovecot.PASSWORD)
        self._client.select_folder("INBOX", readonly=True)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._client.idle()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join(5)
        self._client.shutdown()

    def _listen(self) -> None:
        while not self._ends.is_set():
            if any(word == b"EXISTS" for _, word, *_ in self._client.idle_check(timeout=0.5)):
                self.note()


@contextmanager
def _daemon(bench: Bench, dovecot: Dovecot, imap_more: str = "") -> Iterator[tuple[Running, Moments]]:
    """A router that runs, quiet after its first mail, and when the server accepted each of its offers."""
    offers, user = Moments(), bench.user()

    def listen(stage: str, address: str) -> None:
        if stage == "data" and address == LIST:
            offers.note()

    with tempfile.TemporaryDirectory() as name, RecordingSmtp(listen) as smtp:
        running = Running(
            Path(name), dovecot.plain_port, smtp.port, user, dovecot.PASSWORD, imap_more=imap_more, more=BOUNDS
        )
        running.start()
        try:
            dovecot.deliver(user, requests(1, 999)[0])
            wait_for(lambda: len(offers), 30, "the first offer")
            yield running, offers
            running.stop()
        finally:
            running.kill()


def _arrive(
    dovecot: Dovecot, running: Running, offers: Moments, seed: int, pause: tuple[float, float], other: str = ""
) -> Sequence[float]:
    """Mails one after the other, each into a quiet house and into the mailbox of `other`; answers when they arrived."""
    pick, arrivals = random.Random(seed), []
    for raw in requests(ARRIVALS, seed):
        wait_for(lambda: not dovecot.mails(running.user), 30, "the last one filed")
        time.sleep(pick.uniform(*pause))
        so_far = len(offers)
        arrivals.append(time.perf_counter())
        dovecot.deliver(running.user, raw)
        if other:
            dovecot.deliver(other, raw)
        wait_for(lambda: len(offers) > so_far, 30, "an offer")  # noqa: B023 - called before the next turn
    return arrivals


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


# -- claims ------------------------------------------------------------------------------------------------------


def claims(bench: Bench) -> list[Row]:
    """500 colleagues say "mine" to one offer at once: recorded in the server's order, against as many requests."""
    person = '\n[[consultant]]\nkey = "p{0}"\nname = "Person {0}"\naddresses = ["p{0}@{1}"]\n'
    people = "".join(person.format(n, DOMAIN) for n in range(CLAIMANTS))
    ratios = []
    for number in range(bench.rounds):
        claimed, asked = _claim(bench, people), _ask(bench, people, number)
        ratios.append(asked.seconds / claimed.seconds)
        rates = CLAIMANTS / claimed.seconds, CLAIMANTS / asked.seconds
        bench.tell(f"  round {number + 1}: {rates[0]:.0f} claims a second, {rates[1]:.0f} requests")
    name = f"{CLAIMANTS} claims at once, all in order: times the rate of requests"
    return [Row(name, tuple(ratios), 0.8, at_least=True)]


def _claim(bench: Bench, people: str) -> Run:
    with tempfile.TemporaryDirectory() as name:
        own = house(Path(name), bench, bench.user(), more=people)
        bench.dovecot.deliver(own.user, requests(1, 3)[0])
        _once(own)
        offer = own.ids().message_id(1, "offer", "list", 1)
        for n in range(CLAIMANTS):
            thread = {"In-Reply-To": offer, "References": offer}
            raw = own.mail(f"Person {n} <p{n}@{DOMAIN}>", "Re: [BUN 1] Request", "mine", headers=thread)
            bench.dovecot.deliver(own.user, raw)
        wanted = _server_order(bench, own.user)
        run, start = _once(own), _once(own)
        recorded = [claim["who"] for claim in own.show(1)["claims"]]
    if recorded != wanted or len(wanted) != CLAIMANTS:
        raise RuntimeError(f"{len(recorded)} claims of {CLAIMANTS}, or not in the server's order")
    return without(run, start)


def _ask(bench: Bench, people: str, seed: int) -> Run:
    with tempfile.TemporaryDirectory() as name:
        own = house(Path(name), bench, bench.user(), more=people)
        for raw in requests(CLAIMANTS, 300 + seed):
            bench.dovecot.deliver(own.user, raw)
        run, start = _once(own), _once(own)
        return without(run, start)


def _once(own: Running) -> Run:
    return run_to_end(own.command("run", "--once"), own._environment())


def _server_order(bench: Bench, user: str) -> list[str]:
    """The senders' keys in the order in which the server received their mails: INTERNALDATE, then UID."""
    with imaplib.IMAP4("127.0.0.1", bench.dovecot.plain_port) as server:
        server.login(user, bench.dovecot.PASSWORD)
        server.select(readonly=True)
        _, answers = server.uid("FETCH", "1:*", "(UID INTERNALDATE BODY.PEEK[HEADER.FIELDS (FROM)])")
    found = []
    for answer in answers:
        if isinstance(answer, tuple):
            uid = int(re.search(rb"UID (\d+)", answer[0])[1])  # type: ignore[index]
            at = time.mktime(imaplib.Internaldate2tuple(answer[0]))  # type: ignore[arg-type]
            sender = re.search(rb"<(\w+)@", answer[1])
            found.append((at, uid, sender[1].decode() if sender else ""))
    return [sender for _, _, sender in sorted(found)]


# -- distance ----------------------------------------------------------------------------------------------------


def distance(bench: Bench) -> list[Row]:
    """Mail and SMTP servers that are 20 ms away: how many mails are taken in, and sent, in a second."""
    taken, sent = [], []
    for number in range(bench.rounds):
        rates = _far_away(bench, requests(FAR_MAILS, 400 + number))
        taken.append(rates[0])
        sent.append(rates[1])
        bench.tell(f"  round {number + 1}: {rates[0]:.0f} taken in and {rates[1]:.0f} sent a second")
    name = f"{FAR * 1000:.0f} ms away: mails"
    return [
        Row(f"{name} taken in a second", tuple(taken), 100.0, at_least=True),
        Row(f"{name} sent a second", tuple(sent), 60.0, at_least=True),
    ]


def _far_away(bench: Bench, raws: Sequence[bytes]) -> tuple[float, float]:
    """(taken in, sent) a second, as the store tells it from the first of each to the last."""
    dovecot, user = bench.dovecot, bench.user()
    for raw in raws:
        dovecot.deliver(user, raw)
    with (
        tempfile.TemporaryDirectory() as name,
        DelayProxy(dovecot.plain_port, FAR) as imap,
        DelayProxy(bench.sink.port, FAR) as smtp,
    ):
        more = {"smtp_more": "connections = 4", "more": BOUNDS}
        own = Running(Path(name), imap.port, smtp.port, user, dovecot.PASSWORD, **more)  # type: ignore[arg-type]
        process = own.start("--once")
        try:
            seen = list(_watch(own.store_path, process))
        finally:
            own.kill()
    if process.returncode or seen[-1][1:] != (len(raws), 2 * len(raws)):
        raise RuntimeError(f"the far run ended with {process.returncode}, {seen[-1:]}: {own.log()[-300:]}")
    return _slope([(at, leads) for at, leads, _ in seen]), _slope([(at, out) for at, _, out in seen])


def _watch(store: Path, process: subprocess.Popen[str]) -> Iterator[tuple[float, int, int]]:
    """(time, leads stored, mails sent) now and then, until the router has ended."""
    ended = False
    while not ended:
        ended = process.poll() is not None
        at = time.perf_counter()
        try:
            db = JournalDB(store, read_only=True)
        except StoreError:
            time.sleep(0.05)
            continue
        leads = len(db.keys("leads"))
        yield at, leads, 2 * leads - db.count("outbox")
        time.sleep(0.05)


def _slope(points: Sequence[tuple[float, int]]) -> float:
    """So many a second, from the first that were seen to the last."""
    first = next(point for point in points if point[1] > 0)
    last = next(point for point in points if point[1] == points[-1][1])
    return (last[1] - first[1]) / (last[0] - first[0]) if last[0] > first[0] else float("inf")
